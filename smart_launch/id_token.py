"""Verifying the id_token (OpenID Connect Core 1.0, 3.1.3.7)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import ECKey, RSAKey

from smart_launch.errors import InvalidIdToken
from smart_launch.http import NoAnswer
from smart_launch.key_sets import KeySets, PublicKey

# Signatures with a private key only: `none` and the HMACs could be forged with public knowledge.
ALGORITHMS = ["RS256", "RS384", "ES256", "ES384"]

# Between an EHR's clock and ours, either way.
LEEWAY_S = 60

_FHIR_USER = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})/?")


@dataclass(frozen=True)
class Identity:
    """Who signed in. `fhir_user` is a reference such as `Practitioner/7`."""

    subject: str
    fhir_user: str | None
    name: str | None = None


class _KeyUnknown(ValueError):
    """None of the keys is the one that the token names."""


def verify_id_token(
    id_token: str,
    *,
    iss: str,
    issuer: str,
    client_id: str,
    nonce: str,
    jwks_uri: str,
    now: datetime,
    key_sets: KeySets,
) -> Identity:
    """The identity in a valid `id_token` of the EHR at `iss`.

    A token that the kept keys do not verify makes them fetched anew once, so that a rotated key
    is known at once; how often that may happen is `key_sets`' rule.

    Raises:
        InvalidIdToken: bad signature or algorithm; wrong issuer, audience or nonce; expired,
            or from the future, by more than `LEEWAY_S`; keys unreachable or unusable.
    """
    try:
        claims = signed_claims(id_token, jwks_uri, iss, key_sets)
        registry = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer},
            sub={"essential": True},
            aud={"essential": True, "value": client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        registry.validate(claims)
    except (JoseError, NoAnswer, ValueError) as error:
        raise InvalidIdToken(f"The EHR's sign-in could not be verified ({error}).") from None
    authorized = claims.get("azp", client_id)
    if authorized != client_id:
        raise InvalidIdToken("The EHR's sign-in was made for another application.")
    name = claims.get("name")
    return Identity(
        subject=str(claims["sub"]),
        fhir_user=user_reference(claims.get("fhirUser", claims.get("profile"))),
        name=name if isinstance(name, str) and name.strip() else None,
    )


def signed_claims(token: str, jwks_uri: str, iss: str, key_sets: KeySets) -> dict[str, Any]:
    """The claims of a JWT of the EHR at `iss`, with the signature alone verified.

    Raises JoseError, NoAnswer or ValueError.
    """
    try:
        return _decoded(token, key_sets.keys(jwks_uri, iss))
    except (_KeyUnknown, BadSignatureError):
        rotated = key_sets.rotated(jwks_uri, iss)
        if rotated is None:
            raise
        return _decoded(token, rotated)


def _decoded(token: str, keys: Sequence[PublicKey]) -> dict[str, Any]:
    decoded = jwt.decode(
        token, lambda signed: _key_of(signed.headers(), keys), algorithms=ALGORITHMS
    )
    return decoded.claims


def _key_of(header: dict[str, Any], keys: Sequence[PublicKey]) -> PublicKey:
    """The key that the header names; without a `kid`, the only one of the algorithm's kind."""
    algorithm = str(header.get("alg"))
    kind = RSAKey if algorithm.startswith("RS") else ECKey
    fitting = [
        key for key in keys if isinstance(key, kind) and (key.alg is None or key.alg == algorithm)
    ]
    kid = header.get("kid")
    named = [key for key in fitting if key.kid == kid] if kid is not None else fitting
    if len(named) != 1:
        raise _KeyUnknown("it is signed with a key that the EHR does not publish")
    return named[0]


def user_reference(fhir_user: object) -> str | None:
    """`fhirUser`, in SMART 1.0 `profile`, may be absolute; its end names the resource."""
    match = _FHIR_USER.fullmatch(fhir_user) if isinstance(fhir_user, str) else None
    return match[1] if match else None
