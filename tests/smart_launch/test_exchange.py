"""The token endpoint's answer, read with suspicion."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from smart_launch.errors import InvalidIdToken, LaunchRefused, TokenRefused
from smart_launch.exchange import LaunchContext, complete_launch, refresh
from smart_launch.pending import PendingLaunch
from tests.smart_launch.conftest import Told

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def pending(told: Told, scope: str = "launch patient/Patient.rs") -> PendingLaunch:
    return PendingLaunch(
        iss=f"{told.base}/fhir",
        client_id="homestretch",
        redirect_uri="https://app.example/callback",
        scope=scope,
        state="the-state",
        nonce="the-nonce",
        code_verifier="v" * 60,
        token_endpoint=f"{told.base}/token",
        issuer="https://ehr.example",
        jwks_uri=f"{told.base}/jwks",
    )


def token(**changes: Any) -> dict[str, Any]:
    base = {"access_token": "a", "token_type": "Bearer", "expires_in": 3600, "patient": "p1"}
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def completed(told: Told, scope: str = "launch patient/Patient.rs", **answer: str) -> LaunchContext:
    return complete_launch(
        pending(told, scope), {"state": "the-state", "code": "c0de", **answer}, NOW
    )


def test_the_code_goes_with_its_verifier_and_the_context_comes_back(told: Told) -> None:
    told.answer(
        "/token",
        token(encounter="e1", need_patient_banner=False, intent="review", refresh_token="r"),
    )
    context = completed(told)
    assert told.asked[0][1] == {
        "grant_type": "authorization_code",
        "code": "c0de",
        "redirect_uri": "https://app.example/callback",
        "code_verifier": "v" * 60,
        "client_id": "homestretch",
    }
    assert (context.patient, context.encounter, context.intent) == ("p1", "e1", "review")
    assert (context.need_patient_banner, context.refresh_token) == (False, "r")


@pytest.mark.parametrize("banner", [None, True, "false", 0])
def test_the_banner_is_shown_unless_the_ehr_says_plainly_that_it_is_not_needed(
    told: Told, banner: object
) -> None:
    told.answer("/token", token(need_patient_banner=banner))
    assert completed(told).need_patient_banner


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (token(access_token=None), 200),
        (token(access_token=7), 200),
        (token(access_token=""), 200),
        (token(token_type="mac"), 200),
        (token(), 201),
        ({"error": "invalid_grant", "error_description": "used"}, 400),
        ([], 200),
        (b"<html>", 200),
        (b"", 500),
    ],
    ids=str,
)
def test_what_is_no_bearer_token_is_refused(told: Told, body: Any, status: int) -> None:
    told.answer("/token", body, status)
    with pytest.raises(TokenRefused):
        completed(told)


@pytest.mark.parametrize("name", ["patient", "encounter"])
@pytest.mark.parametrize("value", ["../admin", "a/b", "", "x" * 65, 7, ["p1"], "p1?x", "p 1"])
def test_a_context_that_is_no_fhir_id_is_refused(told: Told, name: str, value: object) -> None:
    told.answer("/token", token(**{name: value}))
    with pytest.raises(TokenRefused, match=name):
        completed(told)


@pytest.mark.parametrize(
    ("lifetime", "seconds"),
    [(60, 60), ("90", 90), (None, 300), ("soon", 300), (-5, 0), (10**9, 86400), ("nan", 300)],
)
def test_a_tokens_lifetime_is_believed_within_reason(
    told: Told, lifetime: object, seconds: int
) -> None:
    told.answer("/token", token(expires_in=lifetime))
    assert completed(told).expires_at == NOW + timedelta(seconds=seconds)


def test_a_scope_left_out_means_what_was_asked(told: Told) -> None:
    told.answer("/token", token())
    assert completed(told).scope == "launch patient/Patient.rs"
    told.answer("/token", token(scope="patient/Patient.rs"))
    assert completed(told).scope == "patient/Patient.rs"


def test_a_missing_id_token_is_an_error_where_one_was_asked_for(told: Told) -> None:
    told.answer("/token", token())
    with pytest.raises(InvalidIdToken, match="who signed in"):
        completed(told, scope="openid fhirUser launch")


def test_another_ehrs_answer_is_refused_before_the_code_is_sent(told: Told) -> None:
    with pytest.raises(LaunchRefused, match="another EHR"):
        completed(told, iss="https://evil.example")
    assert told.asked == []


def test_an_answer_that_names_the_right_ehr_is_good(told: Told) -> None:
    told.answer("/token", token())
    assert completed(told, iss="https://ehr.example").patient == "p1"


def test_an_ehr_that_promised_to_name_itself_must_do_so(told: Told) -> None:
    careful = replace(pending(told), answers_with_iss=True)
    with pytest.raises(LaunchRefused, match="does not say which EHR"):
        complete_launch(careful, {"state": "the-state", "code": "c0de"}, NOW)
    assert told.asked == []


def test_an_ehr_without_a_known_issuer_may_only_name_its_iss(told: Told) -> None:
    unnamed = replace(pending(told), issuer=None)
    with pytest.raises(LaunchRefused, match="another EHR"):
        complete_launch(
            unnamed, {"state": "the-state", "code": "c", "iss": "https://evil.example"}, NOW
        )
    assert told.asked == []


def test_an_answer_without_a_code_is_refused(told: Told) -> None:
    with pytest.raises(LaunchRefused, match="no authorization code"):
        complete_launch(pending(told), {"state": "the-state"}, NOW)


def test_an_endpoint_that_is_down_says_so() -> None:
    nowhere = replace(pending(Told("http://127.0.0.1:1")), token_endpoint="http://127.0.0.1:1/t")
    with pytest.raises(TokenRefused, match="no answer"):
        complete_launch(nowhere, {"state": "the-state", "code": "c"}, NOW)


# Refreshing --------------------------------------------------------------------------------------


def context(told: Told, refresh_token: str | None = "r1") -> LaunchContext:
    told.answer("/token", token(refresh_token=refresh_token))
    return completed(told)


def test_a_refresh_token_that_does_not_rotate_is_kept(told: Told) -> None:
    first = context(told)
    told.answer("/token", token(access_token="b", patient=None))
    second = refresh(first, NOW + timedelta(hours=1))
    assert (second.access_token, second.refresh_token, second.patient) == ("b", "r1", "p1")
    assert second.expires_at == NOW + timedelta(hours=2)


def test_a_refresh_that_changes_the_patient_is_refused(told: Told) -> None:
    first = context(told)
    told.answer("/token", token(patient="p2"))
    with pytest.raises(TokenRefused, match="changed the patient"):
        refresh(first, NOW)


def test_without_a_refresh_token_the_person_launches_again(told: Told) -> None:
    with pytest.raises(TokenRefused, match="Launch again"):
        refresh(context(told, refresh_token=None), NOW)
