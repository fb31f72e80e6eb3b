"""Outcome measures over HTTP: asked when due, kept half done, sent once, told to the EHR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from sqlalchemy import select

from app.demo import walk
from app.demo.browser import Browser, DemoFailed
from app.demo.history import STORIES, write_history
from app.ehr import backend_client
from app.jobs.deliver import deliver_due
from app.outcomes import asked_of
from app.store import (
    OutboxRow,
    OutcomeDraftRow,
    OutcomeIsFinal,
    OutcomeResponseRow,
    PatientRow,
    Tenant,
)
from rtm.instruments import InvalidInstrument
from tests.app.test_range_tests import PATIENT, delivered, sign_in
from tests.conftest import World
from tests.fhir.r4 import r4_issues
from tests.rtm.test_instruments import texts

STORY = next(story for story in STORIES if story.patient == PATIENT)


def patient_of(world: World) -> Browser:
    """Samuel, whose program began a month ago: everything is due."""
    patient = sign_in(world)
    write_history(world.context, [STORY])
    return patient


def page_of(patient: Browser, world: World, instrument_id: str = "nprs") -> requests.Response:
    return patient.get(f"{world.places.app}/portal/questionnaires/{instrument_id}")


def rows(world: World, kind: Any = OutcomeResponseRow) -> list[Any]:
    with world.context.database.begin(world.tenant_id) as db:
        return list(db.scalars(select(kind)))


def test_what_is_due_stands_on_the_first_page_until_it_is_answered(world: World) -> None:
    patient = patient_of(world)
    today = f"{world.places.app}/portal/today"
    text = patient.get(today).text
    for instrument_id in ("nprs", "psfs", "grc"):
        assert f"/portal/questionnaires/{instrument_id}" in text
    assert "quickdash" not in text  # its licensed texts are not loaded
    after = patient.submit(page_of(patient, world), {"pain": "4"})
    assert after.url.endswith("/portal/questionnaires/psfs")  # the next that is due
    assert "Your care team can see your answers" in after.text
    assert "/portal/questionnaires/nprs" not in patient.get(today).text
    (row,) = rows(world)
    assert (row.instrument_id, row.answers, row.score, row.language) == (
        "nprs",
        {"pain": 4},
        4.0,
        "en",
    )


def test_a_patient_without_a_program_is_asked_nothing(world: World) -> None:
    patient = sign_in(world)
    assert "questionnaires" not in patient.get(f"{world.places.app}/portal/today").text
    with pytest.raises(DemoFailed, match="404"):
        page_of(patient, world)


@pytest.mark.parametrize("instrument_id", ["womac", "quickdash", "koos_jr"])
def test_what_is_not_asked_is_not_found(world: World, instrument_id: str) -> None:
    with pytest.raises(DemoFailed, match="404"):
        page_of(patient_of(world), world, instrument_id)


def test_half_an_answer_is_kept_and_gone_on_with(world: World) -> None:
    patient = patient_of(world)
    page = page_of(patient, world, "psfs")
    half = {"activity_1": "3", "activity_1.name": "Climb stairs", "later": "1"}
    assert "We kept your answers" in patient.submit(page, half).text
    assert rows(world) == []
    again = page_of(patient, world, "psfs")
    assert 'value="Climb stairs"' in again.text
    assert 'name="activity_1" value="3" checked' in again.text
    done = {"activity_1": "3", "activity_1.name": "Climb stairs"}
    patient.submit(again, done)
    (row,) = rows(world)
    assert (row.names, row.score) == ({"activity_1": "Climb stairs"}, 3.0)
    assert rows(world, OutcomeDraftRow) == []
    assert 'value="Climb stairs"' in page_of(patient, world, "psfs").text  # asked again by name


def test_sent_twice_is_one_response_and_other_answers_are_a_conflict(world: World) -> None:
    patient = patient_of(world)
    page = page_of(patient, world)
    patient.submit(page, {"pain": "4"})
    patient.submit(page, {"pain": "4"})
    assert len(rows(world)) == 1
    with pytest.raises(DemoFailed, match="409"):
        patient.submit(page, {"pain": "5"})


@pytest.mark.parametrize(
    ("instrument_id", "fields", "message"),
    [
        ("nprs", {}, "Some answers are missing"),
        ("nprs", {"pain": "11"}, "not on its scale"),
        ("nprs", {"pain": "much"}, "not a number"),
        ("nprs", {"pain": "1", "response_id": "1"}, "UUID"),
        ("psfs", {"activity_1": "3"}, "needs a name and a number"),
        ("psfs", {"activity_1": "3", "activity_1.name": "x" * 81}, "80 letters"),
        ("psfs", {"activity_1": "3", "activity_1.name": "a", "activity_2.name": "b"}, "a number"),
    ],
)
def test_what_cannot_be_an_answer_is_refused_in_words_and_stores_nothing(
    world: World, instrument_id: str, fields: dict[str, str], message: str
) -> None:
    patient = patient_of(world)
    page = page_of(patient, world, instrument_id)
    with pytest.raises(DemoFailed, match=f"(?s)422.*{message}"):
        patient.submit(page, fields)
    assert rows(world) == []


def test_an_answered_questionnaire_is_never_changed(world: World) -> None:
    patient = patient_of(world)
    patient.submit(page_of(patient, world), {"pain": "4"})
    with (
        pytest.raises(OutcomeIsFinal),
        world.context.database.begin(world.tenant_id) as db,
    ):
        db.scalars(select(OutcomeResponseRow)).one().score = 1.0


def test_the_answers_and_the_score_reach_the_ehr(world: World) -> None:
    patient = patient_of(world)
    fields = {"activity_1": "3", "activity_1.name": "Climb stairs"}
    patient.submit(page_of(patient, world, "psfs"), fields)
    delivered(world)
    with world.context.database.begin(None) as db:
        client = backend_client(world.context, db.get_one(Tenant, world.tenant_id))
    (response,) = client.search("QuestionnaireResponse", {"subject": f"Patient/{PATIENT}"})
    assert response["item"][0]["answer"][0]["valueInteger"] == 3
    named = response["item"][0]["answer"][0]["item"][0]
    assert named["answer"][0]["valueString"] == "Climb stairs"
    assert response["basedOn"][0]["reference"].startswith("CarePlan/")
    (score,) = [
        each
        for each in client.search("Observation", {"patient": PATIENT})
        if each["code"]["coding"][0]["code"] == "outcome_score"
    ]
    assert score["valueQuantity"]["value"] == 3
    assert score["derivedFrom"][0]["reference"] == f"QuestionnaireResponse/{response['id']}"
    assert r4_issues([response, score]) == []


def test_where_the_ehr_takes_documents_only_a_page_goes(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False, profile="epic-like")
    patient = patient_of(world)
    patient.submit(page_of(patient, world), {"pain": "4"})
    (row,) = rows(world)
    deliver_due(world.context, world.tenant_id, row.patient_id)
    (message,) = [each for each in rows(world, OutboxRow) if each.kind == "outcome"]
    assert (message.status, message.way) == ("delivered", "document")


def test_the_chart_shows_the_scores_with_what_matters(world: World) -> None:
    patient = patient_of(world)
    for pain in ("7", "4"):
        patient.submit(page_of(patient, world), {"pain": pain})
    patient.submit(page_of(patient, world, "grc"), {"change": "3"})
    chart = walk.launch_chart(world.places, PATIENT).get(f"{world.places.app}/chart").text
    section = chart[chart.index("Outcome measures") :]
    assert "4 of 0 to 10" in section
    assert "−3 since" in section
    assert "MCID 2" in section
    assert "Childs" in section
    assert "better" in section


def test_loaded_licensed_texts_are_asked(make_world: Callable[..., World], tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    choices = [{"value": n, "text": {"en": f"Choice {n}"}} for n in range(1, 6)]
    document = texts("quickdash", choices=choices)
    (folder / "quickdash.yaml").write_text(yaml.safe_dump(document))
    world = make_world(instrument_texts_dir=folder)
    patient = patient_of(world)
    page = page_of(patient, world, "quickdash")
    assert "About item_1" in page.text
    assert "Choice 5" in page.text
    patient.submit(page, {f"item_{n}": "3" for n in range(1, 12)})
    assert rows(world)[0].score == 50.0
    delivered(world)


def test_texts_that_do_not_fit_stop_the_start(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    (tmp_path / "bad.yaml").write_text("instrument: koos_jr")
    with pytest.raises(InvalidInstrument, match=r"bad\.yaml"):
        make_world(instrument_texts_dir=tmp_path)


def test_after_the_program_nothing_more_is_asked(world: World) -> None:
    patient_of(world)
    moved = replace(world.context, now=lambda: world.context.now() + timedelta(weeks=10))
    with world.context.database.begin(world.tenant_id) as db:
        row = db.scalars(select(PatientRow)).one()
        assert [asked.since for asked in asked_of(moved, db, row)] == [None] * 3
