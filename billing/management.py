"""Treatment management (98979, 98980, 98981): the calendar-month clock."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

from billing.account import Account, Block, Charge, Reason, Shortfall
from billing.attribution import THERAPISTS, Attributed
from billing.device_periods import Findings, rules_not_loaded
from billing.payers import PayerProfile
from billing.rules import CodeRule, Rules, RuleSet
from rtm.ledger import Interaction, Stretch, person_of, seconds_of, without_overlap

_CONFIRMATION = "confirmation"
_CONFIRMATION_SOURCE = (
    "house policy: the timer's time is a proposal until the person whose time it is signs it;"
    " fairpath.ai RTM red flags: minutes that nobody vouches for do not count"
)


@dataclass(frozen=True)
class Month:
    """A calendar month of the practice."""

    first: date
    last: date

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last


@dataclass(frozen=True)
class Unit:
    """One unit of a month's code, and the stretches of work that fill it, in the order of time."""

    rule: CodeRule
    parts: tuple[Stretch, ...]

    def share_of(self, kinds: Iterable[str]) -> float:
        total = sum(part.seconds for part in self.parts)
        wanted = set(kinds)
        return sum(part.seconds for part in self.parts if part.by in wanted) / total


@lru_cache(maxsize=1024)
def month_of(day: date) -> Month:
    last = monthrange(day.year, day.month)[1]
    return Month(day.replace(day=1), day.replace(day=last))


def management(
    account: Account, rules: Rules, payer: PayerProfile, attributed: Attributed
) -> Findings:
    """The management lines of each month with work or a talk in it, billable at its end."""
    charges: list[Charge] = []
    shortfalls: list[Shortfall] = []
    blocked: list[Block] = []
    talk_days = account.talk_days
    for worked in monthly_work(account, attributed):
        month = worked.month
        rule_set = rules.on(month.last)
        if rule_set is None:
            blocked.append(rules_not_loaded(month.last))
            continue
        waiting = _waiting(rule_set, worked, attributed)
        live = live_talks(rule_set, payer, worked.talks)
        done = _month(account, rule_set, payer, month, worked.work, live, talk_days)
        charges += [_held_for(waiting, charge) for charge in done.charges]
        shortfalls += [*done.shortfalls, *waiting]
        blocked += done.blocked
    return Findings(tuple(charges), tuple(shortfalls), tuple(blocked))


@dataclass(frozen=True)
class MonthlyWork:
    """A month's counted work, each minute once and in the order of time, and its contacts."""

    month: Month
    work: tuple[Stretch, ...]
    talks: tuple[Interaction, ...]


def monthly_work(account: Account, attributed: Attributed) -> list[MonthlyWork]:
    """Each month with work, signed or not, or a talk in it, in order."""
    facts, talk_days = attributed.facts, account.talk_days
    touched = {month_of(entry.local_date) for entry in (*facts.time, *facts.unconfirmed)}
    touched |= {month_of(talk_days[talk.id]) for talk in facts.interactions}
    return [
        MonthlyWork(
            month,
            without_overlap(
                [entry for entry in facts.time if entry.local_date in month],
                attributed.visits,
                attributed.taken_from,
            ),
            tuple(talk for talk in facts.interactions if talk_days[talk.id] in month),
        )
        for month in sorted(touched, key=lambda month: month.first)
    ]


def live_talks(
    rule_set: RuleSet, payer: PayerProfile, talks: Sequence[Interaction]
) -> list[Interaction]:
    """The talks that open the month, in the order of time: by the rules, as the payer has them."""
    kinds = set(rule_set.interaction_kinds)
    if payer.settings.message_is_interaction:
        kinds.add("message")
    if not payer.settings.in_person_is_interaction:
        kinds.discard("in_person")
    return sorted((talk for talk in talks if talk.kind in kinds), key=lambda talk: talk.at)


def _month(
    account: Account,
    rule_set: RuleSet,
    payer: PayerProfile,
    month: Month,
    work: Sequence[Stretch],
    live: Sequence[Interaction],
    talk_days: Mapping[str, date],
) -> Findings:
    minutes = _minutes(work)
    tiers = _tiers(rule_set)
    met = _met(tiers, minutes)
    missing = _missing(account, rule_set, tiers, met, month, minutes, bool(live))
    if met is None or (met.interaction and not live):
        return Findings((), missing, ())
    if account.episode.therapy_plan is None and _by_therapist(work):
        why = "a therapist's work needs a therapy plan of care (GP, GO or GN)"
        source = (
            "NGS Medicare therapy code list; mirahealth.care 98975: always under a plan of care"
        )
        facts: dict[str, object] = {"month": [month.first.isoformat(), month.last.isoformat()]}
        return Findings((), missing, (Block(met.code, "therapy_plan", why, facts, source),))
    if account.as_of < month.last:
        waits = Shortfall(
            met.code,
            "the month to end",
            month.last,
            only_time=True,
            rule=f"{rule_set.id}.{met.code}.minutes",
            facts={"minutes": minutes},
            source=met.source,
        )
        return Findings((), (*missing, waits), ())
    facts = {
        "minutes": minutes,
        "entries": list(dict.fromkeys(stretch.entry_id for stretch in work)),
        "interaction": [talk_days[talk.id].isoformat() for talk in live],
        "month": [month.first.isoformat(), month.last.isoformat()],
    }
    further = _supervision(rule_set, work)
    if all(talk.kind == "message" for talk in live):
        further.append(payer.reason("message_is_interaction", {"interactions": len(live)}))
    first_talk = talk_days[live[0].id] if live else month.first
    charges = _lines(account, rule_set, payer, month, work, facts, further, first_talk)
    return Findings(tuple(charges), missing, ())


