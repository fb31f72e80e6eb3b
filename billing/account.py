"""What the tally reads and what it answers: plain values, no clock, no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from rtm.episode import Episode
from rtm.ledger import Ledger


@dataclass(frozen=True)
class OtherService:
    """A service billed elsewhere: by `npi`, on `date`, with clock times where known."""

    date: date
    code: str
    npi: str | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class Billed:
    """One of our own charges that has left already."""

    date: date
    code: str
    units: int


@dataclass(frozen=True)
class Account:
    """Everything that decides one patient's charges on `as_of`.

    `therapy_allowed_to_date` is the year's allowed amount of the therapy discipline so far, as
    billing staff entered it; without it KX is never added.
    """

    time_zone: ZoneInfo
    as_of: date
    payer: str
    episode: Episode
    ledger: Ledger
    other_services: tuple[OtherService, ...] = ()
    billed: tuple[Billed, ...] = ()
    therapy_allowed_to_date: Decimal | None = None


@dataclass(frozen=True)
class Reason:
    """One step of the decision: the rule, the facts that met it, and where the rule stands."""

    rule: str
    facts: Mapping[str, object]
    source: str


@dataclass(frozen=True)
class Charge:
    """One billable line. `service_date` is what a claim prints; `amount` is for all units."""

    code: str
    units: int
    modifiers: tuple[str, ...]
    first: date
    last: date
    amount: Decimal | None
    reasons: tuple[Reason, ...]

    @property
    def service_date(self) -> date:
        return self.last

    @property
    def needs_review(self) -> bool:
        """Whether a person should look before this leaves."""
        return any(reason.rule.startswith("review.") for reason in self.reasons)


@dataclass(frozen=True)
class Shortfall:
    """What is missing for `code`, in words, and the last day on which it still helps.

    `only_time` marks a threshold that is met: the period or month just has to end.
    """

    code: str
    needs: str
    by: date
    only_time: bool = False


@dataclass(frozen=True)
class Block:
    """A charge that may not be made, the rule that forbids it, and why."""

    code: str
    rule: str
    why: str


@dataclass(frozen=True)
class Tally:
    """The answer. `charges` are in the order of date of service, then code."""

    charges: tuple[Charge, ...]
    shortfalls: tuple[Shortfall, ...]
    blocked: tuple[Block, ...]

    @property
    def total(self) -> Decimal:
        return sum_amounts(self.charges)


def sum_amounts(charges: Sequence[Charge]) -> Decimal:
    """The sum of known amounts."""
    return sum((charge.amount for charge in charges if charge.amount is not None), Decimal("0.00"))
