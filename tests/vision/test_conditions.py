"""Exact counts under the conditions of a home: any view, gaps, walking in, the wrong exercise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.demo.walk import CLIP
from rtm.exercises import Side, load_library
from tests.vision.synthetic_person import RANGES, Rep, Scene, mirror, record, varied
from vision.estimator import MediaPipeEstimator, landmarks_of_video
from vision.landmarks import LandmarkSeries
from vision.score import score_series
from vision.series_files import read_series
from vision.skeletons.keraal import read_blazepose

LIBRARY = load_library()
DATA = Path(__file__).parent / "data"
VIEWS = [
    ("squat", 0),
    ("squat", 60),
    ("squat", 90),
    ("sit_to_stand", 0),
    ("sit_to_stand", -90),
    ("knee_extension_seated", 45),
    ("knee_extension_seated", 90),
    ("hip_abduction_standing", 0),
    ("hip_abduction_standing", -25),
    ("shoulder_abduction", 0),
    ("shoulder_abduction", 25),
    ("shoulder_flexion", 45),
    ("shoulder_flexion", 90),
    ("elbow_flexion", 0),
    ("elbow_flexion", -90),
]


def count(exercise_id: str, series: LandmarkSeries, side: Side | None = None) -> int:
    return len(score_series(series, LIBRARY[exercise_id], side).result.repetitions)


def scene(exercise: str, heading_deg: float, count: int = 5, seed: int = 3) -> Scene:
    unilateral = LIBRARY[exercise].laterality == "unilateral"
    near = "right" if heading_deg >= 0 else "left"
    return Scene(
        exercise=exercise,
        side=near if unilateral else "bilateral",
        reps=varied(count, seed),
        heading_deg=heading_deg,
        seed=seed,
    )


@pytest.mark.parametrize(("exercise", "heading_deg"), VIEWS)
@pytest.mark.parametrize(
    "changes",
    [
        {"noise": 0.010, "world_noise_m": 0.025},
        {"tremor_deg": 4.0},
        {"fps": 10.0},
        {"jitter": 0.3, "missing": 0.3},
        {"missing_block_s": (6.0, 6.6)},
        {"mirrored": True},
        {"lead_in_s": 0.05},
    ],
    ids=lambda changes: ", ".join(changes),
)
def test_the_count_is_exact(exercise: str, heading_deg: float, changes: dict[str, float]) -> None:
    series = record(replace(scene(exercise, heading_deg), **changes))  # type: ignore[arg-type]
    assert count(exercise, series) == 5


@pytest.mark.parametrize(("exercise", "heading_deg"), VIEWS)
def test_walking_in_is_no_repetition_and_is_said(exercise: str, heading_deg: float) -> None:
    series = record(replace(scene(exercise, heading_deg), walk_in=True))
    result = score_series(series, LIBRARY[exercise]).result
    assert len(result.repetitions) == 5
    assert any("Walking was left out" in warning for warning in result.quality.warnings)


@pytest.mark.parametrize(("exercise", "heading_deg"), VIEWS)
def test_half_attempts_between_whole_repetitions_are_not_counted(
    exercise: str, heading_deg: float
) -> None:
    reps = [Rep(), Rep(), Rep(share=0.25), Rep(), Rep(share=0.3), Rep()]
    assert count(exercise, record(replace(scene(exercise, heading_deg), reps=reps))) == 4


WRONG = [
    ("squat", "knee_extension_seated"),
    ("squat", "shoulder_abduction"),
    ("squat", "hip_abduction_standing"),
    ("sit_to_stand", "knee_extension_seated"),
    ("knee_extension_seated", "squat"),
    ("knee_extension_seated", "sit_to_stand"),
    ("knee_extension_seated", "shoulder_abduction"),
    ("hip_abduction_standing", "squat"),
    ("shoulder_abduction", "shoulder_flexion"),
    ("shoulder_abduction", "elbow_flexion"),
    ("shoulder_flexion", "shoulder_abduction"),
    ("elbow_flexion", "shoulder_flexion"),
    ("elbow_flexion", "squat"),
]


@pytest.mark.parametrize(("done", "measured"), WRONG)
def test_another_exercise_gives_no_phantom_repetition(done: str, measured: str) -> None:
    assert count(measured, record(scene(done, 0.0))) == 0


@pytest.mark.parametrize("exercise", ["knee_extension_seated", "hip_abduction_standing"])
def test_the_resting_leg_gives_no_repetition(exercise: str) -> None:
    assert count(exercise, record(scene(exercise, 0.0)), "left") == 0


def test_movements_that_are_not_the_exercise_are_named_with_what_is_asked_for() -> None:
    series = record(scene("squat", 90.0))
    warnings = score_series(series, LIBRARY["knee_extension_seated"]).result.quality.warnings
    assert any("Stay seated" in warning for warning in warnings)


@pytest.mark.parametrize("moving", ["left", "right"])
def test_one_arm_alone_is_found_and_its_own_range_reported(moving: str) -> None:
    series = record(replace(scene("shoulder_abduction", 0.0), side=moving))
    result = score_series(series, LIBRARY["shoulder_abduction"]).result
    assert result.side == moving
    assert len(result.repetitions) == 5
    rest, full = RANGES["shoulder_abduction"]
    assert result.repetitions[0].rom_deg == pytest.approx(full - rest, abs=30)


def test_an_arm_that_stays_behind_shows_as_asymmetry_when_both_were_asked_for() -> None:
    series = record(replace(scene("shoulder_abduction", 0.0), side="left"))
    result = score_series(series, LIBRARY["shoulder_abduction"], "bilateral").result
    assert len(result.repetitions) == 5
    assert result.score.symmetry is not None
    assert result.score.symmetry < 30


def test_symmetry_is_not_measured_from_the_side() -> None:
    result = score_series(record(scene("squat", 90.0)), LIBRARY["squat"]).result
    assert result.score.symmetry is None
    assert result.score.total is not None


@pytest.fixture(scope="module")
def jumping_jacks() -> LandmarkSeries:
    with MediaPipeEstimator() as estimator:
        return landmarks_of_video(CLIP, estimator).series


def _noisy(series: LandmarkSeries) -> LandmarkSeries:
    rng = np.random.default_rng(0)
    return replace(
        series,
        image=series.image + rng.normal(0, 0.01, series.image.shape),
        world=series.world + rng.normal(0, 0.02, series.world.shape),
    )


def _patchy(series: LandmarkSeries) -> LandmarkSeries:
    visibility = series.visibility.copy()
    visibility[np.random.default_rng(0).uniform(size=series.frame_count) < 0.4] = 0.0
    return replace(series, visibility=visibility)


def _backwards(series: LandmarkSeries) -> LandmarkSeries:
    back = slice(None, None, -1)
    return replace(
        series,
        t_s=series.t_s[-1] - series.t_s[back],
        image=series.image[back],
        world=series.world[back],
        visibility=series.visibility[back],
    )


def _every_third(series: LandmarkSeries) -> LandmarkSeries:
    third = slice(None, None, 3)
    return LandmarkSeries(
        series.t_s[third],
        series.image[third],
        series.world[third],
        series.visibility[third],
        series.width,
        series.height,
    )


CHANGES: list[Callable[[LandmarkSeries], LandmarkSeries]] = [
    _noisy,
    _patchy,
    _backwards,
    _every_third,
    mirror,
    lambda series: replace(series, t_s=series.t_s * 3),
    lambda series: replace(series, world=series.world * np.nan),
]
NAMES = ["noisy", "patchy", "backwards", "10 fps", "mirrored", "slow", "without world"]


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_a_worse_recording_of_the_same_movement_has_the_same_count(
    change: Callable[[LandmarkSeries], LandmarkSeries], jumping_jacks: LandmarkSeries
) -> None:
    assert count("shoulder_abduction", change(jumping_jacks)) == 2
    elbows = read_series(DATA / "elbow_flexion.npz")
    assert count("elbow_flexion", change(elbows)) == 5


@pytest.mark.parametrize("exercise", ["knee_extension_seated", "shoulder_flexion"])
def test_jumping_jacks_are_not_these(exercise: str, jumping_jacks: LandmarkSeries) -> None:
    assert count(exercise, jumping_jacks) == 0


@pytest.mark.parametrize("exercise", sorted(set(RANGES) - {"elbow_flexion"}))
def test_seated_elbow_flexions_are_no_other_exercise(exercise: str) -> None:
    assert count(exercise, read_series(DATA / "elbow_flexion.npz")) == 0


@pytest.mark.parametrize(
    ("recording", "side", "raises"),
    [("CTK", None, 1), ("CTK", "left", 1), ("ELK", "left", 1), ("ELK", "right", 1)],
)
def test_keraal_arm_raises_are_counted_as_its_motion_capture_shows_them(
    recording: str, side: Side | None, raises: int
) -> None:
    path = DATA / f"keraal/G3-BP-{recording}-P1T1-Unknown-C-0.json"
    series = read_blazepose(path, width=640, height=480, fps=30.0)
    assert count("shoulder_abduction", series, side) == raises
