"""A claim that may leave, as it is stored and sent: plain values, which any process can make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.billing_office.export_formats import Format, Outgoing, Written, written
from app.billing_office.month import charge_key
from app.store import JsonText, PatientRow, to_json
from billing.claim import ScrubFinding
from billing.claim_model import Claim, Frequency
from billing.hl7_dft import Routing

# So many claims are named with a warning; all have it in their own record.
_NAMED = 10


@dataclass(frozen=True)
class Leaving:
    """`written` is its part of the file, `document` and `findings` what is kept of it, `lines` the
    columns of its lines' rows, and `warnings` what goes with it, in words.

    `replaces` names our earlier claim that it corrects or voids.
    """

    claim_id: str
    patient_id: int
    episode_id: str
    frequency: Frequency
    total: Decimal
    warnings: tuple[str, ...]
    written: Written
    document: JsonText
    findings: JsonText
    lines: tuple[Mapping[str, Any], ...]
    replaces: str | None = None


def prepare(
    format_: Format,
    routing: Routing,
    created: datetime,
    patient: PatientRow,
    episode_id: str,
    claim: Claim,
    findings: Sequence[ScrubFinding],
    replaces: str | None = None,
) -> Leaving:
    """`claim` with its `findings`, all of them warnings, written in `format_`.

    Raises:
        ValueError: the claim can't be written.
    """
    coverage = patient.billing.get("coverage") or {}
    mrn = patient.demographics.get("mrn") or patient.fhir_id
    outgoing = Outgoing(claim, patient.fhir_id, mrn, coverage.get("id"))
    return Leaving(
        claim_id=claim.id,
        patient_id=patient.id,
        episode_id=episode_id,
        frequency=claim.frequency,
        total=claim.total,
        warnings=tuple(f"{found.field}: {found.why}; {found.mend}" for found in findings),
        written=written(format_, outgoing, routing, created),
        document=to_json(claim),
        findings=to_json(findings, tuple[ScrubFinding, ...]),
        # A void takes charges back, and makes none.
        lines=() if claim.frequency == "8" else tuple(_lines(patient.id, episode_id, claim)),
        replaces=replaces,
    )


def _lines(patient_id: int, episode_id: str, claim: Claim) -> Iterable[Mapping[str, Any]]:
    for line in claim.lines:
        charge = line.charge
        yield {
            "patient_id": patient_id,
            "episode_id": episode_id,
            "charge_key": charge_key(episode_id, charge),
            "code": charge.code,
            "units": charge.units,
            "service_date": charge.service_date,
            "claim_id": claim.id,
            "line_id": line.id,
            "modifiers": list(charge.modifiers),
        }


def in_words(finding: ScrubFinding) -> str:
    mend = f"; {finding.mend}" if finding.mend else ""
    return f"{finding.claim_id}: {finding.field} {finding.why}{mend}"


class Warnings:
    """What the scrubber warns of on claims that leave, each thing once with whom it is about."""

    def __init__(self) -> None:
        self._about: dict[str, tuple[list[str], int]] = {}

    def add(self, claims: Iterable[Leaving]) -> None:
        for claim in claims:
            for text in claim.warnings:
                named, count = self._about.get(text, ([], 0))
                if len(named) < _NAMED:
                    named.append(claim.claim_id)
                self._about[text] = (named, count + 1)

    @property
    def in_words(self) -> tuple[str, ...]:
        return tuple(
            f"{', '.join(named)}{_further(count - len(named))}: {text}"
            for text, (named, count) in self._about.items()
        )


def _further(count: int) -> str:
    return f" and {count:,} more" if count else ""
