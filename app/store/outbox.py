"""Messages to other systems, written in the transaction of the change that causes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base, TenantOwned


class OutboxRow(TenantOwned, Base):
    """`status` is pending, delivered, or stuck (an operator must look).

    `kind` is an `app.outbox.MessageKind`, `subject` the row it speaks of. `bundle` is built
    from that row at the first attempt, when the references it needs are known, and kept from then
    on, so that every further attempt sends the same bytes. So is `way`, how it is sent
    (`app.write_back`), with the reason for it; `ways_refused` are those that the EHR turned down.
    """

    __tablename__ = "outbox"
    __table_args__ = (UniqueConstraint("tenant_id", "idempotency_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    idempotency_key: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    bundle: Mapped[dict[str, Any] | None]
    status: Mapped[str] = mapped_column(default="pending", index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime] = mapped_column(index=True)
    leased_until: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    way: Mapped[str | None]
    way_why: Mapped[str | None]
    ways_refused: Mapped[list[Any]] = mapped_column(default=list)
    response: Mapped[dict[str, Any] | None]
