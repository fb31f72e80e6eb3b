"""Whether a patient may begin a session: answers to the safety questions, and what they raise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.alerts import Alert, alerts_of, blocking_alert, raise_alert
from app.context import Context
from app.prescribing import current_program
from app.store import (
    ProgramRow,
    SafetyScreenRow,
    SessionRow,
    Tenant,
    from_document,
    to_document,
)
from rtm.alerts import AlertFacts
from rtm.exercises import load_library
from rtm.feedback import Feedback
from rtm.program import Program
from rtm.safety import Judgement, Screen, load_safety, screen_due
from rtm.session import Pain

_SCREEN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ScreenRefused(ValueError):
    """The answers can't be this patient's; the message says why, in plain words."""


@dataclass(frozen=True)
class Standing:
    """How a patient stands. `blocked_by` is an alert that nobody has acknowledged yet."""

    program_row: ProgramRow | None
    program: Program | None
    blocked_by: Alert | None
    due: bool


def standing(db: Session, patient_id: int, now: datetime) -> Standing:
    """`due` where the questions come before the next session; never without a program."""
    alerts = alerts_of(db, patient_id)
    blocked_by = blocking_alert(alerts)
    current = current_program(db, patient_id)
    if current is None:
        return Standing(None, None, blocked_by, False)
    rows = db.scalars(select(SafetyScreenRow).where(SafetyScreenRow.patient_id == patient_id))
    due = screen_due(
        current[1],
        [from_document(Screen, row.document) for row in rows],
        [alert.raised_at for alert in alerts if alert.kind.id == "session_warning"],
        now,
    )
    return Standing(*current, blocked_by, due)


def answer(
    context: Context,
    tenant_id: str,
    patient_id: int,
    *,
    screen_id: str,
    answers: Mapping[str, bool],
    language: str,
) -> Screen:
    """Stores the answers to the current program's questions, and alerts where one says to stop.

    The same `screen_id` again gives what was stored first.

    Raises:
        ScreenRefused: an id that is no UUID or another's, or a patient without a program.
        rtm.safety.InvalidScreen: as `SafetyRules.judge`.
    """
    if not _SCREEN_ID.fullmatch(screen_id):
        raise ScreenRefused(_("The page is broken. Please open it again."))
    rules, now = load_safety(), context.now()
    with context.database.begin(tenant_id) as db:
        earlier = db.get(SafetyScreenRow, screen_id)
        if earlier is not None:
            if earlier.patient_id != patient_id:
                raise ScreenRefused(_("The page is broken. Please open it again."))
            return from_document(Screen, earlier.document)
        current = current_program(db, patient_id)
        if current is None:
            raise ScreenRefused(_("There is no program yet. Please ask your care team."))
        row, program = current
        judgement = rules.judge(program, answers)
        screen = Screen(
            screen_id,
            program.id,
            program.version,
            rules.version,
            dict(answers),
            judgement.outcome,
            now,
        )
        db.add(
            SafetyScreenRow(
                id=screen_id,
                patient_id=patient_id,
                program_row_id=row.id,
                document=to_document(screen),
                language=language,
                answered_at=now,
            )
        )
        if judgement.stops:
            facts = AlertFacts(f"screen:{screen_id}", judgement.outcome, judgement.reasons)
            raise_alert(db, patient_id, "red_flag", facts, now)
        return screen


def session_judgement(row: SessionRow) -> Judgement:
    """Whether a session shows a warning sign, by what the patient said of it."""
    return load_safety().judge_session(
        Pain(row.pain_before, row.pain_after),
        Feedback(stopped_reason=row.stopped_reason),
    )


def watch_session(db: Session, row: SessionRow) -> None:
    """Alerts the care team to a session with a warning sign, in the transaction that stores it."""
    judgement = session_judgement(row)
    if judgement.stops:
        name = load_library()[row.exercise_id].name["en"]
        facts = AlertFacts(
            f"session:{row.id}", judgement.outcome, judgement.reasons, f"Exercise: {name}"
        )
        raise_alert(db, row.patient_id, "session_warning", facts, row.received_at)


def care_team_phone(db: Session, tenant_id: str) -> str | None:
    """The number that the practice gave for its patients; there may be none."""
    phone: str | None = db.get_one(Tenant, tenant_id).practice.get("care_team_phone")
    return phone or None
