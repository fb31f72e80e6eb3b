"""Safety answers stop what must stop, the care team is told once, and nothing done is lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from sqlalchemy import select

from app.demo import walk
from app.demo.browser import Browser, DemoFailed
from app.store import (
    AlertAcknowledgementRow,
    AlertRow,
    SafetyFactIsFinal,
    SafetyScreenRow,
    SessionRow,
)
from tests.app.test_service import PATIENT, count, open_program, series_file, sign_program, upload
from tests.conftest import World

EXERCISE = "/portal/exercises/scapular_squeeze"


@pytest.fixture
def quiet(make_world: Callable[..., World]) -> World:
    """A world without a worker, with a program signed and no question answered."""
    world = make_world(worker=False)
    sign_program(world, screened=False)
    return world


@pytest.fixture
def patient(quiet: World) -> Browser:
    return walk.sign_in_patient(quiet.places, quiet.tenant_id, PATIENT)


def page_of(browser: Browser, world: World, path: str = EXERCISE) -> requests.Response:
    return browser.get(world.places.app + path)


def asked(page: requests.Response) -> set[str]:
    return set(re.findall(r'name="(answer-[a-z_]+)"', page.text))


def answer(browser: Browser, world: World, *yes: str, path: str = EXERCISE) -> requests.Response:
    page = page_of(browser, world, path)
    answers = {name: "yes" if name in yes else "no" for name in asked(page)}
    assert answers, f"no question was asked at {page.url}"
    return browser.submit(page, answers)


def log(browser: Browser, page: requests.Response, **fields: str) -> requests.Response:
    said = {"pain_before": "2", "pain_after": "2", "repetitions": "20", "minutes": "5"}
    return browser.submit(page, said | fields)


def rows(world: World, kind: type) -> list[object]:
    with world.context.database.begin(world.tenant_id) as db:
        return list(db.scalars(select(kind)))


def chart_of(world: World) -> tuple[Browser, requests.Response]:
    clinician = walk.launch_chart(world.places, PATIENT)
    return clinician, clinician.get(f"{world.places.app}/chart")


# Before the first session ------------------------------------------------------------------------


@pytest.mark.parametrize("path", [EXERCISE, "/portal/exercises/shoulder_abduction/live"])
def test_every_way_to_begin_leads_through_the_questions(
    quiet: World, patient: Browser, path: str
) -> None:
    page = page_of(patient, quiet, path)
    assert "Is it safe to exercise today?" in page.text
    assert len(asked(page)) == 5
    after = answer(patient, quiet, path=path)
    assert after.url == quiet.places.app + path
    assert asked(page_of(patient, quiet)) == set()
    assert count(quiet, AlertRow) == 0


def test_questions_left_open_are_asked_again_and_not_stored(quiet: World, patient: Browser) -> None:
    page = page_of(patient, quiet)
    with pytest.raises(DemoFailed, match="answer each question with yes or no"):
        patient.submit(page, {"answer-fever": "no", "answer-fall": "perhaps"})
    assert count(quiet, SafetyScreenRow) == 0


def test_the_same_answers_sent_twice_are_stored_once(quiet: World, patient: Browser) -> None:
    page = page_of(patient, quiet)
    answers = dict.fromkeys(asked(page), "no")
    for _ in range(2):
        patient.submit(page, answers)
    assert count(quiet, SafetyScreenRow) == 1


def test_a_new_version_of_the_program_asks_anew(quiet: World, patient: Browser) -> None:
    answer(patient, quiet)
    browser, page = open_program(quiet)
    browser.submit(page, {})
    assert asked(page_of(patient, quiet))


def test_answers_lead_to_an_exercise_and_never_to_another_site(
    quiet: World, patient: Browser
) -> None:
    page = page_of(patient, quiet)
    answers = dict.fromkeys(asked(page), "no")
    after = patient.submit(page, answers | {"then": "https://evil.example/portal/exercises/x"})
    assert after.url == f"{quiet.places.app}/portal/today"


# A red flag --------------------------------------------------------------------------------------


def test_a_red_flag_stops_the_patient_and_tells_the_care_team_once(
    quiet: World, patient: Browser
) -> None:
    stopped = answer(patient, quiet, "answer-chest_pain")
    assert stopped.url.endswith("/portal/safety/stop")
    assert "Call 911 now" in stopped.text
    assert "tel:555-555-0111" in stopped.text
    for path in (EXERCISE, "/portal/exercises/shoulder_abduction/live", "/portal/safety"):
        assert page_of(patient, quiet, path).url.endswith("/portal/safety/stop")
    assert page_of(patient, quiet, "/portal/range/shoulder_abduction").url.endswith("/stop")
    assert "should not exercise now" in page_of(patient, quiet, "/portal/today").text
    assert count(quiet, AlertRow) == 1
    _, chart = chart_of(quiet)
    assert "Red flag in the safety questions" in chart.text
    assert "Yes to: Do you have pain or pressure in your chest" in chart.text


def test_one_yes_is_enough_to_be_told_whom_to_call(quiet: World, patient: Browser) -> None:
    page = page_of(patient, quiet)
    stopped = patient.submit(page, {"answer-fever": "yes"})
    assert "Call your care team today" in stopped.text
    assert count(quiet, AlertRow) == 1


def test_a_clinician_who_acknowledges_has_the_patient_asked_again(
    quiet: World, patient: Browser
) -> None:
    answer(patient, quiet, "answer-dizzy")
    clinician, chart = chart_of(quiet)
    for _ in range(2):
        after = clinician.submit(chart, {"note": "Called. <i>Blood pressure</i> was low."})
    assert "acknowledged before" in after.text
    assert "Acknowledged by" in after.text
    assert "&lt;i&gt;Blood pressure&lt;/i&gt; was low." in after.text
    assert count(quiet, AlertAcknowledgementRow) == 1
    assert asked(page_of(patient, quiet))
    assert answer(patient, quiet).url.endswith(EXERCISE)


def test_only_a_signed_in_clinician_with_the_pages_token_acknowledges(
    quiet: World, patient: Browser
) -> None:
    answer(patient, quiet, "answer-dizzy")
    (alert,) = rows(quiet, AlertRow)
    url = f"{quiet.places.app}/chart/alerts/{alert.id}/acknowledge"  # type: ignore[attr-defined]
    with pytest.raises(DemoFailed, match="400"):
        walk.launch_chart(quiet.places, PATIENT).post(url, {})
    with pytest.raises(DemoFailed, match=r"40[01]"):
        patient.post(url, {})
    assert count(quiet, AlertAcknowledgementRow) == 0


def test_an_alert_is_not_acknowledged_from_another_patients_chart(
    quiet: World, patient: Browser
) -> None:
    answer(patient, quiet, "answer-dizzy")
    (alert,) = rows(quiet, AlertRow)
    other = walk.launch_chart(quiet.places, "ada-okafor")
    page = other.get(f"{quiet.places.app}/chart")
    token = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)[0]
    shown = re.findall(r'name="patient" value="(\d+)"', page.text)[0]
    url = f"{quiet.places.app}/chart/alerts/{alert.id}/acknowledge"  # type: ignore[attr-defined]
    with pytest.raises(DemoFailed, match="404"):
        other.post(url, {"csrf_token": token, "patient": shown})
    assert count(quiet, AlertAcknowledgementRow) == 0


def test_a_session_done_before_the_red_flag_is_taken_and_one_after_it_is_not(
    quiet: World, patient: Browser, tmp_path: Path
) -> None:
    answer(patient, quiet)
    page = page_of(patient, quiet)
    recording = page_of(patient, quiet, "/portal/exercises/shoulder_abduction")
    flagged = page_of(patient, quiet, "/portal/safety")
    patient.submit(flagged, {"answer-fall": "yes"})
    now = quiet.context.now()
    early = (now - timedelta(hours=2)).isoformat()
    log(patient, page, started_at=early)
    with (path := series_file(tmp_path)).open("rb") as stream:
        said = {"pain_before": "2", "pain_after": "2", "started_at": early}
        patient.submit(recording, said, {"recording": (path.name, stream)})
    assert count(quiet, SessionRow) == 2
    late = {"session_id": str(uuid4()), "started_at": (now + timedelta(minutes=1)).isoformat()}
    with pytest.raises(DemoFailed, match="should not exercise now"):
        log(patient, page, **late)
    log(patient, page, started_at=early)  # the first one sent again is still the first one
    assert count(quiet, SessionRow) == 2


# A session's warning signs -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"pain_after": "5"}, "Pain rose by 3, from 2 to 5"),
        ({"pain_before": "7", "pain_after": "8"}, "Pain 8 of 10 after the session"),
    ],
)
def test_a_session_with_much_pain_alerts_once_and_asks_again(
    quiet: World, patient: Browser, fields: dict[str, str], reason: str
) -> None:
    answer(patient, quiet)
    page = page_of(patient, quiet)
    for _ in range(2):
        result = log(patient, page, **fields)
    assert "Please rest now" in result.text
    (alert,) = rows(quiet, AlertRow)
    assert alert.kind == "session_warning"  # type: ignore[attr-defined]
    _, chart = chart_of(quiet)
    assert reason in chart.text
    assert "No new session until" not in chart.text
    assert asked(page_of(patient, quiet))
    answer(patient, quiet)
    assert not asked(page_of(patient, quiet))


def test_a_recording_with_much_pain_alerts_before_it_is_measured(
    quiet: World, patient: Browser, tmp_path: Path
) -> None:
    answer(patient, quiet)
    upload(patient, quiet, series_file(tmp_path), pain_after="9")
    assert count(quiet, AlertRow) == 1


def test_an_ordinary_session_alerts_nobody(quiet: World, patient: Browser) -> None:
    answer(patient, quiet)
    assert "Please rest now" not in log(patient, page_of(patient, quiet)).text
    assert count(quiet, AlertRow) == 0
    assert not asked(page_of(patient, quiet))


# Facts -------------------------------------------------------------------------------------------


def test_answers_alerts_and_acknowledgements_can_not_be_changed(
    quiet: World, patient: Browser
) -> None:
    answer(patient, quiet, "answer-dizzy")
    clinician, chart = chart_of(quiet)
    clinician.submit(chart, {})
    for kind, field in (
        (SafetyScreenRow, "language"),
        (AlertRow, "kind"),
        (AlertAcknowledgementRow, "note"),
    ):
        with (
            pytest.raises(SafetyFactIsFinal),
            quiet.context.database.begin(quiet.tenant_id) as db,
        ):
            setattr(db.scalars(select(kind)).one(), field, "other")
        with (
            pytest.raises(SafetyFactIsFinal),
            quiet.context.database.begin(quiet.tenant_id) as db,
        ):
            db.delete(db.scalars(select(kind)).one())


def test_one_patients_alert_and_answers_are_not_anothers(quiet: World, patient: Browser) -> None:
    stopped = page_of(patient, quiet)
    patient.submit(stopped, {"answer-fever": "yes"})
    other = walk.launch_chart(quiet.places, "ada-okafor").get(f"{quiet.places.app}/chart")
    assert "Red flag" not in other.text


def test_answers_and_alerts_work_on_postgresql(
    make_world: Callable[..., World], postgresql: str
) -> None:
    world = make_world(worker=False, database_url=postgresql)
    sign_program(world, screened=False)
    browser = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    answer(browser, world)
    log(browser, page_of(browser, world), pain_after="9", note="Señal: \u0000 mal.", effort="9")
    assert answer(browser, world, "answer-chest_pain").url.endswith("/portal/safety/stop")
    clinician, chart = chart_of(world)
    assert chart.text.count('class="card alert"') == 2
    for _ in range(2):
        chart = clinician.submit(chart, {"note": "Called."})
    assert "Earlier alerts (2)" in chart.text
    assert answer(browser, world).url.endswith(EXERCISE)
