"""Device supply (98976–98978, 98984–98986) and set-up (98975): the 30-day clock."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from billing.account import Account, Block, Charge, Reason, Shortfall
from billing.payers import PayerProfile
from billing.rules import CodeRule, Rules, RuleSet


@dataclass(frozen=True)
class DevicePeriod:
    """`first`–`last` is the part of the 30 days inside the episode; `full_last` the 30th day."""

    first: date
    last: date
    full_last: date

    def days(self, monitored: tuple[date, ...]) -> tuple[date, ...]:
        """Those of `monitored`, which are in order."""
        return monitored[bisect_left(monitored, self.first) : bisect_right(monitored, self.last)]


@dataclass(frozen=True)
class Findings:
    """Charges before any exclusion or modifier, shortfalls and blocks."""

    charges: tuple[Charge, ...]
    shortfalls: tuple[Shortfall, ...]
    blocked: tuple[Block, ...]


def device_periods(account: Account, rules: Rules) -> Iterator[DevicePeriod]:
    """The consecutive periods from the start of monitoring to `as_of` or the episode's end."""
    episode = account.episode
    first = episode.monitoring_from(account.time_zone)
    until = account.as_of if episode.end is None else min(episode.end, account.as_of)
    while first <= until:
        rule_set = rules.on(first)
        length = timedelta(days=(rule_set.period_days if rule_set else 30) - 1)
        full_last = first + length
        last = full_last if episode.end is None else min(full_last, episode.end)
        yield DevicePeriod(first, last, full_last)
        first = full_last + timedelta(days=1)


def device_supply(
    account: Account,
    rules: Rules,
    payer: PayerProfile,
    monitored: tuple[date, ...],
    periods: Sequence[DevicePeriod],
) -> Findings:
    """The device line of each period, billable once the period has ended.

    For a payer who is billed at the threshold, as soon as no further day could change the tier.
    """
    charges: list[Charge] = []
    shortfalls: list[Shortfall] = []
    blocked: list[Block] = []
    for period in periods:
        days = period.days(monitored)
        rule_set = rules.on(period.last)
        if rule_set is None:
            if days:
                blocked.append(rules_not_loaded(period.last))
            continue
        tiers = _tiers(rule_set, account)
        if days and not tiers:
            blocked.append(_no_device_code(rule_set, account))
        met = next((rule for rule in tiers if _within(rule, len(days))), None)
        over = account.as_of >= period.last
        early = payer.settings.device_billable == "threshold"
        settled = early and met is not None and _settled(account, tiers, met, period, days)
        if met is not None and (over or settled):
            charge = _supply_charge(account, rules, met, period, days)
            if not over:
                facts = {"settled_on": account.as_of.isoformat(), "count": len(days)}
                step = payer.reason("device_billable", facts)
                charge = replace(charge, reasons=(*charge.reasons, step))
            charges.append(charge)
        if not settled or over:
            shortfalls += _supply_shortfalls(rule_set, account, tiers, met, period, days, over)
    return Findings(tuple(charges), tuple(shortfalls), tuple(blocked))


def set_up(
    account: Account,
    rules: Rules,
    monitored: tuple[date, ...],
    periods: Sequence[DevicePeriod],
) -> Findings:
    """98975: once an episode, on the day its days of data within one period were reached.

    The rules of the set-up's own date say how many days it takes; the amount is that of the date
    of service.
    """
    completed = account.episode.set_up_on(account.time_zone)
    provided = completed or account.episode.start
    rule_set = rules.on(provided)
    rule = next(iter(rule_set.of_period("episode")), None) if rule_set else None
    if rule_set is None or rule is None:
        return Findings((), (), (rules_not_loaded(provided),))
    if completed is None:
        last = [period.last for period in periods][-1:]
        needs = "a completed set-up and patient teaching"
        rule_id = f"{rule_set.id}.{rule.code}.minimum_days"
        missing_set_up = [
            Shortfall(
                rule.code,
                needs,
                day,
                rule=rule_id,
                facts={"set_up_completed": None},
                source=rule.source,
            )
            for day in last
            if monitored
        ]
        return Findings((), tuple(missing_set_up), ())
    open_short: Shortfall | None = None
    for period in periods:
        days = period.days(monitored)
        if len(days) >= rule.minimum_days:
            reached = days[rule.minimum_days - 1]
            if rules.on(reached) is None:
                return Findings((), (), (rules_not_loaded(reached),))
            charge = _set_up_charge(rule_set, rules, rule, completed, period, days)
            return Findings((charge,), (), ())
        if account.as_of <= period.last:
            missing = rule.minimum_days - len(days)
            if missing <= (period.last - account.as_of).days + 1:
                open_short = _days_short(rule_set, rule, missing, period, days)
    return Findings((), (open_short,) if open_short else (), ())


def _set_up_charge(
    rule_set: RuleSet,
    rules: Rules,
    rule: CodeRule,
    completed: date,
    period: DevicePeriod,
    days: tuple[date, ...],
) -> Charge:
    enough = days[: rule.minimum_days]
    reasons = [
        Reason(
            f"{rule_set.id}.{rule.code}.minimum_days",
            {
                "set_up_completed": completed.isoformat(),
                "days_of_data": [day.isoformat() for day in enough],
                "minimum_days": rule.minimum_days,
                "period": [period.first.isoformat(), period.last.isoformat()],
            },
            rule.source,
        )
    ]
    in_force = rules.on(enough[-1])
    if in_force is not rule_set:
        reasons.append(_crosses_rule_sets(completed, enough[-1]))
    return Charge(
        code=rule.code,
        units=1,
        modifiers=(),
        first=completed,
        last=enough[-1],
        amount=None if in_force is None else in_force.amount(rule.code),
        reasons=tuple(reasons),
        threshold_met=enough[-1],
    )


