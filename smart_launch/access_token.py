"""Access tokens as a resource server sees them: signed by the issuer, or introspected.

A JWT is verified against the issuer's keys (RFC 9068); an opaque token is asked about at the
introspection endpoint (RFC 7662). Either must name this server as its audience: a token that was
made for another server, and leaked or passed on by it, opens nothing here.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from smart_launch.client_authentication import ClientAuthentication
from smart_launch.discovery import SmartConfiguration
from smart_launch.errors import IntrospectionFailed
from smart_launch.http import NoAnswer
from smart_launch.id_token import signed_claims
from smart_launch.introspection import introspect
from smart_launch.key_sets import KeySets

# A clock that is a little off must not refuse a token, nor keep a dead one alive for long.
LEEWAY_S = 30

_TYPES = ("JWT", "AT+JWT", "APPLICATION/AT+JWT")


class AccessTokenRefused(Exception):
    """The token is forged, stale, or meant for another server; the message may be shown."""


class IssuerUnavailable(Exception):
    """The issuer could not be asked about the token; the same request may work later."""


@dataclass(frozen=True)
class TokenFacts:
    """What a valid token says, as it says it: nothing of it is checked for sense."""

    scope: object
    client_id: object
    patient: object
    fhir_user: object


def read_access_token(
    token: str,
    configuration: SmartConfiguration,
    *,
    audience: str,
    client_id: str,
    client: ClientAuthentication,
    now: datetime,
    key_sets: KeySets,
) -> TokenFacts:
    """What a valid token says. `client` authenticates us where the token must be introspected.

    Raises:
        AccessTokenRefused: bad signature or algorithm; wrong issuer or audience; expired or not
            valid yet by more than `LEEWAY_S`; not active; of another kind, such as an id_token.
        IssuerUnavailable: the issuer could not be asked.
    """
    header = _jwt_header(token)
    if header is not None:
        return _verified(token, header, configuration, audience, now, key_sets)
    return _introspected(token, configuration, audience, client_id, client, now)


def _verified(
    token: str,
    header: dict[str, Any],
    configuration: SmartConfiguration,
    audience: str,
    now: datetime,
    key_sets: KeySets,
) -> TokenFacts:
    if configuration.jwks_uri is None or configuration.issuer is None:
        raise AccessTokenRefused("The health system publishes no keys for signed tokens.")
    try:
        claims = signed_claims(token, configuration.jwks_uri, configuration.iss, key_sets)
        jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": configuration.issuer},
            exp={"essential": True},
        ).validate(claims)
    except NoAnswer as error:
        raise IssuerUnavailable(f"The issuer's keys can't be read: {error}.") from None
    except (JoseError, ValueError, TypeError) as error:
        raise AccessTokenRefused(f"The token could not be verified ({error}).") from None
    if str(header.get("typ", "JWT")).upper() not in _TYPES:
        raise AccessTokenRefused("The token is not an access token.")
    named = claims.get("aud")
    _require_audience(named if isinstance(named, list) else [named], audience)
    return TokenFacts(
        scope=claims.get("scope"),
        client_id=claims.get("client_id") or claims.get("azp") or claims.get("sub"),
        patient=claims.get("patient"),
        fhir_user=claims.get("fhirUser"),
    )


def _introspected(
    token: str,
    configuration: SmartConfiguration,
    audience: str,
    client_id: str,
    client: ClientAuthentication,
    now: datetime,
) -> TokenFacts:
    if configuration.introspection_endpoint is None:
        raise AccessTokenRefused("The token is no JWT, and the issuer offers no introspection.")
    try:
        found = introspect(configuration, token, client_id=client_id, client=client, now=now)
    except IntrospectionFailed as error:
        raise IssuerUnavailable(str(error)) from None
    if not found.active:
        raise AccessTokenRefused("The token is not active.")
    if found.expires_at is not None and found.expires_at <= now - timedelta(seconds=LEEWAY_S):
        raise AccessTokenRefused("The token has expired.")
    if found.issuer is not None and found.issuer != configuration.issuer:
        raise AccessTokenRefused("The token is of another issuer.")
    _require_audience(found.audience, audience)
    return TokenFacts(found.scope, found.client_id, found.patient, found.fhir_user)


def _jwt_header(token: str) -> dict[str, Any] | None:
    """The header of what has the form of a signed JWT, of whatever issuer; else None."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        header = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) and "alg" in header else None


def _require_audience(named: list[Any] | tuple[str, ...], audience: str) -> None:
    """A slash at the end makes no difference: servers differ in whether they keep it."""
    if audience.rstrip("/") not in [str(each).rstrip("/") for each in named]:
        raise AccessTokenRefused("The token was not made for this server (aud).")
