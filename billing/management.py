"""Treatment management (98979, 98980, 98981): the calendar-month clock."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from billing.account import Account, Block, Charge, Reason, Shortfall
from billing.device_periods import Findings, rules_not_loaded
from billing.rules import CodeRule, Rules, RuleSet
from rtm.ledger import CountableFacts, Interaction, Stretch, TimeEntry, without_overlap

_THERAPISTS = frozenset({"pt", "ot", "slp", "pta", "ota"})


@dataclass(frozen=True)
class Month:
    """A calendar month of the practice."""

    first: date
    last: date

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last


@dataclass(frozen=True)
class _Block:
    """The stretches of work that fill one unit, in the order of time."""

    rule: CodeRule
    parts: tuple[Stretch, ...]

    def share_of(self, kinds: Iterable[str]) -> float:
        total = sum(part.seconds for part in self.parts)
        wanted = set(kinds)
        return sum(part.seconds for part in self.parts if part.by in wanted) / total


def month_of(day: date) -> Month:
    last = monthrange(day.year, day.month)[1]
    return Month(day.replace(day=1), day.replace(day=last))


def management(account: Account, rules: Rules, facts: CountableFacts) -> Findings:
    """The management lines of each month with work or a talk in it, billable at its end."""
    charges: list[Charge] = []
    shortfalls: list[Shortfall] = []
    blocked: list[Block] = []
    talk_days = {
        talk.id: talk.at.astimezone(account.time_zone).date() for talk in facts.interactions
    }
    touched = {month_of(entry.local_date).first for entry in facts.time}
    touched |= {month_of(day).first for day in talk_days.values()}
    for first in sorted(touched):
        month = month_of(first)
        entries = [entry for entry in facts.time if entry.local_date in month]
        talks = [talk for talk in facts.interactions if talk_days[talk.id] in month]
        rule_set = rules.on(month.last)
        if rule_set is None:
            blocked.append(rules_not_loaded(month.last))
            continue
        done = _month(account, rule_set, month, entries, talks, talk_days)
        charges += done.charges
        shortfalls += done.shortfalls
        blocked += done.blocked
    return Findings(tuple(charges), tuple(shortfalls), tuple(blocked))


def _month(
    account: Account,
    rule_set: RuleSet,
    month: Month,
    entries: Sequence[TimeEntry],
    talks: Sequence[Interaction],
    talk_days: dict[str, date],
) -> Findings:
    visits = [
        (service.start, service.end)
        for service in account.other_services
        if service.start is not None and service.end is not None
    ]
    work = without_overlap(entries, visits)
    minutes = int(sum(stretch.seconds for stretch in work) // 60)
    tiers = sorted(
        (r for r in rule_set.of_period("month") if r.add_on_to is None),
        key=lambda r: r.minimum_minutes,
    )
    live = [talk for talk in talks if talk.kind in rule_set.interaction_kinds]
    met = next((rule for rule in tiers if _within(rule, minutes)), None)
    missing = _missing(account, tiers, met, month, minutes, bool(live))
    if met is None or (met.interaction and not live):
        return Findings((), missing, ())
    if account.episode.therapy_plan is None and _by_therapist(work):
        why = "a therapist's work needs a therapy plan of care (GP, GO or GN)"
        return Findings((), missing, (Block(met.code, "therapy_plan", why),))
    if account.as_of < month.last:
        return Findings(
            (), (*missing, Shortfall(met.code, "the month to end", month.last, only_time=True)), ()
        )
    facts = {
        "minutes": minutes,
        "entries": [entry.id for entry in entries],
        "interaction": [talk_days[talk.id].isoformat() for talk in live],
        "month": [month.first.isoformat(), month.last.isoformat()],
    }
    charges = _lines(account, rule_set, month, _blocks(rule_set, met, work, minutes), facts)
    return Findings(tuple(charges), missing, ())


def _within(rule: CodeRule, minutes: int) -> bool:
    most = rule.maximum_minutes
    return minutes >= rule.minimum_minutes and (most is None or minutes <= most)


def _missing(
    account: Account,
    tiers: Sequence[CodeRule],
    met: CodeRule | None,
    month: Month,
    minutes: int,
    live: bool,
) -> tuple[Shortfall, ...]:
    shortfalls = []
    if met is not None and met.interaction and not live:
        shortfalls.append(Shortfall(met.code, "an interaction", month.last))
    nearest = next((rule for rule in tiers if minutes < rule.minimum_minutes), None)
    month_open = account.as_of < month.last
    if nearest is not None and (month_open or (met is None and minutes > 0)):
        count = nearest.minimum_minutes - minutes
        needs = f"{count} more minute{'' if count == 1 else 's'}"
        shortfalls.append(Shortfall(nearest.code, needs, month.last))
        if met is None and not live and nearest.interaction:
            shortfalls.append(Shortfall(nearest.code, "an interaction", month.last))
    return tuple(shortfalls)


def _by_therapist(work: Sequence[Stretch]) -> bool:
    return any(stretch.by in _THERAPISTS for stretch in work)


def _blocks(
    rule_set: RuleSet, met: CodeRule, work: Sequence[Stretch], minutes: int
) -> list[_Block]:
    """The units of the month, each with the stretch of work that fills it.

    Work is taken in the order of time: the first minutes fill the base code, each further
    complete `each_minutes` one unit of its add-on (house policy; no source says how to split).
    """
    add_on = next((r for r in rule_set.of_period("month") if r.add_on_to == met.code), None)
    if add_on is None or add_on.each_minutes is None:
        return [_Block(met, tuple(work))]
    units = (minutes - met.minimum_minutes) // add_on.each_minutes
    sizes = [(met, met.minimum_minutes * 60.0)] + [(add_on, add_on.each_minutes * 60.0)] * units
    blocks = []
    rest = list(work)
    for rule, seconds in sizes:
        parts, rest = _take(rest, seconds)
        blocks.append(_Block(rule, tuple(parts)))
    return blocks


def _take(work: list[Stretch], seconds: float) -> tuple[list[Stretch], list[Stretch]]:
    taken: list[Stretch] = []
    for index, stretch in enumerate(work):
        if seconds <= 0:
            return taken, work[index:]
        part = min(stretch.seconds, seconds)
        taken.append(Stretch(stretch.local_date, part, stretch.by, stretch.entry_id))
        seconds -= part
        if part < stretch.seconds:
            left = Stretch(stretch.local_date, stretch.seconds - part, stretch.by, stretch.entry_id)
            return taken, [left, *work[index + 1 :]]
    return taken, []


def _lines(
    account: Account,
    rule_set: RuleSet,
    month: Month,
    blocks: Sequence[_Block],
    facts: dict[str, object],
) -> list[Charge]:
    """One charge a code and assistant modifier, units added up."""
    grouped: dict[tuple[str, str | None], list[_Block]] = {}
    for block in blocks:
        modifier = _assistant_modifier(account, rule_set, block)
        grouped.setdefault((block.rule.code, modifier), []).append(block)
    charges = []
    for (code, modifier), group in grouped.items():
        rule = group[0].rule
        reasons = [Reason(f"{rule_set.id}.{code}.minutes", facts, rule.source)]
        if modifier:
            reasons.append(
                Reason(
                    f"{rule_set.id}.assistant.{modifier}",
                    {
                        "assistant_share": [
                            round(_assistant_share(rule_set, account, b), 4) for b in group
                        ],
                        "more_than": rule_set.assistant_more_than,
                    },
                    rule_set.assistant_source,
                )
            )
        amount = rule_set.amounts.get(code)
        charges.append(
            Charge(
                code=code,
                units=len(group),
                modifiers=(modifier,) if modifier else (),
                first=month.first,
                last=month.last,
                amount=None if amount is None else amount * len(group),
                reasons=tuple(reasons),
            )
        )
    return charges


def _assistant_modifier(account: Account, rule_set: RuleSet, block: _Block) -> str | None:
    if not block.rule.assistant_modifier:
        return None
    if _assistant_share(rule_set, account, block) <= rule_set.assistant_more_than:
        return None
    return next(iter(rule_set.assistant_modifiers[account.episode.therapy_plan or ""].values()))


def _assistant_share(rule_set: RuleSet, account: Account, block: _Block) -> float:
    assistants = rule_set.assistant_modifiers.get(account.episode.therapy_plan or "", {})
    return block.share_of(assistants) if assistants else 0.0
