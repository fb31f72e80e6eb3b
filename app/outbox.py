"""Queueing a message in the transaction of the change that causes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from app.store import OutboxRow

MessageKind = Literal["prescription", "session", "range_test", "outcome", "consent", "message"]


def enqueue(
    db: Session,
    *,
    kind: MessageKind,
    subject: str,
    patient_id: int,
    idempotency_key: str,
    now: datetime,
) -> OutboxRow:
    """Adds a pending message. The caller's transaction decides whether it exists."""
    row = OutboxRow(
        kind=kind,
        subject=subject,
        patient_id=patient_id,
        idempotency_key=idempotency_key,
        created_at=now,
        next_attempt_at=now,
    )
    db.add(row)
    return row


def is_wanted(practice: Mapping[str, Any], kind: MessageKind) -> bool:
    """Whether the health system's settings leave any way for what need not be sent."""
    return bool(practice.get("write_back", {}).get(kind, True))


@dataclass(frozen=True)
class Tally:
    """How many messages of one kind are in one state, by the way they go; None: not chosen yet."""

    kind: str
    way: str | None
    status: str
    count: int


def tally_outbox(db: Session) -> list[Tally]:
    """The tenant's messages, counted."""
    columns = (OutboxRow.kind, OutboxRow.way, OutboxRow.status)
    rows = db.execute(select(*columns, func.count()).group_by(*columns).order_by(*columns))
    return [Tally(*row) for row in rows]


def set_aside(db: Session) -> Sequence[OutboxRow]:
    """The messages that wait for a person, the oldest first."""
    waiting = select(OutboxRow).where(OutboxRow.status == "stuck").order_by(OutboxRow.id)
    return db.scalars(waiting).all()


def try_again(db: Session, message_ids: Sequence[int], now: datetime) -> int:
    """Puts messages that were set aside back in the queue; how many.

    The way is chosen anew where none was open or the EHR had turned it down; else it stays, for a
    part may have arrived by it.
    """
    again = (
        update(OutboxRow)
        .where(OutboxRow.id.in_(message_ids), OutboxRow.status == "stuck")
        .values(status="pending", attempts=0, next_attempt_at=now, ways_refused=[])
        .execution_options(synchronize_session=False)
    )
    done = db.execute(again)
    assert isinstance(done, CursorResult)
    return done.rowcount
