"""The versions of a patient's program, with what each changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.prescribing import Whereabouts, whereabouts
from app.store import PractitionerRow, ProgramRow, from_document
from rtm.exercises import load_library
from rtm.program import Program
from rtm.program_changes import ProgramChange, dose_in_words, program_changes

_WORDS = {
    "hold_s": "hold in seconds",
    "rest_s": "rest in seconds",
    "times_per_day": "times a day",
    "weekdays": "days",
    "note": "note to the patient",
}


@dataclass(frozen=True)
class Version:
    """One signed version. `changes` are in words; None for the first one, which changed nothing."""

    number: int
    title: str
    signed_by: str
    signed_at: datetime
    sent: Whereabouts
    lines: tuple[str, ...]
    changes: tuple[str, ...] | None


def read_versions(db: Session, patient_id: int, zone: tzinfo | None) -> list[Version]:
    """The newest first; `signed_at` in `zone`."""
    rows = db.execute(
        select(ProgramRow, PractitionerRow.name)
        .join(PractitionerRow, PractitionerRow.id == ProgramRow.signed_by)
        .where(ProgramRow.patient_id == patient_id)
        .order_by(ProgramRow.signed_at, ProgramRow.version)
    ).all()
    versions: list[Version] = []
    before: Program | None = None
    for row, signer in rows:
        program = from_document(Program, row.document)
        changes = None if before is None else program_changes(before, program)
        versions.append(
            Version(
                row.version,
                program.title,
                signer,
                row.signed_at.astimezone(zone),
                whereabouts(db, row),
                tuple(f"{_name(x.exercise_id)}: {dose_in_words(x)}" for x in program.exercises),
                None if changes is None else tuple(change_in_words(each) for each in changes),
            )
        )
        before = program
    return versions[::-1]


def change_in_words(change: ProgramChange) -> str:
    """“Squat: sets 3 → 4”, “Added squat: 3 × 10, …”."""
    if change.kind == "moved":
        return "The exercises are in another order"
    what = _WORDS.get(change.what, change.what)
    of = change.what if change.exercise_id is None else _name(change.exercise_id)
    if change.kind == "added":
        return f"Added {of}: {change.after}"
    if change.kind == "removed":
        return f"Removed {of}: {change.before}"
    said = f"{change.before or 'none'} → {change.after or 'none'}"
    return f"{of}: {said}" if change.exercise_id is None else f"{of}: {what} {said}"


def _name(exercise_id: str) -> str:
    return load_library()[exercise_id].name["en"]
