"""Which hooks are called: never one inside the network, whatever its name resolves to."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from app.hook_client import HookFailed, HookPolicy, HookRefused, call_hook
from tests.app.api.hooks import listening

STRICT = HookPolicy(loopback=False, private=False)
EMBEDDED = HookPolicy(loopback=True, private=False)
PRIVATE = HookPolicy(loopback=False, private=True)

INSIDE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def answer(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_inside_is_called_by_number_or_by_name(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(HookRefused):
        STRICT.check_url(f"https://{host}/x")
    resolving(monkeypatch, address)
    with pytest.raises(HookRefused):
        call_hook(STRICT, "https://hooks.example/x", {}, b"")


def test_one_inner_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "93.184.216.34", "10.0.0.1")
    with pytest.raises(HookRefused):
        STRICT.resolve("hooks.example", 443)
    resolving(monkeypatch, "93.184.216.34")
    assert STRICT.resolve("hooks.example", 443) == "93.184.216.34"


def test_a_private_network_is_called_where_the_deployment_allows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolving(monkeypatch, "10.0.0.1")
    assert PRIVATE.resolve("hooks.internal", 443) == "10.0.0.1"
    for address in ("127.0.0.1", "169.254.169.254"):
        resolving(monkeypatch, address)
        with pytest.raises(HookRefused):
            PRIVATE.resolve("hooks.internal", 443)


def test_loopback_without_tls_is_for_a_single_machine() -> None:
    EMBEDDED.check_url("http://127.0.0.1:8080/x")
    EMBEDDED.check_url("http://localhost:8080/x")
    for url in ("http://127.0.0.1:8080/x", "http://localhost:8080/x", "https://localhost/x"):
        with pytest.raises(HookRefused):
            STRICT.check_url(url)
    with pytest.raises(HookRefused):
        EMBEDDED.check_url("http://hooks.example/x")


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example:port/x",
        "https://hooks.example:99999/x",
        "https://[::1/x",
        "https://hooks.example/" + "x" * 3000,
        "https://hooks.example/x\r\nHost: y",
        "https://hooks.example/x#y",
        "javascript:alert(1)",
        "//hooks.example",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(HookRefused):
        STRICT.check_url(url)


def test_the_path_and_query_arrive_as_given() -> None:
    with listening() as hook:
        call_hook(EMBEDDED, f"{hook.url}?key=7", {"X-Site": "1"}, b"body")
        [(path, headers, body)] = hook.calls
    assert (path, body) == ("/results?key=7", b"body")
    assert headers["X-Site"] == "1"
    assert headers["Host"] in hook.url


def test_a_redirect_is_not_followed() -> None:
    with listening() as hook:
        hook.statuses = [302]
        with pytest.raises(HookFailed, match="302"):
            call_hook(EMBEDDED, hook.url, {}, b"")
        assert len(hook.calls) == 1


def test_a_host_that_does_not_answer_is_a_failure() -> None:
    with pytest.raises(HookFailed, match="did not answer"):
        call_hook(EMBEDDED, "http://127.0.0.1:9/x", {}, b"")
    with pytest.raises(HookFailed, match="resolved"):
        call_hook(STRICT, "https://nowhere.invalid/x", {}, b"")
