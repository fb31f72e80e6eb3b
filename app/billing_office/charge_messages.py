"""Charges to the EHR's own billing: each DFT^P03 stored first, then sent until it is answered.

The message and its control id (MSH-10) never change. What is lost between sending and recording
is sent again, and the receiver knows it by its control id: nothing is lost, nothing charged twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.billing_office.claim_events import record_event, settle
from app.billing_office.export import send_month
from app.context import Context
from app.hl7.mllp import Acknowledgment, MllpFailed
from app.hl7.resend import send_until_answered
from app.jobs.backoff import next_attempt
from app.jobs.lease import is_free
from app.store import ChargeMessageRow, ClaimExportRow, Tenant
from billing.claim_events import charge_answer_event

log = structlog.get_logger(__name__)

# Longer than any message may take with all its attempts; a sender that dies frees its message so.
_LEASE = timedelta(minutes=5)
_FIRST_DELAY_S, _MOST_DELAY_S = 60.0, 3600.0
# A receiver that leaves this many in a row unanswered is away; one message may be at fault alone.
_AWAY_AFTER = 2


class NoInterface(ValueError):
    """The health system has no interface engine for charges; the message says what to set."""


@dataclass(frozen=True)
class Interface:
    """Where a health system takes charges over MLLP, from `practice["dft"]`."""

    host: str
    port: int
    timeout_s: float


@dataclass(frozen=True)
class Queued:
    """What of a month became messages: how many claims, their sum, what stayed back and why."""

    claim_count: int
    total: Decimal
    held: tuple[str, ...]
    warned: tuple[str, ...]


@dataclass(frozen=True)
class Delivered:
    """How one run of sending went. `refused` has each refused claim with the receiver's words.

    `unanswered` counts messages that stay to be sent again, `elsewhere` those that another
    process is sending; `failure` is the last reason why no answer came.
    """

    accepted: int
    refused: tuple[str, ...]
    unanswered: int
    elsewhere: int
    failure: str | None


def interface_of(practice: dict[str, Any]) -> Interface:
    """Raises NoInterface without a host and a port."""
    setting = practice.get("dft") or {}
    host, port = setting.get("host"), setting.get("port")
    if not host or not isinstance(port, int) or not 0 < port < 65536:
        raise NoInterface(
            "the health system's record has no dft setting with the host and port of its interface "
            "engine"
        )
    return Interface(str(host), port, float(setting.get("timeout_s", 10.0)))


def queue_charges(context: Context, tenant_id: str, month: str) -> Queued:
    """Makes the month's new claims into messages, in one transaction with the charges they take.

    Raises:
        NoInterface: there is nowhere to send them.
        ExportRefused: bad month or entity.
    """
    with context.database.begin(tenant_id) as db:
        tenant = db.get_one(Tenant, tenant_id)
        interface_of(tenant.practice)
        done = send_month(context, db, tenant, month, "dft")
        for file in done.files:
            content = file.data.decode()
            _keep_messages(db, file.control_number, content, file.claim_ids, context.now())
        return Queued(done.claim_count, done.total, done.held, done.warned)


def deliver_charges(
    context: Context, tenant_id: str, *, sleep: Callable[[float], None] = time.sleep
) -> Delivered:
    """Sends every message that has no answer yet, oldest first, each with its first control id.

    Raises:
        NoInterface: there is nowhere to send them.
    """
    with context.database.begin(None) as db:
        interface = interface_of(db.get_one(Tenant, tenant_id).practice)
    accepted, refused, failure, in_a_row = 0, [], None, 0
    seen = 0
    while in_a_row < _AWAY_AFTER:
        message = _lease_next(context, tenant_id, after=seen)
        if message is None:
            break
        seen = message.id
        try:
            answer = _send(context, tenant_id, interface, message, sleep)
        except MllpFailed as error:
            failure, in_a_row = str(error), in_a_row + 1
            continue
        except ValueError as error:
            failure = f"{message.claim_id} can't be sent: {error}"
            _note_unanswered(context, tenant_id, message, failure)
            continue
        in_a_row = 0
        if answer.accepted:
            accepted += 1
        else:
            refused.append(f"{message.claim_id}: {answer.code} {answer.text}".rstrip())
    waiting, leased = _left(context, tenant_id)
    return Delivered(accepted, tuple(refused), waiting - leased, leased, failure)


def messages_due(db: Session, now: datetime) -> bool:
    """Whether a message of the session's tenant waits whose next attempt has come."""
    query = select(ChargeMessageRow.id).where(
        ChargeMessageRow.status == "waiting",
        ChargeMessageRow.next_attempt_at <= now,
        is_free(ChargeMessageRow.leased_until, now),
    )
    return db.scalar(query.limit(1)) is not None