def _crosses_rule_sets(first: date, last: date) -> Reason:
    return Reason(
        "review.period_crosses_rule_sets",
        {"period": [first.isoformat(), last.isoformat()]},
        "house policy: looked at before it leaves, as a payer may apply the other year's rules",
    )


def rules_not_loaded(day: date) -> Block:
    """No rule set covers `day`."""
    why = f"no RTM rules are loaded for the date of service {day}; read that year's rule first"
    source = "house policy: rules hold for their own dates of service only"
    return Block("RTM", "rules_not_loaded", why, {"date_of_service": day.isoformat()}, source)


def _no_device_code(rule_set: RuleSet, account: Account) -> Block:
    why = f"{rule_set.id} has no device code for the system {account.episode.device.system}"
    facts = {"system": account.episode.device.system}
    return Block("RTM", f"{rule_set.id}.device", why, facts, "the codes in force in that year")


def _tiers(rule_set: RuleSet, account: Account) -> list[CodeRule]:
    system = account.episode.device.system
    tiers = [rule for rule in rule_set.of_period("device") if rule.system == system]
    return sorted(tiers, key=lambda rule: rule.minimum_days)


def _settled(
    account: Account,
    tiers: list[CodeRule],
    met: CodeRule,
    period: DevicePeriod,
    days: tuple[date, ...],
) -> bool:
    """Whether no day that may still come could lift the period into a higher tier."""
    higher = [rule for rule in tiers if rule.minimum_days > met.minimum_days]
    open_days = (period.last - account.as_of).days + (account.as_of not in days)
    return all(len(days) + open_days < rule.minimum_days for rule in higher)


def _within(rule: CodeRule, days: int) -> bool:
    return days >= rule.minimum_days and (rule.maximum_days is None or days <= rule.maximum_days)


def _supply_charge(
    account: Account, rules: Rules, rule: CodeRule, period: DevicePeriod, days: tuple[date, ...]
) -> Charge:
    rule_set = rules.on(period.last)
    assert rule_set is not None, "the rule came from it"
    reasons = [
        Reason(
            f"{rule_set.id}.{rule.code}.days",
            {
                "days_of_data": [day.isoformat() for day in days],
                "count": len(days),
                "minimum_days": rule.minimum_days,
                "maximum_days": rule.maximum_days,
                "period": [period.first.isoformat(), period.last.isoformat()],
            },
            rule.source,
        )
    ]
    if rules.on(period.first) is not rule_set:
        reasons.append(_crosses_rule_sets(period.first, period.last))
    if account.episode.setup_completed is None:
        reasons.append(
            Reason(
                "review.no_set_up",
                {"counted_from": account.episode.start.isoformat()},
                "house policy: where no set-up is recorded, periods count from the episode start",
            )
        )
    if period.last < period.full_last:
        reasons.append(
            Reason(
                "review.period_unfinished",
                {"ended": period.last.isoformat(), "planned": period.full_last.isoformat()},
                "house policy: a period ended early by discharge is looked at before it leaves",
            )
        )
    return Charge(
        code=rule.code,
        units=1,
        modifiers=(),
        first=period.first,
        last=period.last,
        amount=rule_set.amount(rule.code),
        reasons=tuple(reasons),
        threshold_met=days[rule.minimum_days - 1],
    )


def _supply_shortfalls(
    rule_set: RuleSet,
    account: Account,
    tiers: list[CodeRule],
    met: CodeRule | None,
    period: DevicePeriod,
    days: tuple[date, ...],
    over: bool,
) -> list[Shortfall]:
    if over:
        if met is None and tiers and days:
            missing = tiers[0].minimum_days - len(days)
            return [_days_short(rule_set, tiers[0], missing, period, days)]
        return []
    left = (period.last - account.as_of).days + 1
    shortfalls = []
    if met is not None:
        shortfalls.append(
            Shortfall(
                met.code,
                "the period to end",
                period.last,
                only_time=True,
                rule=f"{rule_set.id}.{met.code}.days",
                facts=_day_facts(period, days),
                source=met.source,
            )
        )
    for rule in tiers:
        missing = rule.minimum_days - len(days)
        if 0 < missing <= left:
            shortfalls.append(_days_short(rule_set, rule, missing, period, days))
    return shortfalls


def _days_short(
    rule_set: RuleSet, rule: CodeRule, missing: int, period: DevicePeriod, days: tuple[date, ...]
) -> Shortfall:
    return Shortfall(
        rule.code,
        _more(missing, "day"),
        period.last,
        rule=f"{rule_set.id}.{rule.code}.days",
        facts=_day_facts(period, days),
        source=rule.source,
    )


def _day_facts(period: DevicePeriod, days: tuple[date, ...]) -> dict[str, object]:
    return {
        "count": len(days),
        "period": [period.first.isoformat(), period.last.isoformat()],
    }


def _more(count: int, what: str) -> str:
    return f"{count} more {what}{'' if count == 1 else 's'}"
