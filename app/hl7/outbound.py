"""The outbound queue: messages stored with their final text, sent until their receiver answers."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import structlog
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from app.context import Context
from app.hl7.framing import framed
from app.hl7.mllp import Acknowledgment, MllpFailed, MllpUnreachable, send
from app.hl7.settings import Destination, InvalidHl7Settings, OutboundType, hl7_settings
from app.hl7.tls import TlsFilesUnusable, client_tls
from app.jobs.backoff import next_attempt
from app.jobs.failures import our_error
from app.jobs.lease import is_free, is_held
from app.store import Hl7OutboundRow, Tenant

log = structlog.get_logger(__name__)

# Longer than a message may take to its answer; a worker that dies holding one frees it so.
_LEASE = timedelta(minutes=5)
_FIRST_DELAY_S, _MOST_DELAY_S = 5.0, 900.0

UNANSWERED = ("waiting", "sent")


class NoDestination(LookupError):
    """The health system has named no receiver for this type of message."""


@dataclass(frozen=True)
class Outgoing:
    """What a writer needs besides its subject: the receiver, and the MSH-10 to write."""

    destination: Destination
    control_id: str
    now: datetime


def queue_message(
    db: Session,
    tenant: Tenant,
    message_type: OutboundType,
    *,
    subject: str,
    patient_id: int | None,
    write: Callable[[Outgoing], str],
    now: datetime,
) -> Hl7OutboundRow:
    """Stores the message that `write` makes, in the caller's transaction, which sends it or not.

    `subject` names what is told (e.g. `session:ID`); told once to a destination, the message
    stored then is returned, and nothing is written.

    Raises:
        NoDestination: nobody takes this type of message.
        InvalidHl7Settings: the tenant's settings are damaged.
        ValueError: as `write` does, or the message can't be framed.
    """
    destination = hl7_settings(tenant).destination_for(message_type)
    if destination is None:
        raise NoDestination(f"{tenant.id} has no destination for {message_type}")
    told = db.scalar(
        select(Hl7OutboundRow).where(
            Hl7OutboundRow.destination == destination.name, Hl7OutboundRow.subject == subject
        )
    )
    if told is not None:
        return told
    control_id = uuid4().hex[:20]
    content = write(Outgoing(destination, control_id, now))
    framed(content.encode())
    row = Hl7OutboundRow(
        destination=destination.name,
        message_type=message_type,
        subject=subject,
        patient_id=patient_id,
        control_id=control_id,
        content=content,
        created_at=now,
        next_attempt_at=now,
    )
    db.add(row)
    db.flush()
    return row


def send_due(context: Context, tenant_id: str, destination_name: str) -> None:
    """Sends what is due to one destination, until one must wait."""
    while (message := _lease_next(context, tenant_id, destination_name)) is not None:
        if not _attempt(context, tenant_id, message):
            return


def _destination(db: Session, tenant_id: str, name: str) -> Destination | None:
    """None where the settings name it no more, or are damaged: its messages wait until they do."""
    try:
        destinations = hl7_settings(db.get_one(Tenant, tenant_id)).destinations
    except InvalidHl7Settings as error:
        log.error("hl7_settings_damaged", tenant=tenant_id, why=str(error))
        return None
    return next((found for found in destinations if found.name == name), None)


def _lease_next(context: Context, tenant_id: str, name: str) -> Hl7OutboundRow | None:
    """The destination's next message, leased; None if there is none or it must wait.

    The row is locked while it is leased, so no two workers send one message at a time. Where the
    receiver needs order, only the oldest message without an answer may go.
    """
    now = context.now()
    with context.database.begin(tenant_id) as db:
        destination = _destination(db, tenant_id, name)
        if destination is None:
            return None
        query = _unanswered(name).order_by(Hl7OutboundRow.id).limit(1)
        if destination.in_order:
            query = query.with_for_update()
        else:
            query = query.where(*_may_go(now)).with_for_update(skip_locked=True)
        row = db.scalar(query)
        if row is None or row.next_attempt_at > now or is_held(row.leased_until, now):
            return None
        row.leased_until, row.attempts = now + _LEASE, row.attempts + 1
        return row


def _unanswered(destination_name: str) -> Select[Hl7OutboundRow]:
    return select(Hl7OutboundRow).where(
        Hl7OutboundRow.destination == destination_name, Hl7OutboundRow.state.in_(UNANSWERED)
    )


def _may_go(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Hl7OutboundRow.next_attempt_at <= now,
        is_free(Hl7OutboundRow.leased_until, now),
    )


def _attempt(context: Context, tenant_id: str, message: Hl7OutboundRow) -> bool:
    """Whether the destination's next message may go."""
    with context.database.begin(tenant_id) as db:
        destination = _destination(db, tenant_id, message.destination)
    if destination is None:
        return False  # taken out of the settings since the lease, which runs out by itself
    try:
        answer = send(
            destination.host,
            destination.port,
            message.content,
            destination.timeout_s,
            _tls(destination),
        )
    except (MllpFailed, TlsFilesUnusable) as error:
        return _note_unanswered(context, tenant_id, message, error)
    except Exception as error:
        # It would come back before every other message: the destination's queue would stand.
        _note_unsendable(context, tenant_id, message, error)
        return True
    _note_answer(context, tenant_id, message, answer)
    return True


