"""Effort, difficulty and a note: in every way of doing a session, to the chart and the EHR."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from app.demo import walk
from app.demo.browser import Browser, DemoFailed, wait_for
from app.ehr import backend_client
from app.sessions import stored_session
from app.store import SessionRow, Tenant
from rtm.feedback import Feedback
from tests.app.test_live_sessions import SERIES, Device, pieces_of
from tests.app.test_service import PATIENT, count, series_file, sign_program, upload
from tests.conftest import World

SAID = {"effort": "7", "difficulty": "too_hard", "note": "It <b>clicks</b>.\r\nOften."}
MEANT = Feedback(7, "too_hard", "It <b>clicks</b>.\nOften.")


def patient_with_program(world: World) -> Browser:
    sign_program(world)
    return walk.sign_in_patient(world.places, world.tenant_id, PATIENT)


def log(browser: Browser, world: World, **fields: str) -> str:
    page = browser.get(f"{world.places.app}/portal/exercises/scapular_squeeze")
    answer = browser.submit(
        page,
        {"pain_before": "4", "pain_after": "4", "repetitions": "20", "minutes": "5", **fields},
    )
    return answer.text


def only_session(world: World) -> SessionRow:
    with world.context.database.begin(world.tenant_id) as db:
        return db.scalars(select(SessionRow)).one()


def test_a_manual_log_keeps_what_was_said_and_shows_it_as_text(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    page = log(patient_with_program(world), world, **SAID)
    session = stored_session(only_session(world))
    assert session is not None
    assert session.feedback == MEANT
    assert "It &lt;b&gt;clicks&lt;/b&gt;." in page
    assert "Too hard" in page
    chart = walk.launch_chart(world.places, PATIENT).get(f"{world.places.app}/chart").text
    assert "effort 7 of 10, difficulty too hard" in chart
    assert "It &lt;b&gt;clicks&lt;/b&gt;." in chart
    assert "<b>clicks" not in chart


def test_everything_but_pain_may_be_skipped(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False)
    log(patient_with_program(world), world, note="  ")
    assert stored_session(only_session(world)).feedback == Feedback()  # type: ignore[union-attr]


def test_a_recording_keeps_what_was_said_until_it_is_measured(world: World, tmp_path: Path) -> None:
    browser = patient_with_program(world)
    upload(browser, world, series_file(tmp_path), **SAID)
    row = wait_for("the result", lambda: (r := only_session(world)).document and r, 60)
    assert stored_session(row).feedback == MEANT  # type: ignore[union-attr]
    with world.context.database.begin(None) as db:
        client = backend_client(world.context, db.get_one(Tenant, world.tenant_id))
    query = {"identifier": f"https://homestretch.health/fhir/identifier/session|{row.id}"}
    sent = wait_for("the EHR", lambda: list(client.search("Observation", query)), 60)[0]
    assert sent["note"][0]["text"] == MEANT.note
    measured = {c["code"]["coding"][0]["code"]: c for c in sent["component"]}
    assert measured["perceived_exertion"]["valueQuantity"]["value"] == 7


@pytest.mark.parametrize(
    ("field", "value"), [("effort", "11"), ("difficulty", "fine"), ("note", "x" * 501)]
)
def test_an_answer_off_its_scale_is_refused_and_nothing_is_stored(
    make_world: Callable[..., World], field: str, value: str
) -> None:
    world = make_world(worker=False)
    browser = patient_with_program(world)
    with pytest.raises(DemoFailed, match="422"):
        log(browser, world, **{field: value})
    assert count(world, SessionRow) == 0


def test_a_session_with_the_coach_keeps_what_was_said(world: World, tmp_path: Path) -> None:
    device = Device(world, patient_with_program(world))
    for number, piece in enumerate(pieces_of(SERIES, tmp_path, 1000)):
        device.put(number, piece)
    said = {**SAID, "effort": 7, "stopped_reason": "tired"}
    assert device.finish(1, **said).status_code == 202
    row = wait_for("the result", lambda: (r := only_session(world)).document and r, 60)
    told = stored_session(row).feedback  # type: ignore[union-attr]
    assert told == Feedback(7, "too_hard", MEANT.note, "tired")


@pytest.mark.parametrize(
    "changes",
    [
        {"effort": 7.5},
        {"effort": "hard"},
        {"effort": True},
        {"difficulty": ["too_hard"]},
        {"note": 7},
        {"note": "x" * 501},
        {"stopped_reason": "boredom"},
    ],
)
def test_a_coach_that_reports_nonsense_is_refused(
    make_world: Callable[..., World], tmp_path: Path, changes: dict[str, object]
) -> None:
    world = make_world(worker=False)
    device = Device(world, patient_with_program(world))
    device.put(0, pieces_of(SERIES, tmp_path, 1000)[0])
    assert device.finish(1, **changes).status_code == 422
    assert count(world, SessionRow) == 0
