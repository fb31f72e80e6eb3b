"""Access tokens as a resource server takes them: which are refused, signed or introspected."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from smart_launch.access_token import (
    AccessTokenRefused,
    IssuerUnavailable,
    TokenFacts,
    read_access_token,
)
from smart_launch.client_authentication import KeyClient
from smart_launch.discovery import SmartConfiguration
from smart_launch.http import NoAnswer
from smart_launch.key_sets import KeySets
from tests.smart_launch.conftest import BACKEND_KEY, Told

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ISSUER, HERE = "https://ehr.example", "https://app.example/fhir/prairie"
RSA, EC = RSAKey.generate_key(2048, {"kid": "rsa"}), ECKey.generate_key("P-384", {"kid": "ec"})


def at(**by: float) -> int:
    return int((NOW + timedelta(**by)).timestamp())


def claims(**others: Any) -> dict[str, Any]:
    content = {"iss": ISSUER, "aud": HERE, "exp": at(minutes=5), "scope": "system/*.rs", **others}
    return {name: value for name, value in content.items() if value is not None}


def configuration(base: str = ISSUER, **others: Any) -> SmartConfiguration:
    return SmartConfiguration(
        iss=f"{base}/fhir",
        authorization_endpoint=f"{base}/authorize",
        token_endpoint=f"{base}/token",
        issuer=ISSUER,
        jwks_uri=f"{base}/jwks",
        scopes_supported=(),
        capabilities=(),
        **others,
    )


def read(token: str, configuration: SmartConfiguration, keys: Any = None) -> TokenFacts:
    published = {"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]}
    return read_access_token(
        token,
        configuration,
        audience=HERE,
        client_id="backend",
        client=KeyClient(BACKEND_KEY),
        now=NOW,
        key_sets=keys or KeySets(lambda url, *, iss: published),
    )


def verified(token: str) -> TokenFacts:
    return read(token, configuration())


def signed(content: dict[str, Any], key: Any = RSA, **header: Any) -> str:
    head = {"alg": "RS256", "kid": key.kid, **header}
    return jwt.encode(head, content, key, algorithms=[head["alg"]])


@pytest.mark.parametrize("algorithm", ["RS256", "RS384"])
def test_a_token_of_the_issuer_for_here_is_taken(algorithm: str) -> None:
    assert verified(signed(claims(), alg=algorithm)).scope == "system/*.rs"


def test_a_token_signed_with_an_elliptic_key_is_taken() -> None:
    assert verified(signed(claims(patient="7"), EC, alg="ES384")).patient == "7"


@pytest.mark.parametrize("algorithm", ["RS512", "PS256"], ids=["not listed", "not listed either"])
def test_an_algorithm_that_is_not_listed_is_refused(algorithm: str) -> None:
    with pytest.raises(AccessTokenRefused):
        verified(signed(claims(), alg=algorithm))


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://else.example"},
        {"aud": "https://else.example"},
        {"aud": HERE + "-2"},
        {"aud": None},
        {"aud": {"a": HERE}},
        {"exp": None},
        {"exp": at(seconds=-60)},
        {"nbf": at(seconds=60)},
    ],
)
def test_a_wrong_claim_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(AccessTokenRefused):
        verified(signed(claims(**wrong)))


def test_a_clock_that_is_a_little_off_is_forgiven() -> None:
    assert verified(signed(claims(exp=at(seconds=-20), nbf=at(seconds=20))))


def test_a_jwt_of_another_kind_is_refused() -> None:
    with pytest.raises(AccessTokenRefused, match="not an access token"):
        verified(signed(claims(), typ="logout+jwt"))


@pytest.mark.parametrize("token", ["a.b.c", "e30.e30.x", "opaque", "ÿ.ÿ.ÿ", ".."])
def test_what_is_no_jwt_is_refused_where_nobody_can_be_asked(token: str) -> None:
    with pytest.raises(AccessTokenRefused, match="no JWT"):
        verified(token)


def test_an_issuer_without_keys_signs_nothing() -> None:
    with pytest.raises(AccessTokenRefused, match="no keys"):
        read(signed(claims()), replace(configuration(), jwks_uri=None))


def test_keys_that_cannot_be_read_are_the_issuers_fault() -> None:
    def away(url: str, *, iss: str) -> dict[str, Any]:
        raise NoAnswer("no answer")

    with pytest.raises(IssuerUnavailable):
        read(signed(claims()), configuration(), KeySets(away))


def asked(told: Told, answer: Any, status: int = 200) -> TokenFacts:
    told.answer("/introspect", answer, status)
    offered = configuration(told.base, introspection_endpoint=f"{told.base}/introspect")
    return read("opaque", offered)


def test_an_active_token_for_here_is_taken_and_asked_about_as_our_client(told: Told) -> None:
    found = asked(told, {"active": True, **claims(patient="7")})
    assert found.patient == "7"
    [(_, form, _)] = told.asked
    assert form["token"] == "opaque"
    assert form["client_assertion"]


@pytest.mark.parametrize(
    "answer",
    [
        {"active": False},
        {"active": True},
        {"active": True, "aud": "https://ehr.example/fhir"},
        {"active": True, "aud": HERE, "exp": at(hours=-1)},
        {"active": True, "aud": HERE, "iss": "https://else.example"},
    ],
)
def test_a_token_that_is_not_active_for_here_is_refused(told: Told, answer: Any) -> None:
    with pytest.raises(AccessTokenRefused):
        asked(told, answer)


@pytest.mark.parametrize(
    ("answer", "status"),
    [({}, 500), ({}, 401), (b"no", 200), ([], 200), ({}, 200), ({"active": "true"}, 200)],
)
def test_an_endpoint_that_does_not_tell_is_unavailable(
    told: Told, answer: Any, status: int
) -> None:
    with pytest.raises(IssuerUnavailable):
        asked(told, answer, status)
