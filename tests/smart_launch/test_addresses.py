"""No document of an EHR leads a request of ours into a network that is not the EHR's."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from smart_launch import addresses
from smart_launch.addresses import AddressRefused, Zone, allowed_addresses, zone_of
from smart_launch.http import NoAnswer, get_json, post_form
from tests.smart_launch.conftest import Told

PUBLIC = "https://ehr.example/fhir"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names and their addresses; others are looked up as ever."""
    known: dict[str, list[str]] = {"ehr.example": ["93.184.215.14"]}
    genuine = socket.getaddrinfo

    def look_up(host: str, port: int, **options: Any) -> Any:
        if host in known:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in known[host]]
        return genuine(host, port, **options)

    monkeypatch.setattr(addresses.socket, "getaddrinfo", look_up)
    return known


@pytest.mark.parametrize(
    ("address", "zone"),
    [
        ("8.8.8.8", Zone.PUBLIC),
        ("2606:4700:4700::1111", Zone.PUBLIC),
        ("10.1.2.3", Zone.PRIVATE),
        ("192.168.0.1", Zone.PRIVATE),
        ("100.64.0.1", Zone.PRIVATE),
        ("fd12::1", Zone.PRIVATE),
        ("127.0.0.1", Zone.LOOPBACK),
        ("::1", Zone.LOOPBACK),
        ("::ffff:127.0.0.1", Zone.LOOPBACK),
        ("::ffff:10.0.0.1", Zone.PRIVATE),
        ("64:ff9b::7f00:1", Zone.LOOPBACK),
        ("2002:7f00:1::", Zone.LOOPBACK),
    ],
)
def test_an_address_lies_in_its_zone_however_it_is_written(address: str, zone: Zone) -> None:
    assert zone_of(address) == zone


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "100.100.100.200",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
    ],
)
def test_where_clouds_keep_credentials_nobody_is_asked(address: str) -> None:
    with pytest.raises(AddressRefused):
        zone_of(address)


@pytest.mark.parametrize(
    ("iss", "named", "allowed"),
    [
        ("93.184.215.14", "1.1.1.1", True),
        ("93.184.215.14", "10.0.0.5", False),
        ("93.184.215.14", "127.0.0.1", False),
        ("10.0.0.5", "10.9.9.9", True),
        ("10.0.0.5", "8.8.8.8", True),
        ("10.0.0.5", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "10.0.0.5", False),
        ("10.0.0.5", "169.254.169.254", False),
    ],
)
def test_a_named_server_is_public_or_where_the_registered_one_is(
    names: dict[str, list[str]], iss: str, named: str, allowed: bool
) -> None:
    names.update({"iss.example": [iss], "named.example": [named]})
    if allowed:
        assert allowed_addresses("named.example", 443, "iss.example") == [named]
    else:
        with pytest.raises(AddressRefused):
            allowed_addresses("named.example", 443, "iss.example")


def test_one_inner_address_among_public_ones_is_enough_to_refuse(
    names: dict[str, list[str]],
) -> None:
    names["named.example"] = ["93.184.215.14", "10.0.0.5"]
    with pytest.raises(AddressRefused):
        allowed_addresses("named.example", 443, "ehr.example")


@pytest.mark.parametrize(
    "call",
    [lambda url: get_json(url, iss=PUBLIC), lambda url: post_form(url, {}, iss=PUBLIC)],
    ids=["get", "post"],
)
def test_a_public_ehr_cannot_lead_a_request_to_this_machine(
    told: Told, names: dict[str, list[str]], call: Callable[[str], Any]
) -> None:
    told.answer("/secret", {"password": "x"})
    port = told.base.rpartition(":")[2]
    names["rebound.example"] = ["127.0.0.1"]
    for host in ("127.0.0.1", "localhost", "rebound.example", "2130706433"):
        with pytest.raises(NoAnswer, match="loopback"):
            call(f"http://{host}:{port}/secret")
    assert told.asked == []


def test_the_address_that_was_looked_at_is_the_one_that_is_asked(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers with a public address first and an inner one later gains nothing."""
    asked: list[str] = []

    def look_up(host: str, port: int, *_: Any, **__: Any) -> Any:
        asked.append(host)
        ip = "127.0.0.1" if asked.count("flips.example") > 1 else "192.0.2.1"
        if host == "192.0.2.1":
            raise OSError("the test's network has no such host")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    told.answer("/secret", {})
    port = told.base.rpartition(":")[2]
    with pytest.raises(NoAnswer):
        get_json(f"http://flips.example:{port}/secret", iss="https://flips.example")
    assert asked.count("flips.example") == 1
    assert told.asked == []


def test_a_redirect_is_not_followed(told: Told) -> None:
    told.answer("/elsewhere", {"a": 1})
    told.answer("/keys", b"", status=302)
    told.headers["/keys"] = {"Location": f"{told.base}/elsewhere"}
    with pytest.raises(NoAnswer, match="302"):
        get_json(f"{told.base}/keys", iss=told.base)
    assert told.paths == ["/keys"]
