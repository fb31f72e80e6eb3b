"""From what payers answer to the events of a claim."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from billing.answer_codes import in_words
from billing.claim_state import ClaimEvent, LineResult
from billing.x12_835 import DENIED, Adjustment, PaidClaim, PaidLine, Remittance
from billing.x12_acknowledgement import ClaimAnswer, InterchangeAnswer, TransactionAnswer

# Deductible, coinsurance and copayment (CARC 1 to 3): the payer allowed what it makes the patient
# pay. Under any other reason the patient pays because the payer does not cover it.
_PATIENT_SHARE = frozenset({"1", "2", "3"})
_DECISIONS = frozenset({"1", "2", "3", "4", "19", "20", "21"})


def interchange_event(claim_id: str, answer: InterchangeAnswer) -> ClaimEvent:
    """What a TA1 means for one claim of the interchange."""
    return ClaimEvent(
        claim_id=claim_id,
        kind="file_accepted" if answer.accepted else "file_rejected",
        on=answer.on,
        source=f"TA1 {answer.control_number}",
        reasons=answer.reasons,
    )


def transaction_event(claim_id: str, answer: TransactionAnswer) -> ClaimEvent:
    """What a 999 means for one claim of the set: one fault rejects every claim in it."""
    reasons = answer.reasons
    if not answer.accepted and answer.claims and claim_id not in answer.claims:
        reasons = (f"rejected with the file for claim {', '.join(answer.claims)}", *reasons)
    return ClaimEvent(
        claim_id=claim_id,
        kind="file_accepted" if answer.accepted else "file_rejected",
        on=answer.on,
        source=f"999 {answer.group_number} {answer.control_number or ''}".rstrip(),
        reasons=reasons,
    )


def charge_answer_event(
    claim_id: str, control_id: str, code: str, text: str, *, accepted: bool, on: date
) -> ClaimEvent:
    """What an HL7 acknowledgment (MSA-1 `code`, its `text`) means for a charge message's claim.

    An acceptance says that the EHR's billing has the charges, and nothing about a payer.
    """
    words = f"{code}: {text}" if text else code
    return ClaimEvent(
        claim_id=claim_id,
        kind="file_accepted" if accepted else "file_rejected",
        on=on,
        source=f"ACK {control_id}",
        reasons=() if accepted else (words,),
    )


def claim_answer_event(answer: ClaimAnswer) -> ClaimEvent:
    """What a 277CA means; a claim with a rejected line is rejected whole."""
    lines = [
        f"line {line.line_id or 'unnamed'}: {reason}"
        for line in answer.lines
        for reason in line.reasons
    ]
    rejected = answer.rejected or any(line.rejected for line in answer.lines)
    return ClaimEvent(
        claim_id=answer.claim_id,
        kind="rejected" if rejected else "acknowledged",
        on=answer.on,
        source=f"277CA {answer.reference}",
        payer_claim_number=answer.payer_claim_number,
        reasons=(*answer.reasons, *lines),
    )


def remittance_event(claim: PaidClaim, remittance: Remittance, place: int) -> ClaimEvent | None:
    """What an 835 means for one claim, the `place`-th of it; None where it decides nothing, as a
    claim forwarded to another payer (CLP02 23) or a predetermination (25)."""
    if not claim.is_reversal and claim.status not in _DECISIONS:
        return None
    denied = claim.status == DENIED
    whole = LineResult(
        line_id=None,
        paid=claim.paid,
        allowed=Decimal(0) if denied else _allowed(claim.paid, claim.adjustments),
        reasons=_words(claim.adjustments, claim.remarks),
    )
    lines = tuple(_line(line, denied) for line in claim.lines) or (whole,)
    return ClaimEvent(
        claim_id=claim.claim_id,
        kind="reversed" if claim.is_reversal else "remitted",
        on=remittance.paid_on,
        source=f"835 {remittance.payer_id} {remittance.trace}",
        place=place,
        payer_claim_number=claim.payer_claim_number,
        paid=claim.paid,
        lines=lines,
        remarks=(*claim.remarks, *(r for line in claim.lines for r in line.remarks)),
        reasons=whole.reasons,
    )


def _line(line: PaidLine, denied: bool) -> LineResult:
    return LineResult(
        line_id=line.line_id,
        paid=line.paid,
        allowed=Decimal(0) if denied else _allowed(line.paid, line.adjustments),
        reasons=_words(line.adjustments, line.remarks),
    )


def _allowed(paid: Decimal, adjustments: tuple[Adjustment, ...]) -> Decimal:
    share = [a.amount for a in adjustments if a.group == "PR" and a.reason in _PATIENT_SHARE]
    return paid + sum(share, Decimal(0))


def _words(adjustments: tuple[Adjustment, ...], remarks: tuple[str, ...]) -> tuple[str, ...]:
    return (*(a.words for a in adjustments), *(in_words("remarks", remark) for remark in remarks))
