"""A health system: its EHR, our client ids there, and its practice data."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.store.base import Base


class Tenant(Base):
    """`practice` holds what claims need of the billing provider (see billing.claim).

    `hl7` is the document of `app.hl7.settings.Hl7Settings`; empty where there is no interface.
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
    hl7: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")


def tenant_by_iss(session: Session, iss: str) -> Tenant | None:
    return session.scalar(select(Tenant).where(Tenant.iss == iss.rstrip("/")))
