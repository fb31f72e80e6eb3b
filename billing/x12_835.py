"""The remittance: X12 835, implementation guide 005010X221A1.

What each claim and line was paid, and why not more. Amounts are what the payer wrote; whether
they add up is asked apart (`imbalances`), because a wrong sum is for a person, not for a crash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from pyx12.segment import Segment

from billing.answer_codes import in_words
from billing.x12_reader import (
    FileFinding,
    InvalidX12,
    TransactionSet,
    before,
    blocks,
    day,
    money,
    needed,
    value,
)

REVERSAL, DENIED = "22", "4"
_ZERO = Decimal(0)


@dataclass(frozen=True)
class Adjustment:
    """One CAS triple: `amount` is what was taken off the charge (negative: added)."""

    group: str
    reason: str
    amount: Decimal

    @property
    def words(self) -> str:
        return (
            f"{in_words('adjustment_groups', self.group)} {self.amount}: "
            f"{in_words('adjustment_reasons', self.reason)}"
        )


@dataclass(frozen=True)
class PaidLine:
    """One SVC. `line_id` is our REF*6R, None where the payer did not return it."""

    line_id: str | None
    code: str
    modifiers: tuple[str, ...]
    charge: Decimal
    paid: Decimal
    service_date: date | None
    adjustments: tuple[Adjustment, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class PaidClaim:
    """One CLP. `interest` (AMT*I) tells what a PLB pays apart and is in no sum here."""

    claim_id: str
    status: str
    charge: Decimal
    paid: Decimal
    payer_claim_number: str | None
    adjustments: tuple[Adjustment, ...]
    remarks: tuple[str, ...]
    interest: Decimal
    lines: tuple[PaidLine, ...]

    @property
    def is_reversal(self) -> bool:
        return self.status == REVERSAL

    @property
    def all_adjustments(self) -> tuple[Adjustment, ...]:
        return (*self.adjustments, *(a for line in self.lines for a in line.adjustments))


@dataclass(frozen=True)
class ProviderAdjustment:
    """One pair of a PLB, on no claim; a positive `amount` lowers the payment (X12 835, PLB04)."""

    provider_id: str
    reason: str
    reference: str
    amount: Decimal

    @property
    def words(self) -> str:
        reason = in_words("provider_adjustments", self.reason)
        return f"{reason} {self.amount}" + (f", {self.reference}" if self.reference else "")


@dataclass(frozen=True)
class Remittance:
    """One transaction set: one payment. `paid` is negative where it is a debit (BPR03 D)."""

    where: str
    trace: str
    payer_id: str
    paid: Decimal
    paid_on: date
    claims: tuple[PaidClaim, ...]
    provider_adjustments: tuple[ProviderAdjustment, ...]


def read_835(remittance: TransactionSet) -> Remittance:
    """Raises InvalidX12 where BPR, TRN or an element that is needed can't be read."""
    segments = remittance.segments
    bpr, trn = _only(segments, "BPR"), _only(segments, "TRN")
    sign = -1 if value(bpr, "03") == "D" else 1
    return Remittance(
        where=remittance.where,
        trace=needed(trn, "02"),
        payer_id=value(trn, "03"),
        paid=sign * money(bpr, "02"),
        paid_on=day(bpr, "16"),
        claims=tuple(_claim(part) for part in blocks(before(segments, "PLB"), "CLP")),
        provider_adjustments=tuple(
            a for s in segments if s.get_seg_id() == "PLB" for a in _provider_adjustments(s)
        ),
    )


