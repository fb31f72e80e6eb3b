"""Outcome measures of one patient: what is due, keeping a draft, and accepting the answers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.context import Context
from app.languages import Language
from app.notices import queue_notices
from app.outbox import enqueue
from app.store import (
    OutcomeDraftRow,
    OutcomeResponseRow,
    PatientRow,
    ProgramRow,
    from_document,
)
from rtm.instruments import Measure, MeasureLibrary, due, measures_with_texts, schedule_of
from rtm.outcomes import InvalidAnswers, OutcomeResponse
from rtm.program import Program
from rtm.protocols import with_variants

_RESPONSE_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LONGEST_NAME = 80


class OutcomeRefused(ValueError):
    """The answers can't be taken; the message says why, in plain words."""


class OutcomeConflict(OutcomeRefused):
    """This response id was used before for something else."""


class NotAsked(LookupError):
    """The patient's program asks for no such measure, or its texts are not loaded."""


@dataclass(frozen=True)
class Answers:
    """What the page sends. `names` are the patient's own words for `named` items."""

    response_id: str
    values: Mapping[str, int]
    names: Mapping[str, str]


@dataclass(frozen=True)
class Asked:
    """A measure of the patient's program. `since` is None where nothing is due now."""

    measure: Measure
    since: date | None


def measures(context: Context) -> MeasureLibrary:
    """The library with this deployment's licensed texts, read once. Raises InvalidInstrument."""
    return _measures(context.settings.instruments_dir)


@cache
def _measures(folder: Path) -> MeasureLibrary:
    return measures_with_texts(folder)


def asked_of(context: Context, db: Session, patient: PatientRow) -> tuple[Asked, ...]:
    """Every measure that the patient's newest program asks for, in the schedule's order."""
    programs = [
        from_document(Program, row.document)
        for row in db.scalars(
            select(ProgramRow)
            .where(ProgramRow.patient_id == patient.id)
            .order_by(ProgramRow.signed_at, ProgramRow.version)
        )
    ]
    if not programs:
        return ()
    zone = ZoneInfo(patient.time_zone)
    today = context.now().astimezone(zone).date()
    answered: dict[str, set[date]] = defaultdict(set)
    for instrument_id, at in db.execute(
        select(OutcomeResponseRow.instrument_id, OutcomeResponseRow.answered_at).where(
            OutcomeResponseRow.patient_id == patient.id
        )
    ):
        answered[instrument_id].add(at.astimezone(zone).date())
    library = measures(context)
    protocols = with_variants(context.settings.protocols_dir)
    schedule = [
        line
        for line in schedule_of(protocols.by_id.get(programs[-1].protocol_id))
        if library[line.instrument_id].askable
    ]
    start = min(program.start for program in programs)
    open_ = (
        {each.instrument_id: each.since for each in due(schedule, start, answered, today)}
        if today <= programs[-1].end
        else {}
    )
    return tuple(
        Asked(library[line.instrument_id], open_.get(line.instrument_id)) for line in schedule
    )


def draft_of(db: Session, patient_id: int, instrument_id: str) -> OutcomeDraftRow | None:
    return db.scalar(
        select(OutcomeDraftRow).where(
            OutcomeDraftRow.patient_id == patient_id,
            OutcomeDraftRow.instrument_id == instrument_id,
        )
    )


def names_last_time(db: Session, patient_id: int, instrument_id: str) -> Mapping[str, str]:
    """What the patient called the items in the newest response: asked again, they stay."""
    row = db.scalar(
        select(OutcomeResponseRow)
        .where(
            OutcomeResponseRow.patient_id == patient_id,
            OutcomeResponseRow.instrument_id == instrument_id,
        )
        .order_by(OutcomeResponseRow.answered_at.desc())
        .limit(1)
    )
    return {} if row is None else row.names


def keep_draft(
    context: Context, tenant_id: str, patient_id: int, instrument_id: str, answers: Answers
) -> None:
    """Keeps what is answered so far, in place of an earlier draft.

    Raises:
        NotAsked: the program does not ask for it.
        OutcomeRefused: an answer off its scale, an id that is no UUID.
    """
    with context.database.begin(tenant_id) as db:
        measure = _asked(context, db, patient_id, instrument_id)
        _check(measure, answers)
        if db.get(OutcomeResponseRow, answers.response_id) is not None:
            return  # sent already: an earlier page came late
        row = draft_of(db, patient_id, instrument_id)
        if row is None:
            row = OutcomeDraftRow(patient_id=patient_id, instrument_id=instrument_id)
            db.add(row)
        row.response_id, row.saved_at = answers.response_id, context.now()
        row.answers, row.names = dict(answers.values), dict(answers.names)


