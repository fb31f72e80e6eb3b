"""The scrubber: what holds a claim, what warns, and what other validators let through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.claim import ScrubFinding, is_npi
from billing.claim_model import BilledLine, Claim, Entity
from billing.diagnoses import load_diagnosis_policy
from billing.edits import (
    Edits,
    InvalidEdits,
    MostUnits,
    ProcedurePair,
    QuarterEdits,
    load_edits,
    quarter_of,
    read_edits,
)
from billing.scrub import holds, latest_filing, scrub
from billing.x12_837p import Interchange, write_837p
from tests.billing.sample import sample_claim
from tests.billing.x12_validators import pyx12_errors, x12_errors

AS_OF = date(2026, 4, 1)
GOOD = replace(
    sample_claim(),
    coverage_start=date(2020, 1, 1),
    plan_started_on=date(2026, 2, 20),
    plan_certified_on=date(2026, 3, 1),
    no_other_monitoring_attested_on=date(2026, 3, 2),
    already_billed=(),
)
PRACTICE = GOOD.billing_provider
COMPLETE = Edits(
    {"2026Q1": QuarterEdits("2026Q1", {"98980": MostUnits(1, "sourced", "CMS")}, True, (), True)}
)


def _practice(**changes: object) -> Claim:
    return replace(GOOD, billing_provider=replace(PRACTICE, **changes))  # type: ignore[arg-type]


def _person(**changes: object) -> Claim:
    return replace(GOOD, subscriber=replace(GOOD.subscriber, **changes))  # type: ignore[arg-type]


def _line(number: int = 0, **changes: object) -> Claim:
    lines = list(GOOD.lines)
    lines[number] = replace(lines[number], **changes)  # type: ignore[arg-type]
    return replace(GOOD, lines=tuple(lines))


def _charge(number: int = 0, **changes: Any) -> Claim:
    return _line(number, charge=replace(GOOD.lines[number].charge, **changes))


def _payer(claim: Claim, filing_code: str) -> Claim:
    return replace(claim, payer=replace(claim.payer, filing_code=filing_code))


def _found(claim: Claim, as_of: date = AS_OF, edits: Edits = COMPLETE) -> tuple[ScrubFinding, ...]:
    return scrub(claim, as_of, edits=edits)


def _only(claim: Claim, as_of: date = AS_OF, edits: Edits = COMPLETE) -> ScrubFinding:
    (finding,) = _found(claim, as_of, edits)
    return finding


def test_a_good_claim_has_no_finding() -> None:
    assert scrub(GOOD, AS_OF, edits=COMPLETE, stated_total=Decimal("115.90")) == ()


# What pyx12 and x12sdk let through ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "field"),
    [
        (replace(GOOD, rendering=replace(GOOD.rendering, npi="1999999910")), "rendering provider"),
        (_line(pointers=(5,)), "line HS-1-1"),
        (_charge(code="00XX9"), "line HS-1-1"),
        (replace(GOOD, diagnoses=("M171.1", "Z96.651")), "diagnoses"),
    ],
    ids=["NPI check digit", "pointer 5 of 2", "a CPT that is none", "a point in the wrong place"],
)
def test_what_both_validators_let_through_is_held(claim: Claim, field: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.837"
    path.write_text(write_837p([claim], Interchange(1, datetime(2026, 4, 1, 12, 0))))
    assert x12_errors(path) == []
    assert field in _only(claim).field
    assert holds(_found(claim))


def test_a_wrong_total_which_pyx12_lets_through_is_held(tmp_path: Path) -> None:
    path = tmp_path / "broken.837"
    text = write_837p([GOOD], Interchange(1, datetime(2026, 4, 1, 12, 0)))
    path.write_text(text.replace("CLM*HS-1*115.9*", "CLM*HS-1*999*"))
    assert pyx12_errors(path) == []
    (finding,) = scrub(GOOD, AS_OF, edits=COMPLETE, stated_total=Decimal(999))
    assert (finding.field, finding.severity) == ("claim total", "hold")


def test_a_place_of_service_that_is_none_is_held() -> None:
    assert _only(_practice(place_of_service="ZZ")).field == "place of service"


# Institutional claims -----------------------------------------------------------------------------


def _institution(entity: Entity, **changes: Any) -> Claim:
    claim = replace(_practice(entity=entity), **changes)
    return _payer(claim, "MA")


def test_a_good_institutional_claim_has_no_finding() -> None:
    assert _found(_institution("hospital_outpatient")) == ()


def test_whatever_the_837i_writer_refuses_is_held_before() -> None:
    nobody = _institution("corf", referring=None)
    assert {f.field for f in _found(nobody) if f.severity == "hold"} == {
        "attending provider",
        "plan of care",
    }
    charge = replace(GOOD.lines[0].charge, modifiers=())
    lines = (replace(GOOD.lines[0], charge=charge), *GOOD.lines[1:])
    (finding,) = _found(_institution("rehab_agency", lines=lines))
    assert (finding.field, finding.severity) == ("line HS-1-1", "hold")
    assert "no revenue code is known for 98975 with plan none on 74X" in finding.why


def test_a_type_of_bill_makes_the_place_of_service_no_matter() -> None:
    claim = _institution("hospital_outpatient")
    provider = replace(claim.billing_provider, place_of_service="22")
    assert _found(replace(claim, billing_provider=provider)) == ()


def test_part_a_is_medicare_as_well() -> None:
    claim = _institution("corf", subscriber=replace(GOOD.subscriber, member_id="12345"))
    assert _only(claim).field == "subscriber member id"


# Parties ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "field"),
    [
        (replace(GOOD, rendering=replace(GOOD.rendering, npi="")), "rendering provider NPI"),
        (_practice(npi="123"), "billing provider NPI"),
        (replace(GOOD, rendering=replace(GOOD.rendering, taxonomy=None)), "taxonomy"),
        (replace(GOOD, rendering=replace(GOOD.rendering, taxonomy="PT")), "taxonomy"),
        (_practice(taxonomy="9251000000"), "billing provider taxonomy"),
        (_practice(submitter_id="S" * 16), "submitter id"),
        (_practice(tax_id="12-3456789"), "tax id"),
        (_practice(place_of_service="02"), "place of service"),
        (_practice(address=replace(PRACTICE.address, line="P.O. Box 12")), "address"),
        (_practice(address=replace(PRACTICE.address, postal_code="62701")), "ZIP"),
        (_practice(address=replace(PRACTICE.address, state="Illinois")), "state"),
        (_person(family="田中"), "subscriber family name"),
        (_person(member_id=""), "subscriber member id"),
        (_person(member_id="12345"), "subscriber member id"),
        (_person(birth_date=date(2030, 1, 1)), "subscriber birth date"),
        (replace(GOOD, payer=replace(GOOD.payer, payer_id="")), "payer id"),
        (_payer(GOOD, "XX"), "payer"),
        (replace(GOOD, id="H" * 39), "claim id"),
        (replace(GOOD, diagnoses=()), "diagnoses"),
        (replace(GOOD, diagnoses=("M17.11", "knee")), "diagnoses"),
        (replace(GOOD, diagnoses=tuple(f"M17.{n}" for n in range(13))), "diagnoses"),
        (replace(GOOD, diagnoses=("M17.11", "M17.11")), "diagnoses"),
        (replace(GOOD, surgeon_npi=GOOD.rendering.npi), "rendering provider"),
        (replace(GOOD, device=replace(GOOD.device, regulatory_basis=None)), "device"),
        (replace(GOOD, no_other_monitoring_attested_on=None), "attestation"),
    ],
)
def test_what_would_bounce_is_held_and_says_how_to_mend_it(claim: Claim, field: str) -> None:
    held = [finding for finding in _found(claim) if field in finding.field]
    assert [finding.severity for finding in held] == ["hold"] * len(held) != []
    assert all(finding.claim_id == claim.id and finding.mend for finding in held)


@given(st.integers(0, 9), st.integers(0, 10))
def test_one_wrong_digit_is_no_npi(digit: int, place: int) -> None:
    npi = GOOD.rendering.npi
    changed = npi[:place] + str(digit) + npi[place + 1 :]
    assert is_npi(changed) is (changed == npi)


@pytest.mark.parametrize(
    ("code", "relevance"),
    [
        ("M17.11", "accepted"),
        ("m00", "accepted"),
        ("M99.9", "accepted"),
        ("M1A.0620", "accepted"),
        ("S83.511A", "accepted"),
        ("T84.84XA", "accepted"),
        ("Z47.1", "accepted"),
        ("Z96.651", "accepted"),
        ("G54.4", "accepted"),
        ("G56.01", "accepted"),
        ("R26.89", "ask"),
        ("I69.351", "ask"),
        ("E11.9", "other"),
        ("Z96.1", "other"),
        ("L40.50", "other"),
        ("N39.0", "other"),
    ],
)
def test_the_policy_knows_musculoskeletal_diagnoses(code: str, relevance: str) -> None:
    assert load_diagnosis_policy().relevance(code) == relevance


@pytest.mark.parametrize(("code", "severity"), [("E11.9", "hold"), ("R26.89", "warn")])
def test_the_primary_diagnosis_must_suit_the_device(code: str, severity: str) -> None:
    finding = _only(replace(GOOD, diagnoses=(code, "M17.11")))
    assert (finding.field, finding.severity) == ("primary diagnosis", severity)
    assert _found(replace(GOOD, diagnoses=("M17.11", code))) == ()


def test_a_facilitys_place_of_service_is_a_warning() -> None:
    assert _only(_practice(place_of_service="22")).severity == "warn"


# Lines --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        (_charge(amount=None), "no amount"),
        (_charge(amount=Decimal(0)), "no amount"),
        (_charge(units=0), "0 units"),
        (_line(pointers=()), "1 to 4"),
        (_line(pointers=(1, 2, 1, 2, 1)), "1 to 4"),
        (_line(pointers=(1, 1)), "twice"),
        (_line(id="HS-1-2"), "one id"),
        (_line(id="L" * 51), "51 characters"),
        (replace(GOOD, lines=()), "at least one"),
        (_charge(modifiers=("GP", "CQ", "KX", "59", "XU")), "more than four"),
        (_charge(modifiers=("GP", "K")), "'K' is not a modifier"),
        (_charge(modifiers=("GP", "GP")), "twice"),
        (_charge(modifiers=("GO", "GP")), "two disciplines"),
        (_charge(modifiers=("CQ",)), "CQ without GP"),
        (_charge(modifiers=("GP", "CO")), "CO without GO"),
        (_charge(modifiers=("KX",)), "KX without"),
        (_charge(1, modifiers=("GP", "CQ")), "98977 never takes CQ"),
        (_charge(1, modifiers=("GO", "CO")), "98977 never takes CO"),
        (_charge(last=date(2026, 4, 2)), "future"),
        (_charge(code="98978", last=date(2022, 3, 3)), "not a code of the rules rtm-2022"),
        (_charge(code="97110"), "not a code of the rules"),
        (_charge(last=date(2021, 3, 3)), "no rules are loaded"),
    ],
)
def test_a_faulty_line_is_held(claim: Claim, says: str) -> None:
    assert any(says in finding.why for finding in _found(claim) if finding.severity == "hold")


def test_an_assistants_modifier_stands_on_management() -> None:
    assert _found(_charge(2, modifiers=("GP", "CQ", "KX"))) == ()


def test_modifiers_out_of_order_are_a_warning_with_the_right_order() -> None:
    finding = _only(_charge(2, modifiers=("KX", "CQ", "GP")))
    assert (finding.severity, finding.mend) == ("warn", "write GP CQ KX")


# Coverage, plan, time -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "lines"),
    [
        (None, date(2026, 3, 31), 0),
        (date(2026, 3, 3), None, 0),
        (date(2026, 3, 4), None, 1),
        (date(2026, 1, 1), date(2026, 3, 30), 2),
        (date(2026, 4, 1), None, 3),
    ],
)
def test_a_service_outside_the_coverage_is_held(
    start: date | None, end: date | None, lines: int
) -> None:
    found = _found(replace(GOOD, coverage_start=start, coverage_end=end))
    assert [(finding.field, finding.severity) for finding in found] == [
        ("coverage", "hold")
    ] * lines


@pytest.mark.parametrize(
    ("missing", "field"),
    [
        ({"coverage_start": None}, "coverage"),
        ({"plan_certified_on": None}, "plan of care"),
        ({"already_billed": None}, "duplicate"),
    ],
)
def test_what_nobody_gave_is_a_warning_and_not_taken_for_granted(
    missing: Mapping[str, Any], field: str
) -> None:
    finding = _only(replace(GOOD, **missing))
    assert (finding.field, finding.severity) == (field, "warn")
    assert "not given" in finding.why


@pytest.mark.parametrize(
    ("started", "certified", "good"),
    [
        (date(2026, 1, 1), date(2026, 1, 20), True),
        (date(2025, 12, 31), date(2026, 1, 20), True),
        (date(2025, 12, 30), date(2026, 1, 20), False),
        (date(2025, 10, 1), date(2025, 12, 31), True),
        (date(2025, 10, 1), date(2025, 12, 30), False),
        (None, date(2025, 12, 31), True),
        (None, date(2025, 12, 30), False),
    ],
    ids=["fresh", "day 90", "day 91", "recertified", "recertified too early", "day 90", "day 91"],
)
def test_a_certification_lasts_ninety_days(
    started: date | None, certified: date, good: bool
) -> None:
    claim = replace(GOOD, plan_started_on=started, plan_certified_on=certified)
    assert [finding.field for finding in _found(claim)] == ([] if good else ["plan of care"])
    assert holds(_found(claim)) is not good
    assert not holds(_found(_payer(claim, "CI")))


def test_therapy_for_medicare_needs_a_certifying_practitioner() -> None:
    alone = replace(GOOD, referring=None)
    assert (_only(alone).field, _only(alone).severity) == ("plan of care", "hold")
    assert _only(_payer(alone, "CI")).severity == "warn"


def test_a_physician_without_therapy_plan_needs_no_certification() -> None:
    lines = tuple(replace(e, charge=replace(e.charge, modifiers=())) for e in GOOD.lines)
    claim = replace(GOOD, lines=lines, referring=None, plan_certified_on=None)
    assert _found(claim) == ()


def test_medicare_takes_a_claim_for_one_calendar_year() -> None:
    last = date(2027, 3, 3)
    assert _found(GOOD, last) == ()
    finding = _only(GOOD, last + timedelta(days=1))
    assert (finding.field, finding.severity) == ("timely filing", "hold")
    assert "HS-1-1" in finding.why
    assert not holds(_found(_payer(GOOD, "CI"), last + timedelta(days=1)))


def test_a_service_on_a_leap_day_is_due_on_28_february() -> None:
    assert latest_filing(date(2024, 2, 29)) == date(2025, 2, 28)


# Duplicates and corrections -----------------------------------------------------------------------


def test_what_left_before_is_not_sent_again() -> None:
    sent = BilledLine("HS-0", "98980", date(2026, 3, 31), ("GP",))
    finding = _only(replace(GOOD, already_billed=(sent,)))
    assert (finding.field, finding.severity) == ("duplicate", "hold")
    assert "HS-0" in finding.why


@pytest.mark.parametrize(
    "other",
    [
        BilledLine("HS-0", "98980", date(2026, 2, 28), ("GP",)),
        BilledLine("HS-0", "98980", date(2026, 3, 31), ("GP", "CQ")),
        BilledLine("HS-0", "98981", date(2026, 3, 31), ("GP",)),
    ],
    ids=["another day", "another modifier", "another code"],
)
def test_what_differs_is_no_duplicate(other: BilledLine) -> None:
    assert _found(replace(GOOD, already_billed=(other,))) == ()


def test_the_same_line_twice_on_a_claim_is_held() -> None:
    twice = replace(GOOD, lines=(*GOOD.lines, replace(GOOD.lines[0], id="HS-1-4")))
    assert _only(twice).field == "duplicate"


@pytest.mark.parametrize("frequency", ["7", "8"])
def test_a_correction_needs_the_payers_number(frequency: Any) -> None:
    claim = _payer(replace(GOOD, frequency=frequency), "CI")
    assert (_only(claim).field, _only(claim).severity) == ("frequency", "hold")
    assert _found(replace(claim, payer_claim_number="ICN-1")) == ()


def test_a_correction_repeats_lines_that_left_before() -> None:
    sent = BilledLine("HS-0", "98980", date(2026, 3, 31), ("GP",))
    claim = replace(GOOD, frequency="7", payer_claim_number="ICN-1", already_billed=(sent,))
    assert _found(_payer(claim, "CI")) == ()


def test_medicare_may_not_take_an_electronic_correction() -> None:
    assert _only(replace(GOOD, frequency="7", payer_claim_number="ICN-1")).severity == "warn"


# NCCI ---------------------------------------------------------------------------------------------


def _pairs(*pairs: ProcedurePair) -> Edits:
    return Edits({"2026Q1": QuarterEdits("2026Q1", {}, True, pairs, True)})


def test_a_quarter_that_is_not_loaded_is_said() -> None:
    finding = _only(GOOD, edits=Edits({}))
    assert (finding.field, finding.severity) == ("NCCI", "warn")
    assert "not loaded for 2026Q1" in finding.why


def test_the_shipped_tables_say_that_they_are_not_complete() -> None:
    finding = _only(GOOD, edits=load_edits())
    assert finding.why == "MUE and PTP tables not fully loaded for 2026Q1"
    assert load_edits().on(date(2027, 1, 1)) is None


@pytest.mark.parametrize(("indicator", "held"), [("0", True), ("1", True), ("9", False)])
def test_a_pair_on_one_day_is_held_by_its_indicator(indicator: Any, held: bool) -> None:
    edits = _pairs(ProcedurePair("98980", "98977", indicator))
    assert [finding.field for finding in _found(GOOD, edits=edits)] == (["PTP"] if held else [])


@pytest.mark.parametrize(("indicator", "held"), [("0", True), ("1", False)])
def test_a_modifier_helps_only_where_the_indicator_lets_it(indicator: Any, held: bool) -> None:
    edits = _pairs(ProcedurePair("98980", "98977", indicator))
    assert holds(_found(_charge(1, modifiers=("GP", "59")), edits=edits)) is held


def test_a_pair_on_two_days_is_no_pair() -> None:
    assert _found(GOOD, edits=_pairs(ProcedurePair("98975", "98977", "0"))) == ()


def test_units_above_a_sourced_limit_are_held_and_above_a_recalled_one_warned_of() -> None:
    assert _only(_charge(2, units=2)).severity == "hold"
    recalled = Edits(
        {"2026Q1": QuarterEdits("2026Q1", {"98980": MostUnits(1, "recalled", "-")}, True, (), True)}
    )
    assert _only(_charge(2, units=2), edits=recalled).severity == "warn"


def test_units_of_a_day_are_added_over_lines() -> None:
    other = replace(GOOD.lines[2].charge, modifiers=("GP", "CQ"))
    split = replace(GOOD, lines=(*GOOD.lines, replace(GOOD.lines[2], id="HS-1-4", charge=other)))
    assert _only(split).field == "MUE"


def test_several_units_without_a_known_limit_are_a_warning() -> None:
    found = _found(_charge(2, code="98981", units=3), edits=load_edits())
    assert [(f.field, f.severity) for f in found] == [("MUE", "warn"), ("NCCI", "warn")]


@pytest.mark.parametrize(
    ("day", "quarter"),
    [((2026, 1, 1), "2026Q1"), ((2026, 6, 30), "2026Q2"), ((2026, 12, 31), "2026Q4")],
)
def test_quarters_are_the_calendars(day: tuple[int, int, int], quarter: str) -> None:
    assert quarter_of(date(*day)) == quarter


TABLE = """
quarters: [2026Q3]
medically_unlikely: {complete: true, source: a test, units: {}}
procedure_pairs: {complete: true, source: a test, pairs: []}
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TABLE.replace("2026Q3", "2026-3"), "quarters"),
        (TABLE.replace("complete: true, source: a test, units", "units"), "required"),
        ("a: [", "broken"),
    ],
)
def test_a_broken_table_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(InvalidEdits, match=says):
        read_edits(tmp_path)


def test_a_quarter_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(TABLE)
    with pytest.raises(InvalidEdits, match="2026Q3 is in another"):
        read_edits(tmp_path)
