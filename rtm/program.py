"""A prescribed home exercise program: exercises with doses, goals, and the days it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from rtm.exercises.definition import Side

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(WEEKDAYS)


class InvalidDose(ValueError):
    """A dose outside what a home program can ask; the message names the field and its bounds."""


@dataclass(frozen=True)
class Dose:
    """How much of one exercise: `sets` × `repetitions`, each held `hold_s`.

    An exercise done for time has `repetitions` 1 and its time in `hold_s`.

    Raises:
        InvalidDose: sets outside 1–10, repetitions 1–50, hold 0–1800 s, rest 0–600 s,
            times a day 1–6, or no weekday.
    """

    sets: int
    repetitions: int
    hold_s: float = 0.0
    rest_s: float = 30.0
    times_per_day: int = 1
    weekdays: frozenset[Weekday] = EVERY_DAY

    def __post_init__(self) -> None:
        for field, value, least, most in (
            ("sets", self.sets, 1, 10),
            ("repetitions", self.repetitions, 1, 50),
            ("hold_s", self.hold_s, 0, 1800),
            ("rest_s", self.rest_s, 0, 600),
            ("times_per_day", self.times_per_day, 1, 6),
        ):
            if not least <= value <= most:
                raise InvalidDose(f"{field} must lie between {least} and {most}, got {value}")
        if not self.weekdays or not self.weekdays <= EVERY_DAY:
            raise InvalidDose("weekdays must name at least one of " + ", ".join(WEEKDAYS))


def line_key(exercise_id: str, side: str) -> str:
    """The key of a program's line; for an exercise of both sides at once, its id."""
    return exercise_id if side == "bilateral" else f"{exercise_id}.{side}"


def exercise_of(key: str) -> str:
    """The exercise of a line with that key."""
    return key.partition(".")[0]


@dataclass(frozen=True)
class PrescribedExercise:
    """One line of a program. `note` is the clinician's own instruction to the patient.

    `limit_deg` is the farthest that the patient may go, in the exercise's own angle
    (`rtm.range_limit`); None where the exercise's target is right.
    """

    exercise_id: str
    side: Side
    dose: Dose
    note: str = ""
    limit_deg: float | None = None

    @property
    def key(self) -> str:
        """Tells this line from the program's others: one exercise may stand there for each side."""
        return line_key(self.exercise_id, self.side)

    def is_named(self, name: str) -> bool:
        """Whether `name` is this line's key, or its exercise's id where no side is told."""
        return name in (self.key, self.exercise_id)


@dataclass(frozen=True)
class Goal:
    """What the program is to reach: `measure` at `target_value` `unit` by `due`.

    `measure` is an angle name (`knee_flexion`, in deg), `pain_severity` (0–10) or
    `adherence` (percent of prescribed days).
    """

    id: str
    description: str
    measure: str
    comparison: Literal["at_least", "at_most"]
    target_value: float
    unit: Literal["deg", "score", "percent"]
    due: date


@dataclass(frozen=True)
class Program:
    """A signed or draft program. `id` is ours, stable over versions; `version` counts from 1."""

    id: str
    version: int
    title: str
    protocol_id: str
    phase_id: str
    condition_code: str
    condition_display: str
    exercises: tuple[PrescribedExercise, ...]
    goals: tuple[Goal, ...]
    start: date
    end: date

    def due_on(self, day: date) -> tuple[PrescribedExercise, ...]:
        """The exercises that this program asks for on `day`; none outside its dates."""
        if not self.start <= day <= self.end:
            return ()
        weekday = WEEKDAYS[day.weekday()]
        return tuple(line for line in self.exercises if weekday in line.dose.weekdays)

    def days_due(self, first: date, last: date) -> tuple[date, ...]:
        """The days from `first` to `last`, both included, on which anything is due."""
        span = range((last - first).days + 1)
        days = (first + timedelta(days=offset) for offset in span)
        return tuple(day for day in days if self.due_on(day))
