"""Who is signed in: pending launches, sign-ins, and their tokens, encrypted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base, TenantOwned


class LaunchRow(Base):
    """An authorization request under way; `used_at` makes its `state` single-use."""

    __tablename__ = "launch"

    state: Mapped[str] = mapped_column(primary_key=True)
    audience: Mapped[str]
    request: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInRow(TenantOwned, Base):
    """A browser's sign-in. Only a hash of the cookie's secret is kept.

    `role` is clinician, patient or biller; `token_sealed` is the encrypted token response, empty
    once the sign-in ended. `not_granted` lists what the EHR did not let us read (see
    `app.granted`), `ehr_style` its colours. Whoever refreshes the token holds it until
    `refreshing_until`. A patient who signs in with a password of their own (`portal_account_id`)
    has no token.
    """

    __tablename__ = "sign_in"

    id: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    practitioner_id: Mapped[int | None] = mapped_column(ForeignKey("practitioner.id"))
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patient.id"))
    encounter: Mapped[str | None]
    need_patient_banner: Mapped[bool] = mapped_column(default=True)
    token_sealed: Mapped[bytes]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    not_granted: Mapped[list[Any]] = mapped_column(default=list)
    ehr_style: Mapped[dict[str, Any]] = mapped_column(default=dict)
    refreshing_until: Mapped[datetime | None]
    portal_account_id: Mapped[int | None] = mapped_column(ForeignKey("portal_account.id"))
