"""Adherence: which of the days that a program asked for were done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from rtm.program import Program


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
