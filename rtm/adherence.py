"""Adherence: which of the days that a program asked for were done."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from rtm.program import Program

DayState = Literal["done", "partly", "missed", "rest", "extra", "upcoming", "outside"]


@dataclass(frozen=True)
class Adherence:
    """`days_due` and `days_done` ascend; a day done without being due is not counted."""

    days_due: tuple[date, ...]
    days_done: tuple[date, ...]
    streak: int

    @property
    def percent(self) -> float | None:
        """Days done of days due, 0–100; None while no day was due."""
        return 100.0 * len(self.days_done) / len(self.days_due) if self.days_due else None


def adherence(program: Program, done: Collection[date], as_of: date) -> Adherence:
    """From the program's start to `as_of`, both included.

    `streak` counts the latest due days done without a miss; `as_of` itself, if not done yet,
    does not break it.
    """
    due = program.days_due(program.start, min(as_of, program.end))
    finished = set(done)
    streak = 0
    for day in reversed(due):
        if day in finished:
            streak += 1
        elif day != as_of:
            break
    return Adherence(due, tuple(day for day in due if day in finished), streak)


@dataclass(frozen=True)
class CalendarDay:
    """One day of the patient's calendar: `done` of `due` exercises, each counted once.

    `extra` is a day on which exercises were done that no program asked for; `outside` lies
    before, between or after the programs. Today is `upcoming` while nothing of it is done.
    """

    day: date
    state: DayState
    due: int
    done: int

    @property
    def exercised(self) -> bool:
        """Whether it counts as done in `Adherence`: anything of what was due."""
        return self.state in ("done", "partly")


def calendar(
    programs: Sequence[Program],
    done: Mapping[date, Collection[str]],
    first: date,
    last: date,
    today: date,
) -> tuple[CalendarDay, ...]:
    """Every day from `first` to `last`, both included.

    `programs` are the versions of the patient's program in their order; each holds from its
    start until the next one's. `done` gives the ids of the exercises done on a day.
    """
    days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    return tuple(_calendar_day(programs, done.get(day, ()), day, today) for day in days)


def streak(days: Sequence[CalendarDay], today: date) -> int:
    """The latest due days of `days` on which the patient exercised, without a miss between.

    As in `adherence`, today does not break it, and a day of rest neither counts nor breaks it.
    """
    count = 0
    for day in reversed([day for day in days if day.day <= today]):
        if day.exercised:
            count += 1
        elif day.state == "missed":
            break
    return count


def _calendar_day(
    programs: Sequence[Program], done: Collection[str], day: date, today: date
) -> CalendarDay:
    program = next((each for each in reversed(programs) if each.start <= day), None)
    due = {line.exercise_id for line in program.due_on(day)} if program else set()
    finished = len(due & set(done))
    if not due:
        within = program is not None and day <= program.end
        state: DayState = "extra" if done else "rest" if within else "outside"
    elif finished == len(due):
        state = "done"
    elif finished or done:
        state = "partly"
    else:
        state = "missed" if day < today else "upcoming"
    return CalendarDay(day, state, len(due), finished)
