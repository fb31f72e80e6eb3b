"""Background work: Celery tasks that name stored rows, so that losing the queue loses nothing.

Every task is found again by `sweep` from the database; the broker only makes it prompt.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import structlog
from celery import Celery
from flask import current_app
from kombu.exceptions import OperationalError as BrokerUnreachable
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.api.bulk import UNDER_WAY
from app.context import Context
from app.hl7.outbound import send_due
from app.hl7.process import erase_due, process_waiting
from app.jobs.bulk_export import make_export, remove_expired
from app.jobs.deliver import deliver_due
from app.jobs.failures import is_let, isolated, our_error
from app.jobs.hl7 import destinations_to_send, tenants_to_process
from app.jobs.lease import is_free
from app.jobs.measure_range import measure_range_test
from app.jobs.notify import notify_due, subscriptions_waiting
from app.jobs.remind import remind_tenant, tenants_to_remind
from app.jobs.score import score_session
from app.jobs.send_charges import charges_due, send_charges
from app.jobs.tally import needs_tally, tally_tenant
from app.jobs.watch import WATCH, needs_watch, watch_tenant
from app.store import (
    ALL_TENANTS,
    BulkExportRow,
    OutboxRow,
    RangeTestRow,
    SessionRow,
    SubscriptionNoticeRow,
    SubscriptionRow,
    Tenant,
)

log = structlog.get_logger(__name__)

DELIVER, SCORE, SWEEP = "homestretch.deliver", "homestretch.score", "homestretch.sweep"
TALLY = "homestretch.tally"
SEND_CHARGES = "homestretch.send_charges"
MEASURE_RANGE = "homestretch.measure_range"
REMIND = "homestretch.remind"
EXPORT, NOTIFY = "homestretch.export", "homestretch.notify"
HL7_PROCESS, HL7_SEND = "homestretch.hl7_process", "homestretch.hl7_send"

# A recording still unmeasured after this long has lost its task (a restart, a dead worker).
SCORE_LOST_AFTER = timedelta(minutes=10)


def current_jobs() -> JobQueue:
    """The running application's queue."""
    jobs: JobQueue = current_app.extensions["homestretch_jobs"]
    return jobs


class JobQueue:
    """Enqueues after commit; a broker that is down delays work and fails nothing."""

    def __init__(self, celery: Celery) -> None:
        self.celery = celery

    def deliver(self, tenant_id: str, patient_id: int) -> None:
        """What waits about this patient: messages to the EHR, and notices to subscribers."""
        self._send(DELIVER, tenant_id, patient_id)
        self._send(NOTIFY, tenant_id, patient_id)

    def export(self, tenant_id: str, export_id: str) -> None:
        self._send(EXPORT, tenant_id, export_id)

    def score(self, tenant_id: str, session_id: str) -> None:
        self._send(SCORE, tenant_id, session_id)

    def tally(self, tenant_id: str) -> None:
        self._send(TALLY, tenant_id)

    def watch(self, tenant_id: str) -> None:
        self._send(WATCH, tenant_id)

    def send_charges(self, tenant_id: str) -> None:
        self._send(SEND_CHARGES, tenant_id)

    def measure_range(self, tenant_id: str, test_id: str) -> None:
        self._send(MEASURE_RANGE, tenant_id, test_id)

    def remind(self, tenant_id: str) -> None:
        self._send(REMIND, tenant_id)

    def process_hl7(self, tenant_id: str) -> None:
        self._send(HL7_PROCESS, tenant_id)

    def send_hl7(self, tenant_id: str, destination: str) -> None:
        self._send(HL7_SEND, tenant_id, destination)

    def _send(self, name: str, *arguments: object) -> None:
        try:
            self.celery.send_task(name, args=arguments, retry=False)
        except BrokerUnreachable as error:
            log.warning("broker_unreachable", task=name, error=type(error).__name__)


