"""What the tally reads and what it answers: plain values, no clock, no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

from rtm.episode import Episode
from rtm.ledger import CountableFacts, Interaction, Ledger, ProviderKind, countable

DateOfService = Literal["last_day", "threshold_day", "range"]
DistinctModifier = Literal["59", "XE", "XP", "XS", "XU"]
# What kind of enrolled entity bills: decides the claim's format (billing/entities.yaml) and what is
# paid at all (`facilities` of the rules).
Entity = Literal[
    "private_practice",
    "physician_office",
    "hospital_outpatient",
    "rehab_agency",
    "corf",
    "fqhc",
    "rhc",
]
BilledStatus = Literal["sent", "paid", "denied", "rejected", "voided"]

# A voided claim was taken back, a rejected one never reached adjudication: what they charged may
# be charged again. A denied one was decided on; it is appealed or corrected, not sent anew.
_GONE: frozenset[BilledStatus] = frozenset({"rejected", "voided"})


@dataclass(frozen=True)
class OtherService:
    """A service billed elsewhere: by `npi`, on `date`, with clock times where known.

    `distinct_because` is the recorded justification that ours was a distinct service, and
    `distinct_modifier` what then says so on the claim.
    """

    date: date
    code: str
    npi: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    distinct_because: str | None = None
    distinct_modifier: DistinctModifier = "59"


@dataclass(frozen=True)
class Billed:
    """One of our own charges that has left already, and what became of it.

    `episode_id` and `left_at` say whose facts it was made from and when it left, where known.
    """

    date: date
    code: str
    units: int
    status: BilledStatus = "sent"
    episode_id: str | None = None
    left_at: datetime | None = None

    @property
    def stands(self) -> bool:
        """Whether it still stands against a second charge of the same thing."""
        return self.status not in _GONE


@dataclass(frozen=True)
class EarlierEpisode:
    """An episode of the same patient before this one; `end` is its discharge, if there was one."""

    start: date
    end: date | None
    plan_of_care: str | None = None


@dataclass(frozen=True)
class BusyTime:
    """A time entry of `npi` for another patient, as it stands; what was retracted is none.

    `id` is that entry's, in one order for all. An unconfirmed entry keeps its minutes as well:
    they may have left on this patient's claim before it is confirmed.
    """

    id: str
    npi: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class GlobalSurgery:
    """A surgery whose global fee `npi` was paid; `first`-`last` is its global period."""

    npi: str
    first: date
    last: date
    diagnoses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Account:
    """Everything that decides one patient's charges on `as_of`.

    `therapy_allowed_to_date` is the allowed amount of the therapy discipline so far in the year
    of `as_of`, as billing staff entered it; without it KX is never added. `diagnoses` are those
    that monitoring treats, `ordered_on` the date of a recorded order.
    """

    time_zone: ZoneInfo
    as_of: date
    payer: str
    episode: Episode
    ledger: Ledger
    other_services: tuple[OtherService, ...] = ()
    billed: tuple[Billed, ...] = ()
    therapy_allowed_to_date: Decimal | None = None
    earlier_episodes: tuple[EarlierEpisode, ...] = ()
    busy: tuple[BusyTime, ...] = ()
    surgeries: tuple[GlobalSurgery, ...] = ()
    diagnoses: tuple[str, ...] = ()
    entity: Entity = "private_practice"
    practitioner_kind: ProviderKind | None = None
    ordered_on: date | None = None

    @cached_property
    def talk_days(self) -> Mapping[str, date]:
        """The patient's own date of each interaction by id, corrections included."""
        replaced = [
            correction.replacement
            for correction in self.ledger.corrections
            if isinstance(correction.replacement, Interaction)
        ]
        return {
            talk.id: talk.at.astimezone(self.time_zone).date()
            for talk in (*self.ledger.interactions, *replaced)
            if talk.at.tzinfo is not None
        }

    @cached_property
    def countable(self) -> CountableFacts:
        """The facts that may be counted on `as_of`, whether or not they are this account's."""
        return countable(self.ledger, self.as_of, self.talk_days.items())


@dataclass(frozen=True)
class Reason:
    """One step of the decision: the rule, the facts that met it, and where the rule stands."""

    rule: str
    facts: Mapping[str, object]
    source: str


@dataclass(frozen=True)
class Charge:
    """One billable line. `service_date` is what a claim prints; `amount` is for all units.

    `first`-`last` is the time charged for and `threshold_met` the day on which enough had come;
    `dated_by` is the payer's choice among them.
    """

    code: str
    units: int
    modifiers: tuple[str, ...]
    first: date
    last: date
    amount: Decimal | None
    reasons: tuple[Reason, ...]
    threshold_met: date | None = None
    dated_by: DateOfService = "last_day"

    @property
    def service_date(self) -> date:
        """The date of service; of a range, its last day."""
        if self.dated_by == "threshold_day" and self.threshold_met is not None:
            return self.threshold_met
        return self.last

    @property
    def service_from(self) -> date:
        """The first date of service: before `service_date` only where the payer takes a range."""
        return self.first if self.dated_by == "range" else self.service_date

    @property
    def needs_review(self) -> bool:
        """Whether a person should look before this leaves."""
        return any(reason.rule.startswith("review.") for reason in self.reasons)


@dataclass(frozen=True)
class Shortfall:
    """What is missing for `code`, in words, and the last day on which it still helps.

    `only_time` marks a threshold that is met: the period or month just has to end. `any_time` is
    what still helps after `by`, the day its period or month ends. `rule`, `facts` and `source` say
    why, as in a `Reason`.
    """

    code: str
    needs: str
    by: date
    only_time: bool = False
    rule: str = ""
    facts: Mapping[str, object] = field(default_factory=dict, hash=False)
    source: str = ""
    any_time: bool = False


@dataclass(frozen=True)
class Block:
    """A charge that may not be made, the rule that forbids it, and why.

    `code` is RTM where it stands against no single code, as with a fact that can't be counted.
    """

    code: str
    rule: str
    why: str
    facts: Mapping[str, object] = field(default_factory=dict, hash=False)
    source: str = ""


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
