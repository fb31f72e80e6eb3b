"""The patient's settings: a copy of the record, and the request to delete it."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

import pytest

from app.demo import walk
from app.demo.browser import Browser
from app.demo.history import STORIES, write_history
from app.store import DataRequestRow, PatientRow
from tests.app.joining import PATIENT, agree, chart_post, choose, enter, invite, joined, patient_row
from tests.app.launching import form_token
from tests.app.test_service import count, sign_program
from tests.conftest import World
from tests.fhir.r4 import r4_issues


@pytest.fixture
def quiet(make_world: Callable[..., World]) -> World:
    return make_world(worker=False)


def export(world: World, browser: Browser) -> tuple[dict[str, object], str]:
    page = browser.get(f"{world.places.app}/portal/settings")
    answer = browser.submit(page, {}, form=0)
    return answer.json(), answer.headers["Content-Disposition"]


def ask(world: World, browser: Browser, reason: str = "") -> None:
    page = browser.get(f"{world.places.app}/portal/settings/deletion")
    browser.submit(page, {"reason": reason}, form=0)


def test_settings_say_who_i_am_here(quiet: World) -> None:
    page = joined(quiet).get(f"{quiet.places.app}/portal/settings").text
    for words in ("Samuel Brandt", "Prairie Rehab Clinic", "samuel@example.org", "Sign out"):
        assert words in page


def test_the_copy_is_the_whole_record_and_valid(quiet: World) -> None:
    chart = walk.launch_chart(quiet.places, PATIENT)
    write_history(quiet.context, [story for story in STORIES if story.patient == PATIENT])
    patient = joined(quiet, chart)
    bundle, disposition = export(quiet, patient)
    assert disposition.startswith('attachment; filename="homestretch-')
    assert PATIENT not in disposition
    resources = [entry["resource"] for entry in bundle["entry"]]  # type: ignore[attr-defined]
    kinds = {resource["resourceType"] for resource in resources}
    assert {"Patient", "Consent", "CarePlan", "Goal", "Observation", "Provenance"} <= kinds
    assert bundle["total"] == len(resources) > 50  # more than a page
    assert len({(r["resourceType"], r["id"]) for r in resources}) == len(resources)
    assert r4_issues([bundle]) == []


def test_the_copy_is_of_the_patient_alone(quiet: World) -> None:
    sign_program(quiet)
    walk.launch_chart(quiet.places, "rosa-delgado")
    write_history(quiet.context, [story for story in STORIES if story.patient == "rosa-delgado"])
    bundle, _ = export(quiet, joined(quiet))
    assert "rosa-delgado" not in json.dumps(bundle)
    assert "samuel-brandt" in json.dumps(bundle)


def test_an_export_is_recorded(quiet: World) -> None:
    export(quiet, joined(quiet))
    assert count(quiet, DataRequestRow, DataRequestRow.kind == "export") == 1


def test_without_a_sign_in_there_is_no_copy(quiet: World) -> None:
    browser = Browser()
    token = form_token(browser.get(f"{quiet.places.app}/portal").text)
    answer = browser._http.post(
        f"{quiet.places.app}/portal/settings/export", data={"csrf_token": token}, timeout=30
    )
    assert answer.status_code == 401


def test_a_request_to_delete_reaches_the_care_team_and_deletes_nothing(quiet: World) -> None:
    chart = sign_program(quiet)
    patient = joined(quiet, chart)
    ask(quiet, patient, "I am moving")
    page = chart.get(f"{quiet.places.app}/chart").text
    assert "asked to have their data deleted" in page
    assert "I am moving" in page
    assert "has not answered yet" in patient.get(f"{quiet.places.app}/portal/settings").text
    assert count(quiet, PatientRow) == 1
    bundle, _ = export(quiet, patient)
    assert '"CarePlan"' in json.dumps(bundle)


def test_the_care_team_answers_and_the_patient_reads_it(quiet: World) -> None:
    chart = walk.launch_chart(quiet.places, PATIENT)
    patient = joined(quiet, chart)
    ask(quiet, patient)
    chart_post(quiet, chart, "/portal/answer", answer="Your <b>videos</b> are gone.")
    page = patient.get(f"{quiet.places.app}/portal/settings").text
    assert "Your &lt;b&gt;videos&lt;/b&gt; are gone." in page
    chart_page = chart.get(f"{quiet.places.app}/chart").text
    assert "by Terry Alvarez" in chart_page
    assert "asked to have their data deleted" not in chart_page
    again = chart_post(quiet, chart, "/portal/answer", answer="Once more")
    assert "There is no open request." in again.text


def test_a_request_can_be_taken_back_and_made_again(quiet: World) -> None:
    patient = joined(quiet)
    ask(quiet, patient)
    page = patient.get(f"{quiet.places.app}/portal/settings")
    answer = patient.submit(page, {}, form=1)
    assert "You took your request back" in answer.text
    ask(quiet, patient)
    kinds = DataRequestRow.kind
    assert count(quiet, DataRequestRow, kinds == "deletion") == 2
    assert count(quiet, DataRequestRow, kinds == "withdrawn") == 1


def test_the_same_request_sent_twice_is_one_and_a_second_one_is_refused(quiet: World) -> None:
    patient = joined(quiet)
    url = f"{quiet.places.app}/portal/settings/deletion"
    first, second = patient.get(url), patient.get(url)
    patient.submit(first, {"reason": "once"}, form=0)
    patient.submit(first, {"reason": "once"}, form=0)
    assert count(quiet, DataRequestRow) == 1
    answer = patient._http.post(
        url,
        data={"csrf_token": form_token(second.text), "request_id": str(uuid4())},
        timeout=30,
    )
    assert answer.status_code == 409
    assert count(quiet, DataRequestRow) == 1


def test_a_reason_may_not_be_endless(quiet: World) -> None:
    patient = joined(quiet)
    url = f"{quiet.places.app}/portal/settings/deletion"
    token = form_token(patient.get(url).text)
    answer = patient._http.post(
        url,
        data={"csrf_token": token, "request_id": str(uuid4()), "reason": "x" * 501},
        timeout=30,
    )
    assert answer.status_code == 422
    assert "fewer words" in answer.text


def test_one_patient_does_not_end_anothers_request(quiet: World) -> None:
    samuel = joined(quiet)
    ask(quiet, samuel)
    chart = walk.launch_chart(quiet.places, "ada-okafor")
    born = patient_row(quiet, "ada-okafor").birth_date
    ada = Browser()
    enter(quiet, ada, invite(quiet, chart), (born.year, born.month, born.day))
    choose(quiet, ada, name="ada@example.org")
    agree(quiet, ada, "Ada Okafor")
    token = form_token(ada.get(f"{quiet.places.app}/portal/settings").text)
    answer = ada._http.post(
        f"{quiet.places.app}/portal/settings/deletion/withdraw",
        data={"csrf_token": token},
        timeout=30,
    )
    assert "There is no open request." in answer.text
    assert "has not answered yet" in samuel.get(f"{quiet.places.app}/portal/settings").text


def test_operations_list_the_open_requests_without_names(quiet: World) -> None:
    from app.data_requests import open_deletions

    patient = joined(quiet)
    ask(quiet, patient, "Because")
    lines = list(open_deletions(quiet.context, quiet.tenant_id))
    assert len(lines) == 1
    assert f"Patient/{PATIENT}" in lines[0]
    assert "Brandt" not in lines[0]
    assert "Because" not in lines[0]
