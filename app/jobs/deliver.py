"""Delivering the outbox: in order for each patient, at least once, with one effect."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.context import Context
from app.ehr import backend_client, capabilities_of
from app.jobs.backoff import next_attempt
from app.jobs.bundles import build_bundle
from app.jobs.by_hl7 import hand_on, types_taken
from app.jobs.document import build_document
from app.jobs.failures import our_error
from app.jobs.lease import is_free, is_held
from app.store import (
    OutboxRow,
    ProgramRow,
    Tenant,
    from_document,
    previous_program,
)
from app.write_back import WAYS, NoWay, choose
from fhir.bundle import Resource, locations
from fhir.capability import Capabilities
from fhir.careplan import read_program
from fhir.client import Conflict, FhirClient, FhirError, Forbidden, NotSupported
from fhir.meaning import Unreadable
from fhir.merge import merged_bundle
from fhir.one_by_one import found_or_made, send_one_by_one
from rtm.program import Program
from smart_launch.errors import LaunchRefused

log = structlog.get_logger(__name__)

# Longer than any delivery may take; a worker that dies holding a message frees it so.
_LEASE = timedelta(minutes=5)
_MOST_ASKED = timedelta(days=1)

# How often a program is laid onto what the EHR holds before a person must look.
_LOOKS = 3


class ReadBackDiffers(Exception):
    """The EHR took the program but gives another back; a person must look."""


def deliver_due(context: Context, tenant_id: str, patient_id: int) -> None:
    """Delivers this patient's messages in order, until one must wait."""
    _set_aside_what_kills_workers(context, tenant_id, patient_id)
    while (message := _lease_next(context, tenant_id, patient_id)) is not None:
        if not _attempt(context, tenant_id, message):
            return


def _set_aside_what_kills_workers(context: Context, tenant_id: str, patient_id: int) -> None:
    """A failure that is told ends otherwise: of these messages no attempt came back at all."""
    with context.database.begin(tenant_id) as db:
        db.execute(
            update(OutboxRow)
            .where(
                OutboxRow.patient_id == patient_id,
                OutboxRow.status == "pending",
                OutboxRow.attempts >= context.settings.outbox_max_attempts,
                is_free(OutboxRow.leased_until, context.now()),
            )
            .values(
                status="stuck",
                leased_until=None,
                last_error="the worker died each time that it was sent",
            )
            .execution_options(synchronize_session=False)
        )


def _lease_next(context: Context, tenant_id: str, patient_id: int) -> OutboxRow | None:
    """The patient's oldest pending message, leased; None if there is none or it must wait."""
    now = context.now()
    with context.database.begin(tenant_id) as db:
        row = db.scalar(
            select(OutboxRow)
            .where(OutboxRow.patient_id == patient_id, OutboxRow.status == "pending")
            .order_by(OutboxRow.id)
            .limit(1)
        )
        if row is None or row.next_attempt_at > now or is_held(row.leased_until, now):
            return None
        leased = db.execute(
            update(OutboxRow)
            .where(
                OutboxRow.id == row.id,
                OutboxRow.status == "pending",
                is_free(OutboxRow.leased_until, now),
            )
            .values(leased_until=now + _LEASE, attempts=OutboxRow.attempts + 1)
            .execution_options(synchronize_session=False)
        )
        assert isinstance(leased, CursorResult)
        if leased.rowcount != 1:
            return None
        db.refresh(row)
        return row


def _attempt(context: Context, tenant_id: str, message: OutboxRow) -> bool:
    """Whether the patient's next message may be tried."""
    try:
        with context.database.begin(tenant_id) as db:
            tenant = db.get_one(Tenant, tenant_id)
            stored = db.get_one(OutboxRow, message.id)
            if stored.bundle is None:
                stored.bundle = build_bundle(context, db, stored)
        client = backend_client(context, tenant)
        places = _sent(context, tenant, stored, client)
        _note_delivered(context, tenant_id, message, client, places)
    except (FhirError, LaunchRefused, ReadBackDiffers, Unreadable, NoWay) as error:
        return _note_failure(context, tenant_id, message, error, str(error))
    except OperationalError:
        raise  # the database, not the message: it is tried again
    except Exception as error:
        # A message that nobody foresaw must not hold up the patient's others.
        return _note_failure(context, tenant_id, message, error, our_error(error))
    log.info("delivered", message=message.id, kind=message.kind, attempts=message.attempts)
    return True


def _sent(
    context: Context, tenant: Tenant, message: OutboxRow, client: FhirClient
) -> tuple[str, ...]:
    """Where the EHR put what was sent. A way that it claims and then refuses gives place to the
    next; only of a transaction, and of a single resource, is it sure that nothing of it is there.

    Raises NoWay, FhirError.
    """
    assert message.bundle is not None, "built before"
    capabilities = capabilities_of(context, client)
    while True:
        _choose_way(context, tenant, message, capabilities)
        try:
            if message.way == "resources":
                return send_one_by_one(client, message.bundle, capabilities)
            if message.way == "transaction":
                with context.database.begin(tenant.id) as db:
                    before = _sent_before(db, message)
                return locations(_transacted(client, message.bundle, before))
        except (Forbidden, NotSupported):
            if message.way == "resources" and len(message.bundle["entry"]) > 1:
                raise
            with context.database.begin(tenant.id) as db:
                row = db.get_one(OutboxRow, message.id)
                row.ways_refused = [*row.ways_refused, message.way]
                row.way = row.way_why = None
            message = row
            continue
        if message.way == "hl7":
            return (hand_on(context, tenant.id, message),)
        with context.database.begin(tenant.id) as db:
            document = build_document(context, db, message)
        return (found_or_made(client, document, capabilities),)


