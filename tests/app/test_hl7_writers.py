"""ORU^R01 and MDM^T02: golden files, and hl7apy's strict validation with no segment lost."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.hl7.er7 import Message, cut
from app.hl7.mdm import Author, Document, mdm_t02
from app.hl7.oru import RangeTest, oru_r01, range_oru_r01
from app.hl7.writing import Envelope, NotValid, Subject, require_valid, segment_names
from billing.hl7_dft import Routing
from rtm.range_of_motion import (
    BodySide,
    RangeMovement,
    RangeResult,
    change_between,
    load_movements,
)
from rtm.session import AngleRange, Pain, ScoreParts
from tests.fhir.samples import measured_session, reported_session

GOLDEN = Path(__file__).parent / "golden"
SUBJECT = Subject("SYN-0001", "PRAIRIE", "Ñandú", "Ana", date(1952, 3, 14), "female")
ENVELOPE = Envelope(
    Routing("HOMESTRETCH", "PRAIRIE", "EHR", "PRAIRIE"),
    "HS-1",
    "P",
    datetime(2026, 4, 1, 12, 0, tzinfo=UTC),
)
DOCUMENT = Document(
    "4c1b2c3d-month",
    "Remote therapeutic monitoring, April 2026",
    datetime(2026, 4, 30, 17, 0, tzinfo=UTC),
    Author("Alvarez", "Terry", "1999999919"),
    text="22 days with sessions.\nPain 4 -> 2; range 130° & rising.",
    pdf=b"%PDF-1.7 synthetic\n" + bytes(range(256)),
)


def results(message: Message) -> dict[str, tuple[str, str]]:
    """Value and unit by code; pain by its own code, which tells before from after."""
    found = {}
    for segment in message.segments:
        if segment.name == "OBX" and segment.value(2) == "NM":
            code = segment.value(3, 4) or segment.value(3)
            found[code] = (segment.value(5), segment.value(6))
    return found


def test_a_measured_session_is_the_golden_file() -> None:
    text = oru_r01(measured_session(), "Shoulder abduction", SUBJECT, ENVELOPE)
    golden = (GOLDEN / "session-oru.hl7").read_text("utf-8")
    assert text.replace("\r", "\n") == golden


def test_a_document_is_the_golden_file() -> None:
    golden = (GOLDEN / "document-mdm.hl7").read_text("utf-8")
    assert mdm_t02(DOCUMENT, SUBJECT, ENVELOPE).replace("\r", "\n") == golden


def range_test(**changes: object) -> RangeTest:
    result = RangeResult("knee_flexion", "left", (112.4, 118.26, 117.0), 118.26, 3.1, ())
    at = datetime(2026, 4, 1, 11, 30, tzinfo=UTC)
    return RangeTest("7a1d3f60-range", at, "video", replace(result, **changes))  # type: ignore[arg-type]


def test_a_range_test_is_the_golden_file() -> None:
    movement = load_movements()["knee_flexion"]
    text = range_oru_r01(
        range_test(), movement, change_between(movement, 108.0, 118.26), SUBJECT, ENVELOPE
    )
    golden = (GOLDEN / "range-oru.hl7").read_text("utf-8")
    assert text.replace("\r", "\n") == golden


def test_each_number_of_a_range_test_is_a_result_by_itself() -> None:
    movement = load_movements()["knee_flexion"]
    change = change_between(movement, 108.0, 118.26)
    found = results(cut(range_oru_r01(range_test(), movement, change, SUBJECT, ENVELOPE)))
    assert found == {
        "range_of_motion_knee_flexion": ("118.3", "deg"),
        "attempt_1": ("112.4", "deg"),
        "attempt_2": ("118.3", "deg"),
        "attempt_3": ("117", "deg"),
        "standard_deviation": ("3.1", "deg"),
        "minimal_detectable_change": (f"{movement.mdc.value_deg:g}", "deg"),
        "gain": ("10.3", "deg"),
    }


def test_a_first_test_of_one_attempt_without_a_side_says_only_what_it_knows() -> None:
    movement = load_movements()["knee_flexion"]
    alone = range_test(side=None, attempts_deg=(100.0,), standard_deviation_deg=None)
    message = cut(range_oru_r01(alone, movement, None, SUBJECT, ENVELOPE))
    assert set(results(message)) == {
        "range_of_motion_knee_flexion",
        "attempt_1",
        "minimal_detectable_change",
    }
    assert {s.value(2) for s in message.segments if s.name == "OBX"} == {"NM"}
    with pytest.raises(ValueError, match="without a value"):
        range_oru_r01(range_test(best_deg=None), movement, None, SUBJECT, ENVELOPE)


@pytest.mark.parametrize("movement", list(load_movements()), ids=lambda movement: movement.id)
def test_a_test_of_every_movement_can_be_said(movement: RangeMovement) -> None:
    side: BodySide | None = "right" if movement.bilateral else None
    test = range_test(movement_id=movement.id, side=side)
    assert range_oru_r01(test, movement, None, SUBJECT, ENVELOPE)


def test_every_measurement_is_a_result_with_its_unit() -> None:
    message = cut(oru_r01(measured_session(), "Shoulder abduction", SUBJECT, ENVELOPE))
    assert results(message) == {
        "repetitions": ("1", "{repetitions}"),
        "duration": ("12.4", "s"),
        "score_total": ("88.2", "{score}"),
        "score_range": ("95", "{score}"),
        "score_control": ("90.1", "{score}"),
        "score_symmetry": ("97", "{score}"),
        "score_completeness": ("100", "{score}"),
        "shoulder_abduction": ("136.2", "deg"),
        "angle_minimum": ("12.1", "deg"),
        "angle_maximum": ("148.3", "deg"),
        "pain_before": ("4", "{score}"),
        "pain_after": ("3", "{score}"),
    }
    observations = [segment for segment in message.segments if segment.name == "OBX"]
    assert {segment.value(11) for segment in observations} == {"F"}
    assert [segment.value(1) for segment in observations] == [str(n) for n in range(1, 14)]
    obr = message.first("OBR")
    assert obr is not None
    assert obr.value(3) == measured_session().id


def test_a_reported_session_has_no_measured_results() -> None:
    message = cut(oru_r01(reported_session(), "Quad set", SUBJECT, ENVELOPE))
    assert set(results(message)) == {"repetitions", "duration", "pain_before", "pain_after"}
    assert "source_manual" in message.segments[-1].field(17)


def test_a_document_carries_its_text_and_its_file() -> None:
    message = cut(mdm_t02(DOCUMENT, SUBJECT, ENVELOPE, visit_number="V-7"))
    text, file = (segment for segment in message.segments if segment.name == "OBX")
    assert text.value(5) == DOCUMENT.text
    assert [file.value(5, number) for number in (2, 3, 4)] == ["AP", "PDF", "Base64"]
    assert base64.b64decode(file.value(5, 5)) == DOCUMENT.pdf
    pv1, txa = message.first("PV1"), message.first("TXA")
    assert pv1 is not None
    assert txa is not None
    assert (pv1.value(19), txa.value(12)) == ("V-7", DOCUMENT.id)
    assert txa.value(5) == "1999999919"


def test_a_document_of_only_one_kind_has_one_observation() -> None:
    for document in (replace(DOCUMENT, pdf=None), replace(DOCUMENT, text=None, author=None)):
        assert segment_names(mdm_t02(document, SUBJECT, ENVELOPE))[-2:] == ["TXA", "OBX"]


def test_an_empty_document_is_refused() -> None:
    with pytest.raises(ValueError, match="neither text nor PDF"):
        replace(DOCUMENT, text="", pdf=None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "."),
        ("MSH|^~\\&|a|b|c|d|20260401||ORU^R01^ORU_R01|1|P|2.5.1\rPID|||1||A\r", "ORU_R01"),
        ("ZZZ|1\r", "."),
    ],
)
def test_what_breaks_the_grammar_does_not_leave(text: str, why: str) -> None:
    with pytest.raises(NotValid, match=why):
        require_valid(text)


def test_a_segment_that_the_parser_drops_is_noticed() -> None:
    text = oru_r01(measured_session(), "Shoulder abduction", SUBJECT, ENVELOPE)
    with pytest.raises(NotValid, match="not understood: ZZZ"):
        require_valid(text + "ZZZ|lost\r")


words = st.text(
    alphabet=st.characters(min_codepoint=1, max_codepoint=0x24F, exclude_categories=["Cs"]),
    min_size=1,
    max_size=30,
)
scores = st.none() | st.floats(0, 100)


@settings(max_examples=30, deadline=None)
@given(
    name=words,
    family=words,
    parts=st.tuples(*[scores] * 6),
    angles=st.tuples(st.floats(-180, 180), st.floats(-180, 180)),
    pain=st.tuples(st.integers(0, 10), st.integers(0, 10)),
)
def test_any_session_is_valid_and_loses_nothing(
    name: str,
    family: str,
    parts: tuple[float | None, ...],
    angles: tuple[float, float],
    pain: tuple[int, int],
) -> None:
    good = measured_session()
    assert good.result is not None
    session = replace(
        good,
        pain=Pain(*pain),
        result=replace(
            good.result,
            score=ScoreParts(*parts),
            primary_angle=AngleRange("shoulder_abduction", *sorted(angles)),
        ),
    )
    message = cut(oru_r01(session, name, replace(SUBJECT, family=family), ENVELOPE))
    assert len(results(message)) == 7 + sum(part is not None for part in parts)
    assert float(results(message)["angle_maximum"][0]) == pytest.approx(max(angles), abs=0.051)


@settings(max_examples=30, deadline=None)
@given(text=words, title=words, pdf=st.binary(min_size=1, max_size=300))
def test_any_document_is_valid_and_loses_nothing(text: str, title: str, pdf: bytes) -> None:
    document = replace(DOCUMENT, text=text, title=title, pdf=pdf)
    message = cut(mdm_t02(document, SUBJECT, ENVELOPE))
    assert [segment.name for segment in message.segments][-2:] == ["OBX", "OBX"]
    assert base64.b64decode(message.segments[-1].value(5, 5)) == pdf
