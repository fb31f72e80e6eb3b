"""What has been claimed: exports, their lines, and control numbers that never repeat."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, event, text
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from app.store.base import Base, TenantOwned


class ClaimExportRow(TenantOwned, Base):
    """One exported file. Its bytes are kept: exporting the same again returns these.

    `sha256` is that of the bytes: `data` where the format is no text, else `content` as UTF-8.
    `batch` is the control number of the first file of the same export, None where an earlier
    release wrote it alone; `receiver` is who the file is for, where the format names one.
    """

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
    batch: Mapped[int | None] = mapped_column(index=True)
    receiver: Mapped[str | None]
    data: Mapped[bytes | None]

    @property
    def file_bytes(self) -> bytes:
        """The file as it left."""
        return self.content.encode() if self.data is None else self.data


class ClaimRow(TenantOwned, Base):
    """One claim exactly as it was scrubbed and sent; never updated.

    `document` is the whole `billing.claim_model.Claim` with its charges and their reasons, and
    `findings` what the scrubber said of it (`billing.claim.ScrubFinding`), all of them warnings.
    `frequency` is CLM05-3; `replaces` names our earlier claim that it corrects (7) or voids (8).
    Claims that left before this table existed have no row, only lines.
    """

    __tablename__ = "claim"
    __table_args__ = (
        UniqueConstraint("tenant_id", "claim_id"),
        Index("ix_claim_replaces", "tenant_id", "replaces"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    claim_id: Mapped[str]
    export_id: Mapped[int] = mapped_column(ForeignKey("claim_export.id"), index=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    episode_id: Mapped[str] = mapped_column(ForeignKey("episode.id"))
    format: Mapped[str]
    frequency: Mapped[str]
    replaces: Mapped[str | None]
    total: Mapped[str]
    document: Mapped[dict[str, Any]]
    findings: Mapped[list[Any]]


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


class ChargeMessageRow(TenantOwned, Base):
    """One DFT^P03 for one claim, sent unchanged until its receiver answers.

    `control_id` is MSH-10, by which the receiver knows a repetition. `status` is waiting,
    accepted, refused, or withdrawn before it was ever sent. `last_error` says why the last attempt
    had no answer; `leased_until` keeps two senders from one message.
    """

    __tablename__ = "charge_message"
    __table_args__ = (UniqueConstraint("tenant_id", "control_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    export_id: Mapped[int] = mapped_column(ForeignKey("claim_export.id"), index=True)
    claim_id: Mapped[str] = mapped_column(index=True)
    control_id: Mapped[str]
    content: Mapped[str]
    status: Mapped[str] = mapped_column(default="waiting", index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    last_error: Mapped[str | None]
    answered_at: Mapped[datetime | None]


class ClaimIsFinal(RuntimeError):
    """Somebody tried to change or delete a claim that left; correct it by a further one."""


@event.listens_for(ClaimRow, "before_update")
@event.listens_for(ClaimRow, "before_delete")
def _refuse(_mapper: Mapper[Any], _connection: Any, target: ClaimRow) -> None:
    raise ClaimIsFinal(f"claim {target.claim_id} can't be changed; correct or void it")
