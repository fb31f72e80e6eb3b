"""Where a patient may be reminded, what the patient wishes, and each reminder."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base, TenantOwned


class ContactRow(TenantOwned, Base):
    """An address that the patient gave: an e-mail address, a mobile number in E.164, or the
    endpoint of a browser's push subscription with its `keys`.

    Nothing but a code is sent before `verified_at`, nothing at all after `ended_at`; `ended_why`
    is `patient`, `unsubscribed`, `stop`, `gone` (the push service) or `replaced`. At
    `next_look_at` it is seen whether a reminder is due.
    """

    __tablename__ = "contact"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    channel: Mapped[str]
    address: Mapped[str] = mapped_column(index=True)
    keys: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]
    code_digest: Mapped[str | None]
    code_expires_at: Mapped[datetime | None]
    code_tries: Mapped[int] = mapped_column(default=0)
    verified_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_why: Mapped[str | None]
    next_look_at: Mapped[datetime] = mapped_column(index=True)


class ReminderWishesRow(TenantOwned, Base):
    """`rtm.reminders.Wishes` as a patient once set them; the newest count."""

    __tablename__ = "reminder_wishes"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    document: Mapped[dict[str, Any]]
    set_at: Mapped[datetime]


class ReminderRow(TenantOwned, Base):
    """One reminder to one contact.

    `status` goes pending → sent, failed (`last_error` says why), or dropped (what it was about was
    done, or its day was over, before it could be sent).
    """

    __tablename__ = "reminder"
    __table_args__ = (UniqueConstraint("contact_id", "kind", "day"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    kind: Mapped[str]
    day: Mapped[date]
    status: Mapped[str] = mapped_column(default="pending", index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime] = mapped_column(index=True)
    leased_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
