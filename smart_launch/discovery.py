"""Discovery: where the EHR's authorization server is and what it can do (SMART 2.2, 2.1.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from smart_launch.errors import DiscoveryFailed
from smart_launch.http import NoAnswer, get_json

_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"

_ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "revocation_endpoint",
    "introspection_endpoint",
)
_MOST_STATEMENT_BYTES = 16 * 1024 * 1024
_REQUIRED = ("authorization_endpoint", "token_endpoint")


@dataclass(frozen=True)
class SmartConfiguration:
    """What a launch needs to know. `issuer` and `jwks_uri` are None without OpenID Connect.

    `auth_methods` and `signing_algorithms` are empty where the EHR does not say.
    `answers_with_iss`: it names itself in its authorization responses (RFC 9207).
    """

    iss: str
    authorization_endpoint: str
    token_endpoint: str
    issuer: str | None
    jwks_uri: str | None
    scopes_supported: tuple[str, ...]
    capabilities: tuple[str, ...]
    revocation_endpoint: str | None = None
    introspection_endpoint: str | None = None
    auth_methods: tuple[str, ...] = ()
    signing_algorithms: tuple[str, ...] = ()
    answers_with_iss: bool = False
    source: Literal["smart-configuration", "CapabilityStatement"] = "smart-configuration"


def discover(iss: str) -> SmartConfiguration:
    """Reads `[iss]/.well-known/smart-configuration`, else the CapabilityStatement.

    The CapabilityStatement is asked only where the server has no SMART configuration (a 4xx),
    not where it fails: an outage must not lead to the weaker description.

    Raises:
        DiscoveryFailed: neither can be read, endpoints are missing or less protected than
            `iss` itself, or PKCE with S256 is not offered.
    """
    base = iss.rstrip("/")
    source: Literal["smart-configuration", "CapabilityStatement"] = "smart-configuration"
    try:
        document = get_json(f"{base}/.well-known/smart-configuration", iss=base)
        _require_pkce(document)
    except NoAnswer as first:
        document = _described_the_older_way(base, first)
        source = "CapabilityStatement"
    if "issuer" not in document or "jwks_uri" not in document:
        document = {**document, **_openid_connect(base)}
    endpoints = {name: _endpoint(document, name, base) for name in _ENDPOINTS}
    for name in _REQUIRED:
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
        revocation_endpoint=endpoints["revocation_endpoint"],
        introspection_endpoint=endpoints["introspection_endpoint"],
        auth_methods=_texts(document.get("token_endpoint_auth_methods_supported")),
        signing_algorithms=_texts(document.get("token_endpoint_auth_signing_alg_values_supported")),
        answers_with_iss=document.get("authorization_response_iss_parameter_supported") is True,
        source=source,
    )


def read_capability_statement(iss: str) -> dict[str, Any]:
    """The server's CapabilityStatement, megabytes of a full server. Raises NoAnswer."""
    return get_json(f"{iss.rstrip('/')}/metadata", iss=iss, most_bytes=_MOST_STATEMENT_BYTES)


def _require_pkce(document: Mapping[str, Any]) -> None:
    if "S256" not in _texts(document.get("code_challenge_methods_supported")):
        raise DiscoveryFailed("The EHR does not offer PKCE with S256; a launch would be unsafe.")


def _described_the_older_way(base: str, first: NoAnswer) -> dict[str, Any]:
    """Endpoints from `metadata`.

    It does not say whether PKCE is supported; the challenge is sent all the same.
    """
    if first.status is None or not 400 <= first.status < 500:
        raise DiscoveryFailed(f"The EHR's SMART configuration can't be read: {first}.")
    try:
        return _oauth_uris(read_capability_statement(base))
    except NoAnswer as second:
        raise DiscoveryFailed(
            f"The EHR's SMART configuration can't be read: {first}; its CapabilityStatement "
            f"neither: {second}."
        ) from None


def _openid_connect(base: str) -> dict[str, Any]:
    """Issuer and keys as SMART 1 had them; nothing where there is no OpenID Connect."""
    try:
        openid = get_json(f"{base}/.well-known/openid-configuration", iss=base)
    except NoAnswer:
        return {}
    return {"issuer": openid.get("issuer"), "jwks_uri": openid.get("jwks_uri")}


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
                    "revocation_endpoint": uris.get("revoke"),
                    "introspection_endpoint": uris.get("introspect"),
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
