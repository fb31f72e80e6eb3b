"""Telling subscribers of new results: each in order, at least once, with growing pauses."""

from __future__ import annotations

import json
from datetime import timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.api.authorization import facade_base
from app.api.holdings import Holdings
from app.api.subscriptions import hook_policy, read_criteria
from app.context import Context
from app.hook_client import HookFailed, HookRefused, call_hook
from app.jobs.backoff import next_attempt
from app.jobs.failures import our_error
from app.jobs.lease import is_held
from app.store import SubscriptionNoticeRow, SubscriptionRow, Tenant

log = structlog.get_logger(__name__)

# Longer than all calls of one notice may take.
_LEASE = timedelta(minutes=5)


def notify_due(context: Context, tenant_id: str, subscription_id: str) -> None:
    """Sends the subscription's notices in order, until one must wait or it ends."""
    while (notice := _lease_next(context, tenant_id, subscription_id)) is not None:
        if not _send(context, tenant_id, notice):
            return


def subscriptions_waiting(context: Context, tenant_id: str, patient_id: int) -> list[str]:
    """The subscriptions with pending notices about this patient."""
    with context.database.begin(tenant_id) as db:
        return list(
            db.scalars(
                select(SubscriptionNoticeRow.subscription_id)
                .where(
                    SubscriptionNoticeRow.patient_id == patient_id,
                    SubscriptionNoticeRow.status == "pending",
                )
                .distinct()
            )
        )


def _lease_next(
    context: Context, tenant_id: str, subscription_id: str
) -> SubscriptionNoticeRow | None:
    now = context.now()
    with context.database.begin(tenant_id) as db:
        subscription = db.get(SubscriptionRow, subscription_id, with_for_update=True)
        if subscription is None or subscription.status != "active":
            return None
        if subscription.ends_at <= now:
            subscription.status, subscription.updated_at = "off", now
            return None
        notice = db.scalar(
            select(SubscriptionNoticeRow)
            .where(
                SubscriptionNoticeRow.subscription_id == subscription_id,
                SubscriptionNoticeRow.status == "pending",
            )
            .order_by(SubscriptionNoticeRow.id)
            .limit(1)
        )
        if notice is None or notice.next_attempt_at > now:
            return None
        if is_held(notice.leased_until, now):
            return None
        notice.leased_until, notice.attempts = now + _LEASE, notice.attempts + 1
        return notice


def _send(context: Context, tenant_id: str, notice: SubscriptionNoticeRow) -> bool:
    """Whether the subscription's next notice may be sent."""
    try:
        return _told(context, tenant_id, notice)
    except OperationalError:
        raise  # the database, not the notice: it is tried again
    except Exception as error:
        # It would come back before every other notice of the subscription.
        _note_failure(context, tenant_id, notice, our_error(error), over=False)
        return False


def _told(context: Context, tenant_id: str, notice: SubscriptionNoticeRow) -> bool:
    base = facade_base(context, tenant_id)
    with context.database.begin(tenant_id) as db:
        subscription = db.get_one(SubscriptionRow, notice.subscription_id)
        criteria = read_criteria(subscription.criteria, base)
        holdings = Holdings(db, db.get_one(Tenant, tenant_id))
        resources = [
            resource
            for resource in holdings.results(notice.kind, notice.subject)
            if all(each.meets(resource, base) for each in criteria)
        ]
    headers = dict(context.vault.open(subscription.headers_sealed)["headers"])
    bodies = [b""] if resources else []
    if subscription.payload is not None:
        headers["Content-Type"] = subscription.payload
        bodies = [json.dumps(resource).encode() for resource in resources]
    try:
        for number, body in enumerate(bodies):
            if number >= notice.sent:
                call_hook(hook_policy(context), subscription.endpoint, headers, body)
                notice.sent = number + 1
    except (HookFailed, HookRefused) as error:
        gone = isinstance(error, HookFailed) and error.gone
        over = gone or isinstance(error, HookRefused)
        _note_failure(context, tenant_id, notice, str(error), over=over, gone=gone)
        return False
    with context.database.begin(tenant_id) as db:
        stored = db.get(SubscriptionNoticeRow, notice.id)
        if stored is not None:  # the client may have unsubscribed meanwhile
            stored.status = "delivered" if bodies else "unmatched"
            stored.sent, stored.leased_until, stored.last_error = notice.sent, None, None
    log.info("notified", notice=notice.id, sent=notice.sent, attempts=notice.attempts)
    return True


def _note_failure(
    context: Context,
    tenant_id: str,
    notice: SubscriptionNoticeRow,
    why: str,
    *,
    over: bool,
    gone: bool = False,
) -> None:
    """Schedules the next attempt; after too many, the subscription is in error and stays silent."""
    now = context.now()
    over = over or notice.attempts >= context.settings.outbox_max_attempts
    with context.database.begin(tenant_id) as db:
        stored = db.get(SubscriptionNoticeRow, notice.id)
        if stored is None:
            return
        stored.sent, stored.leased_until, stored.last_error = notice.sent, None, why
        stored.next_attempt_at = next_attempt(now, notice.attempts)
        if over:
            stored.status = "failed"
            subscription = db.get_one(SubscriptionRow, notice.subscription_id)
            subscription.status = "off" if gone else "error"
            subscription.error, subscription.updated_at = why, now
    log.warning(
        "notification_failed",
        notice=notice.id,
        attempts=notice.attempts,
        over=over,
        why=why,
    )
