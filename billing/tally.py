"""The tally: one patient's facts and the dated rules to charges, shortfalls and blocks.

Pure and complete: the same account always gives the same answer, and each answer names its
rule, its facts and its source. Where codes exclude each other the documented threshold decides,
never the amount.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from billing.account import Account, Billed, Block, Charge, OtherService, Reason, Shortfall, Tally
from billing.device_periods import DevicePeriod, Findings, device_periods, device_supply, set_up
from billing.management import management, month_of
from billing.rules import Rules, RuleSet, load_rules
from rtm.ledger import CountableFacts, Interaction, countable

MEDICARE = "medicare"


def tally(account: Account, rules: Rules | None = None) -> Tally:
    """Charges, shortfalls and blocks of `account` by `rules` (those shipped, if not given)."""
    rules = load_rules() if rules is None else rules
    facts, problems = _facts(account)
    parts = (
        set_up(account, rules, facts.monitored_dates),
        device_supply(account, rules, facts.monitored_dates),
        management(account, rules, facts),
    )
    charges, blocked = _allowed(account, rules, [c for part in parts for c in part.charges])
    if account.episode.consent is None:
        charges, blocked = [], [*_without_consent(account, rules, charges), *blocked]
    lines = [_with_modifiers(account, rules, charge) for charge in charges]
    return Tally(
        charges=tuple(sorted(lines, key=lambda line: (line.last, line.code, line.modifiers))),
        shortfalls=tuple(
            shortfall
            for part in parts
            for shortfall in part.shortfalls
            if not _was_billed(account, shortfall, rules)
        ),
        blocked=(*_distinct(parts), *blocked, *problems),
    )


def _facts(account: Account) -> tuple[CountableFacts, list[Block]]:
    """The facts inside the episode and after consent, and why others don't count."""
    local = [
        (talk.id, talk.at.astimezone(account.time_zone).date())
        for talk in (*account.ledger.interactions, *_replaced_talks(account))
    ]
    facts = countable(account.ledger, account.as_of, local)
    problems = [Block("RTM", "ledger", f"{p.fact_id}: {p.why}") for p in facts.problems]
    talk_day = dict(local)

    def inside(day: date) -> bool:
        return account.episode.covers(day, account.time_zone)

    recorded = [day.local_date for day in facts.days]
    recorded += [entry.local_date for entry in facts.time]
    recorded += [talk_day[talk.id] for talk in facts.interactions]
    outside = sorted({day.isoformat() for day in recorded if not inside(day)})
    if outside:
        first = account.episode.counts_from(account.time_zone)
        why = f"recorded before consent and start ({first}) or after the end: {', '.join(outside)}"
        problems.append(Block("RTM", "outside_episode", why))
    return (
        replace(
            facts,
            days=tuple(day for day in facts.days if inside(day.local_date)),
            time=tuple(entry for entry in facts.time if inside(entry.local_date)),
            interactions=tuple(t for t in facts.interactions if inside(talk_day[t.id])),
        ),
        problems,
    )


def _replaced_talks(account: Account) -> list[Interaction]:
    return [
        correction.replacement
        for correction in account.ledger.corrections
        if isinstance(correction.replacement, Interaction)
    ]


def _without_consent(account: Account, rules: Rules, charges: list[Charge]) -> list[Block]:
    """Each charge that waits for consent; one block for the whole where there is none yet."""
    rule_set = rules.on(account.episode.start)
    source = f" ({rule_set.consent_source})" if rule_set else ""
    why = f"no consent of the patient is recorded{source}"
    codes = dict.fromkeys(charge.code for charge in charges)
    return [Block(code, "consent", why) for code in codes or ("RTM",)]


def _allowed(
    account: Account, rules: Rules, charges: list[Charge]
) -> tuple[list[Charge], list[Block]]:
    """What is left after exclusions and what was billed before."""
    kept: list[Charge] = []
    blocked: list[Block] = []
    for charge in charges:
        rule_set = _rule_set(rules, charge)
        block = _excluded(account, rule_set, rules, charge)
        if block is not None:
            blocked.append(block)
            continue
        left = _not_yet_billed(account, rules, charge, kept)
        if left is not None:
            kept.append(left)
    return kept, blocked


