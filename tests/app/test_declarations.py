"""The patient says yes or no to being monitored, and everything heeds it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from app.accounts import read_account
from app.declarations import declare
from app.demo import walk
from app.demo.browser import Browser
from app.live_sessions import keep_piece
from app.range_tests import RangeTestRefused, RangeTestReport, Upload, accept_range_test
from app.rtm_book import record_manual_time, record_monitored_day
from app.sessions import SessionNotWanted
from app.store import (
    ConsentEventRow,
    LedgerFactRow,
    PortalFactIsFinal,
    PractitionerRow,
    SessionRow,
    Tenant,
)
from billing.attribution import attribute
from billing.rules import load_rules
from rtm.consent import ConsentEvent
from rtm.consent_text import load_consent_texts
from rtm.session import Pain, Session
from tests.app.joining import (
    PATIENT,
    agree,
    chart_post,
    joined,
    move_clock,
    patient_row,
    post,
    sign_in,
    withdraw,
)
from tests.app.launching import choose_language, form_token
from tests.app.test_service import count, one, series_file, sign_program, start_monitoring, upload
from tests.conftest import World
from tests.fhir.r4 import r4_issues

DAYS = LedgerFactRow.kind == "monitored_day"


@pytest.fixture
def quiet(make_world: Callable[..., World]) -> World:
    return make_world(worker=False)


def manual(world: World, browser: Browser) -> None:
    page = browser.get(f"{world.places.app}/portal/exercises/shoulder_abduction")
    browser.submit(
        page, {"pain_before": "4", "pain_after": "3", "repetitions": "10", "minutes": "5"}
    )


# Reading and agreeing ----------------------------------------------------------------------------


def test_who_joined_reads_what_monitoring_means_before_anything_else(quiet: World) -> None:
    chart = sign_program(quiet)
    patient = joined(quiet, chart)
    page = patient.get(f"{quiet.places.app}/portal/today")
    assert page.url.endswith("/portal/consent")
    assert load_consent_texts().current.statement["en"] in page.text
    assert agree(quiet, patient).headers["Location"] == "/portal/today"
    assert "Hello, Samuel" in patient.get(f"{quiet.places.app}/portal/today").text


def test_who_came_through_the_ehr_is_asked_on_the_first_page(quiet: World) -> None:
    start_monitoring(quiet)
    patient = walk.sign_in_patient(quiet.places, quiet.tenant_id, PATIENT)
    assert "Read what monitoring means" in patient.get(f"{quiet.places.app}/portal/today").text
    agree(quiet, patient)
    assert "Read what monitoring means" not in patient.get(f"{quiet.places.app}/portal/today").text


def test_the_agreement_keeps_version_language_name_and_instant(quiet: World) -> None:
    chart = start_monitoring(quiet)
    patient = joined(quiet, chart)
    choose_language(quiet, patient, "es")
    agree(quiet, patient, "  Samuel Brandt ")
    row = one(quiet, ConsentEventRow)
    document = row.document  # type: ignore[attr-defined]
    assert document["kind"] == "agreed"
    assert document["text_version"] == load_consent_texts().current.id
    assert document["signed_name"] == "Samuel Brandt"
    assert document["language"] == "es"
    assert row.episode_id is not None  # type: ignore[attr-defined]
    assert abs(row.at - quiet.context.now()) < timedelta(minutes=1)  # type: ignore[attr-defined]
    assert "Samuel Brandt”, text 2026-12 (es)" in chart.get(f"{quiet.places.app}/chart").text


def test_the_same_answer_sent_twice_is_one(quiet: World) -> None:
    patient = joined(quiet)
    page = patient.get(f"{quiet.places.app}/portal/consent")
    for _ in range(2):
        patient.submit(page, {"name": "Samuel Brandt"})
    assert count(quiet, ConsentEventRow) == 1


def test_an_agreement_needs_a_name(quiet: World) -> None:
    patient = joined(quiet)
    assert agree(quiet, patient, " ").status_code == 422
    assert count(quiet, ConsentEventRow) == 0


def test_a_text_that_changed_meanwhile_is_read_again(quiet: World) -> None:
    patient = joined(quiet)
    url = f"{quiet.places.app}/portal/consent"
    token = form_token(patient.get(url).text)
    answer = post(
        patient, url, csrf=token, event_id=str(uuid4()), version="2020-01", name="Samuel Brandt"
    )
    assert answer.headers["Location"] == "/portal/consent"
    assert "The text has changed" in patient.get(url).text
    assert count(quiet, ConsentEventRow) == 0


def test_an_agreement_to_an_older_text_is_asked_for_again(quiet: World) -> None:
    patient = joined(quiet)
    event = ConsentEvent(str(uuid4()), "agreed", quiet.context.now(), "en", "2020-01", "S. B.")
    declare(quiet.context, quiet.tenant_id, patient_row(quiet).id, event)
    assert patient.get(f"{quiet.places.app}/portal/today").url.endswith("/portal/consent")


def test_a_declaration_is_never_changed(quiet: World) -> None:
    patient = joined(quiet)
    agree(quiet, patient)
    with pytest.raises(PortalFactIsFinal), quiet.context.database.begin(quiet.tenant_id) as db:
        db.scalars(select(ConsentEventRow)).one().document = {"kind": "withdrawn"}
    with pytest.raises(PortalFactIsFinal), quiet.context.database.begin(quiet.tenant_id) as db:
        db.delete(db.scalars(select(ConsentEventRow)).one())


def test_consent_is_answered_with_the_pages_own_token_alone(quiet: World) -> None:
    patient = joined(quiet)
    for path, fields in (
        ("/portal/consent", {"name": "X Y", "version": load_consent_texts().current.id}),
        ("/portal/consent/no", {"kind": "withdrawn"}),
        ("/portal/settings/export", {}),
        ("/portal/settings/deletion", {"request_id": str(uuid4())}),
        ("/portal/settings/deletion/withdraw", {}),
    ):
        answer = patient._http.post(
            f"{quiet.places.app}{path}", data={"event_id": str(uuid4()), **fields}, timeout=30
        )
        assert answer.status_code == 400, path
    assert count(quiet, ConsentEventRow) == 0


# Saying no ---------------------------------------------------------------------------------------


def test_after_a_withdrawal_nothing_new_is_taken_or_counted(quiet: World, tmp_path: Path) -> None:
    chart = start_monitoring(quiet)
    patient = joined(quiet, chart)
    agree(quiet, patient)
    manual(quiet, patient)
    assert count(quiet, LedgerFactRow, DAYS) == 1
    exercise = f"{quiet.places.app}/portal/exercises/shoulder_abduction"
    open_page = patient.get(exercise)

    withdraw(quiet, patient)
    for url in (exercise, f"{exercise}/live", f"{quiet.places.app}/portal/range/knee_flexion"):
        answer = patient._http.get(url, timeout=30)
        assert answer.status_code == 403
        assert "Monitoring is stopped" in answer.text
    with series_file(tmp_path).open("rb") as stream:
        for files in (None, {"recording": ("session.npz", stream)}):
            answer = patient._http.post(
                f"{exercise}/sessions",
                data={
                    "csrf_token": form_token(open_page.text),
                    "session_id": str(uuid4()),
                    "pain_before": "4",
                    "pain_after": "3",
                    "repetitions": "10",
                    "minutes": "5",
                },
                files=files,
                headers={"Accept": "text/html"},
                timeout=30,
            )
            assert answer.status_code == 422
            assert "You said no to monitoring" in answer.text
    row = patient_row(quiet)
    with pytest.raises(SessionNotWanted):
        keep_piece(quiet.context, quiet.tenant_id, row.id, str(uuid4()), 0, b"x")
    with (
        series_file(tmp_path).open("rb") as stream,
        pytest.raises(RangeTestRefused, match="said no"),
    ):
        accept_range_test(
            quiet.context,
            quiet.tenant_id,
            row.id,
            RangeTestReport(str(uuid4()), "shoulder_flexion", "left", quiet.context.now()),
            [Upload("a.npz", stream)],
        )
    assert count(quiet, SessionRow) == 1
    assert count(quiet, LedgerFactRow, DAYS) == 1
    # What was kept so far can still be seen.
    assert "Your last sessions" in patient.get(f"{quiet.places.app}/portal/today").text


def test_the_care_team_sees_a_withdrawal_and_the_patient_can_return(quiet: World) -> None:
    chart = start_monitoring(quiet)
    patient = joined(quiet, chart)
    agree(quiet, patient)
    withdraw(quiet, patient)
    assert "does not want to be monitored" in chart.get(f"{quiet.places.app}/chart").text
    assert "You said no on" in patient.get(f"{quiet.places.app}/portal/settings").text
    move_clock(quiet, timedelta(minutes=1))
    agree(quiet, patient)
    assert "does not want to be monitored" not in chart.get(f"{quiet.places.app}/chart").text
    manual(quiet, patient)
    assert count(quiet, LedgerFactRow, DAYS) == 1


def test_no_day_is_written_for_what_came_after_a_no_however_it_came(quiet: World) -> None:
    patient = joined(quiet, start_monitoring(quiet))
    withdraw(quiet, patient)
    row, now = patient_row(quiet), quiet.context.now()
    session = Session(
        id=str(uuid4()),
        exercise_id="shoulder_abduction",
        side="right",
        source="manual",
        started_at=now,
        duration_s=60.0,
        pain=Pain(1, 1),
        result=None,
        repetitions_reported=5,
    )
    with quiet.context.database.begin(quiet.tenant_id) as db:
        record_monitored_day(db, row, session, received_at=now, now=now)
    assert count(quiet, LedgerFactRow, DAYS) == 0


def test_a_session_that_was_accepted_before_still_counts(quiet: World, tmp_path: Path) -> None:
    from app.jobs.score import score_session

    chart = start_monitoring(quiet)
    patient = joined(quiet, chart)
    agree(quiet, patient)
    upload(patient, quiet, series_file(tmp_path))
    withdraw(quiet, patient)
    row = one(quiet, SessionRow)
    score_session(quiet.context, quiet.tenant_id, row.id)  # type: ignore[attr-defined]
    assert one(quiet, SessionRow).status == "scored"  # type: ignore[attr-defined]
    assert count(quiet, LedgerFactRow, DAYS) == 1


def test_who_declines_before_anything_is_not_monitored(quiet: World) -> None:
    chart = start_monitoring(quiet)
    patient = joined(quiet, chart)
    page = patient.get(f"{quiet.places.app}/portal/consent")
    patient.submit(page, {}, form=1)
    assert one(quiet, ConsentEventRow).document["kind"] == "declined"  # type: ignore[attr-defined]
    assert "Declined monitoring" in chart.get(f"{quiet.places.app}/chart").text
    url = f"{quiet.places.app}/portal/exercises/shoulder_abduction"
    assert patient._http.get(url, timeout=30).status_code == 403


def test_a_yes_that_the_care_team_records_afterwards_counts(quiet: World) -> None:
    chart = sign_program(quiet)
    patient = joined(quiet, chart)
    patient.submit(patient.get(f"{quiet.places.app}/portal/consent"), {}, form=1)
    chart_post(
        quiet,
        chart,
        "/episode",
        start=f"{quiet.context.now().astimezone(ZoneInfo('America/Chicago')).date()}",
        consent="y",
        setup_completed="y",
        other_monitoring="y",
        therapy_plan="GP",
    )
    manual(quiet, patient)
    assert count(quiet, LedgerFactRow, DAYS) == 1


def test_coming_back_after_a_no_shows_today_and_asks_nothing(quiet: World) -> None:
    patient = joined(quiet)
    patient.submit(patient.get(f"{quiet.places.app}/portal/consent"), {}, form=1)
    again = Browser()
    sign_in(quiet, again)
    page = again.get(f"{quiet.places.app}/portal/today")
    assert page.url.endswith("/portal/today")


# What billing and the EHR get of it --------------------------------------------------------------


def test_days_and_minutes_after_a_withdrawal_are_not_billed(quiet: World) -> None:
    chart = start_monitoring(quiet)
    patient = joined(quiet, chart)
    agree(quiet, patient)
    row, now = patient_row(quiet), quiet.context.now()
    with quiet.context.database.begin(quiet.tenant_id) as db:
        before = read_account(db, row, now.date())
    assert before is not None
    assert before.episode.agreements[0].method == "electronic"
    withdraw(quiet, patient)
    day = (now + timedelta(days=2)).date()
    with quiet.context.database.begin(quiet.tenant_id) as db:
        therapist = db.scalars(select(PractitionerRow)).one()
        for n in (0, 2):
            record_manual_time(
                db,
                row.id,
                therapist,
                day=before.episode.start + timedelta(days=n),
                minutes=10,
                activity="review",
                now=now,
            )
    with quiet.context.database.begin(quiet.tenant_id) as db:
        account = read_account(db, row, day)
    assert account is not None
    attributed = attribute(account, load_rules())
    assert [block.rule for block in attributed.blocked] == ["consent_withdrawn"]
    assert [entry.local_date for entry in attributed.facts.time] == [before.episode.start]


def test_the_fhir_consent_says_what_stands(quiet: World) -> None:
    from app.api.patient_record import patient_record

    chart = start_monitoring(quiet)
    patient = joined(quiet, chart)

    def consent() -> dict[str, object]:
        with quiet.context.database.begin(quiet.tenant_id) as db:
            tenant = db.get_one(Tenant, quiet.tenant_id)
            bundle = patient_record(quiet.context, db, tenant, PATIENT)
        found = [e["resource"] for e in bundle["entry"]]
        own = [r for r in found if r["resourceType"] == "Consent"]
        assert len(own) == 1
        assert r4_issues(own) == []
        resource: dict[str, object] = own[0]
        return resource

    spoken = consent()
    assert spoken["status"] == "active"
    assert '"verbal"' in json.dumps(spoken)
    agree(quiet, patient)
    agreed = consent()
    assert '"electronic"' in json.dumps(agreed)
    assert "2026-12" in json.dumps(agreed)
    assert agreed["id"] == spoken["id"]
    assert agreed["meta"]["lastUpdated"] > spoken["meta"]["lastUpdated"]  # type: ignore[index]
    withdraw(quiet, patient)
    assert consent()["status"] == "inactive"
