"""What one bad message, recording, patient or health system does to the others: nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from app import __version__
from app.billing_office.charge_messages import queue_charges
from app.demo import walk
from app.hl7.outbound import send_due
from app.hl7.queues import stuck_messages
from app.jobs.deliver import deliver_due
from app.jobs.failures import MOST_ATTEMPTS, failures, is_let, isolated, let_go
from app.jobs.lease import is_free, is_held
from app.jobs.queue import SCORE, JobQueue, sweep
from app.jobs.score import score_session
from app.jobs.tally import needs_tally, tally_tenant
from app.outbox import set_aside, try_again
from app.sessions import SessionReport, accept_manual_log
from app.store import (
    ChargeMessageRow,
    EpisodeRow,
    Hl7OutboundRow,
    OutboxRow,
    PatientMonthRow,
    PatientRow,
    SessionRow,
    Tenant,
)
from rtm.session import Pain
from tests.app.hl7_clinic import TENANT, Clinic
from tests.app.launching import other_tenant, set_tenant
from tests.app.synthetic_practice import Monitored, write_practice
from tests.app.test_charge_messages import MONTH, context, deliver, engine, has_interface, messages
from tests.app.test_hl7_outbound import Engine, connect, destination, queue, running
from tests.app.test_service import count, series_file, sign_program, upload
from tests.conftest import World

__all__ = ["context"]  # a fixture of another module


# Messages to the EHR ------------------------------------------------------------------------------


def with_sessions(make_world: Callable[..., World], profile: str, sessions: int = 2) -> World:
    """A signed program and sessions that the patient reported, none of it sent."""
    world = make_world(worker=False, profile=profile)
    sign_program(world)
    for number in range(sessions):
        report = SessionReport(
            session_id=str(uuid4()),
            line="shoulder_abduction",
            started_at=world.context.now() - timedelta(hours=number + 1),
            pain=Pain(3, 2),
            repetitions_reported=10,
            duration_reported_s=120.0,
        )
        accept_manual_log(world.context, world.tenant_id, patient_id(world), report)
    return world


def patient_id(world: World) -> int:
    with world.context.database.begin(world.tenant_id) as db:
        return db.scalars(select(PatientRow.id)).one()


def outbox(world: World) -> list[OutboxRow]:
    with world.context.database.begin(world.tenant_id) as db:
        return list(db.scalars(select(OutboxRow).order_by(OutboxRow.id)))


def send(world: World) -> list[str]:
    deliver_due(world.context, world.tenant_id, patient_id(world))
    return [row.status for row in outbox(world)]


def try_all_again(world: World) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        try_again(db, [row.id for row in set_aside(db)], world.context.now())


def test_damaged_hl7_settings_set_each_message_aside_and_say_how_to_mend_them(
    make_world: Callable[..., World],
) -> None:
    world = with_sessions(make_world, "read-only")
    set_tenant(world, hl7={"destinations": [{"name": "engine"}]})
    assert send(world) == ["stuck", "stuck", "stuck"]
    for row in outbox(world):
        assert "the HL7 settings of this health system can't be read (destinations." in (
            row.last_error or ""
        )
        assert "`homestretch hl7 settings`, then `homestretch outbox retry`" in row.last_error  # type: ignore[operator]
    set_tenant(world, hl7={"destinations": [destination(9)]})
    try_all_again(world)
    assert send(world) == ["delivered", "delivered", "delivered"]


def test_settings_that_break_after_a_way_by_hl7_was_chosen_are_told_as_well(
    make_world: Callable[..., World],
) -> None:
    world = with_sessions(make_world, "read-only")
    set_tenant(world, hl7={"destinations": [destination(9)]})
    with world.context.database.begin(world.tenant_id) as db:
        db.execute(update(OutboxRow).values(way="hl7"))
    set_tenant(world, hl7={"destinations": "engine"})
    assert send(world) == ["stuck", "stuck", "stuck"]
    assert "can't be read" in (outbox(world)[2].last_error or "")


def test_damaged_hl7_settings_are_nothing_to_an_ehr_that_takes_resources(
    make_world: Callable[..., World],
) -> None:
    world = with_sessions(make_world, "open")
    set_tenant(world, hl7={"destinations": [{"name": "engine"}]})
    assert send(world) == ["delivered", "delivered", "delivered"]


def test_a_text_that_hl7_can_not_say_sets_its_message_aside_and_the_next_goes(
    make_world: Callable[..., World],
) -> None:
    world = with_sessions(make_world, "read-only")
    set_tenant(world, hl7={"destinations": [destination(9)]})

    def rename(family: str) -> None:
        with world.context.database.begin(world.tenant_id) as db:
            row = db.get_one(PatientRow, patient_id(world))
            row.demographics = {**row.demographics, "family": family}

    rename("O" * 300)
    assert send(world) == ["stuck", "stuck", "stuck"]
    assert "hl7: " in (outbox(world)[1].last_error or "")
    rename("Brandt")
    try_all_again(world)
    assert send(world) == ["delivered", "delivered", "delivered"]


def test_a_message_that_nobody_foresaw_is_set_aside_and_the_patients_next_goes(
    make_world: Callable[..., World],
) -> None:
    world = with_sessions(make_world, "open")
    broken = outbox(world)[1].subject
    with world.context.database.begin(world.tenant_id) as db:
        whole = db.get_one(SessionRow, broken).document
        db.get_one(SessionRow, broken).document = {"id": broken, "pain": "Ada Okafor"}
    assert send(world) == ["delivered", "stuck", "delivered"]
    why = outbox(world)[1].last_error or ""
    assert why.startswith("our error: ValidationError at ")
    assert "Okafor" not in why
    with world.context.database.begin(world.tenant_id) as db:
        db.get_one(SessionRow, broken).document = whole
    try_all_again(world)
    assert send(world) == ["delivered", "delivered", "delivered"]


def test_a_message_that_kills_its_worker_each_time_does_not_do_so_for_ever(
    make_world: Callable[..., World],
) -> None:
    world = with_sessions(make_world, "open")
    killer = outbox(world)[1].id
    with world.context.database.begin(world.tenant_id) as db:
        row = db.get_one(OutboxRow, killer)
        row.attempts = world.context.settings.outbox_max_attempts
        row.leased_until = world.context.now() - timedelta(seconds=1)
    assert send(world) == ["delivered", "stuck", "delivered"]
    assert outbox(world)[1].last_error == "the worker died each time that it was sent"


def test_a_database_that_is_away_sets_nothing_aside(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = with_sessions(make_world, "open", sessions=0)

    def away(*_: object) -> None:
        raise OperationalError("select", {}, Exception("away"))

    monkeypatch.setattr("app.jobs.deliver.capabilities_of", away)
    with pytest.raises(OperationalError):
        send(world)
    assert [row.status for row in outbox(world)] == ["pending"]


def test_the_device_is_the_version_that_measured_not_the_one_that_sends(
    make_world: Callable[..., World],
) -> None:
    world = with_sessions(make_world, "open", sessions=1)
    with world.context.database.begin(world.tenant_id) as db:
        assert db.scalars(select(SessionRow.software_version)).one() == __version__
        db.execute(update(SessionRow).values(software_version="0.0.7"))
    send(world)
    bundle = outbox(world)[1].bundle or {}
    devices = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Device"]
    assert [device["version"] for device in devices] == [[{"value": "0.0.7"}]]


# Messages by HL7 v2 and charges -------------------------------------------------------------------


def test_a_stored_message_that_can_not_be_sent_lets_the_next_one_go(clinic: Clinic) -> None:
    engine = Engine()
    with running(engine) as port:
        connect(clinic, port)
        queue(clinic, 2)
        with clinic.context.database.begin(TENANT) as db:
            first = db.scalars(select(Hl7OutboundRow).order_by(Hl7OutboundRow.id)).first()
            assert first is not None
            first.content = "PID|1\r"
        send_due(clinic.context, TENANT, "engine")
    assert [row.state for row in clinic.outbound()] == ["failed", "acknowledged"]
    with clinic.context.database.begin(None) as db:
        (stuck,) = stuck_messages(db, 10)
    assert stuck.why.startswith("our error: ValueError at _control_id")


def test_a_charge_message_that_can_not_be_sent_lets_the_others_go(context: Any) -> None:
    taken: list[str] = []
    with engine(taken.append) as port:
        has_interface(context, port)
        queue_charges(context, walk_tenant(context), MONTH)
        with context.database.begin(walk_tenant(context)) as db:
            db.get_one(ChargeMessageRow, messages(context)[0].id).content = "PID|1\r"
        done = deliver(context)
    assert (done.accepted, done.unanswered, len(taken)) == (2, 1, 2)
    assert "can't be sent: the message has no MSH-10" in (done.failure or "")
    assert messages(context)[0].status == "waiting"


def walk_tenant(context: Any) -> str:
    with context.database.begin(None) as db:
        return str(db.scalars(select(Tenant.id)).one())


# Faults of ours -----------------------------------------------------------------------------------


def test_a_recording_whose_scoring_fails_is_tried_again_later_and_then_left_to_a_person(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world(worker=False)
    sign_program(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, "samuel-brandt")
    upload(patient, world, series_file(tmp_path))
    upload(patient, world, series_file(tmp_path, repetitions=4))
    with world.context.database.begin(world.tenant_id) as db:
        bad, good = db.scalars(select(SessionRow.id).order_by(SessionRow.received_at)).all()
        db.get_one(SessionRow, bad).exercise_id = "gone_from_the_library"
    now = [world.context.now()]
    turned = replace(world.context, now=lambda: now[0])

    def score(session_id: str) -> int | None:
        return isolated(
            turned,
            SCORE,
            world.tenant_id,
            session_id,
            lambda: score_session(turned, world.tenant_id, session_id),
        )

    assert score(bad) is None
    assert score(good) == patient_id(world)
    for _ in range(MOST_ATTEMPTS + 3):
        now[0] += timedelta(hours=2)
        assert score(bad) is None
    with world.context.database.begin(world.tenant_id) as db:
        (failure,) = failures(db)
        assert (failure.subject, failure.attempts) == (bad, MOST_ATTEMPTS)
        assert failure.set_aside_at is not None
        assert failure.last_error.startswith("our error: ")
        waiting = select(SessionRow.id).where(SessionRow.status == "received")
        assert db.scalars(waiting.where(is_let(SCORE, SessionRow.id, now[0]))).all() == []
        db.get_one(SessionRow, bad).exercise_id = "shoulder_abduction"
        assert let_go(db, failure.id) == 1
    assert score(bad) == patient_id(world), "the recording was kept"
    assert count(world, SessionRow, SessionRow.status == "scored") == 2


def test_a_failure_that_is_over_leaves_no_trace(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False)
    now = [world.context.now()]
    turned = replace(world.context, now=lambda: now[0])
    assert isolated(turned, "t", world.tenant_id, "1", lambda: 1 // 0) is None
    assert isolated(turned, "t", world.tenant_id, "1", lambda: 7) is None, "its pause is not over"
    now[0] += timedelta(hours=2)
    assert isolated(turned, "t", world.tenant_id, "1", lambda: 7) == 7
    with world.context.database.begin(world.tenant_id) as db:
        assert failures(db) == []


def test_a_patient_who_can_not_be_tallied_keeps_no_other_from_it(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False)
    now = datetime(2026, 11, 5, 15, tzinfo=UTC)
    world = replace(world, context=replace(world.context, now=lambda: now))
    with world.context.database.begin(world.tenant_id) as db:
        people = [Monitored(name, date(2026, 10, 2), days=3) for name in ("A", "B", "C")]
        first, bad, last = write_practice(db, world.tenant_id, people)
        whole = db.scalars(select(EpisodeRow).where(EpisodeRow.patient_id == bad)).one()
        kept, whole.document = whole.document, {"start": "never"}
    tally_tenant(world.context, world.tenant_id)

    def tallied() -> set[int]:
        with world.context.database.begin(world.tenant_id) as db:
            return set(db.scalars(select(PatientMonthRow.patient_id)))

    assert tallied() == {first, last}
    with world.context.database.begin(world.tenant_id) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
        subjects = [failure.subject for failure in failures(db)]
        assert subjects == [f"2026-11: patient {bad}", f"2026-10: patient {bad}"]
        db.scalars(select(EpisodeRow).where(EpisodeRow.patient_id == bad)).one().document = kept
        let_go(db)
    assert needs_tally(world.context, tenant)
    tally_tenant(world.context, world.tenant_id)
    assert tallied() == {first, bad, last}


class Noted(JobQueue):
    """A queue that remembers what it was given."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []

    def _send(self, name: str, *arguments: object) -> None:
        self.sent.append((name, *arguments))


def test_a_health_system_whose_record_is_damaged_keeps_no_others_work_back(
    make_world: Callable[..., World],
) -> None:
    world = with_sessions(make_world, "open")
    with world.context.database.begin(None) as db:
        db.add(other_tenant(id="another", time_zone="Mars/Olympus", practice={"dft": 7}))
    noted = Noted()
    sweep(world.context, noted)
    assert ("homestretch.deliver", world.tenant_id, patient_id(world)) in noted.sent


def test_a_lease_says_the_same_of_a_row_and_in_a_query(make_world: Callable[..., World]) -> None:
    world = with_sessions(make_world, "open", sessions=0)
    now = world.context.now()
    for until in (None, now, now - timedelta(seconds=1), now + timedelta(seconds=1)):
        with world.context.database.begin(world.tenant_id) as db:
            db.execute(update(OutboxRow).values(leased_until=until))
            found = db.scalars(select(OutboxRow.id).where(is_free(OutboxRow.leased_until, now)))
            assert (len(found.all()) == 0) == is_held(until, now)
