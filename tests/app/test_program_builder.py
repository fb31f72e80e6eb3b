"""The program builder over HTTP: steps, signing, templates, favourites, versions."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from app.clinician.form_lines import appended, lines_in, moved
from app.demo import walk
from app.demo.browser import DemoFailed
from app.prescribing import current_program
from app.store import (
    FavouriteExerciseRow,
    PatientRow,
    PractitionerRow,
    ProgramRow,
    ProgramTemplateRow,
    from_document,
    to_document,
)
from rtm.exercises import load_library
from rtm.program import Program
from rtm.protocols import load_protocols
from tests.app.test_service import PATIENT, count, one, open_program, sign_program
from tests.conftest import World

ADA = "ada-okafor"


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(worker=False)


def order(page: requests.Response) -> list[str]:
    """The exercises of the form's lines, in their order."""
    found = re.findall(r'name="lines-\d+-exercise_id" type="hidden" value="(\w+)"', page.text)
    assert found
    return found


def program_of(world: World) -> Program:
    with world.context.database.begin(world.tenant_id) as db:
        current = current_program(db, 1)
    assert current is not None
    return current[1]


def words(page: requests.Response) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page.text)).split())


# Steps --------------------------------------------------------------------------------------------


def test_lines_are_moved_and_what_was_typed_moves_with_them(world: World) -> None:
    browser, page = open_program(world)
    before = order(page)
    moved_down = browser.submit(page, {"lines-0-sets": "many", "do": "down-0"})
    assert order(moved_down) == [before[1], before[0], *before[2:]]
    assert re.search(r'name="lines-1-sets"[^>]*value="many"', moved_down.text)
    assert "Not a valid integer" in moved_down.text
    back = browser.submit(moved_down, {"do": "up-1"})
    assert order(back) == before
    assert count(world, ProgramRow) == 0


def test_an_exercise_is_added_with_a_dose_on_the_programs_side_and_then_on_the_other(
    world: World,
) -> None:
    browser, page = open_program(world)
    page = browser.submit(page, {"do": "add-wrist_extension"})
    assert order(page)[-1] == "wrist_extension"
    page = browser.submit(page, {"do": "add-wrist_extension"})
    assert 'value="add-wrist_extension"' not in page.text
    browser.submit(page, {"do": "sign"})
    sides = [x.side for x in program_of(world).exercises if x.exercise_id == "wrist_extension"]
    assert sides == ["right", "left"]


def test_the_page_shows_what_the_patient_will_see_of_a_form_that_can_be_signed(
    world: World,
) -> None:
    browser, page = open_program(world)
    seen = browser.submit(page, {"do": "look", "lines-0-repetitions": "7"})
    assert "7 times, 3 rounds" in words(seen)
    unclear = browser.submit(page, {"do": "look", "lines-0-repetitions": "a few"})
    assert "Mend the lines that are marked" in words(unclear)


@pytest.mark.parametrize("step", ["up-99", "down--1", "add-moonwalk", "star-moonwalk", "shout", ""])
def test_a_step_that_there_is_not_changes_nothing(world: World, step: str) -> None:
    browser, page = open_program(world)
    assert order(browser.submit(page, {"do": step})) == order(page)
    assert count(world, ProgramRow) == 0


@given(
    st.lists(st.text(max_size=3), min_size=1, max_size=6), st.integers(-2, 8), st.integers(-2, 2)
)
def test_moving_keeps_every_line_and_the_rest_of_the_form(
    typed: list[str], number: int, by: int
) -> None:
    data: MultiDict[str, str] = MultiDict([("start", "2026-10-01")])
    for text in typed:
        data = appended(data, {"note": text, "include": False})
    after = moved(data, number, by)
    assert after["start"] == "2026-10-01"
    assert sorted(line["note"][0] for line in lines_in(after)) == sorted(typed)
    if 0 <= number < len(typed) and 0 <= number + by < len(typed):
        assert lines_in(after)[number + by]["note"] == [typed[number]]


# Where a program begins ---------------------------------------------------------------------------


def test_the_program_there_is_is_adjusted_and_keeps_what_the_form_has_no_choice_for(
    world: World,
) -> None:
    browser = sign_program(world)
    with world.context.database.begin(world.tenant_id) as db:
        row = db.get_one(ProgramRow, 1)
        program = from_document(Program, row.document)
        first, *others = program.exercises
        unusual = replace(first, dose=replace(first.dose, weekdays=frozenset({"sun", "wed"})))
        row.document = to_document(replace(program, exercises=(unusual, *others)))
    page = browser.get(f"{world.places.app}/chart/prescribe/current")
    browser.submit(page, {"lines-1-sets": "5"})
    second = program_of(world)
    assert second.version == 2
    assert second.exercises[0].dose.weekdays == {"sun", "wed"}
    assert second.exercises[1].dose.sets == 5
    assert second.end - second.start == program.end - program.start
    assert [goal.due - second.start for goal in second.goals] == [
        goal.due - program.start for goal in program.goals
    ]


