"""The live count: causal, resumable, bounded, and in agreement with the record."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.demo.walk import CLIP
from rtm.exercises import Side, load_library
from tests.vision.figure import cycles
from tests.vision.synthetic_person import Rep, record
from tests.vision.test_conditions import CHANGES, NAMES, VIEWS, count, scene
from vision.errors import NotMeasurable, RecordingProblem
from vision.estimator import MediaPipeEstimator, landmarks_of_video
from vision.landmarks import LandmarkSeries
from vision.live_coach import LiveCoach, frames_of, replay
from vision.live_repetitions import LiveCounter, Reading
from vision.series_files import read_series
from vision.skeletons.keraal import read_blazepose

LIBRARY = load_library()
DATA = Path(__file__).parent / "data"
ELBOW = LIBRARY["elbow_flexion"]


def readings(angle_deg: np.ndarray, fps: float = 30.0) -> list[Reading]:
    counter = LiveCounter(ELBOW)
    return [counter.update(n / fps, float(angle)) for n, angle in enumerate(angle_deg)]


def live_count(exercise_id: str, series: LandmarkSeries, side: Side | None = None) -> int:
    return replay(series, LIBRARY[exercise_id], side).count


@pytest.mark.parametrize("repetitions", [1, 5, 70])
def test_the_count_goes_up_by_one_with_each_repetition(repetitions: int) -> None:
    counts = [each.count for each in readings(cycles([130.0] * repetitions, rest=10.0))]
    assert counts[-1] == repetitions
    assert set(np.diff(counts)) <= {0, 1}


def test_the_memory_is_bounded_in_a_session_of_any_length() -> None:
    counter = LiveCounter(ELBOW)
    sizes = []
    for n, angle in enumerate(cycles([130.0, 40.0] * 50, rest=10.0, fps=15.0)):
        counter.update(n / 15.0, float(angle))
        if n % 50 == 0:
            sizes.append(len(json.dumps(counter.dump())))
    assert max(sizes[len(sizes) // 2 :]) < 1.1 * max(sizes[: len(sizes) // 2])


@settings(max_examples=25, deadline=None)
@given(
    peaks=st.lists(st.floats(20, 140), min_size=1, max_size=6),
    missing=st.sets(st.integers(0, 400), max_size=60),
    data=st.data(),
)
def test_nothing_is_looked_ahead_for_and_a_kept_state_goes_on_alike(
    peaks: list[float], missing: set[int], data: st.DataObject
) -> None:
    angle: list[float | None] = cycles(peaks, rest=10.0).tolist()
    angle = [None if n in missing else value for n, value in enumerate(angle)]
    whole, cut = LiveCounter(ELBOW), data.draw(st.integers(1, len(angle) - 1))
    expected = [whole.update(n / 30.0, value) for n, value in enumerate(angle)]
    counter = LiveCounter(ELBOW)
    got = []
    for n, value in enumerate(angle):
        if n == cut:
            counter = LiveCounter.restore(ELBOW, json.loads(json.dumps(counter.dump())))
        got.append(counter.update(n / 30.0, value))
    assert got == expected


def test_the_phases_follow_the_movement() -> None:
    held = np.concatenate(
        [
            np.full(30, 10.0),
            np.linspace(10, 130, 40),
            np.full(60, 130.0),
            np.linspace(130, 10, 40),
            np.full(40, 10.0),
        ]
    )
    phases = [each.phase for each in readings(held)]
    assert (phases[20], phases[55], phases[120], phases[155], phases[-1]) == (
        "rest",
        "going",
        "top",
        "back",
        "rest",
    )
    order = [phase for n, phase in enumerate(phases) if n == 0 or phase != phases[n - 1]]
    assert order == ["rest", "going", "top", "back", "rest"]


def test_the_angle_stands_for_the_stated_lag_ago() -> None:
    slope = 40.0
    last = readings(slope * np.arange(90) / 30.0)[-1]
    assert last.angle_deg is not None
    assert last.lag_s is not None
    assert last.angle_deg == pytest.approx(slope * (89 / 30.0 - last.lag_s), abs=0.1)
    assert last.lag_s < 0.13


def test_a_small_first_movement_is_taken_back_once_full_ones_show_it_was_partial() -> None:
    told = readings(cycles([45.0, 130.0, 130.0, 130.0], rest=10.0))
    assert max(each.count for each in told[:120]) == 1
    assert (told[-1].count, told[-1].partial) == (3, 1)
    assert told[-1].best_rom_deg == pytest.approx(120, abs=8)


def test_a_long_absence_keeps_the_count_and_starts_no_repetition() -> None:
    angle = cycles([130.0] * 4, rest=10.0)
    angle[100:220] = np.nan
    assert readings(angle)[-1].count == 2


@pytest.mark.parametrize("t_s", [1.0, 0.5, float("nan")])
def test_time_must_go_forward(t_s: float) -> None:
    counter = LiveCounter(ELBOW)
    counter.update(1.0, 10.0)
    with pytest.raises(RecordingProblem, match="does not increase"):
        counter.update(t_s, 10.0)


@pytest.mark.parametrize("state", [{}, {"exercise": "squat"}, {"exercise": "elbow_flexion"}])
def test_a_state_that_is_not_this_counters_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(RecordingProblem, match="state"):
        LiveCounter.restore(ELBOW, state)


def test_an_exercise_that_no_camera_measures_is_refused() -> None:
    with pytest.raises(NotMeasurable):
        LiveCounter(LIBRARY["quad_set"])


@pytest.mark.parametrize(("exercise", "heading_deg"), VIEWS)
@pytest.mark.parametrize(
    "changes",
    [
        {"noise": 0.010, "world_noise_m": 0.025, "fps": 15.0},
        {"jitter": 0.3, "missing": 0.3, "fps": 15.0},
    ],
    ids=lambda changes: ", ".join(changes),
)
def test_the_live_count_is_exact(
    exercise: str, heading_deg: float, changes: dict[str, float]
) -> None:
    series = record(replace(scene(exercise, heading_deg), **changes))  # type: ignore[arg-type]
    assert live_count(exercise, series) == 5


@pytest.mark.parametrize(("exercise", "heading_deg"), VIEWS)
def test_half_attempts_are_not_counted_live(exercise: str, heading_deg: float) -> None:
    reps = [Rep(), Rep(), Rep(share=0.25), Rep(), Rep(share=0.3), Rep()]
    assert (
        live_count(exercise, record(replace(scene(exercise, heading_deg), reps=reps, fps=15.0)))
        == 4
    )


@pytest.mark.parametrize(("exercise", "heading_deg"), VIEWS)
def test_walking_in_costs_the_live_count_at_most_one(exercise: str, heading_deg: float) -> None:
    series = record(replace(scene(exercise, heading_deg), walk_in=True, fps=15.0))
    assert abs(live_count(exercise, series) - count(exercise, series)) <= 1


@pytest.fixture(scope="module")
def jumping_jacks() -> LandmarkSeries:
    with MediaPipeEstimator() as estimator:
        return landmarks_of_video(CLIP, estimator).series


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_real_people_are_counted_live_as_on_record(
    change: Any, jumping_jacks: LandmarkSeries
) -> None:
    assert live_count("shoulder_abduction", change(jumping_jacks)) == 2
    elbows = read_series(DATA / "elbow_flexion.npz")
    assert live_count("elbow_flexion", change(elbows)) == 5


@pytest.mark.parametrize("recording", ["CTK", "ELK"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_keraal_arm_raises_are_counted_live(recording: str, side: Side) -> None:
    path = DATA / f"keraal/G3-BP-{recording}-P1T1-Unknown-C-0.json"
    series = read_blazepose(path, width=640, height=480, fps=30.0)
    assert live_count("shoulder_abduction", series, side) == 1


def test_a_coach_goes_on_from_a_kept_state() -> None:
    series = record(scene("shoulder_abduction", 0.0))
    coach = LiveCoach(LIBRARY["shoulder_abduction"], width=series.width, height=series.height)
    for n, frame in enumerate(frames_of(series)):
        if n == series.frame_count // 2:
            state = json.loads(json.dumps(coach.dump()))
            coach = LiveCoach(LIBRARY["shoulder_abduction"], width=1280, height=720)
            coach.resume(state)
        reading = coach.update(frame)
    assert reading.count == 5
    with pytest.raises(RecordingProblem, match="state"):
        coach.resume({"counters": {}})
