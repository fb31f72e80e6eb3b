"""Queueing a message in the transaction of the change that causes it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from app.store import OutboxRow

MessageKind = Literal["prescription", "session", "range_test"]


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
