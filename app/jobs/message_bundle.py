"""A message between patient and care team, for the EHR."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.store import MessageRow, PatientRow, PractitionerRow
from fhir.bundle import Resource
from fhir.communication import CareMessage, message_bundle


def message_to_ehr(db: Session, row: MessageRow, patient: PatientRow) -> Resource:
    """A transaction that makes the Communication; of the patient's, nobody has opened it yet."""
    own = f"Patient/{patient.fhir_id}"
    sender = own
    recipients: tuple[str, ...] = ()
    if row.practitioner_id is not None:
        sender, recipients = db.get_one(PractitionerRow, row.practitioner_id).fhir_user, (own,)
    first = db.get_one(MessageRow, row.thread_id)
    return message_bundle(
        CareMessage(
            id=row.id,
            patient=own,
            sender=sender,
            recipients=recipients,
            sent_at=row.sent_at,
            text=row.text,
            topic=first.subject,
            in_reply_to=None if first.id == row.id else first.id,
        )
    )
