"""A health system: its EHR, how we are registered there, and its practice data."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.store.base import Base


class Tenant(Base):
    """`practice` holds what claims need of the billing provider (see billing.claim).

    `client_auth` says for each client how it authenticates, `scopes` what overrules the scopes
    that the EHR's own description leads to; both as in `app/tenant_settings.schema.json`, with
    secrets sealed. `frame_ancestors` are the origins that may show us in a frame. `capabilities`
    is what the last `tenant check` found, at `checked_at`.
    """

    __tablename__ = "tenant"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    iss: Mapped[str] = mapped_column(unique=True)
    clinician_client_id: Mapped[str]
    portal_client_id: Mapped[str]
    backend_client_id: Mapped[str]
    time_zone: Mapped[str]
    billing_fhir_users: Mapped[list[Any]] = mapped_column(default=list)
    practice: Mapped[dict[str, Any]] = mapped_column(default=dict)
    client_auth: Mapped[dict[str, Any]] = mapped_column(default=dict)
    scopes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    frame_ancestors: Mapped[list[Any]] = mapped_column(default=list)
    capabilities: Mapped[dict[str, Any]] = mapped_column(default=dict)
    checked_at: Mapped[datetime | None]


def tenant_by_iss(session: Session, iss: str) -> Tenant | None:
    return session.scalar(select(Tenant).where(Tenant.iss == iss.rstrip("/")))
