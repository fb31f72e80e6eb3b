"""837P: golden file, two validators that are not ours, and the files that carry the claims."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.claim_files import sets_of_claims, write_claim_files
from billing.claim_model import Claim, Dependent, Frequency, Practitioner
from billing.x12_837p import write_837p
from billing.x12_envelope import LARGEST_CONTROL_NUMBER, Interchange
from tests.billing import x12_validators
from tests.billing.claim_strategies import FACILITY, SUBMITTER, by_validators, claims
from tests.billing.sample import ranged, sample_claim
from tests.billing.x12_validators import pyx12_errors, x12_errors, x12sdk_errors

GOLDEN = Path(__file__).parent / "golden"
CREATED = datetime(2026, 4, 1, 12, 0)


def _practice(claim: Claim, **changes: object) -> Claim:
    provider = replace(claim.billing_provider, **changes)  # type: ignore[arg-type]
    return replace(claim, billing_provider=provider)


def _837p(*claims: Claim) -> str:
    return write_837p(claims, Interchange(1, CREATED))


def _first_line(claim: Claim, **changes: object) -> Claim:
    return replace(claim, lines=(replace(claim.lines[0], **changes), *claim.lines[1:]))  # type: ignore[arg-type]


GOOD = sample_claim()
PRACTICE = GOOD.billing_provider


def test_837p_is_the_golden_file() -> None:
    assert _837p(sample_claim()) == (GOLDEN / "claim.837").read_text()


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


@settings(max_examples=40, deadline=None)
@given(name=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x24F), max_size=20))
def test_no_name_can_break_the_segments(name: str) -> None:
    claim = replace(GOOD, subscriber=replace(GOOD.subscriber, family="A" + name))
    assert _837p(claim).count("~") == _837p(GOOD).count("~")


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


def _segments(content: str, name: str) -> list[list[str]]:
    rows = [row.rstrip("~").split("*") for row in content.splitlines()]
    return [row for row in rows if row[0] == name]


def _other_payer(claim: Claim, payer_id: str = "60054") -> Claim:
    return replace(claim, payer=replace(claim.payer, payer_id=payer_id, name="Other Payer"))


def test_two_hundred_claims_fit_one_file_and_keep_their_sum(tmp_path: Path) -> None:
    batch = [sample_claim(1, f"HS-{n}") for n in range(200)]
    path = tmp_path / "batch.837"
    path.write_text(_837p(*batch))
    assert x12_errors(path) == []
    claimed = [Decimal(row[2]) for row in _segments(path.read_text(), "CLM")]
    assert len(claimed) == 200
    assert sum(claimed) == sum(claim.total for claim in batch)


@by_validators
@given(batch=st.lists(claims(), min_size=1, max_size=5))
def test_random_claims_are_accepted_and_keep_their_sums(
    batch: list[Claim], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = write_837p(batch, Interchange(1, CREATED, submitter=SUBMITTER))
    path = tmp_path_factory.mktemp("837p") / "batch.837"
    path.write_text(content)
    assert x12_errors(path) == []
    total = sum(claim.total for claim in batch)
    assert sum(Decimal(row[2]) for row in _segments(content, "CLM")) == total
    assert sum(Decimal(row[2]) for row in _segments(content, "SV1")) == total


def test_each_payer_has_its_own_transaction_set(tmp_path: Path) -> None:
    path = tmp_path / "payers.837"
    path.write_text(_837p(GOOD, _other_payer(replace(GOOD, id="B")), replace(GOOD, id="C")))
    content = path.read_text()
    assert [row[2] for row in _segments(content, "ST")] == ["0001", "0002"]
    assert len({row[3] for row in _segments(content, "BHT")}) == 2
    first, second = content.split("ST*837*0002")
    assert [row[1] for row in _segments(first, "CLM")] == ["HS-1", "C"]
    assert [row[1] for row in _segments(second, "CLM")] == ["B"]
    assert x12_errors(path) == []


def test_a_claim_is_found_in_the_set_of_its_payer() -> None:
    content = _837p(GOOD, _other_payer(replace(GOOD, id="B")), replace(GOOD, id="C"))
    assert sets_of_claims(content) == {"HS-1": "0001", "C": "0001", "B": "0002"}
    assert sets_of_claims("") == {}


def test_several_practices_share_a_file_of_one_submitter(tmp_path: Path) -> None:
    other = _practice(replace(GOOD, id="B"), name="Lake Rehab", npi="1999999943")
    path = tmp_path / "practices.837"
    interchange = Interchange(1, CREATED, submitter=SUBMITTER)
    path.write_text(write_837p([GOOD, other, replace(GOOD, id="C")], interchange))
    content = path.read_text()
    assert [row[3] for row in _segments(content, "HL")] == ["20", "22", "22", "20", "22"]
    assert [row[1] for row in _segments(content, "CLM")] == ["HS-1", "C", "B"]
    assert "NM1*41*2*PRAIRIE BILLING*****46*PRAIRIEBILL~" in content
    assert x12_errors(path) == []


def test_several_practices_without_a_submitter_are_refused() -> None:
    with pytest.raises(ValueError, match="need a named submitter"):
        _837p(GOOD, _practice(GOOD, name="Lake Rehab"))


@pytest.mark.parametrize("number", [1, 42, 999_999_999])
def test_every_header_agrees_with_its_trailer(number: int) -> None:
    content = write_837p([GOOD, _other_payer(GOOD)], Interchange(number, CREATED))
    (isa,), (iea,) = _segments(content, "ISA"), _segments(content, "IEA")
    (gs,), (ge,) = _segments(content, "GS"), _segments(content, "GE")
    assert isa[13] == iea[2] == f"{number:09d}"
    assert gs[6] == ge[2] == str(number)
    assert (iea[1], ge[1]) == ("1", "2")
    sets = [row[2] for row in _segments(content, "ST")]
    assert sets == [row[2] for row in _segments(content, "SE")] == ["0001", "0002"]
    assert len(content.splitlines()[0]) == 106


def test_a_dependent_has_a_level_of_their_own(tmp_path: Path) -> None:
    child = Dependent("Ñandú", "Lía", date(2012, 5, 1), "female", GOOD.subscriber.address, "child")
    path = tmp_path / "dependent.837"
    path.write_text(_837p(replace(GOOD, dependent=child)))
    content = path.read_text()
    assert [row[1:] for row in _segments(content, "HL")] == [
        ["1", "", "20", "1"],
        ["2", "1", "22", "1"],
        ["3", "2", "23", "0"],
    ]
    assert "SBR*P********MB~" in content
    assert "PAT*19~\nNM1*QC*1*NANDU*LIA~" in content
    assert content.count("DMG*") == 1
    assert x12_errors(path) == []


@pytest.mark.parametrize("frequency", ["7", "8"])
def test_a_correction_names_the_claim_it_is_about(frequency: Frequency, tmp_path: Path) -> None:
    path = tmp_path / "corrected.837"
    path.write_text(
        _837p(replace(GOOD, frequency=frequency, payer_claim_number="icn-1", note="Units"))
    )
    assert f"***11:B:{frequency}*" in path.read_text()
    assert "REF*F8*ICN-1~\nNTE*ADD*UNITS~" in path.read_text()
    assert x12_errors(path) == []


def test_a_service_facility_follows_who_rendered(tmp_path: Path) -> None:
    path = tmp_path / "facility.837"
    path.write_text(_837p(replace(GOOD, service_facility=FACILITY)))
    assert "NM1*77*2*PRAIRIE POOL*****XX*1999999935~\nN3*" in path.read_text()
    assert x12_errors(path) == []


def test_a_payer_that_takes_ranges_gets_the_period(tmp_path: Path) -> None:
    path = tmp_path / "range.837"
    path.write_text(_837p(ranged(GOOD)))
    assert "DTP*472*RD8*20260302-20260331~" in path.read_text()
    assert x12_errors(path) == []


def test_who_rendered_is_named_without_a_taxonomy_that_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "claim.837"
    path.write_text(_837p(replace(GOOD, rendering=Practitioner("Alvarez", "T", "1999999919"))))
    assert "PRV*PE" not in path.read_text()
    assert x12_errors(path) == []


def test_an_unknown_sex_is_what_x12sdk_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "claim.837"
    path.write_text(_837p(replace(GOOD, subscriber=replace(GOOD.subscriber, gender="unknown"))))
    assert pyx12_errors(path) == []
    assert "gender_code" in x12sdk_errors(path)[0]


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        (replace(GOOD, lines=()), "has no lines"),
        (replace(GOOD, lines=GOOD.lines * 17), "more than 50 lines"),
        (replace(GOOD, diagnoses=()), "no diagnosis"),
        (replace(GOOD, frequency="8"), "without the payer's number"),
        (replace(GOOD, note="x" * 81), "longer than 80"),
    ],
)
def test_a_claim_that_can_not_be_written_is_refused(claim: Claim, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        _837p(claim)


def test_a_file_has_one_receiver_and_at_least_one_claim() -> None:
    other = replace(GOOD, payer=replace(GOOD.payer, receiver_id="ELSEWHERE"))
    with pytest.raises(ValueError, match="one receiver"):
        _837p(GOOD, other)
    with pytest.raises(ValueError, match="at least one claim"):
        _837p()
    with pytest.raises(ValueError, match="at least one claim"):
        write_claim_files([], Interchange(1, CREATED))


def test_claims_go_to_one_file_for_each_format_and_receiver(tmp_path: Path) -> None:
    elsewhere = replace(GOOD, id="B", payer=replace(GOOD.payer, receiver_id="ELSEWHERE"))
    hospital = _practice(replace(GOOD, id="C"), entity="hospital_outpatient")
    given_claims = [GOOD, elsewhere, hospital, _other_payer(replace(GOOD, id="D"))]
    files = write_claim_files(given_claims, Interchange(41, CREATED))
    assert [(f.format, f.receiver_id, f.control_number) for f in files] == [
        ("837p", "CLEARHOUSE", 41),
        ("837p", "ELSEWHERE", 42),
        ("837i", "CLEARHOUSE", 43),
    ]
    assert [list(f.claim_ids) for f in files] == [["HS-1", "D"], ["B"], ["C"]]
    for file in files:
        assert f"*{file.control_number:09d}*" in file.content.splitlines()[0]
        path = tmp_path / f"{file.control_number}.837"
        path.write_text(file.content)
        assert x12_errors(path) == []


def test_control_numbers_that_run_out_are_refused() -> None:
    elsewhere = replace(GOOD, payer=replace(GOOD.payer, receiver_id="ELSEWHERE"))
    last = Interchange(LARGEST_CONTROL_NUMBER, CREATED)
    assert len(write_claim_files([GOOD], last)) == 1
    with pytest.raises(ValueError, match="run out"):
        write_claim_files([GOOD, elsewhere], last)
