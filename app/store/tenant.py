"""A health system: its EHR, how we are registered there, and its practice data."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

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
    `write_back` gives for a kind of message the ways that it may go (`app.write_back`); messages
    between patient and care team go only where it names ways for `message`.

    `hl7` is the document of `app.hl7.settings.Hl7Settings`; empty where there is no interface.
    `client_auth` says for each client how it authenticates, `scopes` what overrules the scopes
    that the EHR's own description leads to; both as in `app/tenant_settings.schema.json`, with
    secrets sealed. `frame_ancestors` are the origins that may show us in a frame. `population`
    says how its people are read: `group`, whose members, and `file_origins`, where the EHR keeps
    the files of an export besides its own address. `alert_rules` is what changes the shipped rules
    of alerts (`rtm.watch.rules_with`). `capabilities` is what the last `tenant check`
    found, at `checked_at`.
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
    client_auth: Mapped[dict[str, Any]] = mapped_column(default=dict)
    scopes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    frame_ancestors: Mapped[list[Any]] = mapped_column(default=list)
    population: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    alert_rules: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    capabilities: Mapped[dict[str, Any]] = mapped_column(default=dict)
    checked_at: Mapped[datetime | None]

    def local(self, instant: datetime) -> datetime:
        """`instant` on the practice's clock."""
        return instant.astimezone(ZoneInfo(self.time_zone))


def tenant_by_iss(session: Session, iss: str) -> Tenant | None:
    return session.scalar(select(Tenant).where(Tenant.iss == iss.rstrip("/")))