def _choose_way(
    context: Context, tenant: Tenant, message: OutboxRow, capabilities: Capabilities
) -> None:
    """Settles `message.way`, once for all its attempts. Raises NoWay."""
    if message.way is not None:
        return
    try:
        taken, damage = types_taken(tenant), ""
    except NoWay as error:
        taken, damage = (), f"; {error}"
    choice = choose(
        message.kind,  # type: ignore[arg-type]  # written from a MessageKind
        capabilities,
        hl7=taken,
        allowed=tenant.practice.get("write_back", {}).get(message.kind, WAYS),
        refused=message.ways_refused,
    )
    with context.database.begin(tenant.id) as db:
        row = db.get_one(OutboxRow, message.id)
        message.way, message.way_why = row.way, row.way_why = choice.way, choice.why
    if choice.way is None:
        raise NoWay(choice.why + damage)


def _transacted(client: FhirClient, bundle: Resource, before: Resource | None) -> Resource:
    """The transaction's response. Where an earlier one was sent, what others have added since
    stays; what they add while we look makes it look again."""
    if before is None:
        return client.transaction(bundle)
    for look in range(1, _LOOKS + 1):
        try:
            return client.transaction(merged_bundle(bundle, before, _current(client, bundle)))
        except Conflict:
            if look == _LOOKS:
                raise
    raise AssertionError("there is a last look")


def _current(client: FhirClient, bundle: Resource) -> dict[str, Resource]:
    """What the EHR holds of the bundle's resources, by fullUrl. Raises Conflict for doubles."""
    found: dict[str, Resource] = {}
    for entry in bundle["entry"]:
        resource = entry["resource"]
        own = resource["identifier"][0]
        matches = client.search(
            resource["resourceType"], {"identifier": f"{own['system']}|{own['value']}"}
        )
        for match in matches:
            if entry["fullUrl"] in found:
                raise Conflict(f"several {resource['resourceType']} there have our identifier")
            found[entry["fullUrl"]] = match
    return found


def _sent_before(db: Session, message: OutboxRow) -> Resource | None:
    """The bundle of the program's version before, if that went as a transaction as well."""
    if message.kind != "prescription":
        return None
    earlier = previous_program(db, db.get_one(ProgramRow, int(message.subject)))
    if earlier is None:
        return None
    return db.scalar(
        select(OutboxRow.bundle).where(
            OutboxRow.kind == "prescription",
            OutboxRow.subject == str(earlier.id),
            OutboxRow.way.is_(None) | (OutboxRow.way == "transaction"),
        )
    )


def _note_delivered(
    context: Context,
    tenant_id: str,
    message: OutboxRow,
    client: FhirClient,
    places: tuple[str, ...],
) -> None:
    with context.database.begin(tenant_id) as db:
        way = db.get_one(OutboxRow, message.id).way
    whole_program = message.kind == "prescription" and way == "transaction"
    if whole_program:
        _read_back(context, tenant_id, message, client, places)
    with context.database.begin(tenant_id) as db:
        row = db.get_one(OutboxRow, message.id)
        row.status, row.delivered_at, row.leased_until = "delivered", context.now(), None
        row.last_error, row.response = None, {"locations": list(places)}
        if whole_program:
            program = db.get_one(ProgramRow, int(message.subject))
            program.careplan_reference, program.read_back_at = places[0], context.now()


def _read_back(
    context: Context,
    tenant_id: str,
    message: OutboxRow,
    client: FhirClient,
    places: tuple[str, ...],
) -> None:
    """Reads the CarePlan and what it refers to, and compares. Raises ReadBackDiffers."""
    resources = [client.read(place) for place in places]
    found = read_program(
        resources[0],
        [r for r in resources if r["resourceType"] == "ServiceRequest"],
        [r for r in resources if r["resourceType"] == "Goal"],
    )
    with context.database.begin(tenant_id) as db:
        row = db.get_one(ProgramRow, int(message.subject))
        signed = from_document(Program, row.document)
    if found != signed:
        raise ReadBackDiffers("the program read back from the EHR is not the one that was signed")


def _note_failure(
    context: Context, tenant_id: str, message: OutboxRow, error: Exception, why: str
) -> bool:
    """Schedules the next attempt, or sets the message aside; then the patient's next may go."""
    retryable = isinstance(error, LaunchRefused) or getattr(error, "retryable", False)
    stuck = not retryable or message.attempts >= context.settings.outbox_max_attempts
    with context.database.begin(tenant_id) as db:
        row = db.get_one(OutboxRow, message.id)
        row.last_error, row.leased_until = why[:500], None
        row.status = "stuck" if stuck else "pending"
        row.next_attempt_at = max(
            next_attempt(context.now(), message.attempts),
            context.now() + _asked_to_wait(error),
        )
    log.warning(
        "delivery_failed",
        message=message.id,
        kind=message.kind,
        attempts=message.attempts,
        stuck=stuck,
        error=type(error).__name__,
        why=why[:200],
    )
    return stuck


def _asked_to_wait(error: Exception) -> timedelta:
    """As the server asks (Retry-After), but never so long that nobody would notice."""
    asked = error.retry_after_s if isinstance(error, FhirError) else None
    return min(timedelta(seconds=asked or 0.0), _MOST_ASKED)