def accept_response(
    context: Context,
    tenant_id: str,
    patient_id: int,
    instrument_id: str,
    answers: Answers,
    language: Language,
) -> OutcomeResponseRow:
    """Stores the answers with their score, and queues them for the EHR, in one transaction.

    Sending the same response again returns the first.

    Raises:
        NotAsked: the program does not ask for it.
        OutcomeRefused: too few answers, or one that can't be; then nothing is stored.
        OutcomeConflict: the id was used for other answers.
    """
    try:
        with context.database.begin(tenant_id) as db:
            earlier = db.get(OutcomeResponseRow, answers.response_id)
            if earlier is None:
                row = _new_row(context, db, patient_id, instrument_id, answers, language)
                db.add(row)
                db.flush()
                _queue(context, db, row)
                return row
    except IntegrityError:
        # The other click of a double click committed between our look and our insert.
        with context.database.begin(tenant_id) as db:
            earlier = db.get(OutcomeResponseRow, answers.response_id)
        if earlier is None:  # the id exists, but at another health system
            raise OutcomeConflict(
                _l("This id is taken. Please open the questions again.")
            ) from None
    same = (earlier.patient_id, earlier.instrument_id, earlier.answers, earlier.names)
    if same != (patient_id, instrument_id, dict(answers.values), dict(answers.names)):
        raise OutcomeConflict(_l("These questions were already sent with other answers."))
    return earlier


def stored_response(row: OutcomeResponseRow) -> OutcomeResponse:
    """The domain value of a row."""
    return OutcomeResponse(
        id=row.id,
        instrument_id=row.instrument_id,
        instrument_version=row.instrument_version,
        answered_at=row.answered_at,
        language=row.language,
        answers=row.answers,
        names=row.names,
    )


def _new_row(
    context: Context,
    db: Session,
    patient_id: int,
    instrument_id: str,
    answers: Answers,
    language: Language,
) -> OutcomeResponseRow:
    measure = _asked(context, db, patient_id, instrument_id)
    _check(measure, answers)
    score = measure.instrument.score(answers.values)
    if score is None:
        raise OutcomeRefused(_l("Some answers are missing."))
    if any(
        item.named and (item.id in answers.values) != bool(answers.names.get(item.id))
        for item in measure.instrument.items
    ):
        raise OutcomeRefused(_l("Each thing needs a name and a number."))
    program = db.scalars(
        select(ProgramRow)
        .where(ProgramRow.patient_id == patient_id)
        .order_by(ProgramRow.signed_at.desc(), ProgramRow.version.desc())
        .limit(1)
    ).one()
    return OutcomeResponseRow(
        id=answers.response_id,
        patient_id=patient_id,
        program_row_id=program.id,
        instrument_id=instrument_id,
        instrument_version=measure.instrument.version,
        language=language,
        answers=dict(answers.values),
        names=dict(answers.names),
        score=score,
        answered_at=context.now(),
    )


def _queue(context: Context, db: Session, row: OutcomeResponseRow) -> None:
    """The messages of a new response; its draft goes."""
    db.execute(
        delete(OutcomeDraftRow).where(
            OutcomeDraftRow.patient_id == row.patient_id,
            OutcomeDraftRow.instrument_id == row.instrument_id,
        )
    )
    now = context.now()
    enqueue(
        db,
        kind="outcome",
        subject=row.id,
        patient_id=row.patient_id,
        idempotency_key=f"outcome:{row.id}",
        now=now,
    )
    queue_notices(db, kind="outcome", subject=row.id, patient_id=row.patient_id, now=now)


def _asked(context: Context, db: Session, patient_id: int, instrument_id: str) -> Measure:
    patient = db.get_one(PatientRow, patient_id)
    for asked in asked_of(context, db, patient):
        if asked.measure.id == instrument_id:
            return asked.measure
    raise NotAsked(instrument_id)


def _check(measure: Measure, answers: Answers) -> None:
    if not _RESPONSE_ID.fullmatch(answers.response_id):
        raise OutcomeRefused(_l("The response id must be a UUID in lower case."))
    try:
        measure.instrument.score(answers.values)
    except InvalidAnswers as error:
        raise OutcomeRefused(
            _l("An answer is not on its scale: %(why)s.", why=str(error))
        ) from None
    named = {item.id for item in measure.instrument.items if item.named}
    if not set(answers.names) <= named:
        raise OutcomeRefused(_l("Only things of your own have a name."))
    if any(len(name) > LONGEST_NAME for name in answers.names.values()):
        raise OutcomeRefused(
            _l("Please use %(most)s letters at most for each thing.", most=LONGEST_NAME)
        )
