"""Holding the rules of alerts (`rtm.watch`) against a patient's facts, and keeping the alerts."""

from __future__ import annotations

import re
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import read_account
from app.alerts import Alert, alerts_of, raise_alert
from app.context import Context
from app.messages import read_threads
from app.prescribing import current_program
from app.proposals import read_course
from app.store import PatientRow, SessionRow, Tenant
from billing.tally import tally
from rtm.adherence import adherence
from rtm.alerts import AlertFacts
from rtm.messages import Thread
from rtm.program import Program
from rtm.safety import Reason
from rtm.watch import Cause, Facts, Threshold, Waiting, rules_with, watch

# A patient merged into another one keeps the causes under the id that they were raised with.
_STORED_CAUSE = re.compile(r"patient:\d+:(.+)")


def watch_patient(context: Context, tenant_id: str, patient_id: int) -> int:
    """How many alerts are new. Two workers at once find them once: the patient's row is locked."""
    with context.database.begin(tenant_id) as db:
        locked = select(PatientRow).where(PatientRow.id == patient_id).with_for_update()
        patient = db.scalars(locked).one()
        facts = read_facts(context, db, patient)
        if facts is None:
            return 0
        known = [_cause(alert) for alert in alerts_of(db, patient.id)]
        rules = rules_with(db.get_one(Tenant, tenant_id).alert_rules)
        found = watch(facts, [cause for cause in known if cause is not None], rules)
        return sum(
            raise_alert(
                db,
                patient.id,
                one.cause.kind,
                AlertFacts(
                    f"patient:{patient.id}:{one.cause.key}",
                    "go_on",
                    (Reason(one.cause.kind, one.text),),
                ),
                facts.now,
            )
            for one in found
        )


def read_facts(context: Context, db: Session, patient: PatientRow) -> Facts | None:
    """What the rules look at; None without a program that is under way."""
    current = current_program(db, patient.id)
    if current is None:
        return None
    _, program = current
    now, zone = context.now(), ZoneInfo(patient.time_zone)
    today = now.astimezone(zone).date()
    if today > program.end:
        return None
    threads = read_threads(db, patient.id)
    return Facts(
        now=now,
        course=read_course(context, db, patient, program),
        missed=missed_days(program, _days_done(db, patient.id, zone), today),
        messages=tuple(waiting for thread in threads if (waiting := _waiting(thread))),
        thresholds=_thresholds(db, patient, today),
    )


def missed_days(program: Program, done: set[date], today: date) -> tuple[date, ...]:
    """The latest due days in a row without a session; today is not over and does not count."""
    kept = adherence(program, done, today - timedelta(days=1))
    missed: list[date] = []
    for day in reversed(kept.days_due):
        if day in kept.days_done:
            break
        missed.append(day)
    return tuple(reversed(missed))


def _days_done(db: Session, patient_id: int, zone: ZoneInfo) -> set[date]:
    began = select(SessionRow.started_at).where(
        SessionRow.patient_id == patient_id, SessionRow.status != "refused"
    )
    return {instant.astimezone(zone).date() for instant in db.scalars(began)}


def _waiting(thread: Thread) -> Waiting | None:
    """The first message since the care team last wrote; None where the care team wrote last."""
    first = None
    for message in reversed(thread.messages):
        if message.side != "patient":
            break
        first = message
    return None if first is None else Waiting(first.id, first.sent_at)


def _thresholds(db: Session, patient: PatientRow, today: date) -> tuple[Threshold, ...]:
    account = read_account(db, patient, today)
    if account is None:
        return ()
    return tuple(
        Threshold(short.code, short.needs, short.by)
        for short in tally(account).shortfalls
        if not short.only_time and not short.any_time
    )


def _cause(alert: Alert) -> Cause | None:
    """None where the alert is from the patient's own answers."""
    stored = _STORED_CAUSE.fullmatch(alert.facts.cause)
    return None if stored is None else Cause.of(stored[1])
