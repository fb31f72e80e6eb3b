"""From a protocol's phase to a program for one person."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from rtm.exercises import Side, load_library
from rtm.program import Goal, PrescribedExercise, Program
from rtm.protocols.definition import Phase, Protocol
from rtm.range_limit import limit_of


def draft_program(
    protocol: Protocol,
    phase: Phase,
    *,
    id: str,
    start: date,
    side: Side,
    language: Literal["en", "es"] = "en",
) -> Program:
    """The phase's default doses from `start`; `side` is that of every unilateral exercise.

    `language` is the patient's: the notes of the lines are written in it.
    """
    library = load_library()
    lines = [
        PrescribedExercise(
            exercise_id=line.exercise_id,
            side="bilateral" if library[line.exercise_id].laterality == "bilateral" else side,
            dose=line.dose,
            note=line.note[language] if line.note else "",
            limit_deg=limit_of(library[line.exercise_id], line.limits),
        )
        for line in phase.exercises
    ]
    goals = [
        Goal(
            id=goal.id,
            description=goal.description,
            measure=goal.measure,
            comparison=goal.comparison,
            target_value=goal.value,
            unit=goal.unit,
            due=start + timedelta(weeks=goal.due_weeks),
        )
        for goal in phase.goals
    ]
    return Program(
        id=id,
        version=1,
        title=f"{protocol.title['en']}: {phase.title['en']}",
        protocol_id=protocol.id,
        phase_id=phase.id,
        condition_code=protocol.condition_code,
        condition_display=protocol.condition_display,
        exercises=tuple(lines),
        goals=tuple(goals),
        start=start,
        end=start + timedelta(weeks=phase.weeks) - timedelta(days=1),
    )
