"""Launches as the service does them: every registration, every context, and every attack."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import pytest
import requests
from sqlalchemy import create_engine, func, select

from app.chart_intake import LaunchReader, PersonUnknown, take_in_patient
from app.demo import walk
from app.demo.browser import Browser, DemoFailed, wait_for
from app.demo.walk import PIN, Places
from app.person_token import open_token, person_client
from app.signing_keys import public_jwks
from app.store import ALL_TENANTS, LaunchRow, PatientRow, SessionRow, SignInRow, Tenant
from fhir.client import FhirClient
from smart_launch.errors import TokenRefused
from smart_launch.sandbox.database import TokenRow
from smart_launch.sandbox.registration import Client
from smart_launch.scopes import parse_grant
from tests.app.test_service import PATIENT, count, one, result_of, series_file, sign_program, upload
from tests.conftest import World, free_port
from tests.packaging.processes import ROOT
from tests.smart_launch.conftest import Told, told

__all__ = ["told"]  # a fixture

FLOW = ("authorization_code", "refresh_token")
ALL_SCOPES = (
    "openid fhirUser launch launch/patient offline_access user/Patient.rs user/Practitioner.rs "
    "user/PractitionerRole.rs user/Condition.rs user/Coverage.rs"
)


def clinician(places: Places, scope: str = ALL_SCOPES, **options: Any) -> Client:
    """The clinicians' registration at the EHR, otherwise than usual."""
    callback = f"{places.app}/launch/callback/prairie"
    return Client("homestretch-clinician", (callback,), FLOW, scope, **options)


def set_tenant(world: World, **values: Any) -> Tenant:
    with world.context.database.begin(None) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
        for name, value in values.items():
            setattr(tenant, name, value)
    return tenant


def sign_in_row(world: World) -> SignInRow:
    with world.context.database.begin(world.tenant_id) as db:
        return db.scalars(select(SignInRow).order_by(SignInRow.created_at.desc())).first()  # type: ignore[return-value]


def opened(world: World, browser: requests.Session, patient: str = PATIENT) -> str:
    """Our launch URL, as the EHR gives it to the browser."""
    form = {"patient": patient, "practitioner": walk.THERAPIST}
    answer = browser.post(
        f"{world.places.ehr}/launch", data=form, allow_redirects=False, timeout=10
    )
    return answer.headers["Location"]


def callback_of(world: World, browser: requests.Session, patient: str = PATIENT) -> str:
    """Launches up to the EHR's answer, and returns the callback URL unvisited."""
    url = opened(world, browser, patient)
    for _ in range(2):
        url = browser.get(url, allow_redirects=False, timeout=10).headers["Location"]
    assert "/launch/callback/prairie?" in url
    return url


def changed(url: str, **parameters: str | None) -> str:
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **parameters}
    return urlunsplit(parts._replace(query=urlencode({k: v for k, v in query.items() if v})))


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


# Tokens in use -----------------------------------------------------------------------------------


def tokens_at_ehr(world: World) -> int:
    engine = create_engine(f"sqlite:///{world.sandbox.database}")
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(TokenRow)) or 0


def later(world: World) -> None:
    """The service's clock goes on, so that the access token has ended and the sign-in has not."""
    moved = replace(world.context, now=lambda: datetime.now(UTC) + timedelta(hours=2))
    world.context = moved
    world.app.extensions["homestretch"] = moved


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


# In the EHR's frame ------------------------------------------------------------------------------

FRAME = {"Sec-Fetch-Dest": "iframe"}


def ancestors(answer: requests.Response) -> list[str]:
    policy = answer.headers["Content-Security-Policy"]
    (directive,) = [part for part in policy.split("; ") if part.startswith("frame-ancestors ")]
    return directive.split()[1:]


