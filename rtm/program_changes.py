"""What a new version of a program changes for the patient."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from rtm.program import WEEKDAYS, Dose, PrescribedExercise, Program


@dataclass(frozen=True)
class ProgramChange:
    """One difference. `exercise_id` is None where the program as a whole changed.

    `what` is an element of the program, the prescribed exercise or its dose; `before` and `after`
    are its values in words, None where there was or is none.
    """

    kind: Literal["added", "removed", "changed", "moved"]
    exercise_id: str | None
    what: str = ""
    before: str | None = None
    after: str | None = None


def program_changes(before: Program, after: Program) -> tuple[ProgramChange, ...]:
    """From one version to the next: of the whole, then added, changed and removed exercises.

    An exercise that stands on both sides twice (left and right) is two. Order is told once, and
    only where the exercises that stay are in another one.
    """
    whole = [
        ProgramChange("changed", None, name, str(old), str(new))
        for name in ("title", "start", "end")
        if (old := getattr(before, name)) != (new := getattr(after, name))
    ]
    old_goals, new_goals = ({g.description for g in p.goals} for p in (before, after))
    whole += [
        ProgramChange("removed", None, "goal", before=g) for g in sorted(old_goals - new_goals)
    ]
    whole += [ProgramChange("added", None, "goal", after=g) for g in sorted(new_goals - old_goals)]
    olds, news = _by_key(before), _by_key(after)
    stay = [key for key in olds if key in news]
    if stay != [key for key in news if key in olds]:
        whole.append(ProgramChange("moved", None, "order"))
    changes = [
        ProgramChange("added", line.exercise_id, after=dose_in_words(line))
        for key, line in news.items()
        if key not in olds
    ]
    for key in stay:
        changes += _line_changes(olds[key], news[key])
    changes += [
        ProgramChange("removed", line.exercise_id, before=dose_in_words(line))
        for key, line in olds.items()
        if key not in news
    ]
    return (*whole, *changes)


def dose_in_words(line: PrescribedExercise) -> str:
    """For clinicians: “3 × 10, hold 5 s, left, mon wed fri”."""
    dose = line.dose
    parts = [f"{dose.sets} × {dose.repetitions}"]
    if dose.hold_s:
        parts.append(f"hold {dose.hold_s:g} s")
    if dose.times_per_day > 1:
        parts.append(f"{dose.times_per_day} times a day")
    if line.limit_deg is not None:
        parts.append(f"no further than {line.limit_deg:g}°")
    return ", ".join([*parts, line.side, days_in_words(dose)])


def days_in_words(dose: Dose) -> str:
    if len(dose.weekdays) == len(WEEKDAYS):
        return "every day"
    return " ".join(day for day in WEEKDAYS if day in dose.weekdays)


def _by_key(program: Program) -> dict[str, PrescribedExercise]:
    return {line.key: line for line in program.exercises}


def _line_changes(old: PrescribedExercise, new: PrescribedExercise) -> list[ProgramChange]:
    changes = [
        ProgramChange("changed", new.exercise_id, field.name, _word(old.dose, field.name), said)
        for field in fields(Dose)
        if (said := _word(new.dose, field.name)) != _word(old.dose, field.name)
    ]
    if old.limit_deg != new.limit_deg:
        limits = [None if one.limit_deg is None else f"{one.limit_deg:g}°" for one in (old, new)]
        changes.append(ProgramChange("changed", new.exercise_id, "limit", *limits))
    if old.note != new.note:
        changes.append(
            ProgramChange("changed", new.exercise_id, "note", old.note or None, new.note or None)
        )
    return changes


def _word(dose: Dose, name: str) -> str:
    if name == "weekdays":
        return days_in_words(dose)
    return f"{getattr(dose, name):g}"
