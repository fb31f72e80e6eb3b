"""TLS for MLLP, both ends: our certificate, and whom we believe."""

from __future__ import annotations

import ssl
from pathlib import Path


class TlsFilesUnusable(ValueError):
    """One line: which file, and why."""


def server_tls(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """With `client_ca`, only senders with a certificate of that authority are let in.

    Raises:
        TlsFilesUnusable: a file is missing, no PEM, or key and certificate do not match.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, certificate, key)
    if client_ca is not None:
        _trust(context, client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_tls(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Believes `ca`, or the system's authorities where it is None; checks the host's name.

    Raises:
        TlsFilesUnusable: a file is missing, no PEM, or key and certificate do not match.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is None:
        context.load_default_certs()
    else:
        _trust(context, ca)
    if certificate is not None and key is not None:
        _load(context, certificate, key)
    return context


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        raise TlsFilesUnusable(f"{ca}: {_why(error)}") from None


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        # A key that wants a passphrase must not stop a service to ask for it.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as error:
        raise TlsFilesUnusable(f"{certificate}, {key}: {_why(error)}") from None


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"not usable ({error.reason or 'no PEM'})"
    return error.strerror or type(error).__name__
