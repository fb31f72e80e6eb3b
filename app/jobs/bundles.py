"""What is sent to the EHR, built from the rows that a message speaks of."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.api.identity import software
from app.consents import consent_of
from app.context import Context
from app.jobs.message_bundle import message_to_ehr
from app.outcomes import measures, stored_response
from app.range_tests import change_since_last, stored_result
from app.rtm_book import read_consent_events
from app.sessions import concluded_session
from app.store import (
    EpisodeRow,
    MessageRow,
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
from fhir.bundle import Resource
from fhir.careplan import prescription_bundle
from fhir.consent import consent_bundle
from fhir.observation import session_bundle
from fhir.parties import Parties
from fhir.questionnaire_response import outcome_bundle
from fhir.range_observation import range_bundle
from rtm.exercises import load_library
from rtm.program import Program
from rtm.range_of_motion import load_movements


def build_bundle(context: Context, db: Session, message: OutboxRow) -> Resource:
    """The resources of a message, from the row that it speaks of as that stands now."""
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
    if message.kind == "consent":
        tenant = db.get_one(Tenant, patient.tenant_id)
        events = read_consent_events(db, [patient.id]).get(patient.id, [])
        consent = consent_of(db.get_one(EpisodeRow, message.subject), patient, tenant, events)
        assert consent is not None, "queued only with a consent"
        return consent_bundle(consent)
    if message.kind == "outcome":
        return _outcome_bundle(
            context, db, db.get_one(OutcomeResponseRow, message.subject), patient
        )
    if message.kind == "message":
        return message_to_ehr(db, db.get_one(MessageRow, message.subject), patient)
    session_row = db.get_one(SessionRow, message.subject)
    program_row = db.get_one(ProgramRow, session_row.program_row_id)
    session = concluded_session(session_row)
    return session_bundle(
        session,
        patient=f"Patient/{patient.fhir_id}",
        careplan=_careplan_reference(db, program_row),
        program_id=program_row.program_id,
        exercise_name=load_library()[session.exercise_id].name["en"],
        device=software(session_row.software_version),
        recorded=session_row.received_at,
    )


def _range_bundle(db: Session, row: RangeTestRow, patient: PatientRow) -> Resource:
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
        device=software(row.software_version),
        recorded=row.received_at,
    )


def _outcome_bundle(
    context: Context, db: Session, row: OutcomeResponseRow, patient: PatientRow
) -> Resource:
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
