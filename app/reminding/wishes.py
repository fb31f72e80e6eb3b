"""What a patient wishes of reminders, and what there is to remind of."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.context import Context
from app.languages import language_of
from app.messages import unread_by
from app.prescribing import current_program
from app.reminding.contacts import look_soon
from app.store import (
    MessageRow,
    PatientRow,
    ReminderWishesRow,
    SessionRow,
    from_document,
    to_document,
)
from rtm.reminders import Situation, Wishes

# Any day that is still today somewhere began no longer ago.
_LOOK_BACK = timedelta(days=2)


def read_wishes(db: Session, patient: PatientRow) -> Wishes:
    """The newest that the patient set; else the usual ones, in the patient's language."""
    row = db.scalar(
        select(ReminderWishesRow)
        .where(ReminderWishesRow.patient_id == patient.id)
        .order_by(ReminderWishesRow.id.desc())
        .limit(1)
    )
    if row is not None:
        return from_document(Wishes, row.document)
    return Wishes(language=language_of(patient))


def set_wishes(context: Context, tenant_id: str, patient_id: int, wishes: Wishes) -> None:
    """From now on these count; what they make due is sent soon."""
    with context.database.begin(tenant_id) as db:
        look_soon(db, patient_id, context.now())
        db.add(
            ReminderWishesRow(
                patient_id=patient_id, document=to_document(wishes), set_at=context.now()
            )
        )


def read_situation(db: Session, context: Context, patient: PatientRow) -> Situation:
    zone = ZoneInfo(patient.time_zone)
    current = current_program(db, patient.id)
    sessions = db.execute(
        select(SessionRow.started_at, SessionRow.exercise_id).where(
            SessionRow.patient_id == patient.id,
            SessionRow.status != "refused",
            SessionRow.started_at > context.now() - _LOOK_BACK,
        )
    )
    unread_sent_at = db.scalar(
        select(func.max(MessageRow.sent_at)).where(
            MessageRow.patient_id == patient.id, unread_by("patient")
        )
    )
    return Situation(
        time_zone=patient.time_zone,
        program=current[1] if current else None,
        done=frozenset((at.astimezone(zone).date(), exercise) for at, exercise in sessions),
        unread_sent_at=unread_sent_at,
    )
