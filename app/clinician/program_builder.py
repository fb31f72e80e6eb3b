"""What the program builder shows: where a program begins, its form, and the exercises to add."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import uuid4

from app.clinician.form_lines import FormData, appended, lines_in, moved
from app.clinician.program_forms import ProgramForm, weekdays_text
from rtm.exercises import Exercise, load_library
from rtm.exercises.difficulty import Difficulty, difficulty
from rtm.program import Dose, PrescribedExercise, Program
from rtm.protocols import Phase, Precaution, Protocol, ProtocolLibrary
from rtm.protocols.default_dose import default_dose
from rtm.protocols.heed import breaches


@dataclass(frozen=True)
class Beginning:
    """What the builder begins with: a draft, and the protocol it comes from if that is known."""

    draft: Program
    protocol: Protocol | None

    @classmethod
    def of(cls, draft: Program, protocols: ProtocolLibrary) -> Beginning:
        return cls(draft, protocols.by_id.get(draft.protocol_id))

    @property
    def phase(self) -> Phase | None:
        phases = self.protocol.phases if self.protocol else ()
        return next((phase for phase in phases if phase.id == self.draft.phase_id), None)

    @property
    def precautions(self) -> tuple[Precaution, ...]:
        if self.protocol is None:
            return ()
        return self.protocol.precautions_in(self.phase) if self.phase else self.protocol.precautions

    def cautions(self, exercise_id: str) -> tuple[str, ...]:
        """What the precautions hold against an exercise, done within the phase's own limits."""
        exercise = load_library().by_id.get(exercise_id)
        if exercise is None:
            return ()
        lines = self.phase.exercises if self.phase else ()
        limits = next((line.limits for line in lines if line.exercise_id == exercise_id), ())
        found = {breach.precaution_id for breach in breaches(exercise, self.precautions, limits)}
        return tuple(item.text["en"] for item in self.precautions if item.id in found)


@dataclass(frozen=True)
class Offer:
    """An exercise of the library that may be added."""

    exercise: Exercise
    difficulty: Difficulty
    favourite: bool
    cautions: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.exercise.name["en"]

    @property
    def regions(self) -> tuple[str, ...]:
        return (self.exercise.region, *self.exercise.further_regions)


def offers(beginning: Beginning, data: FormData, favourites: Collection[str]) -> list[Offer]:
    """Every exercise that is not in the form on all its sides; favourites first, then by name."""
    library, there = load_library(), [line.get("exercise_id", [""])[0] for line in lines_in(data)]
    found = [
        Offer(
            exercise,
            difficulty(exercise),
            exercise.id in favourites,
            beginning.cautions(exercise.id),
        )
        for exercise in library
        if there.count(exercise.id) < (1 if exercise.laterality == "bilateral" else 2)
    ]
    return sorted(found, key=lambda offer: (not offer.favourite, offer.name))


def edited(data: FormData, what: str, beginning: Beginning) -> FormData:
    """`data` after one step: `up-2`, `down-2` or `add-squat`; unchanged by what is none."""
    verb, _, of = what.partition("-")
    if verb in ("up", "down") and of.isdigit():
        return moved(data, int(of), -1 if verb == "up" else 1)
    if verb == "add" and of in load_library().by_id:
        exercise = load_library()[of]
        dose = default_dose(exercise, beginning.protocol)
        line = PrescribedExercise(of, _free_side(data, exercise), dose)
        return appended(data, line_data(line))
    return data


def form_data(draft: Program) -> dict[str, Any]:
    """The form of a draft as it is first shown."""
    return {
        "signing_key": str(uuid4()),
        "start": draft.start,
        "lines": [line_data(line) for line in draft.exercises],
    }


def line_data(line: PrescribedExercise) -> dict[str, Any]:
    dose = line.dose
    return {
        "exercise_id": line.exercise_id,
        "include": True,
        "side": line.side,
        "sets": dose.sets,
        "repetitions": dose.repetitions,
        "hold_s": round(dose.hold_s),
        "rest_s": round(dose.rest_s),
        "times_per_day": dose.times_per_day,
        "weekdays": weekdays_text(dose.weekdays),
        "limit_deg": "" if line.limit_deg is None else round(line.limit_deg),
        "note": line.note,
    }


def program_of(draft: Program, form: ProgramForm) -> Program:
    """`draft` with what a valid form holds; it lasts as long from its new start."""
    lines = tuple(
        PrescribedExercise(
            entry.exercise_id.data,
            entry.side.data,
            Dose(
                sets=entry.sets.data,
                repetitions=entry.repetitions.data,
                hold_s=float(entry.hold_s.data),
                rest_s=float(entry.rest_s.data),
                times_per_day=entry.times_per_day.data,
                weekdays=frozenset(entry.weekdays.data.split(",")),
            ),
            entry.note.data or "",
            None if entry.limit_deg.data is None else float(entry.limit_deg.data),
        )
        for entry in form.lines.entries
        if entry.include.data
    )
    start: date = form.start.data
    return replace(draft, exercises=lines, start=start, end=start + (draft.end - draft.start))


def _free_side(data: FormData, exercise: Exercise) -> Any:
    """The side that the exercise does not have yet; else that of the program's other lines."""
    if exercise.laterality == "bilateral":
        return "bilateral"
    lines = [
        (line.get("exercise_id", [""])[0], line.get("side", [""])[0]) for line in lines_in(data)
    ]
    own = [side for id_, side in lines if id_ == exercise.id]
    others = [side for _, side in lines if side in ("left", "right")]
    usual = others[0] if others else "right"
    other = "left" if usual == "right" else "right"
    return other if usual in own else usual
