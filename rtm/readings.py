"""What was measured of one patient, as plain readings that criteria are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from rtm.adherence import adherence
from rtm.exercises import Exercise
from rtm.program import Program
from rtm.range_of_motion import RangeResult
from rtm.session import Repetition, Session

_WINDOW_S = 30.0


@dataclass(frozen=True)
class Reading:
    """One value of one day.

    `measure` is named as criteria name it (`rtm.protocols.measures`, or a movement in deg), of
    the side that is treated. `exercise_id` is whose session it comes from, `instrument_id` whose
    score it is. `asked_for` is how far an exercise asked the joint to go: less than all that it
    can do, so a smaller value does not say that it can't. None where all was asked for.
    """

    measure: str
    value: float
    on: date
    exercise_id: str | None = None
    instrument_id: str | None = None
    asked_for: float | None = None


def session_readings(
    session: Session, exercise: Exercise, time_zone: ZoneInfo
) -> tuple[Reading, ...]:
    """Pain before and after, and what the camera measured, if anything."""
    on = session.monitored_day(time_zone)
    found = [
        Reading("pain_before", session.pain.before, on, exercise.id),
        Reading("pain_severity", session.pain.after, on, exercise.id),
    ]
    result = session.result
    if result is None:
        return tuple(found)
    if result.score.total is not None:
        found.append(Reading("score_total", result.score.total, on, exercise.id))
    if result.repetitions:
        most = most_in_30_s(result.repetitions)
        found.append(Reading("repetitions_in_30_s", most, on, exercise.id))
    if result.primary_angle is not None and exercise.primary_angle is not None:
        angle = exercise.primary_angle
        asked = max(angle.rest_deg, angle.target_deg)
        name, most_deg = result.primary_angle.name, result.primary_angle.max_deg
        found.append(Reading(name, most_deg, on, exercise.id, asked_for=asked))
    return tuple(found)


def range_reading(result: RangeResult, on: date) -> Reading | None:
    """A range test's best attempt; None where nothing was measured."""
    return None if result.best_deg is None else Reading(result.movement_id, result.best_deg, on)


def adherence_reading(
    program: Program, done: Sequence[date], as_of: date, days: int = 14
) -> Reading | None:
    """Percent of the due days done among the latest `days`; None while none was due."""
    counted = adherence(program, done, as_of)
    due = [day for day in counted.days_due if 0 <= (as_of - day).days < days]
    if not due:
        return None
    finished = set(counted.days_done)
    return Reading("adherence", 100.0 * sum(day in finished for day in due) / len(due), as_of)


def most_in_30_s(repetitions: Sequence[Repetition]) -> int:
    """The most full repetitions that began and ended within any 30 s.

    The proxy of the 30-second chair stand (Jones, Rikli & Beam, Res Q Exerc Sport 1999;70:113-119).
    """
    return max(
        (
            sum(
                first.start_s <= each.start_s and each.end_s <= first.start_s + _WINDOW_S
                for each in repetitions
            )
            for first in repetitions
        ),
        default=0,
    )
