"""Range-of-motion tests that patients sent, and their results."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base, TenantOwned


class RangeTestRow(TenantOwned, Base):
    """A test as accepted from the patient, then its result.

    `recordings` are one to three file names; `recordings_sha256` is the digest of their digests
    in order. `side` is None for a movement without sides. `status` goes received → measured, or
    received → refused with `problem` in plain words. `concluded_at` is when the result was there,
    `software_version` what measured it.
    """

    __tablename__ = "range_test"

    id: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    program_row_id: Mapped[int | None] = mapped_column(ForeignKey("program.id"))
    movement_id: Mapped[str]
    side: Mapped[str | None]
    measured_at: Mapped[datetime] = mapped_column(index=True)
    received_at: Mapped[datetime]
    recordings: Mapped[list[Any]]
    recordings_sha256: Mapped[str]
    status: Mapped[str]
    problem: Mapped[str | None]
    document: Mapped[dict[str, Any] | None]
    concluded_at: Mapped[datetime | None] = mapped_column(index=True)
    software_version: Mapped[str | None]
