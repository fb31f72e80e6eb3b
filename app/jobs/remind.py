"""Reminders: planned once for each address, kind and day, and sent if they are still due."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.context import Context
from app.jobs.backoff import next_attempt
from app.reminding.channels import MISSING, gateways
from app.reminding.contacts import end
from app.reminding.gateway import Address, Gateways, NotSent
from app.reminding.wishes import read_situation, read_wishes
from app.reminding.wording import notice_of
from app.store import ALL_TENANTS, ContactRow, PatientRow, ReminderRow
from rtm.reminders import CHANNELS, Channel, Planned, Reminder, Standing, due, kind_of, standing

log = structlog.get_logger(__name__)

# How often it is seen whether something is due, and how soon what must wait is tried again.
_LOOK_EVERY = timedelta(minutes=5)
# Longer than any gateway takes.
_LEASE = timedelta(minutes=5)
_MOST_ATTEMPTS = 6
_AT_ONCE = 200
# How far back planned reminders matter: an unopened message is told of once.
_REMEMBERED = timedelta(days=60)


def tenants_to_remind(db: Session, context: Context) -> set[str]:
    """Whose addresses are to be looked at, or whose reminders are to be sent."""
    now = context.now()
    looks = select(ContactRow.tenant_id).where(
        ContactRow.verified_at.is_not(None),
        ContactRow.ended_at.is_(None),
        ContactRow.next_look_at <= now,
    )
    waiting = select(ReminderRow.tenant_id).where(
        ReminderRow.status == "pending", ReminderRow.next_attempt_at <= now
    )
    return {
        tenant_id
        for statement in (looks, waiting)
        for tenant_id in db.scalars(statement.distinct(), execution_options={ALL_TENANTS: True})
    }


def remind_tenant(context: Context, tenant_id: str) -> None:
    """Plans what is due to this health system's patients and sends it. Several may run at once."""
    while _plan(context, tenant_id):
        pass
    usable = gateways(context)
    while (reminder := _lease_next(context, tenant_id)) is not None:
        _send(context, tenant_id, reminder, usable)


def _plan(context: Context, tenant_id: str) -> bool:
    """Looks at some of the addresses whose time has come; whether there may be more."""
    now = context.now()
    with context.database.begin(tenant_id) as db:
        contacts = db.scalars(
            select(ContactRow)
            .where(
                ContactRow.verified_at.is_not(None),
                ContactRow.ended_at.is_(None),
                ContactRow.next_look_at <= now,
            )
            .order_by(ContactRow.next_look_at)
            .limit(_AT_ONCE)
            .with_for_update(skip_locked=True)
        ).all()
        for contact in contacts:
            contact.next_look_at = now + _LOOK_EVERY
            patient = db.get_one(PatientRow, contact.patient_id)
            for reminder in due(
                read_wishes(db, patient),
                read_situation(db, context, patient),
                _planned(db, context, contact),
                now,
            ):
                db.add(
                    ReminderRow(
                        patient_id=patient.id,
                        contact_id=contact.id,
                        kind=reminder.kind,
                        day=reminder.day,
                        created_at=now,
                        next_attempt_at=now,
                    )
                )
    return len(contacts) == _AT_ONCE


def _planned(db: Session, context: Context, contact: ContactRow) -> list[Planned]:
    rows = db.scalars(
        select(ReminderRow).where(
            ReminderRow.contact_id == contact.id,
            ReminderRow.created_at > context.now() - _REMEMBERED,
        )
    )
    return [
        Planned(_reminder(row), row.created_at if row.status in ("pending", "sent") else None)
        for row in rows
    ]


def _reminder(row: ReminderRow) -> Reminder:
    return Reminder(kind_of(row.kind), row.day)


def _lease_next(context: Context, tenant_id: str) -> ReminderRow | None:
    now = context.now()
    with context.database.begin(tenant_id) as db:
        row = db.scalar(
            select(ReminderRow)
            .where(
                ReminderRow.status == "pending",
                ReminderRow.next_attempt_at <= now,
                or_(ReminderRow.leased_until.is_(None), ReminderRow.leased_until <= now),
            )
            .order_by(ReminderRow.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if row is not None:
            # A lease that ran out is of a worker that died: perhaps after it had sent.
            unsure = row.leased_until is not None
            row.leased_until, row.attempts = now + _LEASE, row.attempts + 1
            row.last_error = _UNSURE if unsure else None
        return row


_UNSURE = "a worker ended while it sent; it may have been sent"


def _send(context: Context, tenant_id: str, row: ReminderRow, usable: Gateways) -> None:
    now = context.now()
    with context.database.begin(tenant_id) as db:
        contact = db.get_one(ContactRow, row.contact_id)
        patient = db.get_one(PatientRow, row.patient_id)
        wishes = read_wishes(db, patient)
        state = standing(_reminder(row), wishes, read_situation(db, context, patient), now)
    if contact.ended_at is not None or state is Standing.NEVER:
        _conclude(context, tenant_id, row, "dropped")
        return
    if state is Standing.LATER:
        _conclude(context, tenant_id, row, "pending", wait=_LOOK_EVERY)
        return
    channel = _channel(contact)
    gateway = usable.get(channel)
    if gateway is None:
        _conclude(context, tenant_id, row, "failed", error=MISSING[channel])
        return
    if row.last_error == _UNSURE and not gateway.resends:
        _conclude(context, tenant_id, row, "failed", error=_UNSURE)
        return
    notice = notice_of(context, row, contact, wishes.language)
    try:
        gateway.send(Address(contact.address, contact.keys), notice)
    except NotSent as error:
        over = error.final or row.attempts >= _MOST_ATTEMPTS
        _conclude(context, tenant_id, row, "failed" if over else "pending", error=str(error))
        if error.gone:
            with context.database.begin(tenant_id) as db:
                end(db.get_one(ContactRow, contact.id), "gone", now)
        return
    _conclude(context, tenant_id, row, "sent")


def _channel(contact: ContactRow) -> Channel:
    return next(channel for channel in CHANNELS if channel == contact.channel)


def _conclude(
    context: Context,
    tenant_id: str,
    row: ReminderRow,
    status: str,
    *,
    error: str | None = None,
    wait: timedelta | None = None,
) -> None:
    now = context.now()
    with context.database.begin(tenant_id) as db:
        stored = db.get_one(ReminderRow, row.id)
        stored.status, stored.leased_until, stored.last_error = status, None, error
        if status == "sent":
            stored.sent_at = now
        elif wait is not None:
            stored.next_attempt_at, stored.attempts = now + wait, row.attempts - 1
        else:
            stored.next_attempt_at = next_attempt(now, row.attempts, first_s=30.0)
    say = log.warning if error else log.info
    say("reminder", reminder=row.id, kind=row.kind, status=status, attempts=row.attempts, why=error)
