"""Access tokens as a resource server sees them: signed by the issuer, or introspected.

A JWT is verified against the issuer's keys (RFC 9068); an opaque token is asked about at the
introspection endpoint (RFC 7662). Either must name this server as its audience: a token that was
made for another server, and leaked or passed on by it, opens nothing here.
"""

from __future__ import annotations

import base64
import json
import math
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from smart_launch.client_authentication import ClientAuthentication
from smart_launch.http import NoAnswer, post_form
from smart_launch.id_token import ALGORITHMS

# A clock that is a little off must not refuse a token, nor keep a dead one alive for long.
LEEWAY_S = 30

_TYPES = ("JWT", "AT+JWT", "APPLICATION/AT+JWT")


class AccessTokenRefused(Exception):
    """The token is forged, stale, or meant for another server; the message may be shown."""


class IssuerUnavailable(Exception):
    """The issuer could not be asked about the token; the same request may work later."""


def is_jwt(token: str) -> bool:
    """Whether `token` has the form of a signed JWT, of whatever issuer."""
    parts = token.split(".")
    if len(parts) != 3:
        return False
    try:
        header = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header


def verify_access_token(
    token: str, *, issuer: str, audience: str, keys: KeySet, now: datetime
) -> dict[str, Any]:
    """The claims of a valid JWT.

    Raises:
        AccessTokenRefused: bad signature or algorithm; wrong issuer or audience; expired or not
            valid yet by more than `LEEWAY_S`; of another kind, such as an id_token.
    """
    try:
        decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
        if str(decoded.header.get("typ", "JWT")).upper() not in _TYPES:
            raise AccessTokenRefused("The token is not an access token.")
        jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer},
            exp={"essential": True},
        ).validate(decoded.claims)
    except (JoseError, ValueError, TypeError) as error:
        raise AccessTokenRefused(f"The token could not be verified ({error}).") from None
    _require_audience(decoded.claims, audience)
    return decoded.claims


def introspect(
    token: str,
    endpoint: str,
    *,
    token_endpoint: str,
    issuer: str | None,
    audience: str,
    client_id: str,
    client: ClientAuthentication,
    now: datetime,
) -> dict[str, Any]:
    """The claims of an active token, from its issuer.

    Raises:
        AccessTokenRefused: not active, expired, or of another issuer or for another server.
        IssuerUnavailable: no usable answer.
    """
    authenticated = client.token_request(client_id, token_endpoint, now)
    form = {"token": token, "token_type_hint": "access_token", **authenticated.form}
    try:
        status, claims = post_form(endpoint, form, **authenticated.options)
    except NoAnswer as error:
        raise IssuerUnavailable(f"The token could not be introspected: {error}.") from None
    if status != 200:
        raise IssuerUnavailable(f"The token could not be introspected: HTTP {status}.")
    if claims.get("active") is not True:
        raise AccessTokenRefused("The token is not active.")
    expires_at = claims.get("exp")
    if expires_at is not None and not _is_later(expires_at, now.timestamp() - LEEWAY_S):
        raise AccessTokenRefused("The token has expired.")
    if "iss" in claims and claims["iss"] != issuer:
        raise AccessTokenRefused("The token is of another issuer.")
    _require_audience(claims, audience)
    return claims


def _require_audience(claims: dict[str, Any], audience: str) -> None:
    """A slash at the end makes no difference: servers differ in whether they keep it."""
    found = claims.get("aud")
    audiences = found if isinstance(found, list) else [found]
    if audience.rstrip("/") not in [str(each).rstrip("/") for each in audiences]:
        raise AccessTokenRefused("The token was not made for this server (aud).")


def _is_later(value: object, than: float) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(float(value)) and float(value) > than  # type: ignore[arg-type]
