"""A claim line beside the facts: what it counts, what it leaves out and why, and the recount.

Nothing is counted here by a way of its own: days, minutes and units are those of the tally over
the facts as they stood when the claim left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from billing.account import Account, Charge, Tally
from billing.attribution import Attributed, attribute
from billing.audit_model import (
    Approval,
    CountedDay,
    CountedWork,
    Finding,
    LineEvidence,
    NotCounted,
    Recount,
)
from billing.claim_model import Claim, ClaimLine
from billing.management import (
    FilledUnits,
    MonthlyWork,
    filled_units,
    live_talks,
    month_of,
    monthly_work,
)
from billing.payers import UNKNOWN_PAYER, PayerProfile, Payers
from billing.rules import CodeRule, Rules, RuleSet
from billing.tally import tally
from rtm.ledger import Correction, Fact, Interaction, MonitoredDay, Stretch, TimeEntry


@dataclass(frozen=True)
class Counting:
    """The recount of one account: what the tally made of the facts, and why it left others out.

    `why` gives for the id of a fact every reason for which it can't count at all.
    """

    account: Account
    rules: Rules
    payer: PayerProfile
    attributed: Attributed
    months: Mapping[date, MonthlyWork]
    tally: Tally
    why: Mapping[str, tuple[str, ...]]

    def day_of(self, fact: Fact) -> date:
        """The date by which a fact counts: the patient's for days and contacts, the practice's
        for time."""
        return fact_date(self.account, fact)


def fact_date(account: Account, fact: Fact) -> date:
    """As `Counting.day_of`. An instant without a time zone is taken by its own calendar."""
    if isinstance(fact, Interaction):
        at = fact.at
        return at.date() if at.tzinfo is None else at.astimezone(account.time_zone).date()
    return fact.local_date


def recount(account: Account, rules: Rules, payers: Payers) -> Counting:
    """What `account`, as it stood when the claim left, gives by `rules`."""
    attributed = attribute(account, rules)
    return Counting(
        account=account,
        rules=rules,
        payer=payers.get(account.payer, payers[UNKNOWN_PAYER]),
        attributed=attributed,
        months={worked.month.first: worked for worked in monthly_work(account, attributed)},
        tally=tally(account, rules, payers),
        why=_reasons_against(account, attributed),
    )


def _reasons_against(account: Account, attributed: Attributed) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for block in attributed.blocked:
        for key in ("entry", "interaction", "fact"):
            if key in block.facts:
                fact_id = str(block.facts[key])
                why = block.why.removeprefix(f"{fact_id}: ")
                found.setdefault(fact_id, []).append(f"{why} [{block.rule}: {block.source}]")
        if block.rule in ("outside_episode", "consent_withdrawn"):
            days = set(map(str, _listed(block.facts.get("days"))))
            first = account.episode.counts_from(account.time_zone)
            why = f"before consent and start ({first}) or after the end of the episode"
            if block.rule == "consent_withdrawn":
                why = "while the patient had withdrawn the consent"
            for fact in account.ledger.facts():
                if fact_date(account, fact).isoformat() in days:
                    found.setdefault(fact.id, []).append(f"{why} [{block.source}]")
    return {fact_id: tuple(dict.fromkeys(reasons)) for fact_id, reasons in found.items()}


def line_evidence(
    claim: Claim, line: ClaimLine, counting: Counting, approvals: Sequence[Approval]
) -> tuple[LineEvidence, tuple[Finding, ...]]:
    """What `line` rests on, and where the recount differs from it."""
    charge = line.charge
    rule_set = _rule_set(counting.rules, charge)
    rule = None if rule_set is None else rule_set.codes.get(charge.code)
    found = _recounted(charge, counting.tally)
    days = _days(found, counting)
    work, elsewhere = _work(charge, rule_set, rule, counting)
    contacts = _contacts(charge, rule_set, rule, counting)
    evidence = LineEvidence(
        line_id=line.id,
        code=charge.code,
        label="" if rule is None else rule.label,
        period=None if rule is None else rule.period,
        units=charge.units,
        modifiers=charge.modifiers,
        diagnoses=tuple(claim.diagnoses[n - 1] for n in line.pointers),
        first=charge.first,
        last=charge.last,
        service_from=charge.service_from,
        service_date=charge.service_date,
        amount=charge.amount,
        reasons=charge.reasons,
        rule_set=_made_by(charge),
        rule_set_valid_from=None if rule_set is None else rule_set.valid_from,
        rule_set_valid_to=None if rule_set is None else rule_set.valid_to,
        rule_set_sha256=None if rule_set is None else rule_set.sha256,
        needed=_needed(charge, rule_set, rule),
        counted=_counted(rule, days, work, elsewhere, contacts),
        days=days,
        work=tuple(map(_counted_work, work)),
        month_work_elsewhere=tuple(map(_counted_work, elsewhere)),
        contacts=tuple(talk.id for talk in contacts),
        not_counted=tuple(_not_counted(charge, rule, counting, days, contacts)),
        after_claim=(),
        approval=next((a for a in approvals if _same(a, charge)), None),
        recount=None if found is None else _as_recount(found),
    )
    return evidence, tuple(_differences(line, found, rule_set))


def _made_by(charge: Charge) -> str:
    return charge.reasons[0].rule.partition(".")[0] if charge.reasons else ""


def _rule_set(rules: Rules, charge: Charge) -> RuleSet | None:
    return rules.by_id.get(_made_by(charge))


def _recounted(charge: Charge, result: Tally) -> Charge | None:
    """The tally's charge of the same thing: with the same modifiers, if there is one."""
    same = [c for c in result.charges if (c.code, c.first) == (charge.code, charge.first)]
    exact = [c for c in same if c.modifiers == charge.modifiers]
    return next(iter([*exact, *same]), None)


