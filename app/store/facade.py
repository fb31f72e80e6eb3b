"""What clients of the FHIR API ask us to keep: bulk exports, subscriptions and their notices."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base, TenantOwned


class BulkExportRow(TenantOwned, Base):
    """One bulk export of `client_id`.

    `status` goes accepted → running → complete, or to failed with `problem`, or to cancelled.
    `output` lists the files: `type`, `name` and `count`. Files and row are gone after `expires_at`.
    """

    __tablename__ = "bulk_export"

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str]
    request_url: Mapped[str]
    types: Mapped[list[Any]]
    since: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(default="accepted", index=True)
    progress: Mapped[str] = mapped_column(default="waiting")
    problem: Mapped[str | None]
    output: Mapped[list[Any]] = mapped_column(default=list)
    transaction_time: Mapped[datetime | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]


class SubscriptionRow(TenantOwned, Base):
    """A FHIR Subscription with a rest-hook.

    `patient_id` is set where the client may see one patient only, or where the criteria name one.
    `document` is the resource as the client sent it, without its headers: `headers_sealed` are the
    encrypted headers that the hook is called with. `status` is active, error (with `error` for the
    client) or off.
    """

    __tablename__ = "subscription"

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str]
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patient.id"), index=True)
    document: Mapped[dict[str, Any]]
    criteria: Mapped[str]
    endpoint: Mapped[str]
    payload: Mapped[str | None]
    headers_sealed: Mapped[bytes]
    status: Mapped[str] = mapped_column(index=True)
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    ends_at: Mapped[datetime]


class SubscriptionNoticeRow(TenantOwned, Base):
    """That a subscription may have to hear of a result; written in the result's transaction.

    `kind` and `subject` name the result's row. `status` goes pending → delivered, unmatched (no
    resource met the criteria) or failed. `sent` resources of it have arrived already.
    """

    __tablename__ = "subscription_notice"
    __table_args__ = (UniqueConstraint("subscription_id", "kind", "subject"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"))
    kind: Mapped[str]
    subject: Mapped[str]
    status: Mapped[str] = mapped_column(default="pending", index=True)
    sent: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    last_error: Mapped[str | None]
