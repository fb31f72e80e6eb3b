"""Counting: exact on figures with known movement, by the same code path as real recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtm.exercises import load_library
from tests.vision.figure import cycles, figure, squat
from tests.vision.synthetic_person import RANGES, Rep, Scene, record, varied
from vision.landmarks import LandmarkSeries
from vision.repetitions import segment
from vision.score import score_file, score_series

LIBRARY = load_library()
DATA = Path(__file__).parent / "data"

# How a figure does each exercise: the angles it moves, rest and peak, and the camera's view.
MOVES = {
    "squat": (squat, 5, 95, 0),
    "sit_to_stand": (squat, 95, 8, 90),
    "knee_extension_seated": (lambda a: {"knee_flexion": a, "hip_flexion": a * 0 + 88}, 88, 6, 90),
    "hip_abduction_standing": (lambda a: {"hip_abduction": a}, 1, 32, 0),
    "shoulder_abduction": (lambda a: {"shoulder_abduction": a}, 10, 150, 0),
    "shoulder_flexion": (lambda a: {"shoulder_flexion": a}, 8, 88, 90),
    "elbow_flexion": (lambda a: {"elbow_flexion": a}, 10, 130, 0),
}


def count(exercise_id: str, series: LandmarkSeries, side: str | None = None) -> int:
    return len(score_series(series, LIBRARY[exercise_id], side).result.repetitions)  # type: ignore[arg-type]


def perform(exercise_id: str, peaks_share: list[float], **options: float) -> LandmarkSeries:
    """The figure doing the exercise; each repetition goes that share of the way to its peak."""
    move, rest, peak, turn = MOVES[exercise_id]
    look = {k: options.pop(k) for k in ("noise_m", "seed", "turn_deg") if k in options}
    angle = cycles([rest + share * (peak - rest) for share in peaks_share], rest=rest, **options)
    unilateral = LIBRARY[exercise_id].laterality == "unilateral"
    sides = ("RIGHT",) if unilateral else ("LEFT", "RIGHT")
    look.setdefault("turn_deg", turn)
    return figure(move(angle), sides=sides, fps=options.get("fps", 30.0), **look)


def test_a_real_persons_elbow_flexions_are_five() -> None:
    scored = score_file(DATA / "elbow_flexion.npz", LIBRARY["elbow_flexion"])
    assert len(scored.result.repetitions) == 5


@pytest.mark.parametrize("side", ["left", "right"])
def test_each_arm_alone_also_flexes_five_times(side: str) -> None:
    scored = score_file(DATA / "elbow_flexion.npz", LIBRARY["elbow_flexion"], side)  # type: ignore[arg-type]
    assert len(scored.result.repetitions) == 5


@pytest.mark.parametrize("exercise_id", sorted(MOVES))
@pytest.mark.parametrize("repetitions", [1, 3, 8])
def test_every_measured_exercise_is_counted_exactly(exercise_id: str, repetitions: int) -> None:
    assert (
        count(exercise_id, perform(exercise_id, [1.0] * repetitions, noise_m=0.006)) == repetitions
    )


@settings(max_examples=40, deadline=None)
@given(
    exercise_id=st.sampled_from(sorted(MOVES)),
    shares=st.lists(st.floats(0.75, 1.0), min_size=2, max_size=9),
    seconds=st.floats(1.2, 6.0),
    pause_s=st.floats(0.0, 2.0),
    fps=st.sampled_from([15.0, 24.0, 30.0, 60.0]),
    noise_m=st.floats(0.0, 0.01),
    seed=st.integers(0, 1000),
)
def test_counts_hold_for_any_tempo_pause_frame_rate_and_noise(
    exercise_id: str,
    shares: list[float],
    seconds: float,
    pause_s: float,
    fps: float,
    noise_m: float,
    seed: int,
) -> None:
    series = perform(
        exercise_id, shares, seconds=seconds, pause_s=pause_s, fps=fps, noise_m=noise_m, seed=seed
    )
    assert count(exercise_id, series) == len(shares)


@pytest.mark.parametrize("exercise_id", ["squat", "shoulder_abduction", "elbow_flexion"])
def test_small_range_after_surgery_counts_like_any_other(exercise_id: str) -> None:
    assert count(exercise_id, perform(exercise_id, [0.4] * 5, noise_m=0.004)) == 5


@pytest.mark.parametrize("exercise_id", sorted(MOVES))
def test_standing_still_is_no_repetition(exercise_id: str) -> None:
    assert count(exercise_id, perform(exercise_id, [0.03] * 6, noise_m=0.008)) == 0


def test_an_attempt_that_goes_less_than_half_way_is_partial() -> None:
    scored = score_series(
        perform("shoulder_abduction", [1, 1, 0.35, 1]), LIBRARY["shoulder_abduction"]
    )
    assert len(scored.result.repetitions) == 3
    assert any("below half" in warning for warning in scored.result.quality.warnings)
    assert scored.result.score.completeness == pytest.approx(75.0)


def test_a_recording_that_begins_and_ends_in_mid_movement_counts_whole_repetitions() -> None:
    series = perform("shoulder_abduction", [1.0] * 5, seconds=2.0, pause_s=0.2, lead_s=0.0)
    cut = slice(30, series.frame_count - 36)  # from the first peak to half way down the last
    clipped = LandmarkSeries(
        series.t_s[cut], series.image[cut], series.world[cut], series.visibility[cut], 960, 960
    )
    assert count("shoulder_abduction", clipped) == 3


def test_standing_up_counts_even_if_sitting_down_again_was_not_recorded() -> None:
    series = perform("sit_to_stand", [1.0] * 4, seconds=3.0, lead_s=0.5)
    end = series.frame_count - 15 - 9 - 45  # the last stand, before the way down
    clipped = LandmarkSeries(
        series.t_s[:end], series.image[:end], series.world[:end], series.visibility[:end], 960, 960
    )
    assert count("sit_to_stand", clipped) == 4


def test_a_short_loss_of_the_person_is_bridged_and_a_long_one_is_not_guessed() -> None:
    series = perform("shoulder_abduction", [1.0] * 4, noise_m=0.003)
    visibility = series.visibility.copy()
    visibility[60:66] = 0.1
    short = LandmarkSeries(series.t_s, series.image, series.world, visibility, 960, 960)
    assert count("shoulder_abduction", short) == 4
    visibility[40:100] = 0.1
    long = LandmarkSeries(series.t_s, series.image, series.world, visibility, 960, 960)
    result = score_series(long, LIBRARY["shoulder_abduction"]).result
    assert len(result.repetitions) == 3
    assert result.frames_measured == series.frame_count - 60


def test_a_pause_in_the_middle_of_a_repetition_does_not_split_it() -> None:
    half = cycles([150.0], rest=10.0)
    paused = np.concatenate([np.insert(half, 70, np.full(40, half[70])) for _ in range(3)])
    t_s = np.arange(len(paused)) / 30.0
    found = segment(t_s, paused, rising=True, minimum_rom_deg=20)
    assert len(found.complete) == 3


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(
        st.one_of(st.floats(-180, 180), st.just(float("nan"))), min_size=2, max_size=120
    ),
    rising=st.booleans(),
)
def test_any_array_gives_ordered_repetitions_and_no_exception(
    values: list[float], rising: bool
) -> None:
    angle = np.array(values)
    found = segment(np.arange(len(angle)) / 30.0, angle, rising=rising, minimum_rom_deg=20)
    for cycle in found.complete:
        assert cycle.start < cycle.peak < cycle.end
    for earlier, later in zip(found.complete, found.complete[1:], strict=False):
        assert earlier.end <= later.start


def one_after_the_other(first: LandmarkSeries, second: LandmarkSeries) -> LandmarkSeries:
    """Both recordings as one."""
    return LandmarkSeries(
        np.concatenate([first.t_s, second.t_s + first.t_s[-1] + 1 / 30]),
        np.concatenate([first.image, second.image]),
        np.concatenate([first.world, second.world]),
        np.concatenate([first.visibility, second.visibility]),
        first.width,
        first.height,
    )


@pytest.mark.parametrize(
    ("exercise_id", "heading_deg"),
    [
        ("shoulder_abduction", 0.0),
        ("elbow_flexion", 0.0),
        ("shoulder_flexion", 90.0),
        ("hip_abduction_standing", 0.0),
        ("knee_extension_seated", 90.0),
    ],
)
@pytest.mark.parametrize("right_share", [1.0, 0.5])
def test_sides_that_take_turns_are_all_counted_and_named(
    exercise_id: str, heading_deg: float, right_share: float
) -> None:
    rest, full = RANGES[exercise_id]
    left = Scene(exercise_id, "left", [Rep()] * 5, heading_deg=heading_deg)
    right = replace(left, side="right", excursion_deg=right_share * abs(full - rest))
    series = one_after_the_other(record(left), record(right))
    result = score_series(series, LIBRARY[exercise_id]).result
    assert [each.side for each in result.repetitions] == ["left"] * 5 + ["right"] * 5
    assert result.repetitions[0].rom_deg == pytest.approx(abs(full - rest), rel=0.3)


def test_alternating_arms_are_counted_each_and_asymmetry_is_seen() -> None:
    left = Scene("shoulder_abduction", "left", [Rep()])
    right = replace(left, side="right", excursion_deg=70.0)
    series = record(left)
    for each in (right, left, right, left, right):
        series = one_after_the_other(series, record(each))
    result = score_series(series, LIBRARY["shoulder_abduction"]).result
    assert [each.side for each in result.repetitions] == ["left", "right"] * 3
    assert result.score.symmetry == pytest.approx(100 * 70 / 138, abs=15)


def test_both_arms_at_once_are_one_repetition_of_both_sides() -> None:
    scored = score_series(perform("shoulder_abduction", [1, 1, 1]), LIBRARY["shoulder_abduction"])
    assert [each.side for each in scored.result.repetitions] == ["bilateral"] * 3


def test_a_partial_attempt_says_where_it_was() -> None:
    angle = cycles([150.0, 150.0, 50.0, 150.0], rest=10.0)
    found = segment(np.arange(len(angle)) / 30.0, angle, rising=True, minimum_rom_deg=20)
    assert len(found.complete) == 3
    (attempt,) = found.partial
    assert found.complete[1].end <= attempt.start < attempt.peak < attempt.end
    assert attempt.end <= found.complete[2].start
    assert angle[attempt.peak] == pytest.approx(50.0, abs=0.5)


CONDITIONS: dict[str, tuple[int, dict[str, Any]]] = {
    "fatigue": (8, {"reps": [Rep(share=1 - 0.4 * n / 7) for n in range(8)]}),
    "very slow": (3, {"reps": [Rep(up_s=3.5, hold_s=1.0, down_s=3.5)] * 3}),
    "fast": (8, {"reps": [Rep(up_s=0.4, hold_s=0.0, down_s=0.4, rest_s=0.1)] * 8}),
    "held at the top": (4, {"reps": [Rep(hold_s=5.0)] * 4}),
    "any frame rate": (5, {"jitter": 0.45, "missing": 0.2}),
    "walking up to the camera": (5, {"walk_in": True, "seed": 4}),
}


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize(
    ("exercise_id", "heading_deg"), [("squat", 0.0), ("shoulder_abduction", 0.0)]
)
def test_the_count_holds_in(condition: str, exercise_id: str, heading_deg: float) -> None:
    expected, changes = CONDITIONS[condition]
    scene = Scene(exercise_id, reps=varied(5, 4), heading_deg=heading_deg)
    assert count(exercise_id, record(replace(scene, **changes))) == expected


def test_a_slow_drift_of_posture_changes_no_count() -> None:
    angle = cycles([100.0] * 8, rest=10.0)
    drifting = angle + np.linspace(0.0, 60.0, len(angle))
    found = segment(np.arange(len(angle)) / 30.0, drifting, rising=True, minimum_rom_deg=20)
    assert len(found.complete) == 8
    assert found.partial == ()
