"""Signing a program: one stored version and the message that takes it to the EHR."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.context import Context
from app.outbox import enqueue
from app.store import OutboxRow, ProgramRow, SessionRow, from_document, to_document
from rtm.exercises import Exercise, load_library
from rtm.program import Program, line_key
from rtm.range_limit import within_limit


def current_program(db: Session, patient_id: int) -> tuple[ProgramRow, Program] | None:
    """The newest signed version for this patient, if any."""
    row = db.scalar(
        select(ProgramRow)
        .where(ProgramRow.patient_id == patient_id)
        .order_by(ProgramRow.signed_at.desc(), ProgramRow.version.desc())
        .limit(1)
    )
    return None if row is None else (row, from_document(Program, row.document))


def prescribed_exercise(db: Session, row: SessionRow) -> Exercise:
    """The exercise of a session, within the limit that its line of the program sets."""
    program = from_document(Program, db.get_one(ProgramRow, row.program_row_id).document)
    key = line_key(row.exercise_id, row.side)
    limit_deg = next((line.limit_deg for line in program.exercises if line.key == key), None)
    return within_limit(load_library()[row.exercise_id], limit_deg)


def again(program: Program, today: date) -> Program:
    """The same exercises and goals from `today` for as long, as a draft.

    Goals keep their distance from the start.
    """
    later = today - program.start
    goals = tuple(replace(goal, due=goal.due + later) for goal in program.goals)
    return replace(
        program, id=str(uuid4()), version=1, goals=goals, start=today, end=program.end + later
    )


def sign(
    context: Context,
    tenant_id: str,
    *,
    patient_id: int,
    practitioner_id: int,
    draft: Program,
    signing_key: str,
) -> ProgramRow:
    """Stores `draft` as the next version and queues it for the EHR, in one transaction.

    `signing_key` comes from the form: signing twice with one key, as a double click does,
    gives the row of the first time.
    """
    try:
        with context.database.begin(tenant_id) as db:
            earlier = _signed_with(db, signing_key)
            if earlier is not None:
                return earlier
            current = current_program(db, patient_id)
            program = draft if current is None else _following(current[1], draft)
            row = ProgramRow(
                patient_id=patient_id,
                program_id=program.id,
                version=program.version,
                document=to_document(program),
                signing_key=signing_key,
                signed_by=practitioner_id,
                signed_at=context.now(),
            )
            db.add(row)
            db.flush()
            enqueue(
                db,
                kind="prescription",
                subject=str(row.id),
                patient_id=patient_id,
                idempotency_key=f"program:{program.id}:{program.version}",
                now=context.now(),
            )
            return row
    except IntegrityError:
        # The other click of a double click committed between our look and our insert.
        with context.database.begin(tenant_id) as db:
            earlier = _signed_with(db, signing_key)
            if earlier is None:
                raise
            return earlier


@dataclass(frozen=True)
class Whereabouts:
    """Where a signed version is. `document` is what it went as, where it is not a CarePlan: its
    DocumentReference, or the HL7 v2 message that bears it."""

    state: Literal["on its way", "in the chart", "set aside"]
    document: str | None = None


def whereabouts(db: Session, row: ProgramRow) -> Whereabouts:
    """Whether `row` has reached the EHR, and as what; set aside, somebody must look."""
    message = db.scalar(
        select(OutboxRow).where(
            OutboxRow.idempotency_key == f"program:{row.program_id}:{row.version}"
        )
    )
    if message is None or message.status == "pending":
        return Whereabouts("on its way")
    if message.status != "delivered":
        return Whereabouts("set aside")
    as_document = message.way in ("document", "hl7") and message.response is not None
    return Whereabouts("in the chart", message.response["locations"][0] if as_document else None)  # type: ignore[index]  # just asked


def _signed_with(db: Session, signing_key: str) -> ProgramRow | None:
    return db.scalar(select(ProgramRow).where(ProgramRow.signing_key == signing_key))


def _following(current: Program, draft: Program) -> Program:
    """`draft` as the version after `current`: one program, and one CarePlan, for the episode."""
    return replace(draft, id=current.id, version=current.version + 1)
