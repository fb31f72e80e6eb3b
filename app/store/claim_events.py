"""What came back for claims: files as received, and append-only events."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, event
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from app.store.base import Base, TenantOwned


class ClaimFileRow(TenantOwned, Base):
    """One file of a payer or clearinghouse. `findings` are what its last reading could not use."""

    __tablename__ = "claim_file"
    __table_args__ = (UniqueConstraint("tenant_id", "sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    sha256: Mapped[str]
    content: Mapped[bytes]
    imported_at: Mapped[datetime]
    imported_by: Mapped[str]
    findings: Mapped[list[Any]]


class ClaimEventRow(TenantOwned, Base):
    """One `billing.claim_state.ClaimEvent`; its `digest` keeps it from being stored twice.

    `recorded_at` is when it came here, which says nothing about its order.
    """

    __tablename__ = "claim_event"
    __table_args__ = (UniqueConstraint("tenant_id", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    claim_id: Mapped[str] = mapped_column(index=True)
    digest: Mapped[str]
    kind: Mapped[str]
    happened_on: Mapped[date]
    document: Mapped[dict[str, Any]]
    file_id: Mapped[int | None] = mapped_column(ForeignKey("claim_file.id"))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str]


class EventIsFinal(RuntimeError):
    """Somebody tried to change or delete a claim event; record a further one instead."""


@event.listens_for(ClaimEventRow, "before_update")
@event.listens_for(ClaimEventRow, "before_delete")
def _refuse(_mapper: Mapper[Any], _connection: Any, target: ClaimEventRow) -> None:
    raise EventIsFinal(f"claim event {target.id} can't be changed; record a further one")
