"""Claims are scrubbed before anything leaves: what payers would bounce, and what RTM asks for.

A finding that holds keeps the claim back; a warning goes with it. Something that nobody gave is
never taken for granted: it holds where this service can know it, and warns where only the practice
can.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from billing.claim import ScrubFinding, Severity
from billing.claim_model import Claim
from billing.edits import Edits, load_edits
from billing.rules import Rules, load_rules
from billing.scrub_institutional import institutional_findings
from billing.scrub_lines import THERAPY_MODIFIERS, line_findings
from billing.scrub_parties import party_findings

# A certification covers at most 90 calendar days from the first treatment under the plan, and is
# timely within 30 days of it (Medicare Benefit Policy Manual, ch. 15 §220.1.3; 42 CFR 424.24(c)).
_CERTIFIED_FOR = timedelta(days=90)
_CERTIFY_WITHIN = timedelta(days=30)


def scrub(
    claim: Claim,
    as_of: date,
    *,
    rules: Rules | None = None,
    edits: Edits | None = None,
    stated_total: Decimal | None = None,
) -> tuple[ScrubFinding, ...]:
    """Every finding on `claim` if it left on `as_of`, holds first.

    `rules` and `edits` are those shipped, if not given. `stated_total` is the total a payer file
    would carry, where it was computed elsewhere.
    """
    found = [
        *party_findings(claim, as_of),
        *line_findings(claim, as_of, rules or load_rules(), edits or load_edits()),
        *institutional_findings(claim),
        *_total(claim, stated_total),
        *_device(claim),
        *_attestation(claim),
        *_surgery(claim),
        *_certification(claim),
        *_coverage(claim),
        *_timely_filing(claim, as_of),
        *_frequency(claim),
    ]
    return tuple(sorted(found, key=lambda finding: finding.severity != "hold"))


def holds(findings: tuple[ScrubFinding, ...]) -> bool:
    """Whether the claim stays back."""
    return any(finding.severity == "hold" for finding in findings)


def latest_filing(service: date) -> date:
    """The last day on which Medicare takes a claim for `service`: one calendar year after it.

    So 28 February for a service on 29 February (42 CFR 424.44; Claims Processing Manual, ch. 1
    §70).
    """
    if (service.month, service.day) == (2, 29):
        return date(service.year + 1, 2, 28)
    return service.replace(year=service.year + 1)


def _total(claim: Claim, stated_total: Decimal | None) -> Iterator[ScrubFinding]:
    if stated_total is not None and stated_total != claim.total:
        why = f"{stated_total} is not the sum of the lines, {claim.total}"
        yield ScrubFinding(claim.id, "claim total", why, "state the sum of the lines")


def _device(claim: Claim) -> Iterator[ScrubFinding]:
    if claim.device.regulatory_basis is None:
        why = "no regulatory basis (UDI, 510(k) or exemption) is recorded for this deployment"
        mend = "record the basis of the device in the health system's practice data"
        yield ScrubFinding(claim.id, "device", why, mend)


def _attestation(claim: Claim) -> Iterator[ScrubFinding]:
    """RPM and RTM exclude each other, and one practitioner bills RTM (CY2024 PFS final rule); this
    service sees only its own claims."""
    if claim.no_other_monitoring_attested_on is None:
        yield ScrubFinding(
            claim.id,
            "attestation",
            "nobody has attested that no one else bills RTM or RPM for this patient",
            "ask the patient and record the answer",
        )


def _surgery(claim: Claim) -> Iterator[ScrubFinding]:
    npis = (claim.rendering.npi, claim.billing_provider.npi)
    if claim.surgeon_npi is not None and claim.surgeon_npi in npis:
        why = "was paid the global fee of the surgery (CY2024 PFS)"
        mend = "bill only what is unrelated to the surgery, or nothing"
        yield ScrubFinding(claim.id, "rendering provider", why, mend)


def _certification(claim: Claim) -> Iterator[ScrubFinding]:
    """What Medicare asks of therapy under a plan of care; for other payers it is a warning."""
    lines = [line for line in claim.lines if THERAPY_MODIFIERS & set(line.charge.modifiers)]
    if not lines:
        return
    medicare = claim.payer.is_medicare
    severity: Severity = "hold" if medicare else "warn"
    field = "plan of care"
    if claim.referring is None:
        why = "no practitioner who certifies the plan is named, but the lines say therapy"
        mend = "name the certifying practitioner (NM1*DN)"
        yield ScrubFinding(claim.id, field, why, mend, severity)
    certified, started = claim.plan_certified_on, claim.plan_started_on
    if certified is None:
        why = "the date of its certification is not given"
        mend = "check that a practitioner certified the plan for these dates of service"
        yield ScrubFinding(claim.id, field, why, mend, "warn")
        return
    # A timely first certification runs from the first treatment, a later one from its own date.
    first = started is not None and certified <= started + _CERTIFY_WITHIN
    begin = started if started is not None and first else certified
    last = max(line.charge.service_date for line in lines)
    if last > begin + _CERTIFIED_FOR:
        why = f"certified on {certified} for 90 days from {begin}, but the service is of {last}"
        yield ScrubFinding(claim.id, field, why, "have the plan recertified", severity)


def _coverage(claim: Claim) -> Iterator[ScrubFinding]:
    start, end = claim.coverage_start, claim.coverage_end
    if start is None and end is None:
        why = "the dates of the patient's coverage are not given"
        yield ScrubFinding(claim.id, "coverage", why, "check eligibility with the payer", "warn")
    for line in claim.lines:
        service = line.charge.service_date
        if (start is not None and service < start) or (end is not None and service > end):
            why = f"line {line.id}: {service} is outside {start or '...'} to {end or '...'}"
            mend = "bill the coverage that was in force on the date of service"
            yield ScrubFinding(claim.id, "coverage", why, mend)


def _timely_filing(claim: Claim, as_of: date) -> Iterator[ScrubFinding]:
    """Medicare's limit; other payers' contracts are usually shorter, so theirs is a warning."""
    medicare = claim.payer.is_medicare
    for line in claim.lines:
        limit = latest_filing(line.charge.service_date)
        if as_of > limit:
            why = f"line {line.id}: a claim for {line.charge.service_date} was due by {limit}"
            mend = "look for an exception (42 CFR 424.44(b)) or write the charge off"
            severity: Severity = "hold" if medicare and claim.frequency == "1" else "warn"
            yield ScrubFinding(claim.id, "timely filing", why, mend, severity)


def _frequency(claim: Claim) -> Iterator[ScrubFinding]:
    if claim.frequency == "1":
        return
    kind = "a correction" if claim.frequency == "7" else "a void"
    if claim.payer_claim_number is None:
        why = f"{kind} (frequency {claim.frequency}) needs the payer's number of the first claim"
        mend = "take it from the 277CA (REF*1K) or the 835 (CLP07)"
        yield ScrubFinding(claim.id, "frequency", why, mend)
    if claim.payer.is_medicare:
        # Recalled of the MACs' companion guides (CLM05-3 must be 1), not found again: no hold.
        why = f"Medicare contractors may not take {kind} as an electronic claim"
        yield ScrubFinding(claim.id, "frequency", why, "ask for a reopening instead", "warn")
