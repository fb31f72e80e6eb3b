"""Remittances: what was paid and why not more, and sums that must come out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.claim_events import remittance_event
from billing.claim_state import ClaimEvent
from billing.x12_835 import (
    Adjustment,
    PaidClaim,
    PaidLine,
    ProviderAdjustment,
    Remittance,
    imbalances,
    read_835,
)
from billing.x12_reader import InvalidX12, read_x12

CONTENT = (Path(__file__).parent / "golden" / "answers-835.edi").read_bytes()


def _read(*changes: tuple[str, str]) -> Remittance:
    text = CONTENT.decode()
    for good, bad in changes:
        assert good in text
        text = text.replace(good, bad, 1)
    (answer,) = read_x12(text.encode()).sets
    return read_835(answer)


def _event(remittance: Remittance) -> ClaimEvent:
    event = remittance_event(remittance.claims[0], remittance, 0)
    assert event is not None
    return event


GOOD = _read()


def test_the_golden_remittance_tells_payment_and_reasons() -> None:
    (claim,) = GOOD.claims
    assert (claim.claim_id, claim.payer_claim_number) == ("HS-1", "2026092000001")
    assert (claim.charge, claim.paid, GOOD.paid) == tuple(map(Decimal, ("115.9", "60.66", "61.91")))
    assert [line.line_id for line in claim.lines] == ["HS-1-1", "HS-1-2", "HS-1-3"]
    denied = claim.lines[1]
    assert (denied.code, denied.modifiers) == ("98977", ("GP",))
    assert denied.adjustments == (Adjustment("CO", "50", Decimal("40.08")),)
    assert denied.service_date == date(2026, 3, 31)
    assert imbalances(GOOD) == ()


def test_reasons_are_in_plain_words_and_unknown_codes_as_they_are() -> None:
    lines = _event(GOOD).lines
    assert lines[1].reasons == (
        "CO (contractual, the practice bears it) 40.08: 50 (not held to be medically necessary)",
        "N115 (decided by a local coverage determination)",
    )
    strange = _event(_read(("CAS*CO*50*", "CAS*CO*999*"), ("LQ*HE*N115", "LQ*HE*N9999")))
    assert strange.lines[1].reasons[1] == "N9999"
    assert strange.lines[1].reasons[0].endswith("40.08: 999")


def test_interest_is_a_provider_adjustment_and_on_no_claim() -> None:
    (interest,) = GOOD.provider_adjustments
    assert interest == ProviderAdjustment("1999999901", "L6", "HS-1", Decimal("-1.25"))
    assert interest.words == "L6 (interest) -1.25, HS-1"
    assert _read(("AMT*B6*21.71", "AMT*B6*20")).claims[0].interest == 0


def test_interest_at_the_claim_is_told() -> None:
    assert _read(("MOA***MA01~", "AMT*I*1.25~")).claims[0].interest == Decimal("1.25")


def test_one_cas_carries_six_reasons() -> None:
    remittance = _read(("CAS*CO*50*40.08~", "CAS*CO*50*40**45*0.05**253*0.03~"))
    assert [a.reason for a in remittance.claims[0].lines[1].adjustments] == ["50", "45", "253"]
    assert imbalances(remittance) == ()


@pytest.mark.parametrize(
    ("good", "bad", "where"),
    [
        ("CAS*CO*50*40.08~", "CAS*CO*50*40.07~", "line HS-1-2"),
        ("CLP*HS-1*1*115.9*60.66*", "CLP*HS-1*1*115.9*60.67*", "claim HS-1"),
        ("CLP*HS-1*1*115.9*", "CLP*HS-1*1*116.9*", "claim HS-1"),
        ("BPR*I*61.91*", "BPR*I*61.92*", "835 0001"),
        ("L6:HS-1*-1.25~", "L6:HS-1*1.25~", "835 0001"),
    ],
)
def test_a_sum_that_does_not_come_out_is_a_finding_where_it_is(
    good: str, bad: str, where: str
) -> None:
    findings = imbalances(_read((good, bad)))
    assert findings
    assert any(finding.where.endswith(where) for finding in findings)


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        ("BPR*I*61.91*", "BPR*I*much*", "BPR02"),
        ("BPR*I*61.91*", "BPR*I*NaN*", "BPR02"),
        ("************20260415~", "************20261399~", "BPR16"),
        ("TRN*1*EFT-903*1123456789~", "TRN*1~", "TRN02"),
        ("CLP*HS-1*1*", "CLP**1*", "CLP01"),
        ("SVC*HC:98975:GP*", "SVC*HC*", "SVC01-2"),
    ],
)
def test_an_element_that_can_not_be_read_is_named(good: str, bad: str, says: str) -> None:
    with pytest.raises(InvalidX12, match=says):
        _read((good, bad))


def test_what_the_patient_owes_was_allowed() -> None:
    deductible = _read(
        ("98980:GP*54.11*43.29*", "98980:GP*54.11*0*"), ("CAS*PR*2*10.82", "CAS*PR*1*54.11")
    )
    line = _event(deductible).lines[2]
    assert (line.paid, line.is_denied) == (Decimal(0), False)


def test_what_the_patient_owes_because_it_is_not_covered_is_denied() -> None:
    assert _event(_read(("CAS*CO*50*", "CAS*PR*96*"))).lines[1].is_denied


def test_a_denied_claim_denies_every_line() -> None:
    assert all(line.is_denied for line in _event(_read(("CLP*HS-1*1*", "CLP*HS-1*4*"))).lines)


def test_a_claim_decided_without_lines_has_one_result() -> None:
    claim = replace(GOOD.claims[0], lines=(), adjustments=(Adjustment("CO", "29", Decimal(1)),))
    event = _event(replace(GOOD, claims=(replace(claim, paid=Decimal(0)),)))
    assert [line.is_denied for line in event.lines] == [True]


def test_a_reversal_is_its_own_event() -> None:
    event = _event(_read(("CLP*HS-1*1*115.9*60.66*", "CLP*HS-1*22*-115.9*-60.66*")))
    assert (event.kind, event.paid) == ("reversed", Decimal("-60.66"))


@pytest.mark.parametrize("status", ["23", "25"])
def test_a_forwarded_or_predetermined_claim_decides_nothing(status: str) -> None:
    remittance = _read(("CLP*HS-1*1*", f"CLP*HS-1*{status}*"))
    assert remittance_event(remittance.claims[0], remittance, 0) is None


def test_a_debit_is_negative() -> None:
    assert _read(("BPR*I*61.91*C*", "BPR*I*61.91*D*")).paid == Decimal("-61.91")


# Balance ------------------------------------------------------------------------------------------

CENTS = st.decimals(min_value=-10_000, max_value=10_000, places=2)
ADJUSTMENTS = st.lists(
    st.builds(Adjustment, st.sampled_from(["CO", "PR", "OA"]), st.just("45"), CENTS), max_size=4
).map(tuple)


@st.composite
def balanced_claims(draw: st.DrawFn) -> PaidClaim:
    lines = []
    for number in range(draw(st.integers(0, 4))):
        charge, adjustments = draw(CENTS), draw(ADJUSTMENTS)
        paid = charge - sum((a.amount for a in adjustments), Decimal(0))
        lines.append(PaidLine(f"C-{number}", "98980", (), charge, paid, None, adjustments, ()))
    adjustments = draw(ADJUSTMENTS)
    charge = sum((line.charge for line in lines), Decimal(0)) if lines else draw(CENTS)
    taken = sum((a.amount for a in adjustments), Decimal(0))
    taken += sum((a.amount for line in lines for a in line.adjustments), Decimal(0))
    return PaidClaim(
        "C", "1", charge, charge - taken, None, adjustments, (), Decimal(0), tuple(lines)
    )


@st.composite
def balanced_remittances(draw: st.DrawFn) -> Remittance:
    claims = tuple(draw(st.lists(balanced_claims(), max_size=4)))
    apart = tuple(
        ProviderAdjustment("1", "WO", "", amount) for amount in draw(st.lists(CENTS, max_size=3))
    )
    paid = sum((c.paid for c in claims), Decimal(0)) - sum((a.amount for a in apart), Decimal(0))
    return Remittance("835", "T", "P", paid, date(2026, 4, 15), claims, apart)


@given(balanced_remittances())
def test_what_balances_has_no_finding(remittance: Remittance) -> None:
    assert imbalances(remittance) == ()


@given(balanced_remittances(), CENTS.filter(bool), st.data())
def test_any_amount_that_is_off_is_found(
    remittance: Remittance, off: Decimal, data: st.DataObject
) -> None:
    changes = [replace(remittance, paid=remittance.paid + off)]
    for place, claim in enumerate(remittance.claims):
        changed = [replace(claim, paid=claim.paid + off), replace(claim, charge=claim.charge + off)]
        if claim.lines:
            first, *others = claim.lines
            changed += [
                replace(claim, lines=(replace(first, paid=first.paid + off), *others)),
                replace(claim, lines=(replace(first, charge=first.charge + off), *others)),
            ]
        for bad in changed:
            claims = (*remittance.claims[:place], bad, *remittance.claims[place + 1 :])
            changes.append(replace(remittance, claims=claims))
    assert imbalances(data.draw(st.sampled_from(changes)))
