"""Sending and reading messages between a patient and the care team."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.context import Context
from app.outbox import enqueue
from app.reminding.contacts import look_soon
from app.store import MessageReadRow, MessageRow, PatientRow, PractitionerRow, Tenant
from rtm.messages import Message, Side, Thread, checked_subject, checked_text, threads


class MessageConflict(Exception):
    """The message's id was used for another message."""


class NoSuchThread(LookupError):
    """The patient has no such thread."""


@dataclass(frozen=True)
class Person:
    """Who writes or reads: the patient, or with `practitioner_id` one of the care team."""

    patient_id: int
    practitioner_id: int | None = None

    @property
    def side(self) -> Side:
        return "patient" if self.practitioner_id is None else "care_team"


def send_message(
    context: Context,
    tenant_id: str,
    sender: Person,
    *,
    message_id: str,
    text: str,
    subject: str | None = None,
    thread_id: str | None = None,
) -> MessageRow:
    """Stores a message: a reply in `thread_id`, else the first of a thread about `subject`.

    It goes to the EHR as well where the health system wants that (`app.store.Tenant`).
    The same message sent again, as a double click does, is the row of the first time.

    Raises:
        rtm.messages.MessageRefused: text or subject can't be taken.
        NoSuchThread: the patient has no thread of that id.
        MessageConflict: the id was used for another message.
    """
    row = MessageRow(
        id=message_id,
        thread_id=thread_id or message_id,
        patient_id=sender.patient_id,
        side=sender.side,
        practitioner_id=sender.practitioner_id,
        subject=None if thread_id else checked_subject(subject or ""),
        text=checked_text(text),
        sent_at=context.now(),
    )
    try:
        with context.database.begin(tenant_id) as db:
            earlier = db.get(MessageRow, message_id)
            if earlier is not None:
                return _same(earlier, row)
            if thread_id is not None and not _has_thread(db, sender.patient_id, thread_id):
                raise NoSuchThread(thread_id)
            db.add(row)
            db.flush()
            if db.get_one(Tenant, tenant_id).practice.get("write_back", {}).get("message"):
                enqueue(
                    db,
                    kind="message",
                    subject=row.id,
                    patient_id=row.patient_id,
                    idempotency_key=f"message:{row.id}",
                    now=row.sent_at,
                )
            if row.side == "care_team":
                look_soon(db, sender.patient_id, row.sent_at)
            return row
    except IntegrityError:
        # The other click of a double click was first, or the id is another health system's.
        with context.database.begin(tenant_id) as db:
            earlier = db.get(MessageRow, message_id)
            if earlier is None:
                raise MessageConflict from None
            return _same(earlier, row)


def read_threads(db: Session, patient_id: int, thread_id: str | None = None) -> tuple[Thread, ...]:
    """The patient's threads, or the one of that id, the newest first."""
    read_at = (
        select(func.min(MessageReadRow.read_at))
        .where(MessageReadRow.message_id == MessageRow.id, MessageReadRow.side != MessageRow.side)
        .scalar_subquery()
    )
    statement = (
        select(MessageRow, PractitionerRow.name, read_at)
        .outerjoin(PractitionerRow, MessageRow.practitioner_id == PractitionerRow.id)
        .where(MessageRow.patient_id == patient_id)
    )
    if thread_id is not None:
        statement = statement.where(MessageRow.thread_id == thread_id)
    rows = db.execute(statement).all()
    patient = db.get_one(PatientRow, patient_id)
    subjects = {row.id: row.subject for row, _, _ in rows if row.subject is not None}
    return threads(subjects, (_message(row, who or patient.name, at) for row, who, at in rows))


def open_thread(context: Context, tenant_id: str, reader: Person, thread_id: str) -> Thread:
    """The thread as it was before, then read by `reader`. Raises NoSuchThread."""
    with context.database.begin(tenant_id) as db:
        found = read_threads(db, reader.patient_id, thread_id)
        if not found:
            raise NoSuchThread(thread_id)
        read = select(MessageReadRow.message_id).where(
            MessageReadRow.practitioner_id == (reader.practitioner_id or 0),
            MessageReadRow.side == reader.side,
        )
        mine = set(db.scalars(read.where(MessageReadRow.message_id.in_(_ids(found[0])))))
    new = [m.id for m in found[0].messages if m.side != reader.side and m.id not in mine]
    for message_id in new:
        _note_read(context, tenant_id, reader, message_id)
    return found[0]


def unread_count(db: Session, patient_id: int, side: Side) -> int:
    """How many messages to `side` nobody of it has opened."""
    statement = select(func.count()).select_from(MessageRow)
    return db.scalar(statement.where(MessageRow.patient_id == patient_id, unread_by(side))) or 0


def unread_by(side: Side) -> ColumnElement[bool]:
    """That a message to `side` was opened by nobody of it."""
    opened = exists().where(MessageReadRow.message_id == MessageRow.id, MessageReadRow.side == side)
    return and_(MessageRow.side != side, ~opened)


def _ids(thread: Thread) -> list[str]:
    return [message.id for message in thread.messages]


def _note_read(context: Context, tenant_id: str, reader: Person, message_id: str) -> None:
    try:
        with context.database.begin(tenant_id) as db:
            db.add(
                MessageReadRow(
                    message_id=message_id,
                    side=reader.side,
                    practitioner_id=reader.practitioner_id or 0,
                    read_at=context.now(),
                )
            )
    except IntegrityError:
        # Another tab of the same reader opened it at the same time: that fact is the one.
        with context.database.begin(tenant_id) as db:
            db.scalars(
                select(MessageReadRow).where(
                    MessageReadRow.message_id == message_id,
                    MessageReadRow.practitioner_id == (reader.practitioner_id or 0),
                )
            ).one()


def _has_thread(db: Session, patient_id: int, thread_id: str) -> bool:
    first = select(MessageRow.id).where(
        MessageRow.id == thread_id,
        MessageRow.patient_id == patient_id,
        MessageRow.subject.is_not(None),
    )
    return db.scalar(first) is not None


def _same(earlier: MessageRow, again: MessageRow) -> MessageRow:
    told = ("patient_id", "side", "practitioner_id", "thread_id", "subject", "text")
    if any(getattr(earlier, name) != getattr(again, name) for name in told):
        raise MessageConflict
    return earlier


def _message(row: MessageRow, sender: str, read_at: datetime | None) -> Message:
    return Message(
        id=row.id,
        thread_id=row.thread_id,
        side="patient" if row.side == "patient" else "care_team",
        sender=sender,
        text=row.text,
        sent_at=row.sent_at,
        read_at=read_at,
    )
