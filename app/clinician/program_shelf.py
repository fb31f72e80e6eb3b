"""A clinician's favourite exercises, and the templates that all of a health system may use."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store import FavouriteExerciseRow, ProgramTemplateRow, from_document, to_document
from rtm.exercises import load_library
from rtm.program import Program


def saved_templates(db: Session) -> list[ProgramTemplateRow]:
    """Those that are offered, by name; the newer of two of one name first."""
    return list(
        db.scalars(
            select(ProgramTemplateRow)
            .where(ProgramTemplateRow.retired_at.is_(None))
            .order_by(ProgramTemplateRow.name, ProgramTemplateRow.id.desc())
        )
    )


def saved_template(db: Session, template_id: int) -> Program | None:
    row = db.get(ProgramTemplateRow, template_id)
    offered = row is not None and row.retired_at is None and row.tenant_id == db.info["tenant_id"]
    return from_document(Program, row.document) if row is not None and offered else None


def save_template(
    db: Session, name: str, program: Program, practitioner_id: int, now: datetime
) -> None:
    """Without the notes to the patient: they are about one person."""
    db.add(
        ProgramTemplateRow(
            name=name,
            document=to_document(_without_notes(program)),
            made_by=practitioner_id,
            made_at=now,
        )
    )


def retire_template(
    db: Session, template_id: int, practitioner_id: int, now: datetime
) -> str | None:
    """Takes a template from the list; its name, or None where it is not this clinician's."""
    row = db.scalar(
        select(ProgramTemplateRow).where(
            ProgramTemplateRow.id == template_id,
            ProgramTemplateRow.made_by == practitioner_id,
            ProgramTemplateRow.retired_at.is_(None),
        )
    )
    if row is None:
        return None
    row.retired_at = now
    return row.name


def favourites_of(db: Session, practitioner_id: int) -> frozenset[str]:
    return frozenset(
        db.scalars(
            select(FavouriteExerciseRow.exercise_id).where(
                FavouriteExerciseRow.practitioner_id == practitioner_id
            )
        )
    )


def turn_favourite(db: Session, practitioner_id: int, exercise_id: str) -> None:
    """Makes an exercise a favourite, or takes that back; passes over what is no exercise."""
    if exercise_id not in load_library().by_id:
        return
    row = db.scalar(
        select(FavouriteExerciseRow)
        .where(
            FavouriteExerciseRow.practitioner_id == practitioner_id,
            FavouriteExerciseRow.exercise_id == exercise_id,
        )
        .with_for_update()
    )
    if row is None:
        db.add(FavouriteExerciseRow(practitioner_id=practitioner_id, exercise_id=exercise_id))
    else:
        db.delete(row)


def _without_notes(program: Program) -> Program:
    lines = tuple(replace(line, note="", limit_deg=None) for line in program.exercises)
    return replace(program, exercises=lines)
