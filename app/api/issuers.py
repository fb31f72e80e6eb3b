"""The authorization servers of the health systems, with their keys, kept for a few minutes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from joserfc.jwk import KeySet

from smart_launch.access_token import (
    AccessTokenRefused,
    IssuerUnavailable,
    verify_access_token,
)
from smart_launch.discovery import SmartConfiguration, discover
from smart_launch.errors import DiscoveryFailed
from smart_launch.http import NoAnswer, get_json
from smart_launch.id_token import usable_keys

_KEPT_FOR = timedelta(minutes=5)

# A token that no key fits may be signed with a new one; forged tokens must not make us ask
# the issuer for each of them.
_ASKED_AGAIN_AFTER = timedelta(seconds=5)


@dataclass(frozen=True)
class _Known:
    configuration: SmartConfiguration
    keys: KeySet | None
    at: datetime


class Issuers:
    """Discovery and keys by `iss`. One instance serves every thread of a process."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._lock = Lock()

    def configuration(self, iss: str, now: datetime) -> SmartConfiguration:
        """Raises IssuerUnavailable."""
        return self._recent(iss, now, _KEPT_FOR).configuration

    def verify(self, iss: str, token: str, audience: str, now: datetime) -> dict[str, object]:
        """The claims of a JWT of `iss`, with its keys read anew where the kept ones do not fit.

        Raises:
            AccessTokenRefused: see `verify_access_token`; or the issuer publishes no keys.
            IssuerUnavailable: it could not be asked.
        """
        known = self._recent(iss, now, _KEPT_FOR)
        try:
            return _verified(known, token, audience, now)
        except AccessTokenRefused:
            newer = self._recent(iss, now, _ASKED_AGAIN_AFTER)
            if newer is known:
                raise
            return _verified(newer, token, audience, now)

    def _recent(self, iss: str, now: datetime, no_older_than: timedelta) -> _Known:
        with self._lock:
            known = self._known.get(iss)
        if known is not None and known.at > now - no_older_than:
            return known
        try:
            configuration = discover(iss)
            keys = None
            if configuration.jwks_uri is not None:
                keys = usable_keys(get_json(configuration.jwks_uri))
        except (DiscoveryFailed, NoAnswer, ValueError) as error:
            raise IssuerUnavailable(
                f"The health system's authorization server can't be asked: {error}"
            ) from None
        found = _Known(configuration, keys, now)
        with self._lock:
            self._known[iss] = found
        return found


def _verified(known: _Known, token: str, audience: str, now: datetime) -> dict[str, object]:
    if known.keys is None or known.configuration.issuer is None:
        raise AccessTokenRefused("The health system publishes no keys for signed tokens.")
    return verify_access_token(
        token,
        issuer=known.configuration.issuer,
        audience=audience,
        keys=known.keys,
        now=now,
    )
