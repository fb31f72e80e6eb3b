"""837P, DFT^P03 and CMS-1500: golden files, and two validators that are not ours."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.claim import Claim
from billing.cms1500 import COLUMNS, cms1500_csv
from billing.hl7_dft import Routing, dft_p03
from billing.x12_837p import Interchange, write_837p
from tests.billing import x12_validators
from tests.billing.sample import sample_claim
from tests.billing.x12_validators import pyx12_errors, x12_errors

GOLDEN = Path(__file__).parent / "golden"
CREATED = datetime(2026, 4, 1, 12, 0)
ROUTING = Routing("HOMESTRETCH", "PRAIRIE", "EHR", "PRAIRIE")


def _837p(*claims: Claim) -> str:
    return write_837p(claims, Interchange(1, CREATED))


def _dft(claim: Claim) -> str:
    return dft_p03(claim, ROUTING, CREATED, patient_mrn="SYN-0001", control_id=claim.id)


def _first_line(claim: Claim, **changes: object) -> Claim:
    return replace(claim, lines=(replace(claim.lines[0], **changes), *claim.lines[1:]))  # type: ignore[arg-type]


GOOD = sample_claim()
PRACTICE = GOOD.billing_provider


def test_837p_is_the_golden_file() -> None:
    assert _837p(sample_claim()) == (GOLDEN / "claim.837").read_text()


def test_dft_is_the_golden_file() -> None:
    golden = (GOLDEN / "charges.hl7").read_text(encoding="utf-8")
    assert _dft(sample_claim()) == golden.replace("\n", "\r")


def test_cms1500_rows_are_the_golden_file() -> None:
    golden = (GOLDEN / "cms1500.csv").read_text(encoding="utf-8")
    assert cms1500_csv([sample_claim()]).replace("\r\n", "\n") == golden


@pytest.mark.parametrize("example", [1, 2, 7, 11, 18, 21, 23, 28])
def test_both_validators_accept_the_837p_of_each_worked_example(
    example: int, tmp_path: Path
) -> None:
    path = tmp_path / "claim.837"
    path.write_text(_837p(sample_claim(example)))
    assert x12_errors(path) == []


def test_both_validators_accept_a_batch(tmp_path: Path) -> None:
    path = tmp_path / "batch.837"
    path.write_text(_837p(*[sample_claim(1, f"HS-{n}") for n in range(1, 26)]))
    assert x12_errors(path) == []


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("DTP*472*D8*20260331~\n", ""),
        ("***11:B:1*", "***ZZ:B:1*"),
        ("*20260331~", "*20261330~"),
        ("CLM*HS-1*115.9*", "CLM*HS-1*999*"),
    ],
)
def test_the_validators_do_reject_a_broken_file(good: str, bad: str, tmp_path: Path) -> None:
    text = _837p(sample_claim())
    assert good in text
    path = tmp_path / "broken.837"
    path.write_text(text.replace(good, bad, 1))
    assert x12_errors(path) != []


def test_a_wrong_total_is_what_pyx12_alone_would_let_through(tmp_path: Path) -> None:
    path = tmp_path / "broken.837"
    path.write_text(_837p(GOOD).replace("CLM*HS-1*115.9*", "CLM*HS-1*999*"))
    assert pyx12_errors(path) == []
    assert x12_errors(path) != []


def test_a_decimal_point_in_a_diagnosis_never_reaches_the_wire() -> None:
    assert "HI*ABK:M1711*ABF:Z96651~" in _837p(GOOD)


def test_dft_survives_strict_parsing_with_every_segment() -> None:
    text = _dft(sample_claim())
    assert text.endswith("\r")
    message = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
    assert message.validate()
    before = [line[:3] for line in text.split("\r") if line]
    after = [line[:3] for line in message.to_er7().split("\r") if line]
    assert before == after == ["MSH", "EVN", "PID", "FT1", "FT1", "FT1"]


def test_a_reversal_credits_the_same_transactions() -> None:
    reversal = dft_p03(
        GOOD, ROUTING, CREATED, patient_mrn="SYN-0001", control_id="HS-1-CR", kind="CR"
    )
    assert reversal.count("|CR|98") == 3
    assert "|HS-1-1|" in reversal


@settings(max_examples=40, deadline=None)
@given(name=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x24F), max_size=20))
def test_no_name_can_break_the_segments_of_either_format(name: str) -> None:
    claim = replace(GOOD, subscriber=replace(GOOD.subscriber, family="A" + name))
    assert _837p(claim).count("~") == _837p(GOOD).count("~")
    assert _dft(claim).count("\r") == _dft(GOOD).count("\r")
    assert len(_dft(claim).split("\r")[2].split("|")) == len(_dft(GOOD).split("\r")[2].split("|"))


@pytest.mark.parametrize("number", [0, 1_000_000_000])
def test_a_control_number_outside_nine_digits_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="control number"):
        write_837p([GOOD], Interchange(number, CREATED))


def test_the_same_claims_and_control_number_give_the_same_bytes() -> None:
    assert _837p(sample_claim()) == _837p(sample_claim())


def test_a_sole_practitioner_is_not_named_twice(tmp_path: Path) -> None:
    alone = replace(GOOD, rendering=replace(GOOD.rendering, npi=PRACTICE.npi))
    path = tmp_path / "alone.837"
    path.write_text(_837p(alone))
    assert "NM1*82" not in path.read_text()
    assert x12_errors(path) == []


def test_a_prior_authorization_travels_with_the_claim(tmp_path: Path) -> None:
    path = tmp_path / "authorized.837"
    path.write_text(_837p(replace(GOOD, prior_authorization="auth-1")))
    assert "REF*G1*AUTH-1~" in path.read_text()
    assert x12_errors(path) == []


def test_a_line_without_an_amount_is_never_written_as_zero() -> None:
    unpriced = _first_line(GOOD, charge=replace(GOOD.lines[0].charge, amount=None))
    with pytest.raises(ValueError, match="HS-1-1 has no amount"):
        _837p(unpriced)


def test_the_visit_that_the_site_names_goes_into_pv1() -> None:
    text = dft_p03(GOOD, ROUTING, CREATED, patient_mrn="S", control_id="HS-1", visit_number="V-7")
    assert [line[:3] for line in text.split("\r")[:4]] == ["MSH", "EVN", "PID", "PV1"]
    assert parse_message(text, validation_level=VALIDATION_LEVEL.STRICT).pv1.pv1_19.value == "V-7"


@pytest.mark.parametrize("control_id", ["", "C" * 21])
def test_a_control_id_that_msh_10_can_not_hold_is_refused(control_id: str) -> None:
    with pytest.raises(ValueError, match="control id"):
        dft_p03(GOOD, ROUTING, CREATED, patient_mrn="S", control_id=control_id)


@pytest.mark.parametrize("content", ["", "not an X12 file\n"])
def test_the_validator_command_tells_good_from_bad(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.837", tmp_path / "bad.837"
    good.write_text(_837p(GOOD))
    bad.write_text(content)
    assert x12_validators.main([str(good)]) == 0
    assert x12_validators.main([str(good), str(bad)]) == 1
    assert x12_validators.main([]) == 2
    assert "bad.837: pyx12" in capsys.readouterr().out


def test_claims_of_two_practices_do_not_share_a_file() -> None:
    other = replace(GOOD, billing_provider=replace(GOOD.billing_provider, name="Other"))
    with pytest.raises(ValueError, match="one billing provider"):
        _837p(GOOD, other)


def test_cms1500_has_a_row_a_line() -> None:
    rows = list(csv.DictReader(io.StringIO(cms1500_csv([GOOD]))))
    assert [row["24D_code"] for row in rows] == ["98975", "98977", "98980"]
    assert set(rows[0]) == set(COLUMNS)
