"""What a patient's results suggest for the plan, and what clinicians decided about it.

A proposal is made anew from the facts whenever it is looked at, and stored only with a decision.
Nothing changes without a signature: to accept one is to sign the program that it leads to.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.alerts import alerts_of
from app.context import Context
from app.languages import language_of
from app.outcomes import measures
from app.prescribing import again, current_program
from app.range_tests import stored_result
from app.sessions import stored_session
from app.store import (
    OutcomeResponseRow,
    PatientRow,
    PractitionerRow,
    ProgramRow,
    ProposalDecisionRow,
    RangeTestRow,
    SessionRow,
    from_document,
    to_document,
)
from rtm.exercises import Side, load_library
from rtm.program import PrescribedExercise, Program
from rtm.progression import Proposal, propose
from rtm.progression_evidence import Course, OutcomeChange, RedFlag
from rtm.protocols import Protocol, draft_program, with_variants
from rtm.range_limit import carried_limit
from rtm.readings import Reading, adherence_reading, range_reading, session_readings

Decided = Literal["accepted", "edited", "declined"]

# No criterion looks further back.
_LOOK_BACK = timedelta(days=90)


@dataclass(frozen=True)
class Decision:
    """What somebody made of a proposal."""

    decision: Decided
    note: str
    by: str
    at: datetime


@dataclass(frozen=True)
class OpenProposal:
    """A proposal for the program version `program_row`; `decision` once there is one."""

    proposal: Proposal
    digest: str
    program_row: ProgramRow
    program: Program
    protocol: Protocol
    decision: Decision | None


def read_proposal(context: Context, db: Session, patient: PatientRow) -> OpenProposal | None:
    """None without a program, or where its protocol or phase is not known here any more."""
    current = current_program(db, patient.id)
    if current is None:
        return None
    row, program = current
    protocol = with_variants(context.settings.protocols_dir).by_id.get(program.protocol_id)
    if protocol is None or program.phase_id not in {phase.id for phase in protocol.phases}:
        return None
    proposal = propose(
        protocol,
        program.phase_id,
        read_course(context, db, patient, program),
        load_library(),
        prescribed=tuple(line.exercise_id for line in program.exercises),
    )
    digest = digest_of(proposal)
    return OpenProposal(proposal, digest, row, program, protocol, _decision(db, row.id, digest))


def digest_of(proposal: Proposal) -> str:
    """The same for the same proposal, whatever day it is made on and whatever was measured."""
    told = (proposal.kind, proposal.level, proposal.phase_id, proposal.to_phase_id)
    changes = [(change.from_id, change.to_id) for change in proposal.changes]
    alarms = [
        (reason.rule, reason.about, str(reason.on))
        for reason in proposal.reasons
        if proposal.kind == "call"
    ]
    return hashlib.sha256(json.dumps([told, changes, alarms]).encode()).hexdigest()[:32]


def read_course(context: Context, db: Session, patient: PatientRow, program: Program) -> Course:
    """What was measured and told since the phase began, in the patient's own days."""
    zone = ZoneInfo(patient.time_zone)
    today = context.now().astimezone(zone).date()
    since = context.now() - _LOOK_BACK
    readings: list[Reading] = []
    done: set[date] = set()
    for row in db.scalars(
        select(SessionRow).where(SessionRow.patient_id == patient.id, SessionRow.started_at > since)
    ):
        session = stored_session(row)
        if session is not None:
            readings += session_readings(session, load_library()[session.exercise_id], zone)
            done.add(session.monitored_day(zone))
    for test in db.scalars(
        select(RangeTestRow).where(
            RangeTestRow.patient_id == patient.id,
            RangeTestRow.measured_at > since,
            or_(RangeTestRow.side.is_(None), RangeTestRow.side.in_((_side(program), "bilateral"))),
        )
    ):
        result = stored_result(test)
        on = test.measured_at.astimezone(zone).date()
        if result is not None and (reading := range_reading(result, on)) is not None:
            readings.append(reading)
    if (kept := adherence_reading(program, sorted(done), today)) is not None:
        readings.append(kept)
    scores, changes = _outcomes(context, db, patient, zone)
    red_flags = tuple(
        RedFlag(alert.raised_at.astimezone(zone).date(), alert.kind.title)
        for alert in alerts_of(db, patient.id)
        if alert.kind.id == "red_flag" and alert.acknowledgement is None
    )
    return Course(
        as_of=today,
        phase_started_on=_phase_start(db, patient.id, program, zone),
        readings=(*readings, *scores),
        red_flags=red_flags,
        outcome_changes=changes,
    )