def _waiting(rule_set: RuleSet, worked: MonthlyWork, attributed: Attributed) -> list[Shortfall]:
    """The month's time that waits for a signature, by person, under the code it would earn."""
    month = worked.month
    waiting = [entry for entry in attributed.facts.unconfirmed if entry.local_date in month]
    if not waiting:
        return []
    signed = [entry for entry in attributed.facts.time if entry.local_date in month]
    all_signed = without_overlap([*signed, *waiting], attributed.visits, attributed.taken_from)
    now, then = _units(rule_set, _minutes(worked.work)), _units(rule_set, _minutes(all_signed))
    gained = [code for code, units in then.items() if units > now.get(code, 0)]
    shown = (gained or list(then) or [rule.code for rule in _tiers(rule_set)])[-1]
    shortfalls = []
    for person in dict.fromkeys(person_of(entry) for entry in waiting):
        theirs = [entry for entry in waiting if person_of(entry) == person]
        alone = without_overlap(theirs, attributed.visits, attributed.taken_from)
        seconds = seconds_of(alone)
        facts: dict[str, object] = {
            "entries": [entry.id for entry in theirs],
            "seconds": seconds,
            "would_give": {code: then[code] for code in gained},
        }
        needs = f"{_in_words(seconds)} of chart time to be confirmed by {person}"
        shortfalls.append(
            Shortfall(
                shown,
                needs,
                month.last,
                rule=_CONFIRMATION,
                facts=facts,
                source=_CONFIRMATION_SOURCE,
                any_time=True,
            )
        )
    return shortfalls


