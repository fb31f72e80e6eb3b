"""Discovery: where the EHR's authorization server is and what it can do (SMART 2.2, 2.1.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from smart_launch.errors import DiscoveryFailed
from smart_launch.http import NoAnswer, get_json

_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


@dataclass(frozen=True)
class SmartConfiguration:
    """What a launch needs to know. `issuer` and `jwks_uri` are None without OpenID Connect."""

    iss: str
    authorization_endpoint: str
    token_endpoint: str
    issuer: str | None
    jwks_uri: str | None
    scopes_supported: tuple[str, ...]
    capabilities: tuple[str, ...]
    introspection_endpoint: str | None = None


def discover(iss: str) -> SmartConfiguration:
    """Reads `[iss]/.well-known/smart-configuration`, else the CapabilityStatement.

    The CapabilityStatement is asked only where the server has no SMART configuration (a 4xx),
    not where it fails: an outage must not lead to the weaker description.

    Raises:
        DiscoveryFailed: neither can be read, endpoints are missing or less protected than
            `iss` itself, or PKCE with S256 is not offered.
    """
    base = iss.rstrip("/")
    try:
        document = get_json(f"{base}/.well-known/smart-configuration")
        _require_pkce(document)
    except NoAnswer as first:
        document = _described_the_older_way(base, first)
    endpoints = {
        name: _endpoint(document, name, base)
        for name in (
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "introspection_endpoint",
        )
    }
    for name in ("authorization_endpoint", "token_endpoint"):
        if endpoints[name] is None:
            raise DiscoveryFailed(f"The EHR's SMART configuration has no {name}.")
    issuer = document.get("issuer")
    return SmartConfiguration(
        iss=base,
        authorization_endpoint=str(endpoints["authorization_endpoint"]),
        token_endpoint=str(endpoints["token_endpoint"]),
        issuer=issuer if isinstance(issuer, str) else None,
        jwks_uri=endpoints["jwks_uri"],
        scopes_supported=_texts(document.get("scopes_supported")),
        capabilities=_texts(document.get("capabilities")),
        introspection_endpoint=endpoints["introspection_endpoint"],
    )


def _require_pkce(document: Mapping[str, Any]) -> None:
    if "S256" not in _texts(document.get("code_challenge_methods_supported")):
        raise DiscoveryFailed("The EHR does not offer PKCE with S256; a launch would be unsafe.")


def _described_the_older_way(base: str, first: NoAnswer) -> dict[str, Any]:
    """Endpoints from `metadata`, keys from OpenID Connect discovery where there is one.

    Neither says whether PKCE is supported; the challenge is sent all the same.
    """
    if first.status is None or not 400 <= first.status < 500:
        raise DiscoveryFailed(f"The EHR's SMART configuration can't be read: {first}.")
    try:
        document = _oauth_uris(get_json(f"{base}/metadata"))
    except NoAnswer as second:
        raise DiscoveryFailed(
            f"The EHR's SMART configuration can't be read: {first}; its CapabilityStatement "
            f"neither: {second}."
        ) from None
    try:
        openid = get_json(f"{base}/.well-known/openid-configuration")
    except NoAnswer:
        return document
    return {**document, "issuer": openid.get("issuer"), "jwks_uri": openid.get("jwks_uri")}


def _oauth_uris(statement: Mapping[str, Any]) -> dict[str, Any]:
    """The endpoints in the older `oauth-uris` extension."""
    for rest in _objects(statement.get("rest")):
        security = rest.get("security")
        extensions = security.get("extension") if isinstance(security, dict) else None
        for extension in _objects(extensions):
            if extension.get("url") == _OAUTH_URIS:
                uris = {
                    part.get("url"): part.get("valueUri")
                    for part in _objects(extension.get("extension"))
                }
                return {
                    "authorization_endpoint": uris.get("authorize"),
                    "token_endpoint": uris.get("token"),
                }
    return {}


def _endpoint(document: Mapping[str, Any], name: str, base: str) -> str | None:
    """An absolute URL. Plain HTTP only where the registered `iss` itself is plain HTTP."""
    url = document.get(name)
    if url is None:
        return None
    allowed = {"https", urlsplit(base).scheme}
    if not isinstance(url, str) or urlsplit(url).scheme not in allowed or not urlsplit(url).netloc:
        raise DiscoveryFailed(f"The EHR's {name} is not an https URL.")
    return url


def _texts(value: object) -> tuple[str, ...]:
    return tuple(part for part in value if isinstance(part, str)) if isinstance(value, list) else ()


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (part for part in value if isinstance(part, dict))
