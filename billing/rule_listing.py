"""The rules of one date as one payer has them, to read or as JSON."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

from billing.payers import PayerProfile, Settings, load_payers
from billing.rules import CodeRule, RuleSet, load_rules


class NoRules(LookupError):
    """No rule set covers the date, or no profile has that id; the message says which."""


def list_rules(day: str, payer_id: str) -> dict[str, Any]:
    """`{"on", "rule_set", "payer", "codes": [...], "settings": [...]}`, JSON-ready.

    Raises:
        NoRules: `day` is no date, has no rule set, or `payer_id` has no profile.
    """
    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise NoRules(f"{day!r} is not a date of the form YYYY-MM-DD") from None
    rules, payers = load_rules(), load_payers()
    rule_set = rules.on(on)
    if rule_set is None:
        spans = ", ".join(f"{s.valid_from} to {s.valid_to}" for s in rules.sets)
        raise NoRules(f"no RTM rules are loaded for {on}; there are rules for {spans}")
    payer = payers.get(payer_id)
    if payer is None:
        raise NoRules(f"no payer {payer_id!r}; known: {', '.join(sorted(payers))}")
    return {
        "on": on.isoformat(),
        "rule_set": rule_set.id,
        "payer": {"id": payer.id, "title": payer.title, "example": payer.example},
        "codes": [_code(rule_set, payer, rule, on) for rule in rule_set.codes.values()],
        "settings": [
            {
                "setting": field.name,
                "value": _plain(getattr(payer.settings, field.name)),
                "source": payer.basis[field.name],
            }
            for field in fields(Settings)
        ],
    }


def listing_text(listing: dict[str, Any]) -> str:
    """The listing for a terminal: a line a code, its source below it."""
    payer = listing["payer"]
    lines = [f"{listing['rule_set']} on {listing['on']}, {payer['title']}"]
    for code in listing["codes"]:
        amount = code["amount"] or "no amount"
        marks = [mark for mark in ("recalled",) if code[mark]]
        marks += [] if code["covered"] else ["not covered"]
        lines.append(
            f"{code['code']}  {code['label']}: {code['counts']}; {code['once_per']}; "
            f"{amount}{_in_brackets(marks)}"
        )
        lines.append(f"       {code['source']}")
        lines.append(f"       amount: {code['amount_source']}")
    for setting in listing["settings"]:
        lines.append(f"{setting['setting']} = {setting['value']}")
        lines.append(f"       {setting['source']}")
    return "\n".join(lines)


def _code(rule_set: RuleSet, payer: PayerProfile, rule: CodeRule, on: date) -> dict[str, Any]:
    national = rule_set.national.get(rule.code)
    amount, source = None, rule_set.absent_amounts.get(rule.code, "")
    recalled = False
    if payer.settings.amounts is not None:
        source = payer.basis["amounts"]
        own = [o for o in payer.settings.amounts if o.code == rule.code]
        amount = next((str(o.amount) for o in own if o.valid_from <= on <= o.valid_to), None)
    elif national is not None:
        amount, source, recalled = str(national.amount), national.source, national.recalled
    return {
        "code": rule.code,
        "label": rule.label,
        "period": rule.period,
        "counts": _counts(rule),
        "once_per": f"once per {rule.once_per}" if rule.once_per else "in units",
        "minimum_days": rule.minimum_days or None,
        "maximum_days": rule.maximum_days,
        "minimum_minutes": rule.minimum_minutes or None,
        "maximum_minutes": rule.maximum_minutes,
        "each_minutes": rule.each_minutes,
        "add_on_to": rule.add_on_to,
        "interaction": rule.interaction,
        "assistant_modifier": rule.assistant_modifier,
        "excludes": list(rule.excludes),
        "covered": payer.covers(rule.code),
        "amount": amount,
        "recalled": recalled,
        "amount_source": source,
        "source": rule.source,
    }


def _counts(rule: CodeRule) -> str:
    if rule.each_minutes is not None:
        return f"each complete {rule.each_minutes} minutes beyond {rule.add_on_to}"
    days, least = rule.period != "month", rule.minimum_days or rule.minimum_minutes
    most = rule.maximum_days if days else rule.maximum_minutes
    span = f"{least}-{most}" if most else f"{least} or more"
    talk = ", one live interaction" if rule.interaction else ""
    return f"{span} {'days of data' if days else 'minutes'}{talk}"


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [{"code": own.code, "amount": str(own.amount)} for own in value]
    return value


def _in_brackets(marks: list[str]) -> str:
    return f" ({', '.join(marks)})" if marks else ""