def test_a_page_may_be_framed_by_the_ehr_of_its_own_health_system_alone(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    with world.context.database.begin(None) as db:
        db.add(
            Tenant(
                id="other",
                name="Other",
                iss="https://other.example/fhir",
                clinician_client_id="a",
                portal_client_id="b",
                backend_client_id="c",
                time_zone="America/Chicago",
                frame_ancestors=["https://other.example"],
            )
        )
    assert ancestors(requests.get(f"{world.places.app}/portal", timeout=10)) == ["'self'"]
    browser = walk.launch_chart(world.places, PATIENT)
    own = ["'self'", world.places.ehr]
    assert ancestors(browser.get(f"{world.places.app}/chart")) == own
    assert ancestors(browser.get(f"{world.places.app}/portal")) == own
    unknown = requests.get(f"{world.places.app}/launch", params={"iss": "x"}, timeout=10)
    assert ancestors(unknown) == ["'self'"]
    theirs = requests.get(
        f"{world.places.app}/launch/callback/other", params={"state": "x"}, timeout=10
    )
    assert ancestors(theirs) == ["'self'", "https://other.example"]


def test_a_frame_that_keeps_no_cookie_offers_a_window_before_the_launch_is_used(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    url = opened(world, requests.Session())
    step = requests.get(url, headers=FRAME, allow_redirects=False, timeout=10)
    assert urlsplit(step.headers["Location"]).path == "/launch/frame"
    page = requests.get(urljoin(url, step.headers["Location"]), headers=FRAME, timeout=10)
    assert page.status_code == 403
    assert 'target="_blank"' in page.text
    assert ancestors(page) == ["'self'", world.places.ehr]
    window = requests.Session()
    assert window.get(url, timeout=10).url == f"{world.places.app}/chart"


def test_a_frame_that_keeps_the_cookie_goes_on_to_the_chart(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    browser = requests.Session()
    browser.headers.update(FRAME)
    assert browser.get(opened(world, browser), timeout=10).url == f"{world.places.app}/chart"


def test_an_answer_in_a_frame_that_lost_its_cookie_offers_a_window_too(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    callback = callback_of(world, requests.Session())
    page = requests.get(callback, headers=FRAME, timeout=10)
    assert page.status_code == 403
    assert f'href="/chart/launch/{world.tenant_id}"' in page.text


def test_with_https_no_other_host_can_plant_our_cookies(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False, public_url="https://app.example")
    url = opened(world, requests.Session()).replace("http://127.0.0.1:9", world.places.app)
    answer = requests.get(
        f"{world.places.app}/launch?{urlsplit(url).query}", allow_redirects=False, timeout=10
    )
    cookie = SimpleCookie(answer.headers["Set-Cookie"].replace("Partitioned", ""))
    assert list(cookie) == ["__Host-hs_browser"]
    said = answer.headers["Set-Cookie"]
    for part in ("Secure", "HttpOnly", "Path=/", "SameSite=None", "Partitioned"):
        assert part in said
    assert "Domain" not in said


# Attacks -----------------------------------------------------------------------------------------


@pytest.fixture
def quiet(make_world: Callable[..., World]) -> World:
    return make_world(worker=False)


def refused(answer: requests.Response, words: str) -> None:
    assert answer.status_code == 403
    assert words in answer.text


@pytest.mark.parametrize(
    "iss",
    ["", "https://evil.example/fhir", "http://169.254.169.254/latest", "file:///etc/passwd"],
)
def test_an_unknown_iss_is_refused_and_nothing_is_fetched(quiet: World, iss: str) -> None:
    answer = requests.get(
        f"{quiet.places.app}/launch",
        params={"iss": iss, "launch": "x"},
        allow_redirects=False,
        timeout=10,
    )
    refused(answer, "not registered")
    with quiet.context.database.begin(None) as db:
        assert db.scalars(select(LaunchRow)).all() == []


def test_the_answer_of_one_ehr_is_worth_nothing_at_anothers_callback(quiet: World) -> None:
    with quiet.context.database.begin(None) as db:
        db.add(
            Tenant(
                id="other",
                name="Other",
                iss="https://other.example/fhir",
                clinician_client_id="homestretch-clinician",
                portal_client_id="b",
                backend_client_id="c",
                time_zone="America/Chicago",
            )
        )
    browser = requests.Session()
    carried = callback_of(quiet, browser).replace("callback/prairie", "callback/other")
    refused(browser.get(carried, timeout=10), "belongs to another launch")
    assert count(quiet, SignInRow) == 0


@pytest.mark.parametrize(
    ("iss", "words"),
    [("https://evil.example", "another EHR"), (None, "does not say which EHR")],
    ids=["another's", "left out"],
)
def test_an_answer_that_names_another_ehr_or_none_is_refused(
    quiet: World, iss: str | None, words: str
) -> None:
    browser = requests.Session()
    refused(browser.get(changed(callback_of(quiet, browser), iss=iss), timeout=10), words)
    assert count(quiet, SignInRow) == 0


def test_a_state_is_good_once_even_of_two_at_once(quiet: World) -> None:
    browser = requests.Session()
    callback = callback_of(quiet, browser)
    cookies = browser.cookies.get_dict()
    start, codes = threading.Barrier(4), []

    def come_back() -> None:
        start.wait()
        answer = requests.get(callback, cookies=cookies, allow_redirects=False, timeout=30)
        codes.append(answer.status_code)

    threads = [threading.Thread(target=come_back) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [302, 403, 403, 403]
    assert count(quiet, SignInRow) == 1


def test_a_launch_that_another_browser_began_signs_nobody_in(quiet: World) -> None:
    """Launch CSRF: the attacker's answer, opened by the victim, who has a session of their own."""
    callback = callback_of(quiet, requests.Session())
    victim = requests.Session()
    victim.get(f"{quiet.places.app}/portal", timeout=10)
    callback_of(quiet, victim, "ada-okafor")
    refused(victim.get(callback, timeout=10), "another browser")
    assert count(quiet, SignInRow) == 0


@pytest.mark.parametrize(
    "parameters",
    [
        {"next": "https://evil.example/"},
        {"redirect_uri": "https://evil.example/"},
        {"return_to": "//evil.example"},
        {"_external": "1", "_scheme": "javascript"},
        {"_anchor": "https://evil.example"},
        {"aud": "https://evil.example"},
    ],
    ids=str,
)
def test_no_parameter_leads_a_browser_elsewhere(
    quiet: World, parameters: Mapping[str, str]
) -> None:
    browser = requests.Session()
    own = {urlsplit(place).netloc for place in (quiet.places.app, quiet.places.ehr)}
    for headers in ({}, FRAME):
        url = changed(opened(quiet, browser), **parameters)
        for _ in range(5):
            answer = browser.get(url, headers=headers, allow_redirects=False, timeout=10)
            if answer.status_code != 302:
                break
            url = changed(urljoin(url, answer.headers["Location"]), **parameters)
            assert urlsplit(url).netloc in own
            asked = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
            assert "evil" not in asked.get("redirect_uri", "")
            assert "evil" not in asked.get("aud", "")


def test_a_cookie_from_before_the_sign_in_is_worth_nothing_after_it(quiet: World) -> None:
    """Session fixation: neither a planted sign-in nor a planted form token is taken over."""
    browser = requests.Session()
    browser.cookies.set("hs_clinician", "planted-by-the-attacker", domain="127.0.0.1")
    browser.get(f"{quiet.places.app}/portal", timeout=10)
    before = browser.get(f"{quiet.places.app}/portal", timeout=10).text
    browser.get(callback_of(quiet, browser), timeout=10)
    assert browser.cookies["hs_clinician"] != "planted-by-the-attacker"
    planted = requests.get(
        f"{quiet.places.app}/chart",
        cookies={"hs_clinician": "planted-by-the-attacker"},
        timeout=10,
    )
    assert planted.status_code == 401
    form = {"csrf_token": _form_token(before), "minutes": "5"}
    answer = browser.post(f"{quiet.places.app}/chart/time", data=form, timeout=10)
    assert answer.status_code == 400


def test_a_page_of_the_patient_before_writes_nothing_to_the_next(quiet: World) -> None:
    """Two charts in two tabs share one cookie; the older tab's forms must not reach the newer."""
    browser = Browser()
    pages = []
    for patient in (PATIENT, "ada-okafor"):
        form = {"patient": patient, "practitioner": walk.THERAPIST}
        browser.post(f"{quiet.places.ehr}/launch", form)
        pages.append(
            browser.get(f"{quiet.places.app}/chart/prescribe/shoulder_pain/motion_strength")
        )
    with pytest.raises(DemoFailed, match="open too long"):
        browser.submit(pages[0], {})


def test_a_new_sign_in_ends_the_one_before(quiet: World) -> None:
    browser = requests.Session()
    browser.get(callback_of(quiet, browser), timeout=10)
    old = browser.cookies["hs_clinician"]
    browser.get(callback_of(quiet, browser, "ada-okafor"), timeout=10)
    stale = requests.get(f"{quiet.places.app}/chart", cookies={"hs_clinician": old}, timeout=10)
    assert stale.status_code == 401


def test_a_session_of_another_health_system_is_out_of_reach(world: World, tmp_path: Path) -> None:
    sign_program(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    page = upload(patient, world, series_file(tmp_path))
    result_of(patient, page)
    assert patient.get(page.url).status_code == 200
    with world.context.database.begin(None) as db:
        db.add(
            Tenant(
                id="other",
                name="Other",
                iss="https://other.example/fhir",
                clinician_client_id="a",
                portal_client_id="b",
                backend_client_id="c",
                time_zone="America/Chicago",
            )
        )
    with world.context.database.begin(None) as db:
        row = db.scalars(select(SessionRow), execution_options={ALL_TENANTS: True}).one()
        row.tenant_id = "other"  # the same patient's number, in another health system
    with pytest.raises(DemoFailed, match="404"):
        patient.get(page.url)


def _form_token(page: str) -> str:
    return page.partition('name="csrf-token" content="')[2].partition('"')[0]


# Tokens stay where they belong -------------------------------------------------------------------


def test_no_token_code_or_state_reaches_the_log_or_a_referrer(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    """The real server process, through a launch, a failed one, and a sign-out."""
    port = free_port()
    app = f"http://127.0.0.1:{port}"
    world = make_world(worker=False, ehr=lambda places: {"app_url": app})
    world.places = Places(app, world.places.ehr)
    with _served(world, port, tmp_path / "log"):
        browser = requests.Session()
        callback = callback_of(world, browser)
        answer = browser.get(callback, timeout=30)
        assert answer.url == f"{app}/chart"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        token = open_token(world.context, sign_in_row(world))
        again = browser.get(callback, timeout=30)
        assert again.headers["Referrer-Policy"] == "no-referrer"
        failing = callback_of(world, browser)
        world.fail_ehr(500, 3)
        assert browser.get(failing, timeout=60).status_code == 502
        form = {"csrf_token": _form_token(answer.text)}
        browser.post(f"{app}/sign-out/clinician", data=form, timeout=30)
    shown = (tmp_path / "log").read_text() + answer.text + again.text
    secrets = {
        token.access_token,
        str(token.refresh_token),
        browser.cookies.get("hs_clinician", ""),
        *(value for url in (callback, failing) for _, value in parse_qsl(urlsplit(url).query)),
    } - {"", world.sandbox.issuer}
    assert len(secrets) >= 6
    for secret in secrets:
        assert secret not in shown


@contextmanager
def _served(world: World, port: int, log: Path) -> Iterator[None]:
    settings = world.context.settings
    environment = {
        **os.environ,
        "HOMESTRETCH_DATA_DIR": str(settings.data_dir),
        "HOMESTRETCH_PUBLIC_URL": world.places.app,
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
        try:
            wait_for("the server", lambda: _answers(f"{world.places.app}/ready"), 60)
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False
