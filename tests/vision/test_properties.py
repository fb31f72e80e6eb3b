"""What must not matter does not: place, size, frame rate, mirror, noise; and nothing crashes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtm.exercises import load_library
from rtm.session import ExerciseResult
from tests.vision.synthetic_person import RANGES, Scene, mirror, record, varied
from vision.errors import RecordingProblem
from vision.landmarks import LANDMARK_COUNT, LandmarkSeries
from vision.repetitions import segment
from vision.score import score_series

LIBRARY = load_library()
FRONTAL = ["hip_abduction_standing", "shoulder_abduction", "elbow_flexion"]
EXERCISES = sorted(RANGES)


def performance(exercise: str, seed: int) -> LandmarkSeries:
    heading = 0.0 if exercise in FRONTAL else 90.0
    unilateral = LIBRARY[exercise].laterality == "unilateral"
    side = "right" if unilateral else "bilateral"
    reps = varied(4, seed)
    return record(Scene(exercise=exercise, side=side, reps=reps, heading_deg=heading, seed=seed))


def result(series: LandmarkSeries, exercise: str) -> ExerciseResult:
    return score_series(series, LIBRARY[exercise]).result


def assert_same(one: ExerciseResult, other: ExerciseResult, tolerance: float) -> None:
    assert len(one.repetitions) == len(other.repetitions)
    for a, b in zip(one.repetitions, other.repetitions, strict=True):
        assert a.peak_deg == pytest.approx(b.peak_deg, abs=tolerance)
        assert a.rom_deg == pytest.approx(b.rom_deg, abs=tolerance)
    assert [fault.id for fault in one.faults] == [fault.id for fault in other.faults]


PERFORMANCES = st.tuples(st.sampled_from(EXERCISES), st.integers(0, 5))


@settings(max_examples=10, deadline=None)
@given(performed=PERFORMANCES, shift=st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)))
def test_where_in_the_picture_the_person_stands_does_not_matter(
    performed: tuple[str, int], shift: tuple[float, float]
) -> None:
    series = performance(*performed)
    moved = replace(series, image=series.image + np.array(shift))
    assert_same(result(series, performed[0]), result(moved, performed[0]), 1e-6)


@settings(max_examples=10, deadline=None)
@given(performed=PERFORMANCES, scale=st.floats(0.2, 4.0))
def test_how_large_the_person_is_does_not_matter(performed: tuple[str, int], scale: float) -> None:
    series = performance(*performed)
    scaled = replace(series, image=0.5 + scale * (series.image - 0.5), world=series.world * scale)
    assert_same(result(series, performed[0]), result(scaled, performed[0]), 1e-6)


@settings(max_examples=10, deadline=None)
@given(performed=PERFORMANCES)
def test_a_mirror_swaps_the_sides_and_nothing_else(performed: tuple[str, int]) -> None:
    series = performance(*performed)
    here, there = (result(each, performed[0]) for each in (series, mirror(series)))
    assert_same(here, there, 1e-6)
    swapped = {"left": "right", "right": "left", "bilateral": "bilateral"}
    assert there.side == swapped[here.side]


@settings(max_examples=10, deadline=None)
@given(performed=PERFORMANCES, fps=st.floats(15.0, 60.0))
def test_the_frame_rate_does_not_matter(performed: tuple[str, int], fps: float) -> None:
    series = performance(*performed)
    times = np.arange(series.t_s[0], series.t_s[-1], 1.0 / fps)

    def at(values: np.ndarray) -> np.ndarray:
        flat = values.reshape(series.frame_count, -1)
        columns = [np.interp(times, series.t_s, column) for column in flat.T]
        return np.stack(columns, axis=1).reshape(times.size, *values.shape[1:])

    resampled = replace(
        series,
        t_s=times,
        image=at(series.image),
        world=at(series.world),
        visibility=at(series.visibility),
    )
    assert len(result(resampled, performed[0]).repetitions) == 4


@settings(max_examples=10, deadline=None)
@given(performed=PERFORMANCES, seed=st.integers(0, 1000))
def test_noise_as_large_as_the_estimators_own_changes_no_count(
    performed: tuple[str, int], seed: int
) -> None:
    series = performance(*performed)
    rng = np.random.default_rng(seed)
    noisy = replace(
        series,
        image=series.image + rng.normal(0, 0.004, series.image.shape),
        world=series.world + rng.normal(0, 0.012, series.world.shape),
    )
    assert len(result(noisy, performed[0]).repetitions) == 4


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 8),
    rom_deg=st.floats(45, 150),
    seconds=st.floats(1.5, 8.0),
    seed=st.integers(0, 1000),
)
def test_three_degrees_of_noise_change_no_count(
    count: int, rom_deg: float, seconds: float, seed: int
) -> None:
    t_s = np.arange(0.0, count * seconds + 1.0, 1 / 30)
    on = np.clip(t_s - 0.5, 0, count * seconds)
    angle = 10 + rom_deg * (1 - np.cos(2 * np.pi * on / seconds)) / 2
    angle = angle + np.random.default_rng(seed).normal(0, 3, t_s.size)
    found = segment(t_s, angle, rising=True, minimum_rom_deg=20)
    assert len(found.complete) == count
    assert found.partial == ()


NUMBERS = st.sampled_from(
    [0.0, 1.0, -1.0, 0.5, 1e-300, 1e12, -1e150, 1e300, float("nan"), float("inf"), float("-inf")]
)


@settings(max_examples=100, deadline=None)
@given(
    exercise=st.sampled_from(EXERCISES),
    frames=st.integers(0, 12),
    values=st.lists(NUMBERS, min_size=1, max_size=40),
    times=st.one_of(st.none(), st.lists(st.one_of(st.floats(), NUMBERS), min_size=12, max_size=12)),
    visibility=st.one_of(st.just(1.0), NUMBERS),
    dtype=st.sampled_from(["f8", "f4", "f2", "c16", "?", "O", "U8"]),
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_array_raises_anything_but_a_documented_error(
    exercise: str,
    frames: int,
    values: list[float],
    times: list[float] | None,
    visibility: float,
    dtype: str,
) -> None:
    with np.errstate(all="ignore"), suppress(RecordingProblem):
        series = LandmarkSeries(
            t_s=np.arange(frames) / 30.0 if times is None else np.array(times[:frames]),
            image=np.resize(np.array(values, dtype=dtype), (frames, LANDMARK_COUNT, 2)),
            world=np.resize(np.array(values[::-1], dtype=dtype), (frames, LANDMARK_COUNT, 3)),
            visibility=np.full((frames, LANDMARK_COUNT), visibility),
            width=640,
            height=480,
        )
        score_series(series, LIBRARY[exercise])


@pytest.mark.parametrize("exercise", EXERCISES)
def test_frames_that_are_all_alike_hold_no_repetition(exercise: str) -> None:
    series = performance(exercise, 0)
    still = replace(
        series,
        image=np.repeat(series.image[:1], series.frame_count, axis=0),
        world=np.repeat(series.world[:1], series.frame_count, axis=0),
    )
    assert result(still, exercise).repetitions == ()


@pytest.mark.parametrize("exercise", EXERCISES)
def test_without_a_visible_landmark_nothing_is_measured(exercise: str) -> None:
    series = performance(exercise, 0)
    unseen = result(replace(series, visibility=series.visibility * 0), exercise)
    assert unseen.repetitions == ()
    assert unseen.frames_measured == 0
    assert unseen.primary_angle is None
