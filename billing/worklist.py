"""The billing worklist: one patient's month as a row that says what it waits for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, get_args

from billing.account import Account, Block, Charge, Shortfall, Tally, sum_amounts
from rtm.ledger import seconds_of, without_overlap

# In the order in which somebody should look: a decision, a look, the export, a step, nothing.
State = Literal["blocked", "review", "billable", "short", "on_track", "missed", "quiet"]
STATES: tuple[State, ...] = get_args(State)


# What makes a charge the same charge when it is tallied again: code, last day, modifiers.
ChargeIdentity = tuple[str, date, tuple[str, ...]]


def identity(charge: Charge) -> ChargeIdentity:
    return charge.code, charge.last, charge.modifiers


# The export chooses the institutional claim by itself: nobody has to look because of that alone.
_ANSWERED_BY_THE_EXPORT = "review.institutional_claim"


def wants_review(charge: Charge) -> bool:
    """Whether a person should look at `charge` before it leaves by our own export."""
    return any(
        reason.rule.startswith("review.") and reason.rule != _ANSWERED_BY_THE_EXPORT
        for reason in charge.reasons
    )


@dataclass(frozen=True)
class Step:
    """What would still make `code` billable, and how many days are left to do it (1: today).

    `any_time` is what still helps after `by`, a late signature: no day is the last one for it.
    """

    code: str
    needs: str
    by: date
    days_left: int
    any_time: bool = False


@dataclass(frozen=True)
class WorklistRow:
    """One patient's month.

    `total` sums the known amounts; `unpriced` counts the charges without one. `projected` adds
    what only has to wait for its period or month to end. `to_review` are the charges that a person
    must look at and nobody has approved yet. `missed` could not be made good any more.
    """

    state: State
    charges: tuple[Charge, ...]
    total: Decimal
    projected: Decimal
    unpriced: int
    to_review: tuple[Charge, ...]
    steps: tuple[Step, ...]
    missed: tuple[Shortfall, ...]
    blocked: tuple[Block, ...]

    @property
    def needs_live_contact(self) -> bool:
        """Whether minutes lie idle because nobody has spoken with the patient this month."""
        return any(step.needs == "an interaction" for step in self.steps)


@dataclass(frozen=True)
class Activity:
    """What a patient's month holds: distinct days with data, and minutes of care management."""

    days: int
    minutes: int


def activity(account: Account, first: date, last: date) -> Activity:
    """Of `first`-`last`; facts that can't be counted are left out."""
    facts = account.countable
    work = without_overlap([entry for entry in facts.time if first <= entry.local_date <= last])
    return Activity(
        sum(first <= day <= last for day in facts.monitored_dates),
        seconds_of(work) // 60,
    )


def worklist_row(
    result: Tally,
    first: date,
    last: date,
    as_of: date,
    prices: Mapping[str, Decimal] | None = None,
    approved: Collection[ChargeIdentity] = (),
) -> WorklistRow:
    """The row of the month `first`-`last`: charges by date of service, steps by their last day.

    `prices` are by code, for what is projected; `approved` is what somebody has looked at. Blocks
    have no date of their own and stand in each month until they are resolved.
    """
    charges = tuple(c for c in result.charges if first <= c.service_date <= last)
    due = [s for s in result.shortfalls if first <= s.by <= last]
    ahead = [s for s in due if s.by >= as_of or s.any_time]
    steps = tuple(
        Step(s.code, s.needs, s.by, (s.by - as_of).days + 1, s.any_time)
        for s in ahead
        if not s.only_time
    )
    missed = tuple(s for s in due if s not in ahead)
    waiting = [s for s in ahead if s.only_time]
    total = sum_amounts(charges)
    to_review = tuple(c for c in charges if wants_review(c) and identity(c) not in approved)
    return WorklistRow(
        state=_state(result.blocked, charges, to_review, steps, missed, bool(waiting)),
        charges=charges,
        total=total,
        projected=total + sum((prices or {}).get(s.code, Decimal(0)) for s in waiting),
        unpriced=sum(charge.amount is None for charge in charges),
        to_review=to_review,
        steps=steps,
        missed=missed,
        blocked=result.blocked,
    )


def _state(
    blocked: tuple[Block, ...],
    charges: tuple[Charge, ...],
    to_review: tuple[Charge, ...],
    steps: tuple[Step, ...],
    missed: tuple[Shortfall, ...],
    waits: bool,
) -> State:
    if any(_wants_a_decision(block) for block in blocked):
        return "blocked"
    if to_review:
        return "review"
    if charges:
        return "billable"
    if waits:
        return "on_track"
    if steps:
        return "short"
    return "missed" if missed else "quiet"


def _wants_a_decision(block: Block) -> bool:
    """Not where a fact does not count because of what it is, as a text message's minutes."""
    return block.rule != "outside_episode" and ".activities." not in block.rule
