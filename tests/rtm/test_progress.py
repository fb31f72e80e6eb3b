"""The calendar's days and what may be said of a patient's progress."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtm.adherence import adherence, calendar, streak
from rtm.exercises import load_library
from rtm.program import Goal, PrescribedExercise
from rtm.progress import (
    RangePoint,
    movement_of,
    pain_change,
    range_change,
    reach_deg,
    target_deg,
    week_done,
)
from rtm.session import (
    AngleRange,
    ExerciseResult,
    Quality,
    Repetition,
    ScoreParts,
)
from tests.rtm.test_program import MONDAY, program

LIFT = load_library()["shoulder_abduction"]
BOTH = replace(
    program("mon", "wed", "fri"),
    exercises=(
        *program("mon", "wed", "fri").exercises,
        PrescribedExercise("heel_raise", "bilateral", program("mon").exercises[0].dose),
    ),
)


def on(offset: int) -> date:
    return MONDAY + timedelta(days=offset)


def states(done: dict[date, set[str]], today: date, days: int = 7) -> list[str]:
    return [day.state for day in calendar([BOTH], done, MONDAY, on(days - 1), today)]


def test_each_day_says_what_became_of_it() -> None:
    done = {on(0): {"squat"}, on(1): {"squat"}, on(2): {"squat"}}
    assert states(done, today=on(5)) == [
        "partly",
        "extra",
        "done",
        "rest",
        "missed",
        "rest",
        "rest",
    ]


def test_today_is_never_missed_and_what_follows_is_to_come() -> None:
    assert states({}, today=on(2))[2:5] == ["upcoming", "rest", "upcoming"]


def test_before_and_after_the_program_there_is_nothing_to_miss() -> None:
    plan = program(days=2)
    around = calendar([plan], {}, on(-1), on(2), on(9))
    assert [day.state for day in around] == ["outside", "missed", "missed", "outside"]


def test_a_new_version_holds_from_its_start_and_the_old_one_until_then() -> None:
    newer = replace(program("tue"), version=2, start=on(7))
    days = calendar([program("mon"), newer], {}, MONDAY, on(13), on(20))
    assert [day.day for day in days if day.due] == [on(0), on(8)]


def test_a_streak_goes_over_rest_days_and_stops_at_a_miss() -> None:
    done = {on(4): {"squat"}, on(7): {"squat"}, on(9): {"squat"}}
    days = calendar([program("mon", "wed", "fri")], done, MONDAY, on(11), on(11))
    assert streak(days, on(11)) == 3


@given(st.sets(st.integers(0, 27)), st.integers(0, 27))
def test_the_calendar_agrees_with_adherence(done: set[int], today: int) -> None:
    plan = program("mon", "tue", "thu", "sat")
    by_day = {on(n): {"squat"} for n in done if n <= today}
    known = adherence(plan, set(by_day), on(today))
    days = calendar([plan], by_day, MONDAY, on(today), on(today))
    assert tuple(day.day for day in days if day.exercised) == known.days_done
    assert streak(days, on(today)) == known.streak


def test_the_week_counts_today_only_once_it_is_done() -> None:
    plan = program()
    missing = calendar([plan], {on(n): {"squat"} for n in range(1, 7)}, MONDAY, on(7), on(7))
    assert (week_done(missing, on(7)).done, week_done(missing, on(7)).due) == (6, 6)
    with_today = calendar([plan], {on(n): {"squat"} for n in range(1, 8)}, MONDAY, on(7), on(7))
    assert (week_done(with_today, on(7)).done, week_done(with_today, on(7)).due) == (7, 7)


def points(*reached: float) -> list[RangePoint]:
    return [RangePoint(on(n), value) for n, value in enumerate(reached)]


def test_a_change_below_the_minimal_detectable_one_is_never_better() -> None:
    movement = movement_of(LIFT.primary_angle)  # type: ignore[arg-type]  # a camera measures it
    assert movement is not None
    just_below = range_change(LIFT, points(90, 90 + movement.mdc.value_deg - 0.1))
    assert just_below is not None
    assert just_below.direction == "same"
    reached = range_change(LIFT, points(90, 90 + movement.mdc.value_deg))
    assert reached is not None
    assert reached.direction == "better"


@given(st.floats(-180, 180), st.floats(-180, 180))
def test_no_change_of_any_exercise_is_called_one_below_its_mdc(first: float, latest: float) -> None:
    for exercise in load_library():
        change = range_change(exercise, points(first, latest))
        if change is None:
            assert exercise.primary_angle is None
        elif change.movement is None:
            assert change.direction == "unknown"
        elif abs(latest - first) < change.movement.mdc.value_deg - 1e-6:
            assert change.direction == "same"


def test_a_knee_that_stretches_further_is_better_with_fewer_degrees() -> None:
    kick = load_library()["knee_extension_seated"]
    change = range_change(kick, points(40, 10))
    assert change is not None
    assert change.direction == "better"
    assert change.movement is not None
    assert change.movement.id == "knee_extension"


def test_one_day_is_no_change() -> None:
    assert range_change(LIFT, points(90)) is None


def test_one_badly_seen_repetition_does_not_move_the_reach() -> None:
    repetitions = tuple(Repetition(0, 1, 2, peak, peak, None, ()) for peak in (100.0, 101.0, 175.0))
    nothing = ScoreParts(None, None, None, None, None, None)
    result = ExerciseResult(
        *(LIFT.id, "right", 10.0, 300, 300, repetitions, AngleRange("shoulder_abduction", 0, 175)),
        *(nothing, (), Quality(1.0, 30.0, ())),
    )
    assert reach_deg(LIFT, result) == 101.0
    assert reach_deg(LIFT, replace(result, repetitions=())) is None


def test_the_goal_of_the_program_is_the_target() -> None:
    goal = Goal("g", "", "shoulder_abduction", "at_least", 120, "deg", on(27))
    assert target_deg(LIFT, replace(program(), goals=(goal,))) == 120
    assert LIFT.primary_angle is not None
    assert target_deg(LIFT, program()) == LIFT.primary_angle.target_deg
    assert target_deg(load_library()["quad_set"], None) is None


@pytest.mark.parametrize(
    ("first", "latest", "direction"),
    [(6, 4, "better"), (6, 5, "same"), (4, 6, "worse"), (5, 5, "same")],
)
def test_pain_changes_by_what_matters_or_not_at_all(
    first: int, latest: int, direction: str
) -> None:
    change = pain_change([(on(0), first), (on(20), latest)], on(20), important_change=2)
    assert change is not None
    assert change.direction == direction


def test_pain_of_two_weeks_is_compared_only_where_the_weeks_do_not_meet() -> None:
    assert pain_change([(on(0), 6), (on(12), 3)], on(12), 2) is None
    assert pain_change([(on(0), 6), (on(13), 3)], on(13), 2) is not None
    assert pain_change([(on(0), 6)], on(40), 2) is None
    assert pain_change([], on(0), 2) is None
