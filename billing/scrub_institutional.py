"""Scrubbing what only an institutional claim asks: who attends, and each line's revenue code."""

from __future__ import annotations

from collections.abc import Iterator

from billing.claim import ScrubFinding
from billing.claim_model import Claim
from billing.entities import load_entities
from billing.x12_837i import attending


def institutional_findings(claim: Claim) -> Iterator[ScrubFinding]:
    """Whatever `write_837i` would refuse; nothing for a professional claim."""
    rule = load_entities()[claim.billing_provider.entity].institutional
    if rule is None:
        return
    try:
        attending(claim)
    except ValueError:
        why = "therapy on an institutional claim without who certified the plan of care"
        mend = "record the certification with its practitioner (NM1*71)"
        yield ScrubFinding(claim.id, "attending provider", why, mend)
    for line in claim.lines:
        try:
            rule.revenue_code(line.charge.code, line.charge.modifiers)
        except ValueError as error:
            mend = "check the therapy plan, or add the revenue code to billing/entities.yaml"
            yield ScrubFinding(claim.id, f"line {line.id}", str(error), mend)
