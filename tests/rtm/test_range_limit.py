"""A patient's own limit in an exercise: what may be set, and that keeping to it is enough."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtm.exercises import load_library
from rtm.protocols import draft_program, load_protocols
from rtm.protocols.definition import MovementRule
from rtm.range_limit import carried_limit, limit_of, problem_of_limit, within_limit

SQUAT = load_library()["squat"]  # the knee bends, from straight
KNEE_EXTENSION = load_library()["knee_extension_seated"]  # the knee straightens
MEASURED = [exercise for exercise in load_library() if exercise.primary_angle is not None]


def target_deg(exercise_id: str, limit_deg: float) -> float:
    angle = within_limit(load_library()[exercise_id], limit_deg).primary_angle
    assert angle is not None
    return angle.target_deg


def test_the_limit_takes_the_place_of_a_target_beyond_it() -> None:
    assert target_deg("squat", 60) == 60
    assert target_deg("knee_extension_seated", 45) == 45
    assert SQUAT.primary_angle is not None
    assert target_deg("squat", 170) == SQUAT.primary_angle.target_deg
    assert within_limit(SQUAT, None) is SQUAT


@given(exercise=st.sampled_from(MEASURED), limit_deg=st.integers(-90, 180))
def test_a_limit_that_can_be_set_leaves_a_repetition_and_asks_for_no_more(
    exercise: object, limit_deg: int
) -> None:
    before = exercise.primary_angle  # type: ignore[attr-defined]
    if problem_of_limit(exercise, limit_deg) is not None:  # type: ignore[arg-type]
        return
    after = within_limit(exercise, limit_deg).primary_angle  # type: ignore[arg-type]
    assert after is not None
    assert after.target_deg == limit_deg
    way = abs(after.target_deg - after.rest_deg)
    assert before.minimum_rom_deg <= way <= abs(before.target_deg - before.rest_deg)


@pytest.mark.parametrize(
    ("exercise_id", "limit_deg", "says"),
    [
        ("squat", 10, "nothing would be left to do"),
        ("squat", 170, "asks for no more than"),
        ("heel_slide", 90, "no angle of its own"),
    ],
)
def test_a_limit_that_makes_no_sense_says_why(
    exercise_id: str, limit_deg: float, says: str
) -> None:
    problem = problem_of_limit(load_library()[exercise_id], limit_deg)
    assert problem is not None
    assert says in problem


def test_the_strictest_rule_of_the_exercises_own_way_is_its_limit() -> None:
    rules = [
        MovementRule("at_most", "knee_flexion", 90),
        MovementRule("at_most", "knee_flexion", 70),
        MovementRule("at_least", "knee_flexion", 10),
        MovementRule("at_most", "hip_flexion", 30),
    ]
    assert limit_of(SQUAT, rules) == 70
    assert limit_of(KNEE_EXTENSION, rules) == 10
    assert limit_of(SQUAT, []) is None


def test_what_a_protocol_limits_is_limited_in_the_program_drafted_from_it() -> None:
    limited = {}
    for protocol in load_protocols():
        for phase in protocol.phases:
            draft = draft_program(protocol, phase, id="p", start=date(2026, 10, 1), side="left")
            for line, one in zip(phase.exercises, draft.exercises, strict=True):
                exercise = load_library()[line.exercise_id]
                if one.limit_deg is not None:
                    assert problem_of_limit(exercise, one.limit_deg) is None, protocol.id
                    limited[protocol.id, line.exercise_id] = one.limit_deg
    assert limited["meniscus_repair", "squat"] == 70
    assert limited["acl_reconstruction", "squat"] == 45
    assert limited["acl_reconstruction", "knee_extension_seated"] == 45


def test_a_limit_goes_with_the_angle_to_another_exercise() -> None:
    sit_to_stand, raise_ = load_library()["sit_to_stand"], load_library()["shoulder_flexion"]
    assert carried_limit(SQUAT, load_library()["split_squat"], 45) == 45
    assert carried_limit(SQUAT, raise_, 45) is None
    assert carried_limit(SQUAT, sit_to_stand, 45) is None  # the knee goes the other way
    assert carried_limit(SQUAT, SQUAT, None) is None