def test_a_protocols_notes_are_in_the_patients_language(world: World) -> None:
    protocol, phase, line = next(
        (protocol, phase, line)
        for protocol in load_protocols()
        for phase in protocol.phases
        for line in phase.exercises
        if line.note
    )
    assert line.note
    browser = walk.launch_chart(world.places, PATIENT)
    page = f"{world.places.app}/chart/prescribe/{protocol.id}/{phase.id}"
    assert html.escape(line.note["en"]) in browser.get(page).text
    with world.context.database.begin(world.tenant_id) as db:
        db.get_one(PatientRow, 1).language = "es"
    assert html.escape(line.note["es"]) in browser.get(page).text


def test_without_a_program_there_is_none_to_adjust(world: World) -> None:
    browser = walk.launch_chart(world.places, PATIENT)
    with pytest.raises(DemoFailed, match="404"):
        browser.get(f"{world.places.app}/chart/prescribe/current")


def test_a_template_is_saved_without_notes_and_begins_another_patients_program(
    world: World,
) -> None:
    browser, page = open_program(world)
    fields = {"do": "save", "lines-0-note": "Mind your cat, Samuel.", "lines-0-sets": "4"}
    with pytest.raises(DemoFailed, match="Give the template a name"):
        browser.submit(page, fields)
    saved = browser.submit(page, {**fields, "template_name": "Careful shoulder"})
    assert "Saved as the template “Careful shoulder”" in words(saved)
    assert count(world, ProgramRow) == 0
    browser = walk.launch_chart(world.places, ADA)
    choice = browser.get(f"{world.places.app}/chart/prescribe")
    assert "Careful shoulder" in choice.text
    page = browser.get(f"{world.places.app}/chart/prescribe/saved/1")
    assert "Samuel" not in page.text
    assert re.search(r'name="lines-0-sets"[^>]*value="4"', page.text)
    browser.submit(page, {})
    assert count(world, ProgramRow) == 1
    gone = browser.submit(choice, {})
    assert "“Careful shoulder” is not offered any more" in words(gone)
    with pytest.raises(DemoFailed, match="404"):
        browser.get(f"{world.places.app}/chart/prescribe/saved/1")


def test_only_who_saved_a_template_takes_it_from_the_list(world: World) -> None:
    browser, page = open_program(world)
    browser.submit(page, {"do": "save", "template_name": "Mine"})
    with world.context.database.begin(world.tenant_id) as db:
        other = PractitionerRow(
            fhir_user="Practitioner/other",
            name="O",
            family="O",
            given="",
            provider_kind="pt",
        )
        db.add(other)
        db.flush()
        db.get_one(ProgramTemplateRow, 1).made_by = other.id
    choice = browser.get(f"{world.places.app}/chart/prescribe")
    assert "Take from the list" not in choice.text
    fields = {"patient": "1", "csrf_token": token(choice)}
    with pytest.raises(DemoFailed, match="Only who saved"):
        browser.post(f"{world.places.app}/chart/prescribe/saved/1/retire", fields)


def token(page: requests.Response) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
    assert found
    return found[1]


def test_a_favourite_comes_first_until_it_is_none_any_more(world: World) -> None:
    browser, page = open_program(world)
    page = browser.submit(page, {"do": "star-squat"})
    offered = re.findall(r'value="add-(\w+)"', page.text)
    assert offered[0] == "squat"
    assert one(world, FavouriteExerciseRow).exercise_id == "squat"  # type: ignore[attr-defined]
    again = browser.submit(page, {"do": "star-squat"})
    assert re.findall(r'value="add-(\w+)"', again.text)[0] != "squat"
    assert count(world, FavouriteExerciseRow) == 0


def test_every_exercise_of_the_library_can_be_added_and_signed(world: World) -> None:
    browser, page = open_program(world)
    there = set(order(page))
    for exercise in load_library():
        if exercise.id not in there:
            page = browser.submit(page, {"do": f"add-{exercise.id}"})
    browser.submit(page, {})
    assert {x.exercise_id for x in program_of(world).exercises} == set(load_library().by_id)


# Versions -----------------------------------------------------------------------------------------


def test_the_versions_tell_who_signed_what_and_what_changed(world: World) -> None:
    browser = sign_program(world)
    page = browser.get(f"{world.places.app}/chart/prescribe/current")
    assert order(page)[0] == "shoulder_flexion"
    changes = {"lines-0-sets": "1", "lines-0-limit_deg": "90", "lines-1-note": "Slowly."}
    browser.submit(page, changes)
    told = words(browser.get(f"{world.places.app}/chart/program/versions"))
    name = load_library()["shoulder_flexion"].name["en"]
    assert f"{name}: sets 3 → 1" in told
    assert f"{name}: limit none → 90°" in told
    assert program_of(world).exercises[0].limit_deg == 90
    assert "note to the patient none → Slowly." in told
    assert "The first version." in told
    assert told.index("Version 2") < told.index("Version 1")
    assert "Signed by Terry Alvarez" in told


def test_a_limit_that_leaves_nothing_to_do_is_refused_at_its_line(world: World) -> None:
    browser, page = open_program(world)
    with pytest.raises(DemoFailed, match=r"422.*Limit \(°\): It begins at 10°"):
        browser.submit(page, {"lines-0-limit_deg": "5"})
    assert count(world, ProgramRow) == 0
    shown = browser.submit(page, {"lines-0-limit_deg": "90", "do": "look"})
    assert "no further than 90°" in words(shown)
