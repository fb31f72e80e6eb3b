"""The billing worklist: one patient's month as a row that says what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, get_args

from billing.account import Block, Charge, Shortfall, Tally, sum_amounts

# In the order in which somebody should look: a decision, a look, the export, a step, nothing.
State = Literal["blocked", "review", "billable", "short", "on_track", "missed", "quiet"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class Step:
    """What would still make `code` billable, and how many days are left to do it (1: today)."""

    code: str
    needs: str
    by: date
    days_left: int


@dataclass(frozen=True)
class WorklistRow:
    """One patient's month.

    `total` sums the known amounts; `unpriced` counts the charges without one. `missed` could
    not be made good any more.
    """

    state: State
    charges: tuple[Charge, ...]
    total: Decimal
    unpriced: int
    steps: tuple[Step, ...]
    missed: tuple[Shortfall, ...]
    blocked: tuple[Block, ...]

    @property
    def needs_live_contact(self) -> bool:
        """Whether minutes lie idle because nobody has spoken with the patient this month."""
        return any(step.needs == "an interaction" for step in self.steps)


def worklist_row(result: Tally, first: date, last: date, as_of: date) -> WorklistRow:
    """The row of the month `first`-`last`: charges by date of service, steps by their last day.

    Blocks have no date of their own and stand in each month until they are resolved.
    """
    charges = tuple(c for c in result.charges if first <= c.service_date <= last)
    due = [s for s in result.shortfalls if first <= s.by <= last]
    ahead = [s for s in due if s.by >= as_of]
    steps = tuple(
        Step(s.code, s.needs, s.by, (s.by - as_of).days + 1) for s in ahead if not s.only_time
    )
    missed = tuple(s for s in due if s.by < as_of)
    waits = any(s.only_time for s in ahead)
    return WorklistRow(
        state=_state(result.blocked, charges, steps, missed, waits),
        charges=charges,
        total=sum_amounts(charges),
        unpriced=sum(charge.amount is None for charge in charges),
        steps=steps,
        missed=missed,
        blocked=result.blocked,
    )


def _state(
    blocked: tuple[Block, ...],
    charges: tuple[Charge, ...],
    steps: tuple[Step, ...],
    missed: tuple[Shortfall, ...],
    waits: bool,
) -> State:
    if blocked:
        return "blocked"
    if any(charge.needs_review for charge in charges):
        return "review"
    if charges:
        return "billable"
    if waits:
        return "on_track"
    if steps:
        return "short"
    return "missed" if missed else "quiet"
