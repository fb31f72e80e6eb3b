"""Which client asks: public, with a secret, with a key; for a person or for the service itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from smart_launch.backend_service import backend_token
from smart_launch.client_authentication import (
    ClientAuthentication,
    KeyClient,
    PublicClient,
    SecretClient,
    SecretPostClient,
)
from smart_launch.discovery import discover
from smart_launch.ehr_launch import begin_ehr_launch
from smart_launch.errors import TokenRefused
from smart_launch.exchange import LaunchContext, complete_launch, refresh
from smart_launch.sandbox.config import SandboxConfig
from tests.smart_launch.conftest import BACKEND_EC_KEY, BACKEND_KEY, SECRET, Told
from tests.smart_launch.test_launch import authorize

SCOPE = "openid fhirUser launch offline_access user/Patient.rs"
STRANGER = RSAKey.generate_key(2048, {"kid": "backend-rsa"})


def launch(sandbox: SandboxConfig, client_id: str, client: ClientAuthentication) -> LaunchContext:
    opened = requests.post(
        f"{sandbox.base_url}/launch",
        data={"patient": "ada-okafor", "practitioner": "terry-alvarez"},
        allow_redirects=False,
        timeout=10,
    )
    url, pending = begin_ehr_launch(
        discover(sandbox.fhir_base),
        launch=parse_qs(urlsplit(opened.headers["Location"]).query)["launch"][0],
        client_id=client_id,
        redirect_uri=f"{sandbox.app_url}/launch/callback/prairie",
        scope=SCOPE,
    )
    return complete_launch(pending, authorize(url), datetime.now(UTC), client=client)


@pytest.mark.parametrize(
    ("client_id", "client"),
    [
        ("with-secret", SecretClient(SECRET)),
        ("with-posted-secret", SecretPostClient(SECRET)),
        ("with-key", KeyClient(BACKEND_KEY)),
        ("with-key", KeyClient(BACKEND_EC_KEY, "ES384")),
        ("homestretch-clinician", PublicClient()),
    ],
    ids=[
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt RS384",
        "private_key_jwt ES384",
        "public",
    ],
)
def test_each_kind_of_client_gets_and_refreshes_a_token(
    sandbox: SandboxConfig, client_id: str, client: ClientAuthentication
) -> None:
    context = launch(sandbox, client_id, client)
    again = refresh(context, datetime.now(UTC), client=client)
    assert again.access_token != context.access_token


@pytest.mark.parametrize(
    ("client_id", "client"),
    [
        ("with-secret", SecretClient("wrong")),
        ("with-secret", PublicClient()),
        ("with-secret", SecretPostClient(SECRET)),
        ("with-posted-secret", SecretClient(SECRET)),
        ("with-key", PublicClient()),
        ("with-key", SecretClient(SECRET)),
        ("with-key", KeyClient(STRANGER)),
        ("homestretch-clinician", SecretClient(SECRET)),
    ],
    ids=[
        "wrong secret",
        "no secret",
        "posted",
        "not posted",
        "no key",
        "secret for key",
        "stranger's key",
        "not public",
    ],
)
def test_a_client_that_does_not_authenticate_as_registered_gets_no_token(
    sandbox: SandboxConfig, client_id: str, client: ClientAuthentication
) -> None:
    with pytest.raises(TokenRefused):
        launch(sandbox, client_id, client)


def test_no_secret_shows_in_what_is_printed() -> None:
    context = LaunchContext(
        "i", "c", "t", "the-access-token", "the-refresh-token", datetime.now(UTC), "s",
        None, None, None, True, None,
    )  # fmt: skip
    shown = repr((SecretClient(SECRET), SecretPostClient(SECRET), KeyClient(BACKEND_KEY), context))
    for secret in (SECRET, "the-access-token", "the-refresh-token", "RSAKey"):
        assert secret not in shown


# Backend services --------------------------------------------------------------------------------


def service_token(
    sandbox: SandboxConfig,
    key: RSAKey | ECKey = BACKEND_KEY,
    algorithm: Literal["RS384", "ES384"] = "RS384",
    now: datetime | None = None,
) -> str:
    return backend_token(
        f"{sandbox.base_url}/auth/token",
        iss=sandbox.fhir_base,
        client_id="homestretch-backend",
        client=KeyClient(key, algorithm),
        scope="system/Observation.cruds",
        now=now or datetime.now(UTC),
    ).access_token


def test_the_service_signs_in_with_either_algorithm(sandbox: SandboxConfig) -> None:
    tokens = {
        service_token(sandbox),
        service_token(sandbox, BACKEND_EC_KEY, "ES384"),
    }
    for token in tokens:
        answer = requests.get(
            f"{sandbox.fhir_base}/Observation",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )
        assert answer.status_code == 200


def test_a_strangers_key_signs_no_service_in(sandbox: SandboxConfig) -> None:
    with pytest.raises(TokenRefused):
        service_token(sandbox, STRANGER)


@pytest.mark.parametrize("hours", [-1, 1], ids=["expired", "valid too far ahead"])
def test_an_assertion_of_another_hour_is_refused(sandbox: SandboxConfig, hours: int) -> None:
    with pytest.raises(TokenRefused):
        service_token(sandbox, now=datetime.now(UTC) + timedelta(hours=hours))


def assertion(sandbox: SandboxConfig, **changes: Any) -> dict[str, str]:
    """The form of a token request, with its claims changed."""
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "iss": "homestretch-backend",
        "sub": "homestretch-backend",
        "aud": f"{sandbox.base_url}/auth/token",
        "iat": now,
        "exp": now + 60,
        "jti": "once",
        **changes,
    }
    header = {"alg": "RS384", "kid": BACKEND_KEY.kid}
    return {
        "grant_type": "client_credentials",
        "scope": "system/Observation.rs",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(header, claims, BACKEND_KEY, algorithms=["RS384"]),
    }


def test_an_assertion_is_accepted_once_even_of_many_at_once(
    sandbox: SandboxConfig, at_once: Callable[[list[Callable[[], Any]]], list[Any]]
) -> None:
    form, url = assertion(sandbox), f"{sandbox.base_url}/auth/token"
    answers = at_once([lambda: requests.post(url, data=form, timeout=10)] * 6)
    accepted = [answer for answer in answers if answer.status_code == 200]
    assert len(accepted) == 1
    assert requests.post(url, data=form, timeout=10).status_code in (400, 401)


@pytest.mark.parametrize(
    "change", [{"aud": "https://elsewhere.example/token"}, {"sub": "somebody-else"}], ids=str
)
def test_an_assertion_for_another_place_or_client_is_refused(
    sandbox: SandboxConfig, change: dict[str, str]
) -> None:
    answer = requests.post(
        f"{sandbox.base_url}/auth/token", data=assertion(sandbox, **change), timeout=10
    )
    assert answer.status_code in (400, 401)
    assert "access_token" not in answer.json()


def test_the_secret_is_form_encoded_before_it_goes_into_the_header(told: Told) -> None:
    request = SecretClient("a:b c").token_request("id:1", f"{told.base}/token", datetime.now(UTC))
    assert request.options["auth"] == ("id%3A1", "a%3Ab%20c")


def test_an_assertion_lives_less_than_five_minutes_and_never_repeats() -> None:
    now = datetime.now(UTC)
    forms = [KeyClient(BACKEND_KEY).token_request("c", "t", now).form for _ in range(2)]
    decoded = [
        jwt.decode(form["client_assertion"], BACKEND_KEY, algorithms=["RS384"]).claims
        for form in forms
    ]
    assert all(claims["exp"] - claims["iat"] < 300 for claims in decoded)
    assert decoded[0]["jti"] != decoded[1]["jti"]
