"""HL7 v2 messages both ways as they were on the wire, and what came of those that arrived."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, event
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from app.store.base import Base, TenantOwned


class Hl7InboundRow(TenantOwned, Base):
    """A message as received, byte for byte, stored before it was acknowledged.

    `state` is waiting; or refused (told so to the sender, `reason` says why); or what processing
    made of it: applied, not_ours (no patient of ours), ignored (an event that changes nothing
    here), superseded (something newer is known), set_aside (`reason` says why; a person must
    look), settled (a person did). At `erase_at` the content of what is not_ours goes.
    `answer` is MSA-1 as last sent, None where no answer was due.
    """

    __tablename__ = "hl7_inbound"
    __table_args__ = (
        UniqueConstraint("tenant_id", "sending_application", "control_id", "sha256"),
        Index("ix_hl7_inbound_state", "state", "tenant_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sending_application: Mapped[str]
    sending_facility: Mapped[str]
    message_type: Mapped[str]
    control_id: Mapped[str]
    charset: Mapped[str]
    content: Mapped[bytes | None]
    sha256: Mapped[str]
    peer: Mapped[str]
    received_at: Mapped[datetime]
    answer: Mapped[str | None]
    state: Mapped[str]
    reason: Mapped[str | None]
    processed_at: Mapped[datetime | None]
    erase_at: Mapped[datetime | None] = mapped_column(index=True)


class Hl7StrayRow(Base):
    """A frame that no health system here could be told to own: refused, and kept to find out why.

    It belongs to no tenant, so nothing but the command line of operations reads it.
    """

    __tablename__ = "hl7_stray"
    __table_args__ = (UniqueConstraint("sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[bytes]
    sha256: Mapped[str]
    peer: Mapped[str]
    received_at: Mapped[datetime]
    answer: Mapped[str | None]
    reason: Mapped[str]


class Hl7OutboundRow(TenantOwned, Base):
    """A message to send, with its final text: every attempt sends the same MSH-10.

    `state` is waiting; sent (no answer came, it is sent again); acknowledged (AA, CA); refused
    (AE, AR, CE, CR: sending the same again would be refused again); failed (no answer after so
    many attempts). `subject` names what it tells, and is sent to one destination once.
    """

    __tablename__ = "hl7_outbound"
    __table_args__ = (
        UniqueConstraint("tenant_id", "destination", "subject"),
        UniqueConstraint("tenant_id", "control_id"),
        Index("ix_hl7_outbound_due", "state", "tenant_id", "destination", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    destination: Mapped[str]
    message_type: Mapped[str]
    subject: Mapped[str]
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patient.id"), index=True)
    control_id: Mapped[str]
    content: Mapped[str]
    state: Mapped[str] = mapped_column(default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime] = mapped_column(index=True)
    leased_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    ack_code: Mapped[str | None]
    ack_text: Mapped[str | None]
    last_error: Mapped[str | None]


class PatientEventRow(TenantOwned, Base):
    """What a message said happened to a patient of ours; never changed.

    `kind` is admission, discharge, demographics, merge or visit; `document` what was learned.
    """

    __tablename__ = "patient_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("hl7_inbound.id"), index=True)
    kind: Mapped[str]
    occurred_at: Mapped[datetime | None]
    document: Mapped[dict[str, Any]]
    recorded_at: Mapped[datetime]


class VisitRow(TenantOwned, Base):
    """An appointment of a patient, as the last message about it has it.

    `status` is FHIR's Appointment.status: booked, cancelled or noshow. `appointment_id` is the
    filler's (SCH-2), else the placer's (SCH-1). Every version is a `patient_event`.
    """

    __tablename__ = "visit"
    __table_args__ = (UniqueConstraint("tenant_id", "appointment_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    appointment_id: Mapped[str]
    starts_at: Mapped[datetime] = mapped_column(index=True)
    ends_at: Mapped[datetime | None]
    status: Mapped[str]
    message_id: Mapped[int] = mapped_column(ForeignKey("hl7_inbound.id"))


class PatientEventIsFinal(RuntimeError):
    """Somebody tried to change or delete what a message said; a further message says more."""


@event.listens_for(PatientEventRow, "before_update")
@event.listens_for(PatientEventRow, "before_delete")
def _refuse(_mapper: Mapper[Any], _connection: Any, target: PatientEventRow) -> None:
    raise PatientEventIsFinal(f"patient event {target.id} can't be changed")
