"""One synthetic claim to write in every format."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import yaml

from billing.case import read_case
from billing.claim_model import (
    Address,
    BillingProvider,
    Claim,
    ClaimLine,
    Payer,
    Practitioner,
    Subscriber,
)
from billing.tally import tally

_EXAMPLES = yaml.safe_load(
    (Path(__file__).parent / "cases" / "worked_examples.yaml").read_text("utf-8")
)


def sample_claim(example: int = 1, claim_id: str = "HS-1") -> Claim:
    """The claim of a worked example, for an invented patient of an invented practice."""
    document = next(e["case"] for e in _EXAMPLES if e["example"] == example)
    account = read_case(document)
    lines = tuple(
        ClaimLine(f"{claim_id}-{number}", charge, (1, 2))
        for number, charge in enumerate(tally(account).charges, start=1)
    )
    return Claim(
        id=claim_id,
        billing_provider=BillingProvider(
            "Prairie Rehab Clinic",
            "1999999901",
            "123456789",
            "261QP2000X",
            Address("100 Main Street", "Springfield", "IL", "62701-0001"),
            "Billing Office",
            "555-555-0100",
            "PRAIRIEREHAB",
        ),
        rendering=Practitioner("Alvarez", "Terry", "1999999919", "225100000X"),
        referring=Practitioner("Chen", "Robin", "1999999927"),
        payer=Payer("Sample Medicare MAC", "00000", "MB", "Sample Clearinghouse", "CLEARHOUSE"),
        subscriber=Subscriber(
            "Ñandú",
            "Ana",
            "9ZZ0ZZ0ZZ00",
            date(1952, 3, 14),
            "female",
            Address("1 Elm Street", "Springfield", "IL", "62702"),
        ),
        diagnoses=("M17.11", "Z96.651"),
        lines=lines,
        device=replace(account.episode.device, regulatory_basis="recorded for this test"),
    )


def ranged(claim: Claim) -> Claim:
    """`claim` as for a payer who takes the range of a charge rather than one date of service."""
    lines = tuple(
        replace(line, charge=replace(line.charge, dated_by="range")) for line in claim.lines
    )
    return replace(claim, lines=lines)
