"""What a new version of a program changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rtm.program import Dose, Goal, PrescribedExercise, Program
from rtm.program_changes import ProgramChange, dose_in_words, program_changes

SQUAT = PrescribedExercise("squat", "bilateral", Dose(3, 10))
RAISE = PrescribedExercise("shoulder_abduction", "left", Dose(2, 8, hold_s=5.0))
PROGRAM = Program(
    id="p",
    version=1,
    title="Knee: strength",
    protocol_id="knee_strengthening",
    phase_id="build",
    condition_code="M17.11",
    condition_display="Osteoarthritis of the right knee",
    exercises=(SQUAT, RAISE),
    goals=(Goal("g", "Walk a mile", "adherence", "at_least", 80, "percent", date(2026, 12, 1)),),
    start=date(2026, 10, 1),
    end=date(2026, 11, 1),
)
LINES = st.lists(
    st.builds(
        PrescribedExercise,
        st.sampled_from(["squat", "heel_raise", "bridge"]),
        st.sampled_from(["left", "right"]),
        st.builds(Dose, st.integers(1, 10), st.integers(1, 50)),
    ),
    max_size=5,
    unique_by=lambda line: (line.exercise_id, line.side),
)


def test_the_same_program_changes_nothing() -> None:
    assert program_changes(PROGRAM, replace(PROGRAM, version=2)) == ()


def test_added_changed_and_removed_exercises_are_told_with_their_doses() -> None:
    more = replace(SQUAT, dose=replace(SQUAT.dose, sets=4, weekdays=frozenset({"mon", "fri"})))
    bridge = PrescribedExercise("bridge", "bilateral", Dose(3, 12), "Breathe.")
    assert program_changes(PROGRAM, replace(PROGRAM, exercises=(more, bridge))) == (
        ProgramChange("added", "bridge", after="3 × 12, bilateral, every day"),
        ProgramChange("changed", "squat", "sets", "3", "4"),
        ProgramChange("changed", "squat", "weekdays", "every day", "mon fri"),
        ProgramChange("removed", "shoulder_abduction", before="2 × 8, hold 5 s, left, every day"),
    )


def test_a_note_the_dates_and_a_goal_are_told() -> None:
    after = replace(
        PROGRAM,
        end=PROGRAM.end + timedelta(days=7),
        goals=(),
        exercises=(replace(SQUAT, note="Hold on to a chair."), RAISE),
    )
    assert program_changes(PROGRAM, after) == (
        ProgramChange("changed", None, "end", "2026-11-01", "2026-11-08"),
        ProgramChange("removed", None, "goal", before="Walk a mile"),
        ProgramChange("changed", "squat", "note", None, "Hold on to a chair."),
    )


def test_another_order_is_told_once() -> None:
    after = replace(PROGRAM, exercises=(RAISE, SQUAT))
    assert program_changes(PROGRAM, after) == (ProgramChange("moved", None, "order"),)


def test_the_other_side_is_another_line() -> None:
    after = replace(PROGRAM, exercises=(SQUAT, replace(RAISE, side="right")))
    kinds = [change.kind for change in program_changes(PROGRAM, after)]
    assert kinds == ["added", "removed"]


def test_a_dose_that_is_done_several_times_a_day_says_so() -> None:
    line = replace(SQUAT, dose=replace(SQUAT.dose, times_per_day=2))
    assert dose_in_words(line) == "3 × 10, 2 times a day, bilateral, every day"


@given(LINES, LINES)
def test_nothing_is_told_exactly_where_nothing_changed(
    before: list[PrescribedExercise], after: list[PrescribedExercise]
) -> None:
    old, new = (replace(PROGRAM, exercises=tuple(lines)) for lines in (before, after))
    assert (program_changes(old, new) == ()) == (old == new)
    there, back = program_changes(old, new), program_changes(new, old)
    added = sorted(str(c.exercise_id) for c in there if c.kind == "added")
    assert added == sorted(str(c.exercise_id) for c in back if c.kind == "removed")