def _excluded(account: Account, rule_set: RuleSet, rules: Rules, charge: Charge) -> Block | None:
    first, last = _exclusive_span(account, rules, charge)
    lines: list[OtherService | Billed] = [*account.other_services, *account.billed]
    for line in lines:
        if line.code in rule_set.exclusive_services and first <= line.date <= last:
            why = f"{line.code} (RPM) was billed on {line.date} in the same period"
            return Block(charge.code, f"{rule_set.id}.exclusive_services", why)
    for service in account.other_services:
        if not first <= service.date <= last:
            continue
        ours = service.npi is not None and service.npi == account.episode.practitioner_npi
        if service.code in rules.known_codes and not ours:
            who = f"NPI {service.npi}" if service.npi else "another practitioner"
            why = f"{who} billed {service.code} on {service.date} in the same period"
            return Block(charge.code, f"{rule_set.id}.practitioner_exclusive", why)
    for billed in account.billed:
        excludes = rule_set.codes[charge.code].excludes
        if billed.code in excludes and charge.first <= billed.date <= charge.last:
            why = f"{billed.code} was billed on {billed.date} for the same period"
            return Block(charge.code, f"{rule_set.id}.{charge.code}.excludes", why)
    return None


def _exclusive_span(account: Account, rules: Rules, charge: Charge) -> tuple[date, date]:
    """The time in which another's RPM or RTM claim stands against this charge.

    RTM and RPM exclude each other by 30-day period; a month is held against the periods that
    reach into it.
    """
    if _rule_set(rules, charge).codes[charge.code].period == "month":
        touching = [p for p in device_periods(account, rules) if _overlap(p, charge)]
        return (
            min([charge.first, *(p.first for p in touching if p.full_last <= charge.last)]),
            charge.last,
        )
    period = next(
        p for p in device_periods(account, rules) if p.first <= charge.last <= p.full_last
    )
    return min(period.first, charge.first), period.full_last


def _overlap(period: DevicePeriod, charge: Charge) -> bool:
    return period.first <= charge.last and charge.first <= period.full_last


def _not_yet_billed(
    account: Account, rules: Rules, charge: Charge, kept: list[Charge]
) -> Charge | None:
    """`charge` less the units that left before, whatever their modifiers."""
    earlier = sum(
        billed.units
        for billed in account.billed
        if billed.code == charge.code and _same_window(account, rules, charge, billed.date)
    )
    sibling = sum(
        line.units for line in kept if line.code == charge.code and line.first == charge.first
    )
    spent = max(0, earlier - sibling) if sibling else earlier
    units = charge.units - spent
    if units <= 0:
        return None
    amount = None if charge.amount is None else charge.amount / charge.units * units
    return replace(charge, units=units, amount=amount)


def _same_window(account: Account, rules: Rules, charge: Charge, day: date) -> bool:
    if _rule_set(rules, charge).codes[charge.code].period == "episode":
        return min(charge.first, account.episode.start) <= day <= (account.episode.end or date.max)
    return charge.first <= day <= charge.last


def _was_billed(account: Account, shortfall: Shortfall, rules: Rules) -> bool:
    """Whether the code left already for the period, month or episode that ends the shortfall."""
    # The last day may lie after every loaded set: the newest one that knows the code will do.
    rule_set = next(s for s in reversed(rules.sets) if shortfall.code in s.codes)
    period = rule_set.codes[shortfall.code].period
    first = {
        "episode": account.episode.start,
        "device": shortfall.by - timedelta(days=rule_set.period_days - 1),
        "month": month_of(shortfall.by).first,
    }[period]
    return any(
        line.code == shortfall.code and first <= line.date <= shortfall.by
        for line in account.billed
    )


def _with_modifiers(account: Account, rules: Rules, charge: Charge) -> Charge:
    """GP/GO/GN first, CQ/CO second, KX third; no national amount for a payer that has its own."""
    rule_set = _rule_set(rules, charge)
    plan = account.episode.therapy_plan
    modifiers = ([plan] if plan else []) + list(charge.modifiers)
    reasons = list(charge.reasons)
    threshold = rule_set.therapy_threshold.get(plan or "")
    so_far = account.therapy_allowed_to_date
    if threshold is not None and so_far is not None and so_far > threshold:
        modifiers.append("KX")
        reasons.append(
            Reason(
                f"{rule_set.id}.therapy_threshold",
                {"allowed_to_date": str(so_far), "threshold": str(threshold)},
                rule_set.therapy_threshold_source,
            )
        )
    return replace(
        charge,
        modifiers=tuple(modifiers),
        amount=None
        if charge.amount is None or account.payer != MEDICARE
        else charge.amount.quantize(Decimal("0.01")),
        reasons=tuple(reasons),
    )


def _rule_set(rules: Rules, charge: Charge) -> RuleSet:
    """The rules that made this charge, named by its first reason."""
    made_by = charge.reasons[0].rule.partition(".")[0]
    return next(rule_set for rule_set in rules.sets if rule_set.id == made_by)


def _distinct(parts: tuple[Findings, ...]) -> list[Block]:
    return list(dict.fromkeys(block for part in parts for block in part.blocked))