def _in_words(seconds: int) -> str:
    count, unit = (seconds // 60, "minute") if seconds >= 60 else (seconds, "second")
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _units(rule_set: RuleSet, minutes: int) -> dict[str, int]:
    """The units of each management code that so many minutes give."""
    met = _met(_tiers(rule_set), minutes)
    if met is None:
        return {}
    add_on = _add_on_to(rule_set, met)
    if add_on is None or add_on.each_minutes is None:
        return {met.code: 1}
    further = (minutes - met.minimum_minutes) // add_on.each_minutes
    return {met.code: 1, add_on.code: further} if further else {met.code: 1}


def _add_on_to(rule_set: RuleSet, base: CodeRule) -> CodeRule | None:
    return next((r for r in rule_set.of_period("month") if r.add_on_to == base.code), None)


def _held_for(waiting: Sequence[Shortfall], charge: Charge) -> Charge:
    """A look first where a signature would change what the month gives: a code that has left
    keeps a higher one of the same month from leaving."""
    changing = [short for short in waiting if short.facts["would_give"]]
    if not changing:
        return charge
    facts = {"waits_for": [short.needs for short in changing]}
    reason = Reason("review.confirmation", facts, _CONFIRMATION_SOURCE)
    return replace(charge, reasons=(*charge.reasons, reason))


def _tiers(rule_set: RuleSet) -> list[CodeRule]:
    """The base codes of a month, the one with the fewest minutes first."""
    return sorted(
        (rule for rule in rule_set.of_period("month") if rule.add_on_to is None),
        key=lambda rule: rule.minimum_minutes,
    )


def _minutes(work: Sequence[Stretch]) -> int:
    return seconds_of(work) // 60


def _supervision(rule_set: RuleSet, work: Sequence[Stretch]) -> list[Reason]:
    """Work that counted only under direct supervision, which no ledger can show."""
    direct = {stretch.by for stretch in work} & rule_set.providers.direct_supervision
    if not direct:
        return []
    facts = {"by": sorted(direct)}
    return [Reason("review.direct_supervision", facts, rule_set.providers.source)]


def _met(tiers: Sequence[CodeRule], minutes: int) -> CodeRule | None:
    return next((rule for rule in tiers if _within(rule, minutes)), None)


def _within(rule: CodeRule, minutes: int) -> bool:
    most = rule.maximum_minutes
    return minutes >= rule.minimum_minutes and (most is None or minutes <= most)


def _missing(
    account: Account,
    rule_set: RuleSet,
    tiers: Sequence[CodeRule],
    met: CodeRule | None,
    month: Month,
    minutes: int,
    live: bool,
) -> tuple[Shortfall, ...]:
    def short(rule: CodeRule, needs: str, what: str) -> Shortfall:
        facts = {"minutes": minutes, "interaction": live}
        rule_id = f"{rule_set.id}.{rule.code}.{what}"
        return Shortfall(
            rule.code, needs, month.last, rule=rule_id, facts=facts, source=rule.source
        )

    shortfalls = []
    if met is not None and met.interaction and not live:
        shortfalls.append(short(met, "an interaction", "interaction"))
    nearest = next((rule for rule in tiers if minutes < rule.minimum_minutes), None)
    month_open = account.as_of < month.last
    if nearest is not None and (month_open or (met is None and minutes > 0)):
        count = nearest.minimum_minutes - minutes
        needs = f"{count} more minute{'' if count == 1 else 's'}"
        shortfalls.append(short(nearest, needs, "minutes"))
        if met is None and not live and nearest.interaction:
            shortfalls.append(short(nearest, "an interaction", "interaction"))
    return tuple(shortfalls)


def _by_therapist(work: Sequence[Stretch]) -> bool:
    return any(stretch.by in THERAPISTS for stretch in work)


@dataclass(frozen=True)
class FilledUnits:
    """What a month's work fills, by code and assistant modifier (one line each), and the rest."""

    lines: Mapping[tuple[str, str | None], Sequence[Unit]]
    rest: tuple[Stretch, ...]


def filled_units(
    account: Account, rule_set: RuleSet, payer: PayerProfile, work: Sequence[Stretch]
) -> FilledUnits:
    """The units that `work` fills; none where it reaches no threshold."""
    units, rest = _filled(rule_set, work)
    grouped: dict[tuple[str, str | None], list[Unit]] = {}
    for unit in units:
        used = payer.settings.therapy_modifiers
        modifier = _assistant_modifier(account, rule_set, unit) if used else None
        grouped.setdefault((unit.rule.code, modifier), []).append(unit)
    return FilledUnits(grouped, tuple(rest))


def _filled(rule_set: RuleSet, work: Sequence[Stretch]) -> tuple[list[Unit], list[Stretch]]:
    """The units of the month, each with the stretches of work that fill it, and what is left.

    Work is taken in the order of time: the first minutes fill the base code, each further
    complete `each_minutes` one unit of its add-on (house policy; no source says how to split).
    """
    minutes = _minutes(work)
    met = _met(_tiers(rule_set), minutes)
    if met is None:
        return [], list(work)
    add_on = _add_on_to(rule_set, met)
    if add_on is None or add_on.each_minutes is None:
        return [Unit(met, tuple(work))], []
    further = _units(rule_set, minutes).get(add_on.code, 0)
    sizes = [(met, met.minimum_minutes * 60.0)] + [(add_on, add_on.each_minutes * 60.0)] * further
    units = []
    rest = list(work)
    for rule, seconds in sizes:
        parts, rest = _take(rest, seconds)
        units.append(Unit(rule, tuple(parts)))
    return units, rest


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
    payer: PayerProfile,
    month: Month,
    work: Sequence[Stretch],
    facts: dict[str, object],
    further: Sequence[Reason],
    first_talk: date,
) -> list[Charge]:
    """One charge a code and assistant modifier, units added up."""
    charges = []
    for (code, modifier), group in filled_units(account, rule_set, payer, work).lines.items():
        rule = group[0].rule
        reasons = [Reason(f"{rule_set.id}.{code}.minutes", facts, rule.source)]
        if modifier:
            reasons.append(
                Reason(
                    f"{rule_set.id}.assistant.{modifier}",
                    {
                        "assistant_share": [
                            round(_assistant_share(rule_set, account, unit), 4) for unit in group
                        ],
                        "more_than": rule_set.assistant_more_than,
                    },
                    rule_set.assistant_source,
                )
            )
        amount = rule_set.amount(code)
        worked = [part.local_date for unit in group for part in unit.parts]
        charges.append(
            Charge(
                code=code,
                units=len(group),
                modifiers=(modifier,) if modifier else (),
                first=month.first,
                last=month.last,
                amount=None if amount is None else amount * len(group),
                reasons=(*reasons, *further),
                threshold_met=max(first_talk, _filled_on(rule, group, worked)),
            )
        )
    return charges


def _filled_on(rule: CodeRule, group: Sequence[Unit], worked: Sequence[date]) -> date:
    """The day on which the minutes of `group` were reached."""
    if rule.each_minutes is not None:
        return max(worked)
    seconds = 0.0
    for part in group[0].parts:
        seconds += part.seconds
        if seconds >= rule.minimum_minutes * 60:
            return part.local_date
    return max(worked)


def _assistant_modifier(account: Account, rule_set: RuleSet, unit: Unit) -> str | None:
    if not unit.rule.assistant_modifier:
        return None
    if _assistant_share(rule_set, account, unit) <= rule_set.assistant_more_than:
        return None
    return next(iter(rule_set.assistant_modifiers[account.episode.therapy_plan or ""].values()))


def _assistant_share(rule_set: RuleSet, account: Account, unit: Unit) -> float:
    assistants = rule_set.assistant_modifiers.get(account.episode.therapy_plan or "", {})
    return unit.share_of(assistants) if assistants else 0.0
