"""The tally: one patient's facts and the dated rules to charges, shortfalls and blocks.

Pure and complete: the same account always gives the same answer, and each answer names its
rule, its facts and its source. Where codes exclude each other the documented threshold decides,
never the amount.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from billing.account import Account, Block, Charge, Reason, Shortfall, Tally
from billing.after_claim import no_longer_given
from billing.attribution import attribute
from billing.device_periods import Findings, device_periods, device_supply, set_up
from billing.exclusions import billed_units, forbidden, to_review, without_base
from billing.management import management, month_of
from billing.modifiers import all_modifiers
from billing.payers import UNKNOWN_PAYER, PayerProfile, Payers, load_payers
from billing.rules import Rules, RuleSet, load_rules


def tally(account: Account, rules: Rules | None = None, payers: Payers | None = None) -> Tally:
    """Charges, shortfalls and blocks of `account`.

    By `rules` and the profile of its payer in `payers`, or those shipped. A payer without a
    profile is billed by Medicare's rules, without amounts and marked for review.
    """
    rules = load_rules() if rules is None else rules
    payers = load_payers() if payers is None else payers
    payer = payers.get(account.payer, payers[UNKNOWN_PAYER])
    if not all(line.stands for line in account.billed):
        account = replace(account, billed=tuple(line for line in account.billed if line.stands))
    attributed = attribute(account, rules)
    monitored = attributed.facts.dates_with(payer.settings.day_of_data)
    periods = tuple(device_periods(account, rules))
    parts = (
        set_up(account, rules, monitored, periods),
        device_supply(account, rules, payer, monitored, periods),
        management(account, rules, payer, attributed),
    )
    found = [charge for part in parts for charge in part.charges]
    charges, blocked = _allowed(account, rules, payer, found)
    if payer.settings.consent_required and account.episode.consent is None and not found:
        blocked.append(_no_consent(account, rules))
    lines = [_finished(account, rules, payer, charge) for charge in charges]
    return Tally(
        charges=tuple(sorted(lines, key=lambda line: (line.last, line.code, line.modifiers))),
        shortfalls=tuple(
            shortfall
            for part in parts
            for shortfall in part.shortfalls
            if payer.covers(shortfall.code) and not _was_billed(account, shortfall, rules)
        ),
        blocked=(
            *no_longer_given(account, rules, found),
            *_distinct(parts),
            *blocked,
            *attributed.blocked,
        ),
    )


def _no_consent(account: Account, rules: Rules) -> Block:
    """One block for the whole where there is no charge yet that consent holds."""
    rule_set = rules.on(account.episode.start)
    # No rules may be loaded for the start, and yet nothing leaves without consent.
    source = rule_set.consent_source if rule_set else "house policy: nothing leaves without consent"
    why = f"no consent of the patient is recorded ({source})"
    return Block("RTM", "consent", why, {"consent": None}, source)


def _allowed(
    account: Account, rules: Rules, payer: PayerProfile, charges: list[Charge]
) -> tuple[list[Charge], list[Block]]:
    """What is left after exclusions and what was billed before."""
    kept: list[Charge] = []
    blocked: list[Block] = []
    deducted: Counter[tuple[str, str]] = Counter()
    for charge in charges:
        rule_set = _rule_set(rules, charge)
        block = forbidden(account, rules, rule_set, payer, charge)
        block = block or without_base(account, rule_set, charge, kept)
        if block is not None:
            blocked.append(block)
            continue
        # Units with and without CQ are two lines, but what left before is taken off once.
        line = (charge.code, charge.first.isoformat())
        spent = min(charge.units, billed_units(account, rule_set, charge) - deducted[line])
        deducted[line] += spent
        if spent < charge.units:
            kept.append(_less(charge, spent) if spent else charge)
    return kept, blocked


def _less(charge: Charge, spent: int) -> Charge:
    """`charge` without the `spent` units."""
    units = charge.units - spent
    amount = None if charge.amount is None else charge.amount / charge.units * units
    return replace(charge, units=units, amount=amount)


def _was_billed(account: Account, shortfall: Shortfall, rules: Rules) -> bool:
    """Whether the code left already for the period, month or episode that ends the shortfall."""
    if not account.billed:
        return False
    # The last day may lie after every loaded set: the newest one that knows the code will do.
    rule_set = rules.newest_with(shortfall.code)
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


def _finished(account: Account, rules: Rules, payer: PayerProfile, charge: Charge) -> Charge:
    """With the payer's date of service and amount, modifiers, and what needs a look."""
    rule_set = _rule_set(rules, charge)
    dated_by = payer.settings.date_of_service
    dated = charge if charge.dated_by == dated_by else replace(charge, dated_by=dated_by)
    steps = to_review(account, rule_set, dated)
    if dated.dated_by != "last_day":
        span = [dated.service_from.isoformat(), dated.service_date.isoformat()]
        steps.append(payer.reason("date_of_service", {"date_of_service": span}))
    if payer.id == UNKNOWN_PAYER:
        why = "house policy: Medicare's rules were used, as no profile of this payer is loaded"
        steps.append(Reason("review.no_payer_profile", {"payer": account.payer}, why))
    modifiers, whys = all_modifiers(account, rule_set, payer, dated)
    return replace(
        dated,
        amount=_amount(payer, dated),
        modifiers=modifiers,
        reasons=(*dated.reasons, *steps, *whys),
    )


def _amount(payer: PayerProfile, charge: Charge) -> Decimal | None:
    """For all units: the national amount, or the payer's own, or None where neither is known."""
    amount = charge.amount
    if payer.settings.amounts is not None:
        day = charge.service_date
        amount = next(
            (
                own.amount * charge.units
                for own in payer.settings.amounts
                if own.code == charge.code and own.valid_from <= day <= own.valid_to
            ),
            None,
        )
    return None if amount is None else amount.quantize(Decimal("0.01"))


def _rule_set(rules: Rules, charge: Charge) -> RuleSet:
    """The rules that made this charge, named by its first reason."""
    return rules.by_id[charge.reasons[0].rule.partition(".")[0]]


def _distinct(parts: tuple[Findings, ...]) -> list[Block]:
    return list(dict.fromkeys(block for part in parts for block in part.blocked))
