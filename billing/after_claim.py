"""What left on a claim and is not what the ledger gives any more: for review, never for change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from billing.account import Account, Billed, Block, Charge
from billing.management import Month, month_of
from billing.rules import Rules
from rtm.ledger import Confirmation, Correction

_SOURCE = (
    "house policy: what comes after a claim has left goes to a review list and never changes the"
    " claim silently"
)


def no_longer_given(account: Account, rules: Rules, found: Sequence[Charge]) -> list[Block]:
    """One block for each code and period that left with more units than the facts now give.

    Only charges of this episode that are known to have left from here are looked at. `found` are
    the charges before exclusions and before what left is taken off.
    """
    left: dict[tuple[str, Month], list[Billed]] = {}
    for line in account.billed:
        if line.left_at is not None and line.episode_id == account.episode.id:
            left.setdefault((line.code, _period(rules, line)), []).append(line)
    blocks = []
    for (code, period), lines in left.items():
        units = sum(line.units for line in lines)
        given = sum(c.units for c in found if c.code == code and _meets(c, period))
        if given < units:
            blocks.append(_block(account, rules, found, lines, given))
    return blocks


def _period(rules: Rules, line: Billed) -> Month:
    """What a code is billed for: an episode, a month, or the period that holds its date."""
    rule_set = rules.newest_with(line.code)
    kind = rule_set.codes[line.code].period
    if kind == "month":
        return month_of(line.date)
    return Month(date.min, date.max) if kind == "episode" else Month(line.date, line.date)


def _meets(charge: Charge, period: Month) -> bool:
    return charge.first <= period.last and period.first <= charge.last


def _block(
    account: Account, rules: Rules, found: Sequence[Charge], lines: Sequence[Billed], given: int
) -> Block:
    line = lines[0]
    units = sum(each.units for each in lines)
    rule_set = rules.newest_with(line.code)
    family = {rule.code for rule in rule_set.of_period(rule_set.codes[line.code].period)}
    instead = sorted(
        {
            charge.code
            for charge in found
            if charge.code in family - {line.code} and _meets(charge, _period(rules, line))
        }
    )
    steps: list[Correction | Confirmation] = [
        *account.ledger.corrections,
        *account.ledger.confirmations,
    ]
    since = [
        step
        for step in steps
        if step.at.tzinfo is not None and any(e.left_at and step.at > e.left_at for e in lines)
    ]
    why = f"{units} × {line.code} of {line.date} left on a claim, and the ledger now gives {given}"
    if instead:
        why += f" (and {', '.join(instead)})"
    if since:
        authors = sorted({f"{step.author} on {step.at.date()}" for step in since})
        why += f"; changed since by {', '.join(authors)}"
    facts: dict[str, object] = {
        "left": [each.left_at.isoformat() for each in lines if each.left_at],
        "units": units,
        "given": given,
        "instead": instead,
        "since": [step.id for step in since],
    }
    return Block(line.code, "after_claim", why, facts, _SOURCE)
