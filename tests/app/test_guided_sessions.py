"""An exercise by the timer: the report is the patient's own, taken once, and never nonsense."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest
import requests
from sqlalchemy import select

from app.demo import walk
from app.demo.browser import Browser, DemoFailed
from app.prescribing import sign
from app.sessions import stored_session
from app.store import AlertRow, OutboxRow, ProgramRow, SessionRow, from_document
from rtm.feedback import Feedback
from rtm.program import Program
from tests.app.test_service import PATIENT, count, say_safe, sign_program
from tests.conftest import World


@pytest.fixture
def quiet(make_world: Callable[..., World]) -> World:
    world = make_world(worker=False)
    sign_program(world)
    return world


@pytest.fixture
def patient(quiet: World) -> Browser:
    return walk.sign_in_patient(quiet.places, quiet.tenant_id, PATIENT)


def page_of(patient: Browser, world: World, exercise: str = "scapular_squeeze") -> str:
    return patient.get(f"{world.places.app}/portal/exercises/{exercise}/guided").text


def told_by(page: str) -> dict[str, object]:
    source = page.split("data-guided>")[1].split('type="application/json">')[1]
    told: dict[str, object] = json.loads(source.split("</script>")[0])
    return told


def finish(
    patient: Browser, world: World, session_id: str = "", **changes: object
) -> requests.Response:
    token = page_of(patient, world).split('name="csrf-token" content="')[1].split('"')[0]
    report = {
        "exercise_id": "scapular_squeeze",
        "started_at": "2026-01-05T10:00:00Z",
        "pain_before": 2,
        "pain_after": 3,
        "repetitions": 18,
        "minutes": 4,
        "effort": 5,
        "difficulty": "just_right",
        "note": None,
        "stopped_reason": None,
        **changes,
    }
    url = f"{world.places.app}/portal/guided/{session_id or uuid4()}/finish"
    return patient.send("POST", url, json.dumps(report).encode(), token)


def only_session(world: World) -> SessionRow:
    with world.context.database.begin(world.tenant_id) as db:
        return db.scalars(select(SessionRow)).one()


def test_the_timer_is_told_the_dose_and_the_pace(quiet: World, patient: Browser) -> None:
    told = told_by(page_of(patient, quiet))
    assert told["dose"] == {"sets": 2, "repetitions": 10, "holdS": 5.0, "restS": 30.0}
    assert told["paceS"] == 6
    assert told["timed"] is False
    camera = told_by(page_of(patient, quiet, "shoulder_abduction"))
    assert camera["exerciseId"] == "shoulder_abduction"


def test_a_report_is_a_session_by_the_patients_own_account(quiet: World, patient: Browser) -> None:
    answer = finish(patient, quiet)
    assert answer.status_code == 202
    row = only_session(quiet)
    session = stored_session(row)
    assert session is not None
    assert (session.source, session.repetition_count, session.duration_s) == ("manual", 18, 240.0)
    assert session.feedback == Feedback(5, "just_right")
    assert answer.json()["result"] == f"/portal/sessions/{row.id}"
    assert count(quiet, OutboxRow, OutboxRow.kind == "session") == 1


def test_the_same_report_again_is_one_session(quiet: World, patient: Browser) -> None:
    session_id = str(uuid4())
    answers = [finish(patient, quiet, session_id) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert count(quiet, SessionRow) == 1
    other = finish(patient, quiet, session_id, exercise_id="elbow_flexion")
    assert other.status_code == 409


def test_a_session_stopped_before_anything_was_done_is_taken_with_its_reason(
    quiet: World, patient: Browser
) -> None:
    assert finish(patient, quiet, repetitions=0).status_code == 422
    assert finish(patient, quiet, repetitions=0, stopped_reason="chest_pain").status_code == 202
    row = only_session(quiet)
    assert row.stopped_reason == "chest_pain"
    assert count(quiet, AlertRow) == 1
    result = patient.get(f"{quiet.places.app}/portal/sessions/{row.id}").text
    assert "Call 911 now" in result


@pytest.mark.parametrize(
    "changes",
    [
        {"repetitions": 501},
        {"repetitions": -1},
        {"repetitions": 2.5},
        {"repetitions": True},
        {"repetitions": None},
        {"minutes": 0},
        {"minutes": 241},
        {"minutes": "four"},
        {"pain_after": 11},
        {"started_at": "yesterday"},
        {"started_at": "2026-01-05T10:00:00"},
        {"exercise_id": "squat"},
        {"effort": 11},
        {"stopped_reason": "boredom"},
    ],
)
def test_a_report_that_can_not_be_is_refused_in_words(
    quiet: World, patient: Browser, changes: dict[str, object]
) -> None:
    answer = finish(patient, quiet, **changes)
    assert answer.status_code == 422
    assert count(quiet, SessionRow) == 0


def test_a_note_keeps_its_words_and_loses_what_no_keyboard_writes(
    quiet: World, patient: Browser
) -> None:
    finish(patient, quiet, note="  Hurts \u0000 at\u202e night.\r\nAnd \ud800 walking.  ")
    assert only_session(quiet).note == "Hurts  at night.\nAnd  walking."


def test_an_exercise_of_no_program_has_no_timer(quiet: World, patient: Browser) -> None:
    with pytest.raises(DemoFailed, match="404"):
        page_of(patient, quiet, "squat")


def test_a_stranger_is_asked_to_sign_in(quiet: World) -> None:
    answer = requests.get(
        f"{quiet.places.app}/portal/exercises/scapular_squeeze/guided", timeout=10
    )
    assert answer.status_code == 401


def test_each_side_of_one_exercise_is_a_session_of_its_own(quiet: World) -> None:
    with quiet.context.database.begin(quiet.tenant_id) as db:
        row = db.scalars(select(ProgramRow)).one()
        program = from_document(Program, row.document)
        line = next(one for one in program.exercises if one.side == "right")
        both = replace(program, exercises=(*program.exercises, replace(line, side="left")))
        signed_by, patient_id = row.signed_by, row.patient_id
    sign(
        quiet.context,
        quiet.tenant_id,
        patient_id=patient_id,
        practitioner_id=signed_by,
        draft=both,
        signing_key="both",
    )
    say_safe(quiet)
    patient = walk.sign_in_patient(quiet.places, quiet.tenant_id, PATIENT)
    today = f"{quiet.places.app}/portal/today"
    left = f"/portal/exercises/{line.exercise_id}.left"
    assert f'href="{left}"' in patient.get(today).text
    page = page_of(patient, quiet, f"{line.exercise_id}.left")
    assert told_by(page)["exerciseId"] == f"{line.exercise_id}.left"
    sent = finish(patient, quiet, exercise_id=f"{line.exercise_id}.left")
    assert sent.status_code == 202
    with quiet.context.database.begin(quiet.tenant_id) as db:
        assert [(s.exercise_id, s.side) for s in db.scalars(select(SessionRow))] == [
            (line.exercise_id, "left")
        ]
    refused = finish(patient, quiet, exercise_id=f"{line.exercise_id}.both")
    assert refused.status_code == 422
