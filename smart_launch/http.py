"""The few requests that a launch makes: JSON in, small answers, no redirects, no inner network."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import create_connection

from smart_launch.addresses import AddressRefused, allowed_addresses

TIMEOUT_S = (5.0, 15.0)
MOST_BYTES = 1 << 20

# The read timeout above is for each piece; a server that trickles would hold a worker for hours.
DEADLINE_S = 30.0


class NoAnswer(Exception):
    """The server could not be reached, or answered something other than a JSON object.

    `status` is the HTTP status where there was an answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def get_json(
    url: str, *, iss: str, deadline_s: float | None = None, most_bytes: int = MOST_BYTES
) -> dict[str, Any]:
    """The JSON object at `url`, which the EHR at the registered `iss` names. Raises NoAnswer.

    `iss` says which addresses may be asked (see `addresses`). Where the environment sets an HTTP
    proxy, the proxy makes the connection and must hold to such a rule itself.
    """
    status, content = _request("GET", url, iss, deadline_s, most_bytes)
    if status != 200:
        raise NoAnswer(f"HTTP {status}", status)
    return _object(status, content)


def post_form(
    url: str, form: Mapping[str, str], *, iss: str, **options: Any
) -> tuple[int, dict[str, Any]]:
    """Posts `form`; status and JSON object. Raises NoAnswer."""
    status, content = _request("POST", url, iss, None, MOST_BYTES, data=form, **options)
    return status, _object(status, content)


def post_for_status(url: str, form: Mapping[str, str], *, iss: str, **options: Any) -> int:
    """Posts `form`; the status alone, whatever the answer says. Raises NoAnswer."""
    return _request("POST", url, iss, None, MOST_BYTES, data=form, **options)[0]


def _request(
    method: str, url: str, iss: str, deadline_s: float | None, most_bytes: int, **options: Any
) -> tuple[int, bytes]:
    deadline_s = DEADLINE_S if deadline_s is None else deadline_s
    deadline = monotonic() + deadline_s
    headers = {"Accept": "application/json", **options.pop("headers", {})}
    try:
        with requests.Session() as session:
            adapter = _GuardedAdapter(urlsplit(iss).hostname or "")
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            with session.request(
                method,
                url,
                timeout=_timeout(deadline_s),
                stream=True,
                allow_redirects=False,
                headers=headers,
                **options,
            ) as response:
                content = bytearray()
                for chunk in response.iter_content(65_536):
                    content += chunk
                    if len(content) > most_bytes:
                        raise NoAnswer("the answer is too large")
                    if monotonic() > deadline:
                        raise NoAnswer(f"the answer took longer than {deadline_s:.0f} s")
                return response.status_code, bytes(content)
    except AddressRefused as error:
        raise NoAnswer(str(error)) from None
    except requests.RequestException as error:
        raise NoAnswer(f"no answer ({type(error).__name__})") from None


def _timeout(deadline_s: float) -> tuple[float, float]:
    connect_s, read_s = TIMEOUT_S
    most_s = max(deadline_s, 0.1)
    return min(connect_s, most_s), min(read_s, most_s)


def _object(status: int, content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise NoAnswer(f"HTTP {status} without JSON", status) from None
    if not isinstance(document, dict):
        raise NoAnswer("the answer is not a JSON object", status)
    return document


class _GuardedAdapter(HTTPAdapter):
    """Connects to addresses that were looked at; a second look-up could give others."""

    def __init__(self, iss_host: str) -> None:
        self._iss_host = iss_host
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        manager: PoolManager = self.poolmanager
        iss_host = self._iss_host

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return _connected(self, iss_host)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return _connected(self, iss_host)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


def _connected(connection: HTTPConnection, iss_host: str) -> socket.socket:
    last: OSError | None = None
    for address in allowed_addresses(connection.host, connection.port, iss_host):
        try:
            return create_connection(
                (address, connection.port),
                connection.timeout,
                source_address=connection.source_address,
                socket_options=connection.socket_options,
            )
        except OSError as error:
            last = error
    raise last or OSError("the host has no address")