def imbalances(remittance: Remittance) -> tuple[FileFinding, ...]:
    """Every sum that does not come out: charge - adjustments = payment for line and claim, the
    lines' charges for the claim's, and claims - provider adjustments for the whole payment
    (005010X221A1, balancing)."""
    found: list[FileFinding] = []

    def check(where: str, what: str, computed: Decimal, stated: Decimal) -> None:
        if computed != stated:
            found.append(FileFinding(where, f"{what} is {computed}, but {stated} is stated"))

    for claim in remittance.claims:
        where = f"{remittance.where}, claim {claim.claim_id}"
        for number, line in enumerate(claim.lines, start=1):
            name = f"{where}, line {line.line_id or number}"
            taken = _sum(line.adjustments)
            check(name, "charge less adjustments", line.charge - taken, line.paid)
        taken = _sum(claim.all_adjustments)
        check(where, "charge less adjustments", claim.charge - taken, claim.paid)
        if claim.lines:
            charged = sum((line.charge for line in claim.lines), _ZERO)
            check(where, "the sum of the lines' charges", charged, claim.charge)
    paid = sum((claim.paid for claim in remittance.claims), _ZERO)
    apart = sum((a.amount for a in remittance.provider_adjustments), _ZERO)
    check(remittance.where, "claims less provider adjustments", paid - apart, remittance.paid)
    return tuple(found)


def _claim(segments: Sequence[Segment]) -> PaidClaim:
    clp = segments[0]
    own = before(segments, "SVC")
    return PaidClaim(
        claim_id=needed(clp, "01"),
        status=needed(clp, "02"),
        charge=money(clp, "03"),
        paid=money(clp, "04"),
        payer_claim_number=value(clp, "07") or None,
        adjustments=tuple(_adjustments(own)),
        remarks=tuple(_claim_remarks(own)),
        interest=sum(
            (money(s, "02") for s in own if s.get_seg_id() == "AMT" and value(s, "01") == "I"),
            _ZERO,
        ),
        lines=tuple(_line(part) for part in blocks(segments, "SVC")),
    )


def _line(segments: Sequence[Segment]) -> PaidLine:
    svc = segments[0]
    references = [s for s in segments if s.get_seg_id() == "REF" and value(s, "01") == "6R"]
    dates = [s for s in segments if s.get_seg_id() == "DTM" and value(s, "01") in ("472", "150")]
    modifiers = [value(svc, f"01-{place}") for place in range(3, 7)]
    return PaidLine(
        line_id=(value(references[0], "02") or None) if references else None,
        code=needed(svc, "01-2"),
        modifiers=tuple(modifier for modifier in modifiers if modifier),
        charge=money(svc, "02"),
        paid=money(svc, "03"),
        service_date=day(dates[0], "02") if dates else None,
        adjustments=tuple(_adjustments(segments)),
        remarks=tuple(
            needed(s, "02") for s in segments if s.get_seg_id() == "LQ" and value(s, "01") == "HE"
        ),
    )


def _adjustments(segments: Sequence[Segment]) -> Iterator[Adjustment]:
    for segment in segments:
        if segment.get_seg_id() == "CAS":
            group = needed(segment, "01")
            for place in range(2, 20, 3):
                if reason := value(segment, f"{place:02d}"):
                    yield Adjustment(group, reason, money(segment, f"{place + 1:02d}"))


def _claim_remarks(segments: Sequence[Segment]) -> Iterator[str]:
    """Remark codes of the whole claim: MOA03-07 for outpatient, MIA05 and MIA20-23 for inpatient
    claims."""
    places = {"MOA": range(3, 8), "MIA": (5, *range(20, 24))}
    for segment in segments:
        for place in places.get(segment.get_seg_id() or "", ()):
            if remark := value(segment, f"{place:02d}"):
                yield remark


def _provider_adjustments(plb: Segment) -> Iterator[ProviderAdjustment]:
    for place in range(3, 14, 2):
        if reason := value(plb, f"{place:02d}-1"):
            yield ProviderAdjustment(
                provider_id=value(plb, "01"),
                reason=reason,
                reference=value(plb, f"{place:02d}-2"),
                amount=money(plb, f"{place + 1:02d}"),
            )


def _only(segments: Sequence[Segment], name: str) -> Segment:
    for segment in segments:
        if segment.get_seg_id() == name:
            return segment
    raise InvalidX12(f"a remittance needs {name}")


def _sum(adjustments: Sequence[Adjustment]) -> Decimal:
    return sum((adjustment.amount for adjustment in adjustments), _ZERO)