def _as_recount(charge: Charge) -> Recount:
    return Recount(
        charge.units, charge.modifiers, charge.service_from, charge.service_date, charge.amount
    )


def _same(approval: Approval, charge: Charge) -> bool:
    mine = (charge.code, charge.last, charge.modifiers)
    return (approval.code, approval.last, approval.modifiers) == mine


# What a line counts -------------------------------------------------------------------------------


def _days(found: Charge | None, counting: Counting) -> tuple[CountedDay, ...]:
    if found is None:
        return ()
    listed = _listed(found.reasons[0].facts.get("days_of_data"))
    kinds = counting.payer.settings.day_of_data
    return tuple(
        CountedDay(
            day,
            tuple(
                fact.id
                for fact in counting.attributed.facts.days
                if fact.local_date == day and fact.data_kind in kinds
            ),
        )
        for day in map(date.fromisoformat, map(str, listed))
    )


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _work(
    charge: Charge, rule_set: RuleSet | None, rule: CodeRule | None, counting: Counting
) -> tuple[list[Stretch], list[Stretch]]:
    """The work that fills the line's units, and the rest of the month's."""
    worked = counting.months.get(month_of(charge.last).first)
    if rule_set is None or rule is None or rule.period != "month" or worked is None:
        return [], []
    filled = filled_units(counting.account, rule_set, counting.payer, worked.work)
    assistants = {m for plan in rule_set.assistant_modifiers.values() for m in plan.values()}
    modifier = next((m for m in charge.modifiers if m in assistants), None)
    mine, others = _split(filled, (charge.code, modifier), charge.units)
    return mine, sorted([*others, *filled.rest], key=lambda stretch: stretch.local_date)


def _split(
    filled: FilledUnits, line: tuple[str, str | None], units: int
) -> tuple[list[Stretch], list[Stretch]]:
    """The first units of a line may have left on an earlier claim: this one has the last."""
    mine: list[Stretch] = []
    others: list[Stretch] = []
    for key, group in filled.lines.items():
        own = max(0, len(group) - units) if key == line else len(group)
        others += [part for unit in group[:own] for part in unit.parts]
        mine += [part for unit in group[own:] for part in unit.parts]
    return mine, others


def _counted_work(stretch: Stretch) -> CountedWork:
    return CountedWork(stretch.entry_id, stretch.local_date, stretch.seconds, stretch.by)


def _contacts(
    charge: Charge, rule_set: RuleSet | None, rule: CodeRule | None, counting: Counting
) -> list[Interaction]:
    worked = counting.months.get(month_of(charge.last).first)
    if rule_set is None or rule is None or rule.period != "month" or worked is None:
        return []
    return live_talks(rule_set, counting.payer, worked.talks)


