"""DFT^P03: golden file, and hl7apy's strict validation with no segment lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.claim_model import Claim, Dependent
from billing.hl7_dft import Routing, dft_p03
from tests.billing.claim_strategies import claims
from tests.billing.hl7_validator import hl7_errors, segment_names
from tests.billing.sample import sample_claim

GOLDEN = Path(__file__).parent / "golden"
CREATED = datetime(2026, 4, 1, 12, 0)
ROUTING = Routing("HOMESTRETCH", "PRAIRIE", "EHR", "PRAIRIE")
GOOD = sample_claim()


def _dft(claim: Claim, **settings_: str) -> str:
    return dft_p03(
        claim,
        ROUTING,
        CREATED,
        patient_mrn="SYN-0001",
        control_id="HS-1",
        **settings_,  # type: ignore[arg-type]
    )


def test_dft_is_the_golden_file() -> None:
    golden = (GOLDEN / "charges.hl7").read_text(encoding="utf-8")
    assert _dft(GOOD) == golden.replace("\n", "\r")


def test_each_charge_has_its_procedure_and_the_diagnoses_close_the_message() -> None:
    text = _dft(GOOD)
    assert text.endswith("\r")
    charges = ["FT1", "PR1"] * 3
    assert segment_names(text) == ["MSH", "EVN", "PID", *charges, "DG1", "DG1"]
    assert hl7_errors(text) == []


def test_a_segment_that_the_parser_drops_is_noticed() -> None:
    assert "understood" in hl7_errors(_dft(GOOD) + "ZZZ|lost\r")[0]


def test_a_reversal_credits_the_same_transactions() -> None:
    reversal = _dft(GOOD, kind="CR")
    assert reversal.count("|CR|98") == 3
    assert "|HS-1-1|" in reversal


def test_a_void_is_a_credit_and_a_replacement_a_charge() -> None:
    corrected = replace(GOOD, payer_claim_number="ICN")
    assert _dft(replace(corrected, frequency="8")).count("|CR|98") == 3
    assert _dft(replace(corrected, frequency="7")).count("|CG|98") == 3


def test_the_visit_that_the_site_names_goes_into_pv1() -> None:
    text = _dft(GOOD, visit_number="V-7")
    assert segment_names(text)[:4] == ["MSH", "EVN", "PID", "PV1"]
    assert parse_message(text, validation_level=VALIDATION_LEVEL.STRICT).pv1.pv1_19.value == "V-7"


def test_the_patient_of_a_dependents_claim_is_the_dependent() -> None:
    child = Dependent("Ñandú", "Lía", date(2012, 5, 1), "female", GOOD.subscriber.address, "child")
    assert "|Ñandú^Lía||20120501|F\r" in _dft(replace(GOOD, dependent=child))


@pytest.mark.parametrize("control_id", ["", "C" * 21])
def test_a_control_id_that_msh_10_can_not_hold_is_refused(control_id: str) -> None:
    with pytest.raises(ValueError, match="control id"):
        dft_p03(GOOD, ROUTING, CREATED, patient_mrn="S", control_id=control_id)


def test_a_claim_without_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="has no lines"):
        _dft(replace(GOOD, lines=()))


@settings(max_examples=25, deadline=None)
@given(claim=claims())
def test_random_claims_are_valid_and_lose_nothing(claim: Claim) -> None:
    text = _dft(claim)
    assert hl7_errors(text) == []
    assert segment_names(text).count("FT1") == segment_names(text).count("PR1") == len(claim.lines)
    assert segment_names(text).count("DG1") == len(claim.diagnoses)


@settings(max_examples=40, deadline=None)
@given(name=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x24F), max_size=20))
def test_no_name_can_break_the_segments(name: str) -> None:
    text = _dft(replace(GOOD, subscriber=replace(GOOD.subscriber, family="A" + name)))
    assert segment_names(text) == segment_names(_dft(GOOD))
    assert len(text.split("\r")[2].split("|")) == len(_dft(GOOD).split("\r")[2].split("|"))
