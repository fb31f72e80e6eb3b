"""Calling a subscriber's hook: to the address that was checked, and nowhere else.

A hook is a URL that a client chose, called from inside the deployment's network. So the name is
resolved once, every address of it is checked, and the connection goes to a checked one: a name
that changes its answer in between gains nothing. Redirects are not followed.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from smart_launch.addresses import AddressRefused, Zone, zone_of

_TIMEOUT = urllib3.Timeout(connect=5.0, read=15.0)
_LONGEST_URL = 2000


class HookRefused(ValueError):
    """The endpoint may not be called; the message says why and may be shown to the client."""


class HookFailed(Exception):
    """The endpoint did not take the notification; `status` is what it answered, if it did."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def gone(self) -> bool:
        """It asked not to be called again."""
        return self.status == 410


@dataclass(frozen=True)
class HookPolicy:
    """`loopback` allows this machine, also without TLS; `private` the networks around it."""

    loopback: bool
    private: bool

    def check_url(self, url: str) -> None:
        """What can be told without resolving the name. Raises HookRefused."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise HookRefused("The endpoint is not a URL.") from None
        if not host or len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable():
            raise HookRefused("The endpoint is not a URL.")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise HookRefused("The endpoint may have no user, password or fragment.")
        if host == "localhost" or _is_address(host):
            self._check_address("127.0.0.1" if host == "localhost" else host)
        on_this_machine = host == "localhost" or _is_loopback(host)
        if parts.scheme != "https" and not (parts.scheme == "http" and on_this_machine):
            raise HookRefused("The endpoint must be an https URL.")

    def resolve(self, host: str, port: int) -> str:
        """An address of `host`, after all of them were checked. Raises HookRefused, HookFailed."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise HookFailed("the endpoint's host name can't be resolved") from None
        addresses = [str(entry[4][0]) for entry in found]
        for address in addresses:
            self._check_address(address)
        return addresses[0]

    def _check_address(self, address: str) -> None:
        allowed = {Zone.PUBLIC: True, Zone.PRIVATE: self.private, Zone.LOOPBACK: self.loopback}
        try:
            usable = allowed[zone_of(address)]
        except AddressRefused:
            usable = False
        if not usable:
            raise HookRefused("The endpoint is in a network that may not be called.")


def call_hook(policy: HookPolicy, url: str, headers: Mapping[str, str], body: bytes) -> None:
    """Posts `body`; any 2xx is success.

    Raises:
        HookRefused: the policy forbids the URL or what its name resolves to.
        HookFailed: no answer, or another status.
    """
    policy.check_url(url)
    parts = urlsplit(url)
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    address = policy.resolve(host, port)
    options: dict[str, object] = {"timeout": _TIMEOUT, "retries": False}
    if secure:
        options |= {
            "server_hostname": host,
            "assert_hostname": host,
            "ca_certs": DEFAULT_CA_BUNDLE_PATH,
        }
    kind = urllib3.HTTPSConnectionPool if secure else urllib3.HTTPConnectionPool
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with kind(address, port, **options) as pool:  # type: ignore[arg-type]  # by scheme, above
            answer = pool.urlopen(
                "POST",
                target,
                body,
                {**headers, "Host": parts.netloc},
                redirect=False,
                preload_content=False,
            )
            answer.close()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise HookFailed(f"the endpoint did not answer ({type(error).__name__})") from None
    if not 200 <= answer.status < 300:
        raise HookFailed(f"the endpoint answered HTTP {answer.status}", status=answer.status)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_address(host) and ip_address(host).is_loopback