def _needed(charge: Charge, rule_set: RuleSet | None, rule: CodeRule | None) -> str:
    span = f"{charge.first} to {charge.last}"
    if rule_set is None or rule is None:
        return "not known: the rules that made this line are not loaded"
    if rule.period == "month":
        if rule.add_on_to is not None:
            return f"each further {rule.each_minutes} whole minutes after {rule.add_on_to}, {span}"
        most = "" if rule.maximum_minutes is None else f" to {rule.maximum_minutes}"
        talk = " and a live contact" if rule.interaction else ""
        return f"{rule.minimum_minutes}{most or ' or more'} minutes{talk}, {span}"
    if rule.period == "episode":
        window = f"within {rule_set.period_days} days"
        return f"set-up and teaching, and {rule.minimum_days} days with data {window}, once"
    return f"{rule.minimum_days} to {rule.maximum_days} days with data, {span}"


def _counted(
    rule: CodeRule | None,
    days: Sequence[CountedDay],
    work: Sequence[Stretch],
    elsewhere: Sequence[Stretch],
    contacts: Sequence[Interaction],
) -> str:
    if rule is None:
        return "not counted again"
    if rule.period != "month":
        return f"{len(days)} days with data"
    mine = in_minutes(sum(stretch.seconds for stretch in work))
    month = in_minutes(sum(stretch.seconds for stretch in (*work, *elsewhere)))
    talks = f"{len(contacts)} live contact{'' if len(contacts) == 1 else 's'}"
    return f"{month} counted in the month, of which {mine} fill this line; {talks}"


def in_minutes(seconds: float) -> str:
    """As 24 min or 19 min 59 s, exact to the second; a fraction of one is shown."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min" + (f" {rest:.3f}".rstrip("0").rstrip(".") + " s" if rest else "")


# What it leaves out -------------------------------------------------------------------------------


def _not_counted(
    charge: Charge,
    rule: CodeRule | None,
    counting: Counting,
    days: Sequence[CountedDay],
    contacts: Sequence[Interaction],
) -> Iterator[NotCounted]:
    """The facts of the line's dates that it leaves out, in the order of the ledger."""
    if rule is None:
        return
    counted = {fact_id for day in days for fact_id in day.fact_ids}
    counted |= {talk.id for talk in contacts}
    of_month = rule.period == "month"
    seconds = _counted_seconds(counting, charge) if of_month else {}
    for history in counting.account.ledger.histories[0]:
        fact = history.standing or history.first
        if not charge.first <= counting.day_of(fact) <= charge.last or fact.id in counted:
            continue
        if isinstance(fact, MonitoredDay) == of_month:
            continue
        if history.standing is None:
            # Nothing can be signed once it is retracted, so the last step is the retraction.
            last = history.steps[-1]
            reason = last.reason if isinstance(last, Correction) else ""
            why = f"retracted by {last.author} on {last.at:%Y-%m-%d}: {reason}"
            yield NotCounted(fact.id, why, fact.seconds if isinstance(fact, TimeEntry) else None)
        elif isinstance(fact, TimeEntry):
            missing = fact.seconds - seconds.get(fact.id, 0.0)
            if missing > 0:
                yield NotCounted(fact.id, _why_time(fact, counting), missing)
        elif isinstance(fact, Interaction):
            why = f"a contact by {fact.kind} is not a live one by the rules or the payer's profile"
            yield NotCounted(fact.id, _why(fact, counting, why))
        elif rule.period != "episode" or fact.id in counting.why or not _is_data(fact, counting):
            yield NotCounted(fact.id, _why(fact, counting, _why_day(fact, counting)))


def _counted_seconds(counting: Counting, charge: Charge) -> dict[str, float]:
    worked = counting.months.get(month_of(charge.last).first)
    seconds: dict[str, float] = {}
    for stretch in worked.work if worked else ():
        seconds[stretch.entry_id] = seconds.get(stretch.entry_id, 0.0) + stretch.seconds
    return seconds


def _why(fact: Fact, counting: Counting, otherwise: str) -> str:
    return "; ".join(counting.why.get(fact.id, (otherwise,)))


def _is_data(fact: MonitoredDay, counting: Counting) -> bool:
    return fact.data_kind in counting.payer.settings.day_of_data


