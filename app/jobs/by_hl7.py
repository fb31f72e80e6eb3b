"""Handing a message on to the HL7 v2 queue, which sends it until it is answered."""

from __future__ import annotations

from pathlib import PurePath

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.context import Context
from app.hl7.oru import RangeTest
from app.hl7.outbound import NoDestination
from app.hl7.settings import InvalidHl7Settings, OutboundType, hl7_settings
from app.hl7.write_back import NoRecordNumber, queue_mdm, queue_oru, queue_range_oru
from app.hl7.writing import NotValid
from app.jobs.document import build_page
from app.range_tests import change_since_last, stored_result
from app.sessions import concluded_session
from app.store import (
    Hl7OutboundRow,
    OutboxRow,
    PatientRow,
    RangeTestRow,
    SessionRow,
    Tenant,
)
from app.write_back import NoWay, hl7_type
from rtm.exercises import load_library
from rtm.range_of_motion import load_movements
from vision.video import VIDEO_SUFFIXES


def types_taken(tenant: Tenant) -> tuple[OutboundType, ...]:
    """What some destination takes. Raises NoWay where the settings are damaged."""
    try:
        destinations = hl7_settings(tenant).destinations
    except InvalidHl7Settings as error:
        raise NoWay(
            f"the HL7 settings of this health system can't be read ({error}): correct them with "
            "`homestretch hl7 settings`, then `homestretch outbox retry`"
        ) from None
    return tuple(kind for place in destinations for kind in place.takes)


def hand_on(context: Context, tenant_id: str, message: OutboxRow) -> str:
    """The type and control id of the message queued, now or before.

    Raises:
        NoWay: nobody takes it, the patient has no record number, or HL7 can't say it.
    """
    with context.database.begin(tenant_id) as db:
        tenant = db.get_one(Tenant, tenant_id)
        row = _queued_before(db, message)
        if row is None:
            type_ = hl7_type(message.kind, types_taken(tenant))  # type: ignore[arg-type]  # written from a MessageKind
            try:
                row = _queue(context, db, tenant, message, type_)
            except (NoDestination, NoRecordNumber, NotValid) as error:
                raise NoWay(f"hl7: {error}") from None
        return f"{row.message_type} {row.control_id}"


def _queued_before(db: Session, message: OutboxRow) -> Hl7OutboundRow | None:
    """In whichever form: other settings since must not tell it a second time in another."""
    subjects = (f"{message.kind}:{message.subject}", f"document:{message.idempotency_key}")
    return db.scalar(select(Hl7OutboundRow).where(Hl7OutboundRow.subject.in_(subjects)).limit(1))


def _queue(
    context: Context, db: Session, tenant: Tenant, message: OutboxRow, type_: OutboundType | None
) -> Hl7OutboundRow:
    patient, now = db.get_one(PatientRow, message.patient_id), context.now()
    if message.kind == "session":
        session = concluded_session(db.get_one(SessionRow, message.subject))
        name = load_library()[session.exercise_id].name["en"]
        return queue_oru(db, tenant, patient, session, name, now)
    if message.kind == "range_test" and type_ == "ORU^R01":
        row = db.get_one(RangeTestRow, message.subject)
        movement = load_movements()[row.movement_id]
        change = change_since_last(db, row)
        return queue_range_oru(db, tenant, patient, _range_test(row), movement, change, now)
    return queue_mdm(db, tenant, patient, build_page(context, db, message), now)


def _range_test(row: RangeTestRow) -> RangeTest:
    result = stored_result(row)
    assert result is not None, "queued only with a result"
    filmed = any(PurePath(name).suffix in VIDEO_SUFFIXES for name in row.recordings)
    return RangeTest(row.id, row.measured_at, "video" if filmed else "landmarks", result)
