"""Access tokens as a resource server takes them: which are refused, signed or introspected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from smart_launch.access_token import (
    AccessTokenRefused,
    IssuerUnavailable,
    introspect,
    is_jwt,
    verify_access_token,
)
from smart_launch.client_authentication import KeyClient
from tests.smart_launch.conftest import BACKEND_KEY, Told

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ISSUER, HERE = "https://ehr.example", "https://app.example/fhir/prairie"
RSA, EC = RSAKey.generate_key(2048, {"kid": "rsa"}), ECKey.generate_key("P-384", {"kid": "ec"})


def at(**by: float) -> int:
    return int((NOW + timedelta(**by)).timestamp())


def claims(**others: Any) -> dict[str, Any]:
    content = {"iss": ISSUER, "aud": HERE, "exp": at(minutes=5), "scope": "system/*.rs", **others}
    return {name: value for name, value in content.items() if value is not None}


def verified(token: str) -> dict[str, Any]:
    return verify_access_token(token, issuer=ISSUER, audience=HERE, keys=KeySet([RSA, EC]), now=NOW)


def signed(content: dict[str, Any], key: Any = RSA, **header: Any) -> str:
    head = {"alg": "RS256", "kid": key.kid, **header}
    return jwt.encode(head, content, key, algorithms=[head["alg"]])


@pytest.mark.parametrize("algorithm", ["RS256", "RS384"])
def test_a_token_of_the_issuer_for_here_is_taken(algorithm: str) -> None:
    assert verified(signed(claims(), alg=algorithm))["scope"] == "system/*.rs"


def test_a_token_signed_with_an_elliptic_key_is_taken() -> None:
    assert verified(signed(claims(), EC, alg="ES384"))["aud"] == HERE


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


@pytest.mark.parametrize(
    ("token", "is_one"),
    [("a.b.c", False), ("e30.e30.x", False), ("opaque", False), ("ÿ.ÿ.ÿ", False), ("..", False)],
)
def test_what_looks_like_a_jwt_and_is_none(token: str, is_one: bool) -> None:
    assert is_jwt(token) is is_one
    assert is_jwt(signed(claims()))


def asked(told: Told, answer: Any, status: int = 200) -> dict[str, Any]:
    told.answer("/introspect", answer, status)
    return introspect(
        "opaque",
        f"{told.base}/introspect",
        token_endpoint=f"{told.base}/token",
        issuer=ISSUER,
        audience=HERE,
        client_id="backend",
        client=KeyClient(BACKEND_KEY),
        now=NOW,
    )


def test_an_active_token_for_here_is_taken_and_asked_about_as_our_client(told: Told) -> None:
    found = asked(told, {"active": True, **claims(patient="7")})
    assert found["patient"] == "7"
    [(_, form, _)] = told.asked
    assert form["token"] == "opaque"
    assert form["client_assertion"]


@pytest.mark.parametrize(
    "answer",
    [
        {"active": False},
        {},
        {"active": "true", "aud": HERE},
        {"active": True},
        {"active": True, "aud": "https://ehr.example/fhir"},
        {"active": True, "aud": HERE, "exp": at(hours=-1)},
        {"active": True, "aud": HERE, "exp": "later"},
        {"active": True, "aud": HERE, "iss": "https://else.example"},
    ],
)
def test_a_token_that_is_not_active_for_here_is_refused(told: Told, answer: Any) -> None:
    with pytest.raises(AccessTokenRefused):
        asked(told, answer)


@pytest.mark.parametrize(("answer", "status"), [({}, 500), ({}, 401), (b"no", 200), ([], 200)])
def test_an_endpoint_that_does_not_tell_is_unavailable(
    told: Told, answer: Any, status: int
) -> None:
    with pytest.raises(IssuerUnavailable):
        asked(told, answer, status)
