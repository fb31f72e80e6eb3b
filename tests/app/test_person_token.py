"""The token of a signed-in person: refreshed, read with again, and given back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, func, select

from app.demo import walk
from app.demo.browser import DemoFailed
from app.person_token import open_token, person_client, take_refresh
from app.store import PatientRow, SignInRow
from fhir.client import FhirClient
from smart_launch.errors import TokenRefused
from smart_launch.sandbox.database import TokenRow
from tests.app.launching import (
    clinician,
    later,
    set_tenant,
    sign_in_row,
)
from tests.app.test_service import PATIENT, one
from tests.conftest import World


def tokens_at_ehr(world: World) -> int:
    engine = create_engine(f"sqlite:///{world.sandbox.database}")
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(TokenRow)) or 0


def test_an_ended_token_is_refreshed_and_the_new_refresh_token_kept(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    walk.launch_chart(world.places, PATIENT)
    first = open_token(world.context, sign_in_row(world))
    later(world)
    client = person_client(world.context, set_tenant(world), sign_in_row(world).id)
    for _ in range(2):
        assert client.read(f"Patient/{PATIENT}")["id"] == PATIENT
    second = open_token(world.context, sign_in_row(world))
    assert second.access_token != first.access_token
    assert second.refresh_token != first.refresh_token
    assert tokens_at_ehr(world) == 2


def test_requests_that_refresh_at_once_do_not_lose_the_rotated_token(
    make_world: Callable[..., World],
) -> None:
    """A refresh token that comes twice makes the EHR end the whole sign-in."""
    world = make_world(worker=False)
    walk.launch_chart(world.places, PATIENT)
    later(world)
    tenant, sign_in_id = set_tenant(world), sign_in_row(world).id
    start, read = threading.Barrier(6), []

    def one_request() -> None:
        client = person_client(world.context, tenant, sign_in_id)
        start.wait()
        read.append(client.read(f"Patient/{PATIENT}")["id"])

    threads = [threading.Thread(target=one_request) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [PATIENT] * 6
    assert tokens_at_ehr(world) == 2
    later(world)
    assert person_client(world.context, tenant, sign_in_id).read(f"Patient/{PATIENT}")


def test_a_request_that_saw_the_token_before_it_was_renewed_does_not_renew_it_again(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    walk.launch_chart(world.places, PATIENT)
    seen = sign_in_row(world)
    later(world)
    tenant = set_tenant(world)
    assert person_client(world.context, tenant, seen.id).read(f"Patient/{PATIENT}")
    renewed = sign_in_row(world)
    assert not take_refresh(world.context, tenant.id, seen.id, seen.token_sealed)
    assert take_refresh(world.context, tenant.id, seen.id, renewed.token_sealed)
    assert not take_refresh(world.context, tenant.id, seen.id, renewed.token_sealed)


def test_a_token_that_the_ehr_refuses_early_is_refreshed_once(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    walk.launch_chart(world.places, PATIENT)
    client = person_client(world.context, set_tenant(world), sign_in_row(world).id)
    world.fail_ehr(401, 1)
    assert client.read(f"Patient/{PATIENT}")["id"] == PATIENT
    assert tokens_at_ehr(world) == 2


def test_who_dies_while_refreshing_holds_up_nobody_for_long(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    walk.launch_chart(world.places, PATIENT)
    later(world)
    with world.context.database.begin(world.tenant_id) as db:
        row = db.get_one(SignInRow, sign_in_row(world).id)
        row.refreshing_until = world.context.now() + timedelta(seconds=1)
    client = person_client(world.context, set_tenant(world), row.id)
    assert client.read(f"Patient/{PATIENT}")["id"] == PATIENT


def test_the_chart_is_read_again_and_what_came_is_no_longer_missing(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    browser = walk.launch_chart(world.places, PATIENT)
    with world.context.database.begin(world.tenant_id) as db:
        db.get_one(SignInRow, sign_in_row(world).id).not_granted = ["Condition", "PractitionerRole"]
        patient = db.scalars(select(PatientRow)).one()
        patient.billing = {}
    later(world)
    page = browser.submit(browser.get(f"{world.places.app}/chart"), {})
    assert "everything is here" in page.text
    assert "did not let us read conditions" not in page.text
    assert "did not let us read your role" in page.text
    assert one(world, PatientRow).billing["diagnoses"]  # type: ignore[attr-defined]


def test_reading_again_says_what_the_ehr_still_keeps(make_world: Callable[..., World]) -> None:
    narrow = "openid fhirUser launch offline_access user/Patient.rs user/Practitioner.rs"
    world = make_world(worker=False, ehr=lambda places: {"clients": (clinician(places, narrow),)})
    browser = walk.launch_chart(world.places, PATIENT)
    page = browser.submit(browser.get(f"{world.places.app}/chart"), {})
    assert "still does not let us read everything" in page.text
    assert set(sign_in_row(world).not_granted) == {"Condition", "Coverage", "PractitionerRole"}


def test_reading_again_after_the_ehr_ended_the_sign_in_says_what_to_do(
    make_world: Callable[..., World],
) -> None:
    narrow = "openid fhirUser launch user/Patient.rs user/Practitioner.rs"
    world = make_world(worker=False, ehr=lambda places: {"clients": (clinician(places, narrow),)})
    browser = walk.launch_chart(world.places, PATIENT)
    later(world)
    page = browser.submit(browser.get(f"{world.places.app}/chart"), {})
    assert "The EHR was not read: The sign-in has ended. Launch again" in page.text


def test_signing_out_ends_the_sign_in_here_and_at_the_ehr(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    browser = walk.launch_chart(world.places, PATIENT)
    row = sign_in_row(world)
    token = open_token(world.context, row)
    fhir = FhirClient(world.sandbox.fhir_base, lambda again: token.access_token)
    assert fhir.read(f"Patient/{PATIENT}")
    chart = browser.get(f"{world.places.app}/chart")
    page = browser.submit(chart, {}, form=chart.text.count("<form") - 1)
    assert "You are signed out" in page.text
    assert "has ended our access as well" in page.text
    with pytest.raises(DemoFailed, match="401"):
        browser.get(f"{world.places.app}/chart")
    with pytest.raises(Exception, match="HTTP 401"):
        fhir.read(f"Patient/{PATIENT}")
    assert sign_in_row(world).token_sealed == b""
    with pytest.raises(TokenRefused):
        person_client(world.context, set_tenant(world), row.id).read(f"Patient/{PATIENT}")


def test_signing_out_works_while_the_ehr_is_down_and_says_so(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    browser = walk.launch_chart(world.places, PATIENT)
    chart = browser.get(f"{world.places.app}/chart")
    set_tenant(world, iss="http://127.0.0.1:1/fhir")
    page = browser.submit(chart, {}, form=chart.text.count("<form") - 1)
    assert "did not confirm" in page.text
    assert sign_in_row(world).ended_at is not None
