"""Modifiers in their order: GP/GO/GN, CQ/CO, KX, then 59 or X{EPSU} where an edit asks for it."""

from __future__ import annotations

from billing.account import Account, Charge, OtherService, Reason
from billing.payers import PayerProfile
from billing.rules import NcciPair, RuleSet


def all_modifiers(
    account: Account, rule_set: RuleSet, payer: PayerProfile, charge: Charge
) -> tuple[tuple[str, ...], list[Reason]]:
    """Every modifier that a rule gives `charge` (which may bear CQ or CO already), and why."""
    plan = account.episode.therapy_plan if payer.settings.therapy_modifiers else None
    modifiers = [plan, *charge.modifiers] if plan else [*charge.modifiers]
    reasons = []
    for reason, modifier in (
        _over_the_threshold(account, rule_set, payer, charge),
        _distinct_service(account, rule_set, charge),
    ):
        if reason is not None:
            reasons.append(reason)
            modifiers.append(modifier)
    return tuple(modifiers), reasons


def _over_the_threshold(
    account: Account, rule_set: RuleSet, payer: PayerProfile, charge: Charge
) -> tuple[Reason | None, str]:
    """KX where the entered sum is above the year's threshold; never inferred.

    The sum is that of the year of `as_of`: it says nothing of a line of another year.
    """
    threshold = rule_set.therapy_threshold.get(account.episode.therapy_plan or "")
    so_far = account.therapy_allowed_to_date
    this_year = charge.service_date.year == account.as_of.year
    if not payer.settings.kx or threshold is None or so_far is None or not this_year:
        return None, "KX"
    if so_far <= threshold:
        return None, "KX"
    facts = {"allowed_to_date": str(so_far), "threshold": str(threshold)}
    source = rule_set.therapy_threshold_source
    return Reason(f"{rule_set.id}.therapy_threshold", facts, source), "KX"


def _distinct_service(
    account: Account, rule_set: RuleSet, charge: Charge
) -> tuple[Reason | None, str]:
    """The modifier of a distinct service: only for an edit that allows one, and justified."""
    for pair, service in edits(account, rule_set, charge):
        if pair.indicator == 1 and service.distinct_because:
            facts = {
                "beside": service.code,
                "date": service.date.isoformat(),
                "justification": service.distinct_because,
            }
            return Reason(f"{rule_set.id}.ncci", facts, pair.source), service.distinct_modifier
    return None, ""


def edits(
    account: Account, rule_set: RuleSet, charge: Charge
) -> list[tuple[NcciPair, OtherService]]:
    """The NCCI edits that deny `charge` beside another service of ours on the same date."""
    return [
        (pair, service)
        for pair in rule_set.ncci_pairs
        for service in account.other_services
        if pair.column_2 == charge.code
        and pair.column_1 == service.code
        and service.date == charge.service_date
        and service.npi in (None, account.episode.practitioner_npi)
    ]