def make_celery(context: Context) -> Celery:
    """The Celery application of this deployment, its tasks bound to `context`."""
    settings = context.settings
    celery = Celery("homestretch", broker=settings.broker_url, set_as_current=False)
    # The in-memory broker is one for the whole process: each service has its own queue in it.
    own_queue = f"{settings.queue}-{uuid4()}" if settings.is_embedded else settings.queue
    celery.conf.update(
        task_default_queue=own_queue,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=5,
        timezone="UTC",
        beat_schedule={SWEEP: {"task": SWEEP, "schedule": settings.outbox_sweep_s}},
        # The beat's own memory is only when it last swept: losing it costs one extra sweep.
        beat_schedule_filename=str(settings.data_dir / "beat-schedule"),
    )
    queue = JobQueue(celery)

    @celery.task(name=DELIVER, shared=False)  # type: ignore[untyped-decorator]  # celery has no types
    def _deliver(tenant_id: str, patient_id: int) -> None:
        deliver_due(context, tenant_id, patient_id)

    @celery.task(name=SCORE, shared=False)  # type: ignore[untyped-decorator]  # celery has no types
    def _score(tenant_id: str, session_id: str) -> None:
        patient_id = isolated(
            context,
            SCORE,
            tenant_id,
            session_id,
            lambda: score_session(context, tenant_id, session_id),
        )
        if patient_id is not None:
            queue.deliver(tenant_id, patient_id)

    @celery.task(name=TALLY, shared=False)  # type: ignore[untyped-decorator]  # celery has no types
    def _tally(tenant_id: str) -> None:
        tally_tenant(context, tenant_id)

    @celery.task(name=WATCH, shared=False)  # type: ignore[untyped-decorator]  # celery has no types
    def _watch(tenant_id: str) -> None:
        watch_tenant(context, tenant_id)

    @celery.task(name=SEND_CHARGES, shared=False)  # type: ignore[untyped-decorator]  # celery has no types
    def _send_charges(tenant_id: str) -> None:
        isolated(context, SEND_CHARGES, tenant_id, "all", lambda: send_charges(context, tenant_id))

    @celery.task(name=MEASURE_RANGE, shared=False)  # type: ignore[untyped-decorator]  # celery has no types
    def _measure_range(tenant_id: str, test_id: str) -> None:
        patient_id = isolated(
            context,
            MEASURE_RANGE,
            tenant_id,
            test_id,
            lambda: measure_range_test(context, tenant_id, test_id),
        )
        if patient_id is not None:
            queue.deliver(tenant_id, patient_id)

    @celery.task(name=NOTIFY, shared=False)  # type: ignore[untyped-decorator]  # celery has no types
    def _notify(tenant_id: str, patient_id: int) -> None:
        for subscription_id in subscriptions_waiting(context, tenant_id, patient_id):
            notify_due(context, tenant_id, subscription_id)

    @celery.task(name=REMIND, shared=False)  # type: ignore[untyped-decorator]  # celery has no types
    def _remind(tenant_id: str) -> None:
        remind_tenant(context, tenant_id)

    @celery.task(name=EXPORT, shared=False)  # type: ignore[untyped-decorator]  # celery has no types
    def _export(tenant_id: str, export_id: str) -> None:
        make_export(context, tenant_id, export_id)

    @celery.task(name=HL7_PROCESS, shared=False)  # type: ignore[untyped-decorator]  # celery has no types
    def _process_hl7(tenant_id: str) -> None:
        process_waiting(context, tenant_id)

    @celery.task(name=HL7_SEND, shared=False)  # type: ignore[untyped-decorator]  # celery has no types
    def _send_hl7(tenant_id: str, destination: str) -> None:
        send_due(context, tenant_id, destination)

    @celery.task(name=SWEEP, shared=False)  # type: ignore[untyped-decorator]  # celery has no types
    def _sweep() -> None:
        sweep(context, queue)

    return celery


def sweep(context: Context, queue: JobQueue) -> None:
    """Enqueues whatever is due: messages to the EHR, notices, unmeasured recordings, months to
    tally, patients to watch, charges, exports, reminders, HL7 v2 messages both ways.

    Exports whose time is over are removed at once.
    """
    now = context.now()
    with context.database.begin(None) as db:
        everywhere = {ALL_TENANTS: True}
        messages = db.execute(
            select(OutboxRow.tenant_id, OutboxRow.patient_id)
            .where(OutboxRow.status == "pending", OutboxRow.next_attempt_at <= now)
            .distinct(),
            execution_options=everywhere,
        ).all()
        notices = db.execute(
            select(SubscriptionNoticeRow.tenant_id, SubscriptionNoticeRow.patient_id)
            .join(SubscriptionRow, SubscriptionNoticeRow.subscription_id == SubscriptionRow.id)
            .where(
                SubscriptionRow.status == "active",
                SubscriptionNoticeRow.status == "pending",
                SubscriptionNoticeRow.next_attempt_at <= now,
            )
            .distinct(),
            execution_options=everywhere,
        ).all()
        exports = db.execute(
            select(BulkExportRow.tenant_id, BulkExportRow.id).where(
                BulkExportRow.status.in_(UNDER_WAY),
                is_free(BulkExportRow.leased_until, now),
            ),
            execution_options=everywhere,
        ).all()
        sessions = db.execute(
            select(SessionRow.tenant_id, SessionRow.id).where(
                SessionRow.status == "received",
                SessionRow.received_at <= now - SCORE_LOST_AFTER,
                is_let(SCORE, SessionRow.id, now),
            ),
            execution_options=everywhere,
        ).all()
        tenants = db.scalars(select(Tenant)).all()
        tests = db.execute(
            select(RangeTestRow.tenant_id, RangeTestRow.id).where(
                RangeTestRow.status == "received",
                RangeTestRow.received_at <= now - SCORE_LOST_AFTER,
                is_let(MEASURE_RANGE, RangeTestRow.id, now),
            ),
            execution_options=everywhere,
        ).all()
        received_by = tenants_to_process(db)
        destinations = destinations_to_send(db, now)
        reminded = tenants_to_remind(db, context)
    erase_due(context)
    for tenant_id in reminded:
        queue.remind(tenant_id)
    for tenant_id in received_by:
        queue.process_hl7(tenant_id)
    for tenant_id, destination in destinations:
        queue.send_hl7(tenant_id, destination)
    for tenant_id, patient_id in {(row[0], row[1]) for row in (*messages, *notices)}:
        queue.deliver(tenant_id, patient_id)
    for tenant_id, export_id in exports:
        queue.export(tenant_id, export_id)
    for tenant_id, session_id in sessions:
        queue.score(tenant_id, session_id)
    for tenant in tenants:
        if _is_due(context, tenant, needs_tally):
            queue.tally(tenant.id)
        if _is_due(context, tenant, needs_watch):
            queue.watch(tenant.id)
        if _is_due(context, tenant, charges_due):
            queue.send_charges(tenant.id)
    for tenant_id, test_id in tests:
        queue.measure_range(tenant_id, test_id)
    remove_expired(context)


def _is_due(context: Context, tenant: Tenant, check: Callable[[Context, Tenant], bool]) -> bool:
    """What is wrong with one health system's record keeps no other's work back."""
    try:
        return check(context, tenant)
    except OperationalError:
        raise
    except Exception as error:
        log.error("sweep_failed", tenant=tenant.id, check=check.__name__, why=our_error(error))
        return False
