"""TA1, 999 and 277CA: golden answers, and what damaged files do."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pyx12.params import params
from pyx12.x12n_document import x12n_document

from billing.claim_events import claim_answer_event, interchange_event, transaction_event
from billing.x12_acknowledgement import read_277ca, read_999, read_ta1
from billing.x12_reader import InvalidX12, TransactionSet, read_x12

GOLDEN = Path(__file__).parent / "golden"
TA1, IMPLEMENTATION, CLAIMS, REMITTANCE = (
    (GOLDEN / f"answers-{kind}.edi").read_bytes() for kind in ("ta1", "999", "277ca", "835")
)


def _set(content: bytes) -> TransactionSet:
    (answer,) = read_x12(content).sets
    return answer


def _changed(content: bytes, good: str, bad: str) -> TransactionSet:
    """With a segment changed in place, so that the count of segments stays right."""
    assert good.encode() in content
    return _set(content.replace(good.encode(), bad.encode(), 1))


@pytest.mark.parametrize("kind", ["999", "277ca", "835"])
def test_an_independent_validator_accepts_the_golden_answers(kind: str) -> None:
    path = GOLDEN / f"answers-{kind}.edi"
    assert x12n_document(params(), str(path), None, None, None, io.StringIO())


# TA1 ----------------------------------------------------------------------------------------------


def test_a_ta1_accepts_our_interchange() -> None:
    ((on, segment),) = read_x12(TA1).interchange_acknowledgements
    answer = read_ta1(segment, on)
    assert (answer.control_number, answer.accepted, answer.reasons) == (1, True, ())
    assert interchange_event("HS-1", answer).kind == "file_accepted"
    assert f"{answer.on}" == "2026-04-01"


def test_a_ta1_that_rejects_says_why_in_words() -> None:
    file = read_x12(TA1.replace(b"*A*000~", b"*R*025~"))
    answer = read_ta1(
        file.interchange_acknowledgements[0][1], file.interchange_acknowledgements[0][0]
    )
    assert not answer.accepted
    assert answer.reasons == ("025 (the control number was used before)",)
    assert interchange_event("HS-1", answer).kind == "file_rejected"


@pytest.mark.parametrize("bad", [b"*Q*000~", b"**000~"])
def test_a_ta1_without_a_verdict_is_refused(bad: bytes) -> None:
    file = read_x12(TA1.replace(b"*A*000~", bad))
    ((on, segment),) = file.interchange_acknowledgements
    with pytest.raises(InvalidX12, match="TA104"):
        read_ta1(segment, on)


# 999 ----------------------------------------------------------------------------------------------


def test_a_999_tells_segment_and_element_in_words() -> None:
    (answer,) = read_999(_set(IMPLEMENTATION))
    assert not answer.accepted
    assert answer.group_number == 1
    assert answer.claims == ("HS-1",)
    assert answer.reasons == (
        "segment 27, DTP (date), loop 2400, element 3 ('20261330'): 8 (is not a valid date)",
        "segment 22, HI (diagnoses), loop 2300: 3 (is needed and missing)",
        "5 (segments are in error)",
    )


def test_a_fault_in_one_claim_rejects_its_neighbours_and_says_so() -> None:
    (answer,) = read_999(_set(IMPLEMENTATION))
    neighbour = transaction_event("HS-2", answer)
    assert neighbour.kind == "file_rejected"
    assert neighbour.reasons[0] == "rejected with the file for claim HS-1"
    assert transaction_event("HS-1", answer).reasons == answer.reasons


@pytest.mark.parametrize(
    ("code", "accepted"), [("A", True), ("E", True), ("R", False), ("X", False)]
)
def test_accepted_with_errors_is_accepted(code: str, accepted: bool) -> None:
    (answer,) = read_999(_changed(IMPLEMENTATION, "IK5*R*5~", f"IK5*{code}*5~"))
    assert answer.accepted is accepted


def test_a_group_rejected_whole_names_no_transaction_set() -> None:
    content = IMPLEMENTATION.decode()
    first, last = content.index("AK2*"), content.index("AK9*")
    short = (content[:first] + content[last:]).replace("AK9*R*1*1*0~", "AK9*R*1*1*0*2~")
    (answer,) = read_999(_set(short.replace("SE*10*", "SE*4*").encode()))
    assert answer.control_number is None
    assert not answer.accepted
    assert answer.reasons == ("2 (the version of the group is not supported)",)


def test_a_code_without_words_is_shown_as_it_is() -> None:
    (answer,) = read_999(_changed(IMPLEMENTATION, "IK3*HI*22*2300*3~", "IK3*ZZZ*22*2300*I99~"))
    assert "segment 22, ZZZ, loop 2300: I99" in answer.reasons


# 277CA --------------------------------------------------------------------------------------------


def test_a_277ca_gives_the_payers_number_to_the_accepted_claim() -> None:
    accepted, _ = read_277ca(_set(CLAIMS))
    assert (accepted.claim_id, accepted.payer_claim_number) == ("HS-1", "2026092000001")
    assert not accepted.rejected
    event = claim_answer_event(accepted)
    assert (event.kind, event.payer_claim_number) == ("acknowledged", "2026092000001")


def test_a_277ca_rejects_a_claim_with_reasons_of_claim_and_line() -> None:
    _, rejected = read_277ca(_set(CLAIMS))
    assert claim_answer_event(rejected).kind == "rejected"
    assert claim_answer_event(rejected).reasons == (
        "A7 (rejected for invalid information): 562 (National Provider Identifier), "
        "82 (rendering provider)",
        "line HS-2-2: A7 (rejected for invalid information): 453 (procedure code modifiers)",
    )


def test_a_rejected_line_rejects_its_claim() -> None:
    answer = _changed(CLAIMS, "STC*A7:562:82*20260402*U*", "STC*A2:20*20260402*WQ*")
    _, claim = read_277ca(answer)
    assert not claim.rejected
    assert claim_answer_event(claim).kind == "rejected"


def test_an_unknown_category_is_refused_rather_than_guessed() -> None:
    with pytest.raises(InvalidX12, match="Q9"):
        read_277ca(_changed(CLAIMS, "STC*A2:20:PR*", "STC*Q9:20:PR*"))


def test_a_status_answer_is_no_claim_acknowledgment() -> None:
    content = CLAIMS.replace(b"005010X214", b"005010X212")
    with pytest.raises(InvalidX12, match="005010X212"):
        read_277ca(_set(content))


# Files --------------------------------------------------------------------------------------------


def test_several_interchanges_and_transaction_sets_are_all_read() -> None:
    file = read_x12(TA1 + IMPLEMENTATION + CLAIMS + REMITTANCE)
    assert [answer.kind for answer in file.sets] == ["999", "277", "835"]
    assert len(file.interchange_acknowledgements) == 1
    assert file.findings == ()


def test_two_transaction_sets_of_one_group_are_two() -> None:
    body = REMITTANCE.decode()
    one = body[body.index("ST*835") : body.index("GE*1")]
    two = one.replace("ST*835*0001", "ST*835*0002").replace("*0001~\n", "*0002~\n")
    file = read_x12(body.replace("GE*1*903", f"{two}GE*2*903").encode())
    assert [answer.control_number for answer in file.sets] == ["0001", "0002"]
    assert file.findings == ()


@pytest.mark.parametrize("cut", range(200, len(REMITTANCE) - 40, 83))
def test_what_came_before_a_truncation_is_kept_and_the_rest_named(cut: int) -> None:
    file = read_x12(CLAIMS + REMITTANCE[:cut])
    assert [answer.kind for answer in file.sets][:1] == ["277"]
    assert len(file.sets) == 1 or REMITTANCE[:cut].count(b"SE*32") == 1
    assert file.findings


def test_a_set_that_lost_a_segment_is_left_out() -> None:
    file = read_x12(CLAIMS + REMITTANCE.replace(b"CAS*CO*50*40.08~\n", b""))
    assert [answer.kind for answer in file.sets] == ["277"]
    assert any("SE count" in finding.why for finding in file.findings)


def test_a_second_interchange_with_other_separators_is_named() -> None:
    file = read_x12(CLAIMS + REMITTANCE.replace(b"*", b"|"))
    assert [answer.kind for answer in file.sets] == ["277"]
    assert any("separators" in finding.why for finding in file.findings)


@pytest.mark.parametrize("trailer", [b"IEA*1*000000903~\n", b"SE*1*0001~\n", b"GE*1*1~\n"])
def test_a_trailer_too_many_costs_nothing_that_came_before(trailer: bytes) -> None:
    file = read_x12(CLAIMS + trailer)
    assert [answer.kind for answer in file.sets] == ["277"]
    assert file.findings


@pytest.mark.parametrize("content", [b"", b"hello", b"ISA*00*", b"\x00\xff" * 80, b"ISA" * 60])
def test_what_is_no_x12_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidX12, match="not an X12 file"):
        read_x12(content)


def test_line_breaks_and_a_byte_order_mark_do_not_matter() -> None:
    windows = b"\xef\xbb\xbf" + CLAIMS.replace(b"\n", b"\r\n")
    joined = CLAIMS.replace(b"\n", b"")
    assert read_277ca(_set(windows)) == read_277ca(_set(joined)) == read_277ca(_set(CLAIMS))
