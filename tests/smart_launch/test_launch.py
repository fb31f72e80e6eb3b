"""SMART launches against the sandbox over HTTP, and the attacks that must fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

import pytest
import requests

from fhir.client import FhirClient, Forbidden
from smart_launch.discovery import discover
from smart_launch.ehr_launch import begin_ehr_launch
from smart_launch.errors import LaunchRefused, TokenRefused
from smart_launch.exchange import LaunchContext, complete_launch, refresh
from smart_launch.pending import PendingLaunch
from smart_launch.sandbox.config import SandboxConfig
from smart_launch.sandbox.pages import PIN
from smart_launch.standalone_launch import begin_standalone_launch

SCOPE = "openid fhirUser launch offline_access user/Patient.rs user/Observation.rs"


def now() -> datetime:
    return datetime.now(UTC)


def begin(sandbox: SandboxConfig, patient: str = "ada-okafor") -> tuple[str, PendingLaunch]:
    """The EHR launches the app for `patient`."""
    opened = requests.post(
        f"{sandbox.base_url}/launch",
        data={"patient": patient, "practitioner": "terry-alvarez"},
        allow_redirects=False,
        timeout=10,
    )
    query = parse_qs(urlsplit(opened.headers["Location"]).query)
    assert query["iss"] == [sandbox.fhir_base]
    return begin_ehr_launch(
        discover(sandbox.fhir_base),
        launch=query["launch"][0],
        client_id="homestretch-clinician",
        redirect_uri=f"{sandbox.app_url}/launch/callback/prairie",
        scope=SCOPE,
    )


def authorize(url: str) -> dict[str, str]:
    answer = requests.get(url, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def changed(url: str, **parameters: str | None) -> str:
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **parameters}
    kept = urlencode({k: v for k, v in query.items() if v is not None})
    return urlunsplit(parts._replace(query=kept))


def patient_token(sandbox: SandboxConfig, patient: str) -> LaunchContext:
    url, pending = begin_standalone_launch(
        discover(sandbox.fhir_base),
        client_id="homestretch-patient",
        redirect_uri=f"{sandbox.app_url}/portal/callback/prairie",
        scope="openid fhirUser launch/patient patient/Patient.rs patient/Condition.rs",
    )
    answer = requests.post(
        url, data={"person": patient, "pin": PIN}, allow_redirects=False, timeout=10
    )
    query = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    return complete_launch(pending, query, now())


def test_an_ehr_launch_brings_patient_encounter_and_user(sandbox: SandboxConfig) -> None:
    url, pending = begin(sandbox)
    context = complete_launch(pending, authorize(url), now())
    assert context.patient == "ada-okafor"
    assert context.encounter == "ada-okafor-encounter"
    assert context.fhir_user == "Practitioner/terry-alvarez"
    assert context.need_patient_banner


def test_a_standalone_launch_brings_the_patient_who_signed_in(sandbox: SandboxConfig) -> None:
    context = patient_token(sandbox, "rosa-delgado")
    assert (context.patient, context.fhir_user) == ("rosa-delgado", "Patient/rosa-delgado")


def test_a_wrong_pin_signs_nobody_in(sandbox: SandboxConfig) -> None:
    url, _ = begin_standalone_launch(
        discover(sandbox.fhir_base),
        client_id="homestretch-patient",
        redirect_uri=f"{sandbox.app_url}/portal/callback/prairie",
        scope="openid launch/patient",
    )
    answer = requests.post(url, data={"person": "rosa-delgado", "pin": "0000"}, timeout=10)
    assert answer.status_code == 401


def test_a_patients_token_reads_nobody_else(sandbox: SandboxConfig) -> None:
    context = patient_token(sandbox, "rosa-delgado")
    fhir = FhirClient(sandbox.fhir_base, lambda refused: context.access_token)
    assert fhir.read("Patient/rosa-delgado")["id"] == "rosa-delgado"
    with pytest.raises(Forbidden):
        fhir.read("Patient/ada-okafor")
    assert [r["id"] for r in fhir.search("Patient", {})] == ["rosa-delgado"]
    assert list(fhir.search("Condition", {"patient": "ada-okafor"})) == []


def test_refreshing_rotates_both_tokens_and_the_old_ones_end(sandbox: SandboxConfig) -> None:
    url, pending = begin(sandbox)
    first = complete_launch(pending, authorize(url), now())
    second = refresh(first, now())
    assert second.access_token != first.access_token
    assert second.refresh_token != first.refresh_token
    assert second.patient == first.patient
    with pytest.raises(TokenRefused):
        refresh(first, now())


def test_a_code_works_once(sandbox: SandboxConfig) -> None:
    url, pending = begin(sandbox)
    answer = authorize(url)
    complete_launch(pending, answer, now())
    with pytest.raises(TokenRefused):
        complete_launch(pending, answer, now())


def test_a_launch_works_once(sandbox: SandboxConfig) -> None:
    url, _ = begin(sandbox)
    authorize(url)
    again = requests.get(changed(url, nonce="fresh"), allow_redirects=False, timeout=10)
    assert again.status_code == 400


def test_an_answer_with_another_state_is_refused(sandbox: SandboxConfig) -> None:
    url, pending = begin(sandbox)
    answer = authorize(url)
    with pytest.raises(LaunchRefused, match="does not belong"):
        complete_launch(pending, {**answer, "state": "forged"}, now())


def test_a_code_without_its_verifier_is_worthless(sandbox: SandboxConfig) -> None:
    url, pending = begin(sandbox)
    answer = authorize(url)
    with pytest.raises(TokenRefused):
        complete_launch(replace(pending, code_verifier="x" * 60), answer, now())


@pytest.mark.parametrize(
    "change",
    [
        {"code_challenge": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"aud": "https://elsewhere.example/fhir"},
        {"launch": "made-up"},
    ],
)
def test_the_sandbox_refuses_an_unsafe_request(
    sandbox: SandboxConfig, change: dict[str, str | None]
) -> None:
    url, _ = begin(sandbox)
    answer = requests.get(changed(url, **change), allow_redirects=False, timeout=10)
    assert answer.status_code == 400


def test_the_sandbox_never_redirects_to_an_unregistered_place(sandbox: SandboxConfig) -> None:
    url, _ = begin(sandbox)
    evil = changed(url, redirect_uri="https://evil.example/callback")
    answer = requests.get(evil, allow_redirects=False, timeout=10)
    assert answer.status_code == 400
    assert "evil" not in answer.headers.get("Location", "")


def test_scopes_beyond_the_registration_are_not_granted(sandbox: SandboxConfig) -> None:
    url, pending = begin(sandbox)
    wide = changed(url, scope=SCOPE + " system/*.cruds user/Patient.cruds")
    context = complete_launch(pending, authorize(wide), now())
    assert "system/" not in context.scope
    assert "cruds" not in context.scope


def test_an_error_from_the_ehr_is_told_in_its_words() -> None:
    pending = PendingLaunch("i", "c", "r", "openid", "s", "n", "v", "t", None, None)
    with pytest.raises(LaunchRefused, match="user said no"):
        complete_launch(
            pending,
            {"state": "s", "error": "access_denied", "error_description": "user said no"},
            now(),
        )
