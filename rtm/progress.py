"""How a patient is getting on: the facts behind the sentences that the patient reads.

A change is told as one only where it is larger than measuring alone can explain: for a joint the
minimal detectable change (MDC) of `rtm.range_of_motion`, for pain the instrument's least
important change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import fmean, median
from typing import Literal

from rtm.adherence import CalendarDay
from rtm.exercises import Exercise
from rtm.exercises.definition import PrimaryAngle
from rtm.program import Program
from rtm.range_of_motion import RangeMovement, change_between, load_movements
from rtm.session import ExerciseResult

Direction = Literal["better", "worse", "same", "unknown"]

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class WeekDone:
    """Of the last seven days: on how many of the `due` ones the patient exercised."""

    done: int
    due: int
    extra: int


@dataclass(frozen=True)
class RangePoint:
    """One day's reach in deg, by the clinical convention of the exercise's primary angle."""

    day: date
    reach_deg: float


@dataclass(frozen=True)
class RangeChange:
    """From the first day to the latest of one exercise.

    `movement` is the joint's movement whose MDC judges it, None where there is none: then the
    direction is `unknown`, and nobody may call it better.
    """

    first: RangePoint
    latest: RangePoint
    movement: RangeMovement | None
    direction: Direction
    shown_deg: int


@dataclass(frozen=True)
class PainChange:
    """Mean pain after exercise, 0–10, in the first week of exercise and in the last seven days."""

    first: float
    latest: float
    direction: Direction


def week_done(days: Sequence[CalendarDay], today: date) -> WeekDone:
    """The seven days that end with `today`; today counts only once something of it is done."""
    week = [day for day in days if today - WEEK < day.day <= today]
    due = [day for day in week if day.exercised or day.state == "missed"]
    return WeekDone(
        done=sum(day.exercised for day in due),
        due=len(due),
        extra=sum(day.state == "extra" for day in week),
    )


def reach_deg(exercise: Exercise, result: ExerciseResult) -> float | None:
    """How far the joint went in one session: the median peak of its repetitions, so that one
    badly seen repetition moves nothing; None where none was measured."""
    if exercise.primary_angle is None or not result.repetitions:
        return None
    return median(repetition.peak_deg for repetition in result.repetitions)


def movement_of(angle: PrimaryAngle) -> RangeMovement | None:
    """The joint's movement that the angle's target lies in the direction of."""
    direction = "maximum" if angle.target_deg > angle.rest_deg else "minimum"
    return next(
        (m for m in load_movements() if m.angle == angle.name and m.direction == direction), None
    )


def target_deg(exercise: Exercise, program: Program | None) -> float | None:
    """What the program's goal for this joint asks for, else the exercise's own full reach."""
    angle = exercise.primary_angle
    if angle is None:
        return None
    movement = movement_of(angle)
    for goal in program.goals if program else ():
        if movement and goal.measure == movement.id and goal.unit == "deg":
            return -goal.target_value if movement.counts == "opposite" else goal.target_value
    return angle.target_deg


def range_change(exercise: Exercise, points: Sequence[RangePoint]) -> RangeChange | None:
    """Of one exercise and side; `points` ascend by day. None with fewer than two days."""
    if exercise.primary_angle is None or len(points) < 2:
        return None
    first, latest = points[0], points[-1]
    movement = movement_of(exercise.primary_angle)
    if movement is None:
        return RangeChange(
            first, latest, None, "unknown", round(latest.reach_deg - first.reach_deg)
        )
    change = change_between(
        movement, movement.value_deg(first.reach_deg), movement.value_deg(latest.reach_deg)
    )
    direction: Direction = "same"
    if change.certain:
        direction = "better" if change.gain_deg > 0 else "worse"
    return RangeChange(first, latest, movement, direction, change.shown_deg)


def pain_change(
    pain: Sequence[tuple[date, int]], today: date, important_change: float
) -> PainChange | None:
    """`pain` is after each session, ascending by day.

    None unless the patient exercised in the last seven days and, before those, in a first week.
    """
    if not pain:
        return None
    began = pain[0][0]
    first = [value for day, value in pain if day < began + WEEK]
    latest = [value for day, value in pain if today - WEEK < day <= today]
    if began + WEEK > today - WEEK + timedelta(days=1) or not latest:
        return None
    before, now = fmean(first), fmean(latest)
    direction: Direction = "same"
    if abs(now - before) >= important_change:
        direction = "better" if now < before else "worse"
    return PainChange(before, now, direction)