def proposed_program(found: OpenProposal, patient: PatientRow, today: date) -> Program | None:
    """The program that the proposal leads to; None where it leaves the plan to the clinician."""
    proposal, program = found.proposal, found.program
    if proposal.to_phase_id is not None:
        return draft_program(
            found.protocol,
            found.protocol.phase(proposal.to_phase_id),
            id=str(uuid4()),
            start=today,
            side=_side(program),
            language=language_of(patient),
        )
    if proposal.changes:
        to = {change.from_id: change.to_id for change in proposal.changes}
        lines = tuple(_changed(line, to, program) for line in program.exercises)
        return replace(again(program, today), exercises=lines)
    return None


def decide(
    context: Context,
    tenant_id: str,
    found: OpenProposal,
    decision: Decided,
    practitioner_id: int,
    note: str = "",
) -> bool:
    """Whether this is the first decision about it; the first one stands."""
    try:
        with context.database.begin(tenant_id) as db:
            db.add(
                ProposalDecisionRow(
                    patient_id=found.program_row.patient_id,
                    program_row_id=found.program_row.id,
                    digest=found.digest,
                    proposal=to_document(found.proposal),
                    decision=decision,
                    note=note,
                    decided_by=practitioner_id,
                    decided_at=context.now(),
                )
            )
    except IntegrityError:
        return False
    return True


def _decision(db: Session, program_row_id: int, digest: str) -> Decision | None:
    found = db.execute(
        select(ProposalDecisionRow, PractitionerRow.name)
        .join(PractitionerRow, PractitionerRow.id == ProposalDecisionRow.decided_by)
        .where(
            ProposalDecisionRow.program_row_id == program_row_id,
            ProposalDecisionRow.digest == digest,
        )
    ).one_or_none()
    if found is None:
        return None
    row, name = found
    return Decision(row.decision, row.note, name, row.decided_at)  # type: ignore[arg-type]  # written from a Decided


def _phase_start(db: Session, patient_id: int, program: Program, zone: ZoneInfo) -> date:
    """When the newest unbroken run of versions in this phase began."""
    start = program.start
    rows = db.scalars(
        select(ProgramRow)
        .where(ProgramRow.patient_id == patient_id)
        .order_by(ProgramRow.signed_at.desc(), ProgramRow.version.desc())
    )
    for row in rows:
        earlier = from_document(Program, row.document)
        if (earlier.protocol_id, earlier.phase_id) != (program.protocol_id, program.phase_id):
            break
        start = min(start, earlier.start, row.signed_at.astimezone(zone).date())
    return start


def _outcomes(
    context: Context, db: Session, patient: PatientRow, zone: ZoneInfo
) -> tuple[list[Reading], tuple[OutcomeChange, ...]]:
    """Every score, and how far each measure is from where it began."""
    library = measures(context)
    by_measure: dict[str, list[tuple[date, float]]] = {}
    for row in db.scalars(
        select(OutcomeResponseRow)
        .where(OutcomeResponseRow.patient_id == patient.id)
        .order_by(OutcomeResponseRow.answered_at)
    ):
        if row.score is not None:
            on = row.answered_at.astimezone(zone).date()
            by_measure.setdefault(row.instrument_id, []).append((on, row.score))
    readings = [
        Reading("outcome_score", score, on, instrument_id=key)
        for key, scores in by_measure.items()
        for on, score in scores
    ]
    changes = []
    for key, scores in by_measure.items():
        measure = library[key]
        important = measure.important_change
        if important is None or len(scores) < 2 or measure.measures == "change":
            continue
        (_, first), (on, latest) = scores[0], scores[-1]
        worse = latest - first if measure.instrument.better == "lower" else first - latest
        changes.append(OutcomeChange(key, worse, important.points, on))
    return readings, tuple(changes)


def _side(program: Program) -> Side:
    """The treated side: that of the program's one-sided exercises."""
    sides = [line.side for line in program.exercises if line.side != "bilateral"]
    return sides[0] if sides else "right"


def _changed(line: PrescribedExercise, to: dict[str, str], program: Program) -> PrescribedExercise:
    new_id = to.get(line.exercise_id)
    if new_id is None:
        return line
    both = load_library()[new_id].laterality == "bilateral"
    one = line.side if line.side != "bilateral" else _side(program)
    return replace(
        line,
        exercise_id=new_id,
        side="bilateral" if both else one,
        limit_deg=carried_limit(
            load_library()[line.exercise_id], load_library()[new_id], line.limit_deg
        ),
    )
