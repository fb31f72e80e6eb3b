"""Verifying the id_token (OpenID Connect Core 1.0, 3.1.3.7)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, KeySet, RSAKey

from smart_launch.errors import InvalidIdToken
from smart_launch.http import NoAnswer, get_json

# Signatures with a private key only: `none` and the HMACs could be forged with public knowledge.
ALGORITHMS = ["RS256", "RS384", "ES256", "ES384"]

_FHIR_USER = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})/?")


@dataclass(frozen=True)
class Identity:
    """Who signed in. `fhir_user` is a reference such as `Practitioner/7`."""

    subject: str
    fhir_user: str | None


def verify_id_token(
    id_token: str,
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    jwks_uri: str,
    now: datetime,
    leeway_s: int = 60,
    fetch: Callable[[str], dict[str, Any]] = get_json,
) -> Identity:
    """The identity in a valid `id_token`.

    The keys are fetched anew each time, so that a rotated key is known at once.

    Raises:
        InvalidIdToken: bad signature or algorithm; wrong issuer, audience or nonce; expired,
            or from the future, by more than `leeway_s`; keys unreachable or unusable.
    """
    try:
        token = jwt.decode(id_token, usable_keys(fetch(jwks_uri)), algorithms=ALGORITHMS)
        registry = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=leeway_s,
            iss={"essential": True, "value": issuer},
            sub={"essential": True},
            aud={"essential": True, "value": client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        registry.validate(token.claims)
    except (JoseError, NoAnswer, ValueError) as error:
        raise InvalidIdToken(f"The EHR's sign-in could not be verified ({error}).") from None
    claims = token.claims
    authorized = claims.get("azp", client_id)
    if authorized != client_id:
        raise InvalidIdToken("The EHR's sign-in was made for another application.")
    return Identity(subject=str(claims["sub"]), fhir_user=_reference(claims.get("fhirUser")))


def usable_keys(document: dict[str, Any]) -> KeySet:
    """The RSA and EC keys of a JWKS; others are passed over, as RFC 7517, 5 asks.

    Raises ValueError where none is left.
    """
    entries = document.get("keys")
    keys: list[Key] = []
    for entry in entries if isinstance(entries, list) else ():
        try:
            key = JWKRegistry.import_key(entry)
        except (JoseError, ValueError, KeyError, TypeError):
            continue
        if isinstance(key, RSAKey | ECKey):
            keys.append(key)
    if not keys:
        raise ValueError("its key set has no key that can be used")
    return KeySet(keys)


def _reference(fhir_user: object) -> str | None:
    """`fhirUser` may be absolute; its end names the resource."""
    match = _FHIR_USER.fullmatch(fhir_user) if isinstance(fhir_user, str) else None
    return match[1] if match else None
