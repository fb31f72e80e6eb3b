"""Launches as the service does them: what is granted, registrations, and contexts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from sqlalchemy import select

from app.chart_intake import LaunchReader, PersonUnknown, take_in_patient
from app.demo import walk
from app.demo.browser import Browser, DemoFailed, wait_for
from app.demo.walk import PIN
from app.signing_keys import public_jwks
from app.store import LaunchRow, PatientRow
from fhir.client import FhirClient
from smart_launch.scopes import parse_grant
from tests.app.launching import (
    callback_of,
    clinician,
    opened,
    set_tenant,
    sign_in_row,
)
from tests.app.test_service import PATIENT, count, one, sign_program
from tests.conftest import World
from tests.smart_launch.conftest import Told, told

__all__ = ["told"]  # a fixture

# What was granted --------------------------------------------------------------------------------


def test_what_the_ehr_does_not_let_us_read_is_told_in_plain_words(
    make_world: Callable[..., World],
) -> None:
    narrow = "openid fhirUser launch user/Patient.rs user/Practitioner.rs"
    world = make_world(worker=False, ehr=lambda places: {"clients": (clinician(places, narrow),)})
    page = walk.launch_chart(world.places, PATIENT).get(f"{world.places.app}/chart")
    assert "did not let us read conditions: the patient&#39;s diagnoses are missing" in page.text
    assert "did not let us read insurance coverage" in page.text
    assert "your time counts as clinical staff" in page.text
    assert "signed you in for a short time only" in page.text
    assert "Samuel Brandt" in page.text
    patient = one(world, PatientRow)
    assert "diagnoses" not in patient.billing  # type: ignore[attr-defined]


def test_nothing_is_said_where_nothing_is_missing(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False)
    page = walk.launch_chart(world.places, PATIENT).get(f"{world.places.app}/chart")
    assert "did not let us" not in page.text
    assert "Read again from the EHR" not in page.text


def test_a_clinician_whose_own_record_is_closed_still_works_and_is_told(
    make_world: Callable[..., World],
) -> None:
    closed = "openid fhirUser launch offline_access user/Patient.rs"
    world = make_world(worker=False, ehr=lambda places: {"clients": (clinician(places, closed),)})
    page = walk.launch_chart(world.places, PATIENT).get(f"{world.places.app}/chart")
    assert "your NPI is missing here" in page.text


def test_a_patient_that_may_not_be_read_ends_the_launch_with_the_reason(
    make_world: Callable[..., World],
) -> None:
    closed = "openid fhirUser launch user/Practitioner.rs"
    world = make_world(worker=False, ehr=lambda places: {"clients": (clinician(places, closed),)})
    with pytest.raises(DemoFailed, match="patient could not be read from the EHR: HTTP 403"):
        walk.launch_chart(world.places, PATIENT)


def test_a_type_that_the_ehr_refuses_despite_its_scope_is_told_too(told: Told) -> None:
    told.answer("/Condition?patient=Patient%2F1", {"resourceType": "OperationOutcome"}, 403)
    reader = LaunchReader(FhirClient(told.base, lambda again: "t"), parse_grant("user/*.rs"))
    assert reader.search("Condition", {"patient": "Patient/1"}) == []
    assert reader.not_granted == ["Condition"]


def test_an_ehr_of_the_first_smart_version_is_asked_in_its_words(
    make_world: Callable[..., World],
) -> None:
    world = make_world(ehr=lambda places: {"v1_scopes_only": True})
    browser = sign_program(world)
    with world.context.database.begin(None) as db:
        asked = db.scalars(select(LaunchRow)).one().request["scope"]
    assert "user/Condition.read" in asked
    assert ".rs" not in asked
    url = f"{world.places.app}/chart/program.json"
    wait_for("the plan", lambda: browser.get_json(url)["read_back_at"], 60)
    assert sign_in_row(world).not_granted == []


def test_a_tenants_own_scopes_overrule_what_the_ehr_offers(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    set_tenant(world, scopes={"clinician": "openid fhirUser launch user/Patient.read"})
    location = requests.get(
        opened(world, requests.Session()), allow_redirects=False, timeout=10
    ).headers["Location"]
    assert parse_qs(urlsplit(location).query)["scope"] == [
        "openid fhirUser launch user/Patient.read"
    ]


# Registrations -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("source", ["env", "file", "sealed"])
def test_a_tenants_secret_proves_us_wherever_it_is_kept(
    make_world: Callable[..., World],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    method: str,
    source: str,
) -> None:
    secret = "s3cret: ü %"
    world = make_world(
        worker=False,
        ehr=lambda places: {
            "clients": (clinician(places, client_secret=secret, secret_method=method),)
        },
    )
    monkeypatch.setenv("PRAIRIE_SECRET", secret)
    (tmp_path / "secret").write_text(f"{secret}\n", "utf-8")
    kept = {
        "env": "PRAIRIE_SECRET",
        "file": str(tmp_path / "secret"),
        "sealed": world.context.vault.seal({"secret": secret}).decode(),
    }
    auth = {"method": method, "secret": {source: kept[source]}}
    set_tenant(world, client_auth={"clinician": auth})
    walk.launch_chart(world.places, PATIENT)


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_a_tenants_key_proves_us(make_world: Callable[..., World], algorithm: str) -> None:
    world = make_world(
        ehr=lambda places: {
            "clients": (clinician(places, jwks_uri=f"{places.app}/.well-known/jwks.json"),)
        },
    )
    key = {"method": "private_key_jwt", "algorithm": algorithm}
    set_tenant(world, client_auth={"clinician": key, "backend": key})
    browser = sign_program(world)
    url = f"{world.places.app}/chart/program.json"
    wait_for("the plan", lambda: browser.get_json(url)["careplan"], 60)


def test_our_key_set_has_both_kinds_and_may_be_kept_for_minutes(world: World) -> None:
    answer = requests.get(f"{world.places.app}/.well-known/jwks.json", timeout=10)
    assert answer.json() == public_jwks(world.context.keys.signing, world.context.now())
    assert {key["alg"] for key in answer.json()["keys"]} == {"RS384", "ES384"}
    assert answer.headers["Cache-Control"] == "public, max-age=300"


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ({"env": "NOT_SET_ANYWHERE"}, "environment variable NOT_SET_ANYWHERE"),
        ({"file": "/nowhere/at/all"}, "No such file"),
        ({"sealed": "bm90IHNlYWxlZA=="}, "can't be opened"),
        ({}, "is not set"),
    ],
    ids=str,
)
def test_a_secret_that_is_not_there_is_named(
    make_world: Callable[..., World], secret: dict[str, str], message: str
) -> None:
    world = make_world(worker=False)
    auth = {"method": "client_secret_basic", "secret": secret}
    set_tenant(world, client_auth={"clinician": auth})
    browser = requests.Session()
    answer = browser.get(callback_of(world, browser), timeout=10)
    assert answer.status_code == 403
    assert message in answer.text.replace("&#39;", "'")


# Contexts ----------------------------------------------------------------------------------------


def test_a_clinician_may_begin_outside_the_chart_and_choose_the_patient(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    browser = Browser()
    page = browser.get(f"{world.places.app}/chart/launch/{world.tenant_id}")
    page = browser.submit(page, {"person": walk.THERAPIST, "patient": PATIENT, "pin": PIN})
    assert page.url == f"{world.places.app}/chart"
    assert "Samuel Brandt" in page.text


def test_encounter_and_banner_come_with_the_launch(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False)
    walk.launch_chart(world.places, PATIENT)
    row = sign_in_row(world)
    assert (row.encounter, row.need_patient_banner) == (f"{PATIENT}-encounter", True)


def test_the_pages_take_on_the_ehrs_colours(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False)
    browser = walk.launch_chart(world.places, PATIENT)
    page = browser.get(f"{world.places.app}/chart")
    assert '<link rel="stylesheet" href="/ehr-colours/clinician.css">' in page.text
    css = browser.get(f"{world.places.app}/ehr-colours/clinician.css")
    assert css.headers["Content-Type"].startswith("text/css")
    assert "--ground:#f4f1ea;" in css.text
    assert "Georgia" not in css.text
    assert requests.get(css.url, timeout=10).status_code == 401


def test_another_resource_than_the_patient_of_the_launch_is_refused(
    make_world: Callable[..., World], told: Told
) -> None:
    """An EHR, or a proxy in front of it, that answers with somebody else."""
    world = make_world(worker=False)
    told.answer(
        "/Patient/ada-okafor",
        {
            "resourceType": "Patient",
            "id": "rosa-delgado",
            "name": [{"family": "Delgado", "given": ["Rosa"]}],
            "birthDate": "1980-01-01",
        },
    )
    reader = LaunchReader(FhirClient(told.base, lambda again: "t"), parse_grant("user/*.rs"))
    tenant = set_tenant(world)
    with (
        world.context.database.begin(world.tenant_id) as db,
        pytest.raises(PersonUnknown, match="another resource"),
    ):
        take_in_patient(world.context, db, tenant, reader, "ada-okafor")
    assert count(world, PatientRow) == 0
