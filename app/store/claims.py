"""What has been claimed: exports, their lines, and control numbers that never repeat."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base, TenantOwned


class ClaimExportRow(TenantOwned, Base):
    """One exported file. Its bytes are kept: exporting the same again returns these."""

    __tablename__ = "claim_export"

    id: Mapped[int] = mapped_column(primary_key=True)
    month: Mapped[str] = mapped_column(index=True)
    format: Mapped[str]
    control_number: Mapped[int]
    exported_at: Mapped[datetime]
    sha256: Mapped[str]
    content: Mapped[str]
    claim_count: Mapped[int]
    total: Mapped[str]


class ClaimLineRow(TenantOwned, Base):
    """One charge as exported; `charge_key` keeps any charge from leaving twice.

    `claim_id` is CLM01 and `line_id` REF*6R, by which answers find their way back. `released_at`
    marks a charge that was rejected or taken back: it stands in nobody's way any more.
    """

    __tablename__ = "claim_line"
    __table_args__ = (
        Index(
            "uq_claim_line_standing_charge",
            "tenant_id",
            "charge_key",
            unique=True,
            sqlite_where=text("released_at IS NULL"),
            postgresql_where=text("released_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    export_id: Mapped[int] = mapped_column(ForeignKey("claim_export.id"), index=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    episode_id: Mapped[str] = mapped_column(ForeignKey("episode.id"))
    charge_key: Mapped[str]
    code: Mapped[str]
    units: Mapped[int]
    service_date: Mapped[date]
    claim_id: Mapped[str] = mapped_column(index=True)
    line_id: Mapped[str]
    modifiers: Mapped[list[Any]]
    released_at: Mapped[datetime | None]


class ChargeApprovalRow(TenantOwned, Base):
    """That somebody looked at a charge under review and let it leave; never updated."""

    __tablename__ = "charge_approval"
    __table_args__ = (UniqueConstraint("tenant_id", "charge_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    charge_key: Mapped[str]
    code: Mapped[str]
    last: Mapped[date]
    modifiers: Mapped[str]
    approved_by: Mapped[int] = mapped_column(ForeignKey("practitioner.id"))
    approved_at: Mapped[datetime]


class CounterRow(TenantOwned, Base):
    """A named sequence per tenant, for interchange control numbers."""

    __tablename__ = "counter"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    value: Mapped[int]
