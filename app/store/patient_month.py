"""The worklist at rest: each patient's month as last tallied, so that a page needs no tally."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.store.base import Base, TenantOwned, among, in_parts


class PatientMonthRow(TenantOwned, Base):
    """What `billing.worklist` said of one patient's month on `as_of`.

    It is derived: whatever is here can be made again from the ledger. A new fact makes it
    `stale`. `state_rank` sorts as the worklist does; money is in cents, time in minutes.
    """

    __tablename__ = "patient_month"
    __table_args__ = (
        UniqueConstraint("patient_id", "month"),
        Index("ix_patient_month_worklist", "tenant_id", "month", "state_rank", "name"),
        Index("ix_patient_month_stale", "tenant_id", "month", "stale"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"))
    month: Mapped[str]
    name: Mapped[str]
    state: Mapped[str]
    state_rank: Mapped[int]
    total_cents: Mapped[int]
    projected_cents: Mapped[int]
    charge_count: Mapped[int]
    unpriced_count: Mapped[int]
    needs_live_contact: Mapped[bool]
    next_step_by: Mapped[date | None]
    monitored_days: Mapped[int]
    minutes: Mapped[int]
    document: Mapped[dict[str, Any]]
    as_of: Mapped[date]
    computed_at: Mapped[datetime]
    stale: Mapped[bool]


class PatientMonthChargeRow(TenantOwned, Base):
    """One charge of a patient's month, for sums by code."""

    __tablename__ = "patient_month_charge"
    __table_args__ = (Index("ix_patient_month_charge_code", "tenant_id", "month", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    month: Mapped[str]
    code: Mapped[str]
    units: Mapped[int]
    cents: Mapped[int | None]


def mark_stale(session: Session, patient_id: int) -> None:
    """Something that the tally reads has changed; called in the transaction of the change."""
    mark_all_stale(session, [patient_id])


def mark_all_stale(session: Session, patient_ids: Sequence[int]) -> None:
    """As `mark_stale`, for many patients."""
    for part in in_parts(patient_ids):
        session.execute(
            update(PatientMonthRow)
            .where(
                among(session, PatientMonthRow.patient_id, part), PatientMonthRow.stale.is_(False)
            )
            .values(stale=True)
            .execution_options(synchronize_session=False)
        )