def _tls(destination: Destination) -> ssl.SSLContext | None:
    if not destination.tls:
        return None
    ca, certificate, key = (
        None if name is None else Path(name)
        for name in (destination.ca_file, destination.certificate_file, destination.key_file)
    )
    return client_tls(ca, certificate, key)


def _note_answer(
    context: Context, tenant_id: str, message: Hl7OutboundRow, answer: Acknowledgment
) -> None:
    now = context.now()
    with context.database.begin(tenant_id) as db:
        row = db.get_one(Hl7OutboundRow, message.id, with_for_update=True)
        row.state = "acknowledged" if answer.accepted else "refused"
        row.ack_code, row.ack_text = answer.code, answer.text[:500]
        row.sent_at, row.answered_at = now, now
        row.leased_until, row.last_error = None, None
    log.info("hl7_answered", message=message.id, tenant=tenant_id, code=answer.code)


def _note_unsendable(
    context: Context, tenant_id: str, message: Hl7OutboundRow, error: Exception
) -> None:
    with context.database.begin(tenant_id) as db:
        row = db.get_one(Hl7OutboundRow, message.id, with_for_update=True)
        row.state, row.leased_until, row.last_error = "failed", None, our_error(error)
    log.error("hl7_unsendable", message=message.id, tenant=tenant_id, why=our_error(error))


def _note_unanswered(
    context: Context, tenant_id: str, message: Hl7OutboundRow, error: Exception
) -> bool:
    """Sets the next attempt, or the message aside after too many; then the next may go.

    It is not known whether the message arrived: it goes again as it is, and its MSH-10 tells.
    A receiver that can't be reached is no fault of the message, which waits as long as that lasts.
    """
    never_left = isinstance(error, MllpUnreachable | TlsFilesUnusable)
    gives_up = not never_left and message.attempts >= context.settings.outbox_max_attempts
    with context.database.begin(tenant_id) as db:
        row = db.get_one(Hl7OutboundRow, message.id, with_for_update=True)
        if not never_left:
            row.state, row.sent_at = "failed" if gives_up else "sent", context.now()
        row.leased_until = None
        row.last_error = str(error)[:500]
        row.next_attempt_at = next_attempt(
            context.now(), message.attempts, first_s=_FIRST_DELAY_S, most_s=_MOST_DELAY_S
        )
    log.warning(
        "hl7_unanswered",
        message=message.id,
        tenant=tenant_id,
        attempts=message.attempts,
        gives_up=gives_up,
        why=str(error)[:200],
    )
    return gives_up
