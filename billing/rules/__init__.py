"""Dated RTM rule sets: one YAML file a year, each line with its source.

A date of service outside every loaded set has no rules: nothing is guessed from another year.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import pairwise
from typing import Any, Literal, get_args

from rtm.checked_yaml import PlainDates, checked_documents
from rtm.episode import DeviceSystem, TherapyPlan
from rtm.ledger import ProviderKind

Period = Literal["episode", "device", "month"]
OncePer = Literal["episode", "period", "month"]


class InvalidRules(ValueError):
    """A rule file breaks the schema or contradicts another; the message names file and place."""


@dataclass(frozen=True)
class CodeRule:
    """When one code may be charged, and on what authority. Days and minutes are inclusive.

    `once_per` is None for a code that is charged in units.
    """

    code: str
    label: str
    period: Period
    source: str
    once_per: OncePer | None = None
    system: DeviceSystem | None = None
    minimum_days: int = 0
    maximum_days: int | None = None
    minimum_minutes: int = 0
    maximum_minutes: int | None = None
    add_on_to: str | None = None
    each_minutes: int | None = None
    interaction: bool = False
    assistant_modifier: bool = False
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Amount:
    """A national amount for one unit. `recalled` marks one that no source confirmed."""

    amount: Decimal
    source: str
    recalled: bool = False


@dataclass(frozen=True)
class ExcludedActivity:
    """Work whose minutes never count. `names` are how an entry's activity may begin."""

    id: str
    names: tuple[str, ...]
    why: str
    source: str

    @cached_property
    def openings(self) -> tuple[str, ...]:
        """The names as an activity of whole words opens with them."""
        return tuple(f"{name} " for name in self.names)


@dataclass(frozen=True)
class Providers:
    """Who may bill, and whose minutes count by therapy plan (None: outside one).

    `incident_to` work under the practitioner of record; those of `direct_supervision` only with
    that practitioner at hand.
    """

    may_bill: frozenset[ProviderKind]
    minutes_count: Mapping[TherapyPlan | None, frozenset[ProviderKind]]
    incident_to: frozenset[ProviderKind]
    direct_supervision: frozenset[ProviderKind]
    source: str


@dataclass(frozen=True)
class NcciPair:
    """A procedure-to-procedure edit: `column_2` is denied beside `column_1` on one date.

    `indicator` 1 lets a modifier of a distinct service separate the two, 0 never.
    """

    column_1: str
    column_2: str
    indicator: Literal[0, 1]
    source: str


@dataclass(frozen=True)
class RuleSet:
    """All rules for dates of service from `valid_from` to `valid_to`, both included.

    `sha256` is that of the file's content as JSON with sorted keys: the version that was used.
    """

    id: str
    sha256: str
    valid_from: date
    valid_to: date
    period_days: int
    codes: Mapping[str, CodeRule]
    interaction_kinds: frozenset[str]
    interaction_source: str
    exclusive_services: frozenset[str]
    exclusive_source: str
    assistant_modifiers: Mapping[str, Mapping[str, str]]
    assistant_more_than: float
    assistant_source: str
    therapy_threshold: Mapping[str, Decimal]
    therapy_threshold_source: str
    practitioner_source: str
    consent_source: str
    providers: Providers
    excluded_activities: tuple[ExcludedActivity, ...]
    activities_source: str
    refused_facilities: Mapping[str, str]
    institutional_facilities: frozenset[str]
    facilities_source: str
    global_surgery_source: str
    ncci_pairs: tuple[NcciPair, ...]
    ncci_source: str
    national: Mapping[str, Amount]
    absent_amounts: Mapping[str, str]

    def amount(self, code: str) -> Decimal | None:
        """The national amount for one unit, None where no source gave one."""
        line = self.national.get(code)
        return None if line is None else line.amount

    def of_period(self, period: Period) -> tuple[CodeRule, ...]:
        return self._by_period[period]

    @cached_property
    def _by_period(self) -> Mapping[Period, tuple[CodeRule, ...]]:
        return {
            period: tuple(rule for rule in self.codes.values() if rule.period == period)
            for period in get_args(Period)
        }


@dataclass(frozen=True)
class Rules:
    """Every loaded rule set, by date of service."""

    sets: tuple[RuleSet, ...]

    def on(self, day: date) -> RuleSet | None:
        """The rules in force on `day`, or None where none is loaded."""
        for rule_set in reversed(self.sets):
            if rule_set.valid_from <= day <= rule_set.valid_to:
                return rule_set
        return None

    @cached_property
    def by_id(self) -> Mapping[str, RuleSet]:
        return {rule_set.id: rule_set for rule_set in self.sets}

    def newest_with(self, code: str) -> RuleSet:
        """The newest rules that have `code`, for a date that lies after every loaded set."""
        return self._newest_by_code[code]

    @cached_property
    def _newest_by_code(self) -> Mapping[str, RuleSet]:
        return {code: rule_set for rule_set in self.sets for code in rule_set.codes}

    @cached_property
    def known_codes(self) -> frozenset[str]:
        return frozenset(code for rule_set in self.sets for code in rule_set.codes)


