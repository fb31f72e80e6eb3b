"""The safety questions: who is asked what, what follows, and when they come again."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rtm.alerts import InvalidAlertKinds, load_alert_kinds, read_alert_kinds
from rtm.feedback import Feedback
from rtm.program import Program
from rtm.protocols import draft_program, load_protocols
from rtm.safety import (
    OUTCOMES,
    InvalidSafetyData,
    InvalidScreen,
    Outcome,
    Screen,
    load_safety,
    read_safety,
    screen_due,
)
from rtm.session import Pain

RULES = load_safety()
AT = datetime(2026, 11, 3, 15, 0, tzinfo=UTC)
EVERYONE = {"chest_pain", "breathless", "dizzy", "fever", "fall"}


def program(protocol_id: str, version: int = 1) -> Program:
    protocol = load_protocols()[protocol_id]
    draft = draft_program(
        protocol, protocol.phases[0], id="p", start=date(2026, 11, 1), side="right"
    )
    return replace(draft, version=version)


def screen(at: datetime, outcome: Outcome = "go_on", version: int = 1) -> Screen:
    return Screen(f"s{at:%H%M}", "p", version, RULES.version, {}, outcome, at)


def no_to_all(asked: Program) -> dict[str, bool]:
    return {question.id: False for question in RULES.questions_for(asked)}


def data() -> Any:
    return copy.deepcopy(yaml.safe_load(files("rtm").joinpath("safety.yaml").read_text("utf-8")))


# Who is asked what -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol_id", "own"),
    [
        ("low_back_pain", {"saddle_numbness", "bladder_bowel", "leg_weakness"}),
        ("neck_pain", {"neck_vessels", "clumsy_hands"}),
        ("total_knee_replacement", {"calf", "wound"}),
        ("rotator_cuff_repair", {"wound"}),
        ("shoulder_pain", set()),
        ("knee_strengthening", set()),
    ],
)
def test_each_program_asks_everybodys_questions_and_its_own(
    protocol_id: str, own: set[str]
) -> None:
    asked = {question.id for question in RULES.questions_for(program(protocol_id))}
    assert asked == EVERYONE | own


def test_a_program_of_a_protocol_that_is_gone_asks_everything() -> None:
    unknown = replace(program("neck_pain"), protocol_id="retired")
    assert RULES.questions_for(unknown) == RULES.questions


def test_every_question_bound_and_stop_reason_has_a_source_and_both_languages() -> None:
    for one in (*RULES.questions, *RULES.stop_reasons):
        assert one.source.text
        assert one.text["en"] != one.text["es"]
    for question in RULES.questions:
        assert question.outcome != "go_on"
        assert question.text["es"].startswith("¿")
    assert RULES.pain_severity.source != RULES.pain_rise.source


# What follows ------------------------------------------------------------------------------------


def test_no_to_everything_goes_on() -> None:
    asked = program("low_back_pain")
    judgement = RULES.judge(asked, no_to_all(asked))
    assert (judgement.outcome, judgement.reasons, judgement.stops) == ("go_on", (), False)


def test_saddle_numbness_is_an_emergency_and_a_warm_calf_is_for_the_care_team() -> None:
    back, knee = program("low_back_pain"), program("total_knee_replacement")
    numb = RULES.judge(back, no_to_all(back) | {"saddle_numbness": True})
    calf = RULES.judge(knee, no_to_all(knee) | {"calf": True})
    assert numb.outcome == "stop_call_emergency"
    assert calf.outcome == "stop_call_care_team"
    assert [reason.id for reason in calf.reasons] == ["calf"]
    assert "calf" in calf.reasons[0].text


@given(
    st.sampled_from(sorted(load_protocols().by_id)),
    st.dictionaries(st.sampled_from([q.id for q in RULES.questions]), st.booleans()),
)
def test_the_gravest_yes_decides_and_nothing_unanswered_goes_on(
    protocol_id: str, given_answers: dict[str, bool]
) -> None:
    asked = program(protocol_id)
    questions = {question.id: question for question in RULES.questions_for(asked)}
    answers = {id_: value for id_, value in given_answers.items() if id_ in questions}
    yes = [questions[id_].outcome for id_, value in answers.items() if value]
    if not yes and set(answers) != set(questions):
        with pytest.raises(InvalidScreen, match="not answered"):
            RULES.judge(asked, answers)
        return
    judgement = RULES.judge(asked, answers)
    assert judgement.outcome == max(yes, key=OUTCOMES.index, default="go_on")
    assert len(judgement.reasons) == len(yes)


def test_an_answer_to_what_was_not_asked_is_refused() -> None:
    asked = program("neck_pain")
    with pytest.raises(InvalidScreen, match="not asked: calf"):
        RULES.judge(asked, no_to_all(asked) | {"calf": True})


# A session's warning signs -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "reasons"),
    [
        (0, 2, []),
        (0, 3, ["pain_rise"]),
        (5, 7, []),
        (7, 8, ["pain_severity"]),
        (9, 8, ["pain_severity"]),
        (4, 8, ["pain_severity", "pain_rise"]),
        (10, 7, []),
    ],
)
def test_severe_pain_and_a_rise_of_three_are_warning_signs(
    before: int, after: int, reasons: list[str]
) -> None:
    judgement = RULES.judge_session(Pain(before, after), Feedback())
    assert [reason.id for reason in judgement.reasons] == reasons
    assert judgement.stops == bool(reasons)


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("pain", "go_on"),
        ("tired", "go_on"),
        ("other", "go_on"),
        ("dizzy", "stop_call_care_team"),
        ("numbness", "stop_call_care_team"),
        ("fall", "stop_call_care_team"),
        ("chest_pain", "stop_call_emergency"),
        ("breathless", "stop_call_emergency"),
        ("a_reason_of_later_data", "go_on"),
    ],
)
def test_why_a_session_was_stopped_may_be_a_warning_sign(reason: str, outcome: str) -> None:
    assert RULES.judge_session(Pain(2, 2), Feedback(stopped_reason=reason)).outcome == outcome


# When they come again ----------------------------------------------------------------------------


def test_the_questions_come_before_the_first_session_of_each_version() -> None:
    first, second = program("neck_pain"), program("neck_pain", version=2)
    answered = [screen(AT)]
    assert screen_due(first, [], [], AT)
    assert not screen_due(first, answered, [], AT)
    assert screen_due(second, answered, [], AT)


def test_they_come_again_after_an_answer_that_stopped() -> None:
    answers = [screen(AT), screen(AT + timedelta(hours=1), "stop_call_care_team")]
    now = AT + timedelta(days=1)
    assert screen_due(program("neck_pain"), answers, [], now)
    answers.append(screen(AT + timedelta(hours=2)))
    assert not screen_due(program("neck_pain"), answers, [], now)


def test_they_come_again_after_a_session_with_a_warning_sign_and_once_only() -> None:
    now = AT + timedelta(days=1)
    warned = [AT + timedelta(hours=1)]
    assert screen_due(program("neck_pain"), [screen(AT)], warned, now)
    again = [screen(AT), screen(AT + timedelta(hours=2))]
    assert not screen_due(program("neck_pain"), again, warned, now)


# The data ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["questions"][0].pop("source"), "source"),
        (lambda d: d["questions"][0].update(source="hearsay"), "no source hearsay"),
        (lambda d: d["questions"][0].update(outcome="go_on"), "outcome"),
        (lambda d: d["questions"][0].update(regions=["neck"]), r"questions\[0\]"),
        (lambda d: d["questions"][5].update(regions=["tail"]), "unknown regions"),
        (lambda d: d["questions"][0]["text"].pop("es"), "es"),
        (lambda d: d["questions"].append(d["questions"][0]), "two questions"),
        (lambda d: d["session"]["pain_rise"].update(at_least=0), "at_least"),
    ],
)
def test_damaged_data_are_refused_with_the_place(change: Any, message: str) -> None:
    document = data()
    change(document)
    with pytest.raises(InvalidSafetyData, match=message):
        read_safety(document)


def test_kinds_of_alert_are_data() -> None:
    kinds = load_alert_kinds()
    assert kinds["red_flag"].blocks_sessions
    assert not kinds["session_warning"].blocks_sessions
    red_flag = {"id": "red_flag", "title": "t", "blocks_sessions": True, "can_wait": False}
    with pytest.raises(InvalidAlertKinds, match="two kinds"):
        read_alert_kinds([red_flag, red_flag])
    with pytest.raises(InvalidAlertKinds, match="title"):
        read_alert_kinds(json.loads('[{"id": "x", "blocks_sessions": true}]'))
