"""Delivering the outbox: in order for each patient, at least once, with one effect."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from app.context import Context
from app.ehr import backend_client, capabilities_of
from app.hl7.outbound import NoDestination
from app.hl7.settings import hl7_settings
from app.hl7.write_back import NoRecordNumber, queue_mdm, queue_oru
from app.jobs.backoff import next_attempt
from app.jobs.document import DEVICE, build_document, build_page
from app.outcomes import measures, stored_response
from app.range_tests import change_since_last, stored_result
from app.sessions import concluded_session
from app.store import (
    OutboxRow,
    OutcomeResponseRow,
    PatientRow,
    PractitionerRow,
    ProgramRow,
    RangeTestRow,
    SessionRow,
    Tenant,
    from_document,
    previous_program,
)
from app.write_back import WAYS, choose
from fhir.bundle import Resource, locations
from fhir.capability import Capabilities
from fhir.careplan import prescription_bundle, read_program
from fhir.client import Conflict, FhirClient, FhirError, Forbidden, NotSupported
from fhir.meaning import Unreadable
from fhir.merge import merged_bundle
from fhir.observation import session_bundle
from fhir.one_by_one import found_or_made, send_one_by_one
from fhir.parties import Parties
from fhir.questionnaire_response import outcome_bundle
from fhir.range_observation import range_bundle
from rtm.exercises import load_library
from rtm.program import Program
from rtm.range_of_motion import load_movements
from smart_launch.errors import LaunchRefused

log = structlog.get_logger(__name__)

# Longer than any delivery may take; a worker that dies holding a message frees it so.
_LEASE = timedelta(minutes=5)
_MOST_ASKED = timedelta(days=1)

# How often a program is laid onto what the EHR holds before a person must look.
_LOOKS = 3


class NoWay(Exception):
    """The EHR takes this in no form that its settings allow; the message says why of each."""


class ReadBackDiffers(Exception):
    """The EHR took the program but gives another back; a person must look."""


def deliver_due(context: Context, tenant_id: str, patient_id: int) -> None:
    """Delivers this patient's messages in order, until one must wait."""
    while (message := _lease_next(context, tenant_id, patient_id)) is not None:
        if not _attempt(context, tenant_id, message):
            return


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
        if row is None or row.next_attempt_at > now:
            return None
        leased = db.execute(
            update(OutboxRow)
            .where(
                OutboxRow.id == row.id,
                OutboxRow.status == "pending",
                or_(OutboxRow.leased_until.is_(None), OutboxRow.leased_until <= now),
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
                stored.bundle = _build(context, db, stored)
        client = backend_client(context, tenant)
        places = _sent(context, tenant, stored, client)
        _note_delivered(context, tenant_id, message, client, places)
    except (FhirError, LaunchRefused, ReadBackDiffers, Unreadable, NoWay) as error:
        return _note_failure(context, tenant_id, message, error)
    log.info("delivered", message=message.id, kind=message.kind, attempts=message.attempts)
    return True


def _sent(
    context: Context, tenant: Tenant, message: OutboxRow, client: FhirClient
) -> tuple[str, ...]:
    """Where the EHR put what was sent. A way that it claims and then refuses gives place to the
    next; only of a transaction is it sure that nothing of it is there.

    Raises NoWay, FhirError.
    """
    assert message.bundle is not None, "built before"
    capabilities = capabilities_of(context, client)
    while True:
        _choose_way(context, tenant, message, capabilities)
        if message.way == "resources":
            return send_one_by_one(client, message.bundle, capabilities)
        if message.way == "hl7":
            return (_by_hl7(context, tenant.id, message),)
        if message.way == "document":
            with context.database.begin(tenant.id) as db:
                document = build_document(context, db, message)
            return (found_or_made(client, document, capabilities),)
        try:
            with context.database.begin(tenant.id) as db:
                before = _sent_before(db, message)
            return locations(_transacted(client, message.bundle, before))
        except (Forbidden, NotSupported):
            with context.database.begin(tenant.id) as db:
                row = db.get_one(OutboxRow, message.id)
                row.ways_refused = [*row.ways_refused, "transaction"]
                row.way = row.way_why = None
            message = row


def _by_hl7(context: Context, tenant_id: str, message: OutboxRow) -> str:
    """Hands the message on to the HL7 v2 queue, which sends it until it is answered.

    Raises NoWay for a patient whom no HL7 v2 message can name.
    """
    with context.database.begin(tenant_id) as db:
        tenant = db.get_one(Tenant, tenant_id)
        patient = db.get_one(PatientRow, message.patient_id)
        try:
            if message.kind == "session":
                session = concluded_session(db.get_one(SessionRow, message.subject))
                name = load_library()[session.exercise_id].name["en"]
                row = queue_oru(db, tenant, patient, session, name, context.now())
            else:
                row = queue_mdm(
                    db, tenant, patient, build_page(context, db, message), context.now()
                )
        except (NoDestination, NoRecordNumber) as error:
            raise NoWay(f"hl7: {error}") from None
        return f"{row.message_type} {row.control_id}"


def _choose_way(
    context: Context, tenant: Tenant, message: OutboxRow, capabilities: Capabilities
) -> None:
    """Settles `message.way`, once for all its attempts. Raises NoWay."""
    if message.way is not None:
        return
    choice = choose(
        message.kind,  # type: ignore[arg-type]  # written from a MessageKind
        capabilities,
        hl7=[kind for place in hl7_settings(tenant).destinations for kind in place.takes],
        allowed=tenant.practice.get("write_back", {}).get(message.kind, WAYS),
        refused=message.ways_refused,
    )
    with context.database.begin(tenant.id) as db:
        row = db.get_one(OutboxRow, message.id)
        message.way, message.way_why = row.way, row.way_why = choice.way, choice.why
    if choice.way is None:
        raise NoWay(choice.why)


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


def _build(context: Context, db: Session, message: OutboxRow) -> dict[str, Any]:
    patient = db.get_one(PatientRow, message.patient_id)
    if message.kind == "prescription":
        row = db.get_one(ProgramRow, int(message.subject))
        signer = db.get_one(PractitionerRow, row.signed_by)
        return prescription_bundle(
            from_document(Program, row.document),
            Parties(f"Patient/{patient.fhir_id}", signer.fhir_user),
            load_library().names(),
            previous=_previous_version(db, row),
        )
    if message.kind == "range_test":
        return _range_bundle(db, db.get_one(RangeTestRow, message.subject), patient)
    if message.kind == "outcome":
        return _outcome_bundle(
            context, db, db.get_one(OutcomeResponseRow, message.subject), patient
        )
    session_row = db.get_one(SessionRow, message.subject)
    program_row = db.get_one(ProgramRow, session_row.program_row_id)
    session = concluded_session(session_row)
    return session_bundle(
        session,
        patient=f"Patient/{patient.fhir_id}",
        careplan=_careplan_reference(db, program_row),
        program_id=program_row.program_id,
        exercise_name=load_library()[session.exercise_id].name["en"],
        device=DEVICE,
        recorded=session_row.received_at,
    )


def _range_bundle(db: Session, row: RangeTestRow, patient: PatientRow) -> dict[str, Any]:
    result = stored_result(row)
    assert result is not None, "queued only with a result"
    program = None if row.program_row_id is None else db.get_one(ProgramRow, row.program_row_id)
    return range_bundle(
        row.id,
        result,
        load_movements()[row.movement_id],
        measured_at=row.measured_at,
        change=change_since_last(db, row),
        patient=f"Patient/{patient.fhir_id}",
        careplan=None if program is None else _careplan_reference(db, program),
        program_id=None if program is None else program.program_id,
        device=DEVICE,
        recorded=row.received_at,
    )


def _outcome_bundle(
    context: Context, db: Session, row: OutcomeResponseRow, patient: PatientRow
) -> dict[str, Any]:
    return outcome_bundle(
        stored_response(row),
        measures(context)[row.instrument_id].instrument,
        patient=f"Patient/{patient.fhir_id}",
        careplan=_careplan_reference(db, db.get_one(ProgramRow, row.program_row_id)),
    )


def _previous_version(db: Session, row: ProgramRow) -> Program | None:
    earlier = previous_program(db, row)
    return None if earlier is None else from_document(Program, earlier.document)


def _careplan_reference(db: Session, row: ProgramRow) -> str | None:
    """The CarePlan of this program, whichever version took it to the EHR."""
    return db.scalar(
        select(ProgramRow.careplan_reference)
        .where(ProgramRow.program_id == row.program_id, ProgramRow.careplan_reference.is_not(None))
        .order_by(ProgramRow.version.desc())
        .limit(1)
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


def _note_failure(context: Context, tenant_id: str, message: OutboxRow, error: Exception) -> bool:
    """Schedules the next attempt, or sets the message aside; then the patient's next may go."""
    retryable = isinstance(error, LaunchRefused) or getattr(error, "retryable", False)
    stuck = not retryable or message.attempts >= context.settings.outbox_max_attempts
    with context.database.begin(tenant_id) as db:
        row = db.get_one(OutboxRow, message.id)
        row.last_error, row.leased_until = str(error)[:500], None
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
        why=str(error)[:200],
    )
    return stuck


def _asked_to_wait(error: Exception) -> timedelta:
    """As the server asks (Retry-After), but never so long that nobody would notice."""
    asked = error.retry_after_s if isinstance(error, FhirError) else None
    return min(timedelta(seconds=asked or 0.0), _MOST_ASKED)
