"""Holding the rules of alerts (`rtm.watch`) against a patient's facts, and keeping the alerts."""

from __future__ import annotations

import re
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import read_account
from app.alerts import alerts_of, raise_alert
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
    """How many alerts are new. Workers at once find each cause once."""
    with context.database.begin(tenant_id) as db:
        patient = db.get_one(PatientRow, patient_id)
        rules = rules_with(db.get_one(Tenant, tenant_id).alert_rules)
        facts = read_facts(context, db, patient)
        if facts is None or not watch(facts, _known(db, patient_id), rules):
            return 0
    with context.database.begin(tenant_id) as db:
        # Quiet days are more than a unique cause: one worker at a time alerts about a patient.
        db.scalars(select(PatientRow.id).where(PatientRow.id == patient_id).with_for_update()).one()
        return sum(
            raise_alert(
                db,
                patient_id,
                one.cause.kind,
                AlertFacts(
                    f"patient:{patient_id}:{one.cause.key}",
                    "go_on",
                    (Reason(one.cause.kind, one.text),),
                ),
                facts.now,
            )
            for one in watch(facts, _known(db, patient_id), rules)
        )


def read_facts(context: Context, db: Session, patient: PatientRow) -> Facts | None:
    """What the rules look at; None without a program. Only one under way has days to miss."""
    current = current_program(db, patient.id)
    if current is None:
        return None
    _, program = current
    now, zone = context.now(), ZoneInfo(patient.time_zone)
    today = now.astimezone(zone).date()
    missed: tuple[date, ...] = ()
    if today <= program.end:
        missed = missed_days(program, _days_done(db, patient.id, zone), today)
    return Facts(
        now=now,
        course=read_course(context, db, patient, program),
        missed=missed,
        messages=tuple(
            waiting for thread in read_threads(db, patient.id) if (waiting := _waiting(thread))
        ),
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
    """What is short and does not come by itself, once for each code and last day."""
    account = read_account(db, patient, today)
    needs: dict[tuple[str, date], list[str]] = {}
    for short in tally(account).shortfalls if account is not None else ():
        if not short.only_time and not short.any_time:
            needs.setdefault((short.code, short.by), []).append(short.needs)
    return tuple(Threshold(code, " and ".join(all_), by) for (code, by), all_ in needs.items())


def _known(db: Session, patient_id: int) -> list[Cause]:
    """The causes that alerted before; alerts from the patient's own answers have none."""
    stored = (_STORED_CAUSE.fullmatch(alert.facts.cause) for alert in alerts_of(db, patient_id))
    return [Cause.of(found[1]) for found in stored if found is not None]
