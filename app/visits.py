"""A patient's appointments, as the health system's scheduler tells them (HL7 v2 SIU)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store import VisitRow


def visits_between(db: Session, patient_id: int, start: datetime, end: datetime) -> list[VisitRow]:
    """Those that start in [start, end), cancelled and missed ones too, in order of their start."""
    query = (
        select(VisitRow)
        .where(
            VisitRow.patient_id == patient_id,
            VisitRow.starts_at >= start,
            VisitRow.starts_at < end,
        )
        .order_by(VisitRow.starts_at)
    )
    return list(db.scalars(query))
