"""The patient in the portal: invitations, own sign-ins, consent, and requests about their data."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, event
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from app.store.base import Base, TenantOwned


class InvitationRow(TenantOwned, Base):
    """A single-use code by which a patient joins the portal; only its keyed hash is kept.

    Once it can't be used any more for another reason than its age or wrong tries, `ended_at` says
    since when and `ended_as` why: used, revoked or superseded.
    """

    __tablename__ = "portal_invitation"

    id: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    code_hash: Mapped[str] = mapped_column(unique=True)
    made_by: Mapped[int] = mapped_column(ForeignKey("practitioner.id"))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_as: Mapped[str | None]


class PortalAccountRow(TenantOwned, Base):
    """A patient's own sign-in, for those who do not come through the EHR.

    `sign_in_name` is folded (`app.portal_accounts.folded`); joining again sets name and password
    anew, and the invitations say when that was.
    """

    __tablename__ = "portal_account"
    __table_args__ = (
        UniqueConstraint("tenant_id", "patient_id"),
        UniqueConstraint("tenant_id", "sign_in_name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"))
    sign_in_name: Mapped[str]
    password_hash: Mapped[str]
    set_at: Mapped[datetime]


class AccessTryRow(Base):
    """One try to join or to sign in, before it was looked at, or (`passed`) that one succeeded.

    It belongs to no health system, for a code that is not known names none. `subject` and
    `address` are keyed hashes: of what was tried, and of where from.
    """

    __tablename__ = "access_try"
    __table_args__ = (
        Index("ix_access_try_subject", "subject", "at"),
        Index("ix_access_try_address", "address", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    door: Mapped[str]
    subject: Mapped[str]
    address: Mapped[str]
    passed: Mapped[bool]
    at: Mapped[datetime]


class ConsentEventRow(TenantOwned, Base):
    """The patient agreed to monitoring, declined it, or took the consent back.

    `document` is that of `rtm.consent.ConsentEvent`. `episode_id` is the episode of that time.
    """

    __tablename__ = "consent_event"

    id: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    episode_id: Mapped[str | None] = mapped_column(ForeignKey("episode.id"))
    document: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class DataRequestRow(TenantOwned, Base):
    """What was asked and done about a patient's data.

    `kind` is export, deletion, withdrawn or answered; the last two name the deletion that they are
    about. `note` is the patient's reason or the care team's answer, `practitioner_id` who answered.
    """

    __tablename__ = "data_request"

    id: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    kind: Mapped[str]
    about: Mapped[str | None] = mapped_column(ForeignKey("data_request.id"))
    note: Mapped[str]
    practitioner_id: Mapped[int | None] = mapped_column(ForeignKey("practitioner.id"))
    at: Mapped[datetime]


class PortalFactIsFinal(RuntimeError):
    """Somebody tried to change or delete what a patient declared; record a new fact."""


for _kind in (AccessTryRow, ConsentEventRow, DataRequestRow):

    @event.listens_for(_kind, "before_update")
    @event.listens_for(_kind, "before_delete")
    def _refuse(_mapper: Mapper[Any], _connection: Any, target: Any) -> None:
        raise PortalFactIsFinal(f"{type(target).__name__} {target.id} can't be changed")