@cache
def load_rules() -> Rules:
    """The rule sets shipped with this package. Raises InvalidRules."""
    return read_rules(files(__package__))


def read_rules(folder: Traversable) -> Rules:
    """Every `*.yaml` of `folder`.

    Raises:
        InvalidRules: a file is broken, overlaps another, or has a rule without a source.
    """
    sets = [
        _rule_set(name, document)
        for name, document in checked_documents(folder, __package__, InvalidRules, PlainDates)
    ]
    sets.sort(key=lambda rule_set: rule_set.valid_from)
    for earlier, later in pairwise(sets):
        if later.valid_from <= earlier.valid_to:
            raise InvalidRules(f"{later.id} begins before {earlier.id} ends")
    return Rules(tuple(sets))


def _rule_set(name: str, document: dict[str, Any]) -> RuleSet:
    codes = {
        code: CodeRule(code=code, **{**rule, "excludes": tuple(rule.get("excludes", ()))})
        for code, rule in document["codes"].items()
    }
    _check_codes(name, codes, document["amounts"])
    valid_from = date.fromisoformat(document["valid_from"])
    valid_to = date.fromisoformat(document["valid_to"])
    if valid_to < valid_from:
        raise InvalidRules(f"{name}: valid_to lies before valid_from")
    return RuleSet(
        id=document["id"],
        sha256=hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest(),
        valid_from=valid_from,
        valid_to=valid_to,
        period_days=document["period_days"],
        codes=codes,
        interaction_kinds=frozenset(document["interaction_kinds"]["kinds"]),
        interaction_source=document["interaction_kinds"]["source"],
        exclusive_services=frozenset(document["exclusive_services"]["codes"]),
        exclusive_source=document["exclusive_services"]["source"],
        assistant_modifiers=document["assistant"]["modifiers"],
        assistant_more_than=document["assistant"]["more_than_share"],
        assistant_source=document["assistant"]["source"],
        therapy_threshold={
            plan: Decimal(amount)
            for plan, amount in document["therapy_threshold"]["amounts"].items()
        },
        therapy_threshold_source=document["therapy_threshold"]["source"],
        practitioner_source=document["practitioner_exclusive"]["source"],
        consent_source=document["consent"]["source"],
        providers=_providers(document["providers"]),
        excluded_activities=tuple(
            ExcludedActivity(id, tuple(line["names"]), line["why"], line["source"])
            for id, line in document["activities"]["excluded"].items()
        ),
        activities_source=document["activities"]["source"],
        refused_facilities=document["facilities"]["refused"],
        institutional_facilities=frozenset(document["facilities"]["institutional_claim"]),
        facilities_source=document["facilities"]["source"],
        global_surgery_source=document["global_surgery"]["source"],
        ncci_pairs=tuple(NcciPair(**pair) for pair in document["ncci"]["pairs"]),
        ncci_source=document["ncci"]["source"],
        national={
            code: Amount(Decimal(line["amount"]), line["source"], line.get("recalled", False))
            for code, line in document["amounts"].items()
            if "amount" in line
        },
        absent_amounts={
            code: line["absent"] for code, line in document["amounts"].items() if "absent" in line
        },
    )


def _providers(document: dict[str, Any]) -> Providers:
    return Providers(
        may_bill=frozenset(document["may_bill"]),
        minutes_count={
            None if plan == "none" else plan: frozenset(kinds)
            for plan, kinds in document["minutes_count"].items()
        },
        incident_to=frozenset(document["incident_to"]),
        direct_supervision=frozenset(document["direct_supervision"]),
        source=document["source"],
    )


def _check_codes(name: str, codes: Mapping[str, CodeRule], amounts: Mapping[str, Any]) -> None:
    def known(where: str, mentioned: Sequence[str]) -> None:
        for code in mentioned:
            if code not in codes:
                raise InvalidRules(f"{name}: {where} names the code {code}, which has no rule here")

    known("amounts", list(amounts))
    for rule in codes.values():
        if rule.code not in amounts:
            raise InvalidRules(f"{name}: {rule.code} has neither an amount nor why it is absent")
        by_clock = {"episode": "episode", "device": "period", "month": "month"}[rule.period]
        if rule.once_per != (None if rule.each_minutes else by_clock):
            raise InvalidRules(f"{name}: {rule.code} must be once per {by_clock}, or have units")
        known(f"{rule.code} excludes", rule.excludes)
        for other in rule.excludes:
            if rule.code not in codes[other].excludes:
                raise InvalidRules(f"{name}: {rule.code} excludes {other}, but not the reverse")
        for what in ("days", "minutes"):
            least, most = getattr(rule, f"minimum_{what}"), getattr(rule, f"maximum_{what}")
            if most is not None and most < least:
                raise InvalidRules(f"{name}: {rule.code} minimum_{what} is above its maximum")
        if rule.add_on_to is not None:
            known(f"{rule.code} add_on_to", [rule.add_on_to])