def _why_day(fact: MonitoredDay, counting: Counting) -> str:
    if _is_data(fact, counting):
        return "the recount charges nothing for this period"
    kinds = ", ".join(sorted(counting.payer.settings.day_of_data))
    kind = fact.data_kind.replace("_", "-")
    return f"a {kind} is no data by the definition of a day of data ({kinds})"


def _why_time(entry: TimeEntry, counting: Counting) -> str:
    """Why some or all seconds of an entry belong to nobody or to somebody else here."""
    if entry.id in counting.why:
        return "; ".join(counting.why[entry.id])
    if entry in counting.attributed.facts.unconfirmed:
        return "not signed by the person whose time it is when the claim left"
    others = [
        f"{other.id} ({other.by.upper()}, {_clock(other.start, other.end, counting)})"
        for other in counting.attributed.facts.time
        if other.id != entry.id
        and other.start is not None
        and other.end is not None
        and _overlap(entry, other.start, other.end)
    ]
    others += [
        f"a visit billed otherwise ({_clock(start, end, counting)})"
        for start, end in counting.attributed.visits
        if _overlap(entry, start, end)
    ]
    others += [
        f"the author's time for another patient ({_clock(start, end, counting)})"
        for start, end in counting.attributed.taken_from.get(entry.id, ())
        if _overlap(entry, start, end)
    ]
    if not others:
        return "the clock times hold no more than was counted"
    return f"a minute counts once; also in {', '.join(others)}"


def _overlap(entry: TimeEntry, start: datetime, end: datetime) -> bool:
    if entry.start is None or entry.end is None:
        return False
    # Two clock times of one zone compare as wall clocks, so instants are compared in UTC.
    return start.astimezone(UTC) < entry.end.astimezone(UTC) and entry.start.astimezone(
        UTC
    ) < end.astimezone(UTC)


def _clock(start: datetime, end: datetime, counting: Counting) -> str:
    zone = counting.account.time_zone
    return f"{start.astimezone(zone):%H:%M:%S}-{end.astimezone(zone):%H:%M:%S}"


# Where the recount differs ------------------------------------------------------------------------


def _differences(
    line: ClaimLine, found: Charge | None, rule_set: RuleSet | None
) -> Iterator[Finding]:
    charge = line.charge
    if rule_set is None:
        made_by = _made_by(charge) or "no rules that the claim names"
        yield Finding(line.id, f"{charge.code} was made by {made_by}, which are not loaded")
        return
    if found is None:
        why = f"the facts as they stood when the claim left give no {charge.code} of {charge.last}"
        yield Finding(line.id, why)
        return
    for what, claimed, counted in (
        ("units", charge.units, found.units),
        ("modifiers", " ".join(charge.modifiers), " ".join(found.modifiers)),
        ("last day", charge.last, found.last),
        ("first date of service", charge.service_from, found.service_from),
        ("date of service", charge.service_date, found.service_date),
        ("amount", charge.amount, found.amount),
    ):
        if claimed != counted:
            why = f"{charge.code}: {what} {_or_none(claimed)} on the claim, {_or_none(counted)}"
            yield Finding(line.id, f"{why} by the recount")
    yield from _other_reasons(line, found)


def _other_reasons(line: ClaimLine, found: Charge) -> Iterator[Finding]:
    """Every number that the claim gave for its reason must come out again."""
    counted = {reason.rule: _plain(reason.facts) for reason in found.reasons}
    claimed = {reason.rule: _plain(reason.facts) for reason in line.charge.reasons}
    for rule in claimed.keys() | counted.keys():
        before, after = claimed.get(rule), counted.get(rule)
        if before is None or after is None:
            where = "the recount" if before is None else "the claim"
            yield Finding(line.id, f"{line.charge.code}: {rule} is a reason of {where} alone")
            continue
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                yield Finding(
                    line.id,
                    f"{line.charge.code}: {name.replace('_', ' ')} {_or_none(before.get(name))} "
                    f"on the claim, {_or_none(after.get(name))} by the recount",
                )


def _plain(facts: Mapping[str, object]) -> dict[str, object]:
    """As the facts look once they were stored."""
    plain: dict[str, object] = json.loads(json.dumps(dict(facts), default=str))
    return plain


def _or_none(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)
