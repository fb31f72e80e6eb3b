"""Queueing what goes to the EHR by HL7 v2: results (ORU) and readable documents (MDM)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.hl7.mdm import Document, mdm_t02
from app.hl7.oru import RangeTest, oru_r01, range_oru_r01
from app.hl7.outbound import Outgoing, queue_message
from app.hl7.writing import Envelope, Subject
from app.store import Hl7OutboundRow, PatientRow, Tenant
from rtm.range_of_motion import Change, RangeMovement
from rtm.session import Session as ExerciseSession


class NoRecordNumber(ValueError):
    """The chart gave no medical record number, by which alone HL7 v2 names a patient."""


def queue_oru(
    db: Session,
    tenant: Tenant,
    patient: PatientRow,
    session: ExerciseSession,
    exercise_name: str,
    now: datetime,
) -> Hl7OutboundRow:
    """Queues one session's results in the caller's transaction; told before, it is not again.

    Raises:
        NoDestination: the health system takes no ORU^R01.
        NoRecordNumber: the patient has none.
        NotValid: a text of the session breaks HL7's grammar.
    """

    def write(outgoing: Outgoing) -> str:
        subject = _subject(patient, outgoing)
        return oru_r01(session, exercise_name, subject, _envelope(outgoing))

    return queue_message(
        db,
        tenant,
        "ORU^R01",
        subject=f"session:{session.id}",
        patient_id=patient.id,
        write=write,
        now=now,
    )


def queue_range_oru(
    db: Session,
    tenant: Tenant,
    patient: PatientRow,
    test: RangeTest,
    movement: RangeMovement,
    change: Change | None,
    now: datetime,
) -> Hl7OutboundRow:
    """As `queue_oru`, for one range-of-motion test that was measured."""

    def write(outgoing: Outgoing) -> str:
        subject = _subject(patient, outgoing)
        return range_oru_r01(test, movement, change, subject, _envelope(outgoing))

    return queue_message(
        db,
        tenant,
        "ORU^R01",
        subject=f"range_test:{test.id}",
        patient_id=patient.id,
        write=write,
        now=now,
    )


def queue_mdm(
    db: Session, tenant: Tenant, patient: PatientRow, document: Document, now: datetime
) -> Hl7OutboundRow:
    """Queues one document in the caller's transaction; told before, it is not again.

    Raises:
        NoDestination: the health system takes no MDM^T02.
        NoRecordNumber: the patient has none.
        NotValid: a text of the document breaks HL7's grammar.
    """

    def write(outgoing: Outgoing) -> str:
        return mdm_t02(document, _subject(patient, outgoing), _envelope(outgoing))

    return queue_message(
        db,
        tenant,
        "MDM^T02",
        subject=f"document:{document.id}",
        patient_id=patient.id,
        write=write,
        now=now,
    )


def _subject(patient: PatientRow, outgoing: Outgoing) -> Subject:
    if not patient.mrn:
        raise NoRecordNumber(f"patient {patient.id} has no medical record number")
    facts = patient.demographics
    return Subject(
        mrn=patient.mrn,
        mrn_authority=outgoing.destination.mrn_authority,
        family=facts.get("family") or "",
        given=facts.get("given") or "",
        birth_date=patient.birth_date,
        gender=facts.get("gender") or "unknown",
    )


def _envelope(outgoing: Outgoing) -> Envelope:
    destination = outgoing.destination
    return Envelope(
        destination.routing, outgoing.control_id, destination.processing_id, outgoing.now
    )
