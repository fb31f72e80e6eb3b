"""Queueing what subscribers are told, in the transaction of the result that they wait for."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.store import SubscriptionNoticeRow, SubscriptionRow

ResultKind = Literal["session", "range_test", "outcome"]


def queue_notices(
    db: Session, *, kind: ResultKind, subject: str, patient_id: int, now: datetime
) -> None:
    """Adds a pending notice for every subscription that may be about this patient.

    Whether one of the result's resources meets the criteria is seen when it is sent. The
    caller's transaction decides whether the notices exist.
    """
    subscriptions = db.scalars(
        select(SubscriptionRow).where(
            SubscriptionRow.status == "active",
            SubscriptionRow.ends_at > now,
            or_(SubscriptionRow.patient_id.is_(None), SubscriptionRow.patient_id == patient_id),
        )
    )
    db.add_all(
        SubscriptionNoticeRow(
            subscription_id=subscription.id,
            patient_id=patient_id,
            kind=kind,
            subject=subject,
            created_at=now,
            next_attempt_at=now,
        )
        for subscription in subscriptions.all()
    )
