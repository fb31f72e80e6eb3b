"""Programs signed and sessions done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.store.base import Base, TenantOwned


class ProgramRow(TenantOwned, Base):
    """One signed version of a program; never updated but for what the EHR answered."""

    __tablename__ = "program"
    __table_args__ = (
        UniqueConstraint("tenant_id", "program_id", "version"),
        UniqueConstraint("tenant_id", "signing_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    program_id: Mapped[str]
    version: Mapped[int]
    document: Mapped[dict[str, Any]]
    signing_key: Mapped[str]
    signed_by: Mapped[int] = mapped_column(ForeignKey("practitioner.id"))
    signed_at: Mapped[datetime]
    careplan_reference: Mapped[str | None]
    read_back_at: Mapped[datetime | None]


class SessionRow(TenantOwned, Base):
    """A session as accepted from the patient, then its result.

    `status` goes received → scored, or received → refused with `problem` in plain words.
    `concluded_at` is when the result was there, `software_version` what measured it. `effort`,
    `difficulty`, `note` and `stopped_reason` are those of `rtm.feedback`.
    """

    __tablename__ = "session"

    id: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    program_row_id: Mapped[int] = mapped_column(ForeignKey("program.id"))
    exercise_id: Mapped[str]
    side: Mapped[str]
    source: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(index=True)
    received_at: Mapped[datetime]
    pain_before: Mapped[int]
    pain_after: Mapped[int]
    repetitions_reported: Mapped[int | None]
    duration_reported_s: Mapped[float | None]
    effort: Mapped[int | None]
    difficulty: Mapped[str | None]
    note: Mapped[str | None]
    stopped_reason: Mapped[str | None]
    recording: Mapped[str | None]
    recording_sha256: Mapped[str | None]
    status: Mapped[str]
    problem: Mapped[str | None]
    document: Mapped[dict[str, Any] | None]
    plot: Mapped[dict[str, Any] | None]
    concluded_at: Mapped[datetime | None] = mapped_column(index=True)
    software_version: Mapped[str | None]


def previous_program(db: Session, row: ProgramRow) -> ProgramRow | None:
    """The version of the same program before `row`."""
    return db.scalar(
        select(ProgramRow).where(
            ProgramRow.program_id == row.program_id, ProgramRow.version == row.version - 1
        )
    )
