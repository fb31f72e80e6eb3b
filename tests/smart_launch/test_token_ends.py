"""Ending tokens at the EHR, and asking it what they are good for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fhir.client import FhirClient, Unauthorized
from smart_launch.client_authentication import KeyClient, PublicClient, SecretClient
from smart_launch.discovery import SmartConfiguration, discover
from smart_launch.errors import IntrospectionFailed, RevocationFailed, TokenRefused
from smart_launch.exchange import refresh
from smart_launch.introspection import introspect
from smart_launch.revocation import TokenKind, revoke
from smart_launch.sandbox.config import SandboxConfig
from tests.smart_launch.conftest import BACKEND_KEY, Rest, Told
from tests.smart_launch.test_client_authentication import launch, service_token
from tests.smart_launch.test_scopes import EHR

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
PUBLIC = PublicClient()


def at(told: Told) -> SmartConfiguration:
    return replace(
        EHR,
        iss=told.base,
        revocation_endpoint=f"{told.base}/revoke",
        introspection_endpoint=f"{told.base}/introspect",
    )


# Revocation --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_a_revoked_sign_in_is_over_at_the_ehr(sandbox: SandboxConfig, kind: TokenKind) -> None:
    context = launch(sandbox, "homestretch-clinician", PUBLIC)
    fhir = FhirClient(sandbox.fhir_base, lambda again: context.access_token)
    assert fhir.read("Patient/ada-okafor")
    token = context.refresh_token if kind == "refresh_token" else context.access_token
    assert token is not None
    revoke(
        discover(sandbox.fhir_base),
        token,
        kind,
        client_id="homestretch-clinician",
        client=PUBLIC,
        now=datetime.now(UTC),
    )
    with pytest.raises(Unauthorized):
        fhir.read("Patient/ada-okafor")
    with pytest.raises(TokenRefused):
        refresh(context, datetime.now(UTC))


def test_nobody_else_can_end_a_sign_in(sandbox: SandboxConfig) -> None:
    context = launch(sandbox, "homestretch-clinician", PUBLIC)
    with pytest.raises(RevocationFailed, match="HTTP 40"):
        revoke(
            discover(sandbox.fhir_base),
            context.access_token,
            "access_token",
            client_id="homestretch-patient",
            client=PUBLIC,
            now=datetime.now(UTC),
        )


def test_revoking_authenticates_as_the_client_and_names_the_kind(told: Told) -> None:
    told.answer("/revoke", b"")
    revoke(at(told), "t0", "refresh_token", client_id="c", client=SecretClient("s"), now=NOW)
    _, form, headers = told.asked[0]
    assert form == {"token": "t0", "token_type_hint": "refresh_token"}
    assert headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("status", [400, 401, 503, 302])
def test_a_refused_revocation_says_so(told: Told, status: int) -> None:
    told.answer("/revoke", {"error": "x"}, status)
    with pytest.raises(RevocationFailed, match=str(status)):
        revoke(at(told), "t", "access_token", client_id="c", client=PUBLIC, now=NOW)


def test_an_ehr_without_revocation_says_so(told: Told) -> None:
    without = replace(at(told), revocation_endpoint=None)
    with pytest.raises(RevocationFailed, match="offers no"):
        revoke(without, "t", "access_token", client_id="c", client=PUBLIC, now=NOW)
    assert told.asked == []


# Introspection -----------------------------------------------------------------------------------


def test_the_ehr_tells_what_a_token_is_good_for(sandbox: SandboxConfig) -> None:
    token = service_token(sandbox)
    told = introspect(
        discover(sandbox.fhir_base),
        token,
        client_id="homestretch-backend",
        client=KeyClient(BACKEND_KEY),
        now=datetime.now(UTC),
    )
    assert told.active
    assert told.scope == "system/Observation.cruds"
    assert told.client_id == "homestretch-backend"
    assert told.expires_at is not None
    assert told.expires_at > datetime.now(UTC)


def test_an_unknown_or_strange_token_is_not_active(sandbox: SandboxConfig, rest: Rest) -> None:
    for token in ("made-up", rest.token):
        told = introspect(
            discover(sandbox.fhir_base),
            token,
            client_id="homestretch-clinician",
            client=PUBLIC,
            now=datetime.now(UTC),
        )
        assert not told.active


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 200), ({"active": "true"}, 200), ({"active": True}, 403), ([], 200), (b"", 500)],
    ids=str,
)
def test_an_answer_that_does_not_say_so_is_no_answer(told: Told, body: Any, status: int) -> None:
    told.answer("/introspect", body, status)
    with pytest.raises(IntrospectionFailed):
        introspect(at(told), "t", client_id="c", client=PUBLIC, now=NOW)


def test_strange_members_of_the_answer_are_left_out(told: Told) -> None:
    told.answer("/introspect", {"active": True, "exp": 1e300, "scope": 7, "patient": ["p"]})
    found = introspect(at(told), "t", client_id="c", client=PUBLIC, now=NOW)
    assert (found.expires_at, found.scope, found.patient) == (None, None, None)