def waiting_messages(db: Session) -> int:
    """How many charge messages have no answer yet."""
    query = select(func.count(ChargeMessageRow.id)).where(ChargeMessageRow.status == "waiting")
    return db.scalar(query) or 0


def _keep_messages(
    db: Session, control_number: int, content: str, claim_ids: tuple[str, ...], now: datetime
) -> None:
    export_id = db.scalars(
        select(ClaimExportRow.id).where(ClaimExportRow.control_number == control_number)
    ).one()
    # Segments end with CR, so that LF parts the messages of a file.
    for claim_id, message in zip(claim_ids, content.split("\n"), strict=True):
        db.add(
            ChargeMessageRow(
                export_id=export_id,
                claim_id=claim_id,
                control_id=claim_id,
                content=message,
                created_at=now,
                next_attempt_at=now,
            )
        )
    db.flush()


def _lease_next(context: Context, tenant_id: str, *, after: int) -> ChargeMessageRow | None:
    """The oldest waiting message behind `after` that nobody is sending, leased and counted as an
    attempt before anything is sent."""
    now = context.now()
    with context.database.begin(tenant_id) as db:
        message = db.scalar(
            select(ChargeMessageRow)
            .where(
                ChargeMessageRow.id > after,
                ChargeMessageRow.status == "waiting",
                is_free(ChargeMessageRow.leased_until, now),
            )
            .order_by(ChargeMessageRow.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if message is not None:
            message.leased_until, message.attempts = now + _LEASE, message.attempts + 1
        return message


def _send(
    context: Context,
    tenant_id: str,
    interface: Interface,
    message: ChargeMessageRow,
    sleep: Callable[[float], None],
) -> Acknowledgment:
    """Raises MllpFailed without an answer; the message waits for its next attempt then.

    Raises ValueError for a message that no receiver could answer.
    """
    try:
        answer = send_until_answered(
            interface.host,
            interface.port,
            message.content,
            timeout_s=interface.timeout_s,
            sleep=sleep,
        )
    except MllpFailed as error:
        _note_unanswered(context, tenant_id, message, str(error))
        raise
    with context.database.begin(tenant_id) as db:
        _record_answer(context, db, tenant_id, message.id, answer)
    return answer


def _note_unanswered(context: Context, tenant_id: str, message: ChargeMessageRow, why: str) -> None:
    with context.database.begin(tenant_id) as db:
        row = db.get_one(ChargeMessageRow, message.id)
        row.leased_until, row.last_error = None, why[:500]
        row.next_attempt_at = next_attempt(
            context.now(), row.attempts, first_s=_FIRST_DELAY_S, most_s=_MOST_DELAY_S
        )
    log.warning("charges_unanswered", message=message.id, attempts=message.attempts)


def _record_answer(
    context: Context, db: Session, tenant_id: str, message_id: int, answer: Acknowledgment
) -> None:
    now = context.now()
    today = db.get_one(Tenant, tenant_id).local(now).date()
    row = db.get_one(ChargeMessageRow, message_id)
    row.leased_until, row.last_error, row.answered_at = None, None, now
    row.status = "accepted" if answer.accepted else "refused"
    event = charge_answer_event(
        row.claim_id,
        row.control_id,
        answer.code,
        answer.text,
        accepted=answer.accepted,
        on=today,
    )
    record_event(db, event, at=now, by="interface engine")
    settle(db, [row.claim_id], at=now, by="interface engine")


def _left(context: Context, tenant_id: str) -> tuple[int, int]:
    """How many messages still wait, and how many of them somebody is sending right now."""
    now = context.now()
    with context.database.begin(tenant_id) as db:
        leased = db.scalar(
            select(func.count(ChargeMessageRow.id)).where(
                ChargeMessageRow.status == "waiting", ChargeMessageRow.leased_until > now
            )
        )
        return waiting_messages(db), leased or 0
