"""Addresses for reminders: given by the patient, proved by a code, ended at any time."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.context import Context
from app.reminding.gateway import Address, Gateway
from app.reminding.wording import code_notice
from app.store import ContactRow
from rtm.reminders import Channel, Language

CODE_LASTS = timedelta(minutes=15)
MOST_TRIES = 5
MOST_CODES_A_DAY = 5

Ending = Literal["patient", "unsubscribed", "stop", "gone", "replaced"]
Refusal = Literal["email", "sms", "too_many_codes", "wrong_code", "old_code"]


class ContactRefused(ValueError):
    """The address or the code can't be taken; `why` says which way."""

    def __init__(self, why: Refusal) -> None:
        super().__init__(why)
        self.why: Refusal = why


def checked_address(channel: Channel, given: str) -> str:
    """An e-mail address, or a number of the US or Canada, or of elsewhere with `+`, in E.164.

    Raises ContactRefused.
    """
    if channel == "email":
        try:
            return validate_email(given.strip(), check_deliverability=False).normalized
        except EmailNotValidError:
            raise ContactRefused("email") from None
    digits = re.sub(r"[\s().\-/]", "", given)
    if re.fullmatch(r"\+?1?[2-9]\d{2}[2-9]\d{6}", digits):
        return f"+1{digits[-10:]}"
    if re.fullmatch(r"\+[2-9]\d{6,13}", digits):
        return digits
    raise ContactRefused("sms")


def active_contacts(db: Session, patient_id: int) -> Sequence[ContactRow]:
    """Those that reminders go to."""
    return db.scalars(
        select(ContactRow)
        .where(
            ContactRow.patient_id == patient_id,
            ContactRow.verified_at.is_not(None),
            ContactRow.ended_at.is_(None),
        )
        .order_by(ContactRow.id)
    ).all()


def send_code(
    context: Context,
    tenant_id: str,
    patient_id: int,
    channel: Channel,
    given: str,
    gateway: Gateway,
    language: Language,
) -> ContactRow:
    """Keeps the address as not yet proved, and sends a code to it.

    Raises:
        ContactRefused: it is no address, or too many codes were sent today.
        app.reminding.gateway.NotSent: the gateway did not take it.
    """
    address = checked_address(channel, given)
    now = context.now()
    code = f"{secrets.randbelow(10**6):06}"
    with context.database.begin(tenant_id) as db:
        today = select(func.count()).where(
            ContactRow.patient_id == patient_id,
            ContactRow.code_digest.is_not(None),
            ContactRow.created_at > now - timedelta(days=1),
        )
        if (db.scalar(today) or 0) >= MOST_CODES_A_DAY:
            raise ContactRefused("too_many_codes")
        row = ContactRow(
            patient_id=patient_id,
            channel=channel,
            address=address,
            created_at=now,
            code_expires_at=now + CODE_LASTS,
            next_look_at=now,
        )
        db.add(row)
        db.flush()
        row.code_digest = _digest(context, row.id, code)
    gateway.send(Address(address), code_notice(code, f"code-{tenant_id}-{row.id}", language))
    return row


def waiting_for_code(db: Session, patient_id: int, channel: Channel) -> ContactRow | None:
    """The newest address of the channel, where it was not proved yet."""
    newest = db.scalar(
        select(ContactRow)
        .where(ContactRow.patient_id == patient_id, ContactRow.channel == channel)
        .order_by(ContactRow.id.desc())
        .limit(1)
    )
    if newest is None or newest.verified_at is not None or newest.ended_at is not None:
        return None
    return newest


def verify(
    context: Context, tenant_id: str, patient_id: int, channel: Channel, code: str
) -> ContactRow:
    """Turns the channel on for the address that the code was sent to, instead of an earlier one.

    Raises ContactRefused: the code is another one, or too old, or was tried too often.
    """
    now = context.now()
    with context.database.begin(tenant_id) as db:
        waiting = waiting_for_code(db, patient_id, channel)
        if waiting is None:
            raise ContactRefused("old_code")
        row = db.get_one(ContactRow, waiting.id, with_for_update=True, populate_existing=True)
        expires = row.code_expires_at
        if expires is None or expires <= now or row.code_tries >= MOST_TRIES:
            raise ContactRefused("old_code")
        row.code_tries += 1
        right = hmac.compare_digest(
            _digest(context, row.id, "".join(code.split())), row.code_digest or ""
        )
        if right:
            for earlier in active_contacts(db, patient_id):
                if earlier.channel == channel:
                    end(earlier, "replaced", now)
            row.verified_at = row.next_look_at = now
    if not right:  # the try itself is kept
        raise ContactRefused("wrong_code")
    return row


def subscribe_browser(
    context: Context, tenant_id: str, patient_id: int, endpoint: str, keys: dict[str, Any]
) -> None:
    """Turns push on for this browser; the same subscription given again is one."""
    now = context.now()
    with context.database.begin(tenant_id) as db:
        known = select(ContactRow).where(
            ContactRow.channel == "push",
            ContactRow.address == endpoint,
            ContactRow.ended_at.is_(None),
        )
        for row in db.scalars(known):
            if (row.patient_id, row.keys) == (patient_id, keys):
                return
            end(row, "replaced", now)  # another patient signed in at this browser
        db.add(
            ContactRow(
                patient_id=patient_id,
                channel="push",
                address=endpoint,
                keys=keys,
                created_at=now,
                verified_at=now,
                next_look_at=now,
            )
        )


def end(contact: ContactRow, why: Ending, now: datetime) -> None:
    """Nothing is sent to it any more; ended once, it keeps the first reason."""
    if contact.ended_at is None:
        contact.ended_at, contact.ended_why = now, why


def look_soon(db: Session, patient_id: int, now: datetime) -> None:
    """Something has happened that the patient may be reminded of."""
    for contact in active_contacts(db, patient_id):
        contact.next_look_at = now


def _digest(context: Context, contact_id: int, code: str) -> str:
    key = context.keys.secret_key.encode()
    return hmac.new(key, f"{contact_id}:{code}".encode(), hashlib.sha256).hexdigest()
