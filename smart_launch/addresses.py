"""Which network addresses an EHR's documents may lead us to.

An EHR's SMART configuration names further servers: token endpoint, keys, style sheet. A forged or
careless one could name an address inside our own network (server-side request forgery). So a named
server must be at a public address, or where the registered `iss` is itself: a health system on a
private network keeps its authorization server there too. Link-local addresses, where clouds
answer with a machine's credentials, are refused for everybody.
"""

from __future__ import annotations

import socket
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")

# Metadata services that stand at private, not at link-local addresses.
_METADATA = {ip_address("fd00:ec2::254"), ip_address("100.100.100.200")}


class AddressRefused(Exception):
    """The host is at an address that must not be asked."""


class Zone(Enum):
    """How far away an address is."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"


def zone_of(address: str) -> Zone:
    """The zone of an IP address. Raises AddressRefused for one that is never asked."""
    ip = _embedded(ip_address(address.partition("%")[0]))
    if ip.is_loopback:
        return Zone.LOOPBACK
    never = ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved
    if never or ip in _METADATA:
        raise AddressRefused(f"{ip} is an address that is never asked")
    return Zone.PUBLIC if ip.is_global else Zone.PRIVATE


def allowed_addresses(host: str, port: int, iss_host: str) -> list[str]:
    """The addresses of `host`, all of which may be asked on behalf of the EHR at `iss_host`.

    Raises:
        AddressRefused: one of them may not; all count, as any could be taken.
        OSError: a name is not known.
    """
    addresses = _resolved(host, port)
    zones = {zone_of(address) for address in addresses} - {Zone.PUBLIC}
    if zones and host != iss_host:
        zones -= {zone_of(address) for address in _resolved(iss_host, port)}
        if zones:
            names = ", ".join(sorted(zone.value for zone in zones))
            raise AddressRefused(f"{host} is at a {names} address, where the EHR itself is not")
    return addresses


def zones_of_host(host: str) -> set[Zone]:
    """Where `host` is. Raises AddressRefused; OSError where the name is not known."""
    return {zone_of(address) for address in _resolved(host, 0)}


def _resolved(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def _embedded(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that a transition address of IPv6 stands for, else `ip`."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)
