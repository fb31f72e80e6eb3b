"""A health system: its EHR, our client ids there, and its practice data."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.store.base import Base


class Tenant(Base):
    """`practice` holds what claims need of the billing provider (`app.billing_office.claims`).

    Besides name, npi, tax_id, taxonomy, address, contact_name, contact_phone and submitter_id:
    `entity` is the kind of entity (`billing.account.Entity`; a private practice if not given);
    `clearinghouse` is the receiver of its files (`name`, `id`), `clearinghouses` that of single
    payers by payer id; `payer_profiles` gives a payer's profile by payer id; `dft` is its interface
    engine for charges (`host`, `port`, `timeout_s`, and `sending_application`,
    `sending_facility`, `receiving_application`, `receiving_facility` for MSH-3 to MSH-6).
    `write_back` gives for a kind of message the ways that it may go (`app.write_back`).

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
