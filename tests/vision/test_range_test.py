"""The best of three, on figures whose range is known because it was put there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtm.range_of_motion import load_movements
from tests.vision.figure import figure
from vision.errors import NotMeasurable
from vision.kinematics import ANGLES, joint_angle
from vision.landmarks import Landmark, LandmarkSeries
from vision.range_test import measure_range
from vision.series_files import read_series

MOVEMENTS = load_movements()
KNEE = MOVEMENTS["knee_flexion"]
DATA = Path(__file__).parent / "data"

# Angles that the data name and kinematics may not yet have.
ANNOUNCED = {
    *("neck_flexion", "neck_lateral_flexion", "neck_rotation"),
    *("trunk_rotation", "shoulder_external_rotation"),
}


def holds(
    peaks: Sequence[float], *, rest: float = 5.0, hold_s: float = 1.0, fps: float = 30.0
) -> np.ndarray:
    """An angle that goes from `rest` to each of `peaks`, is held there, and comes back."""
    up = (1 - np.cos(np.linspace(0, np.pi, round(1.2 * fps)))) / 2
    pieces = [np.full(round(fps), rest)]
    for peak in peaks:
        pieces += [
            rest + (peak - rest) * up,
            np.full(round(hold_s * fps), peak),
            peak + (rest - peak) * up,
            np.full(round(0.6 * fps), rest),
        ]
    return np.concatenate(pieces)


def knee(peaks: Sequence[float], noise_m: float = 0.0, fps: float = 30.0) -> LandmarkSeries:
    """The figure from its left side, bending its left knee."""
    return figure(
        {"knee_flexion": holds(peaks, fps=fps)},
        turn_deg=90.0,
        sides=("LEFT",),
        noise_m=noise_m,
        fps=fps,
    )


def without(series: LandmarkSeries, landmark: Landmark, frames: slice) -> LandmarkSeries:
    visibility = series.visibility.copy()
    visibility[frames, landmark] = 0.1
    return replace(series, visibility=visibility)


def test_the_data_name_angles_that_exist_or_are_announced() -> None:
    for movement in MOVEMENTS:
        assert movement.angle in {*ANGLES, *ANNOUNCED}, movement.id
        if movement.angle in ANGLES:
            assert movement.bilateral == ANGLES[movement.angle].bilateral, movement.id


def test_a_joint_without_an_angle_is_refused_until_there_is_one() -> None:
    toe = replace(KNEE, angle="toe_flexion")
    with pytest.raises(NotMeasurable, match="can't be measured by camera yet"):
        measure_range([knee([100.0])], toe, "left")


def test_three_attempts_in_one_recording_are_each_measured() -> None:
    result = measure_range([knee([100.0, 112.0, 106.0], noise_m=0.003)], KNEE, "left")
    assert result.attempts_deg == pytest.approx((100.0, 112.0, 106.0), abs=2.0)
    assert result.best_deg == max(result.attempts_deg)
    assert result.standard_deviation_deg == pytest.approx(6.0, abs=1.0)
    assert result.not_measured is None


def test_three_recordings_give_each_its_best() -> None:
    recordings = [knee([90.0, 96.0]), knee([101.0]), knee([99.0, 80.0])]
    result = measure_range(recordings, KNEE, "left")
    assert result.attempts_deg == pytest.approx((96.0, 101.0, 99.0), abs=1.5)
    assert result.best_deg == pytest.approx(101.0, abs=1.5)


def test_extension_takes_the_straightest() -> None:
    angle = {"knee_flexion": holds([8.0, 3.0, 6.0], rest=90.0)}
    bent = figure(angle, turn_deg=90.0, sides=("LEFT",))
    result = measure_range([bent], MOVEMENTS["knee_extension"], "left")
    assert result.attempts_deg == pytest.approx((8.0, 3.0, 6.0), abs=1.5)
    assert result.best_deg == min(result.attempts_deg)


def test_a_hold_to_the_end_of_the_recording_counts() -> None:
    series = knee([110.0])
    until = int(np.flatnonzero(holds([110.0]) == 110.0)[-1])
    cut = LandmarkSeries(
        series.t_s[:until],
        series.image[:until],
        series.world[:until],
        series.visibility[:until],
        series.width,
        series.height,
    )
    assert measure_range([cut], KNEE, "left").best_deg == pytest.approx(110.0, abs=1.0)


def test_only_the_first_three_of_many_count() -> None:
    result = measure_range([knee([90.0, 92.0, 91.0, 120.0])], KNEE, "left")
    assert result.best_deg == pytest.approx(92.0, abs=1.5)
    assert any("first 3" in warning for warning in result.warnings)


def test_attempts_far_apart_raise_a_warning() -> None:
    result = measure_range([knee([80.0, 110.0])], KNEE, "left")
    assert any("differ more" in warning for warning in result.warnings)


def test_without_a_side_the_one_that_moves_further_is_measured() -> None:
    arms = {"shoulder_abduction": holds([120.0], rest=10.0)}
    series = figure(arms, sides=("RIGHT",))
    result = measure_range([series], MOVEMENTS["shoulder_abduction"])
    assert result.side == "right"
    assert result.best_deg is not None


@pytest.mark.parametrize("fps", [10.0, 15.0, 60.0])
def test_the_frame_rate_does_not_change_the_range(fps: float) -> None:
    result = measure_range([knee([105.0], fps=fps)], KNEE, "left")
    assert result.best_deg == pytest.approx(105.0, abs=2.0)


@pytest.mark.parametrize("glitch_frames", [1, 2, 3])
@pytest.mark.parametrize("at", ["rest", "hold"])
def test_a_few_mistaken_frames_are_no_record(glitch_frames: int, at: str) -> None:
    angle = holds([100.0, 102.0])
    clean = measure_range([knee([100.0, 102.0])], KNEE, "left").best_deg
    first = 10 if at == "rest" else int(np.flatnonzero(angle == 100.0)[12])
    angle[first : first + glitch_frames] = 165.0
    series = figure({"knee_flexion": angle}, turn_deg=90.0, sides=("LEFT",))
    assert measure_range([series], KNEE, "left").best_deg == pytest.approx(clean, abs=0.5)


@settings(max_examples=25, deadline=None)
# All reach the share of the largest that even a try cut by the recording's ends must (0.65).
@given(st.lists(st.floats(90.0, 130.0), min_size=1, max_size=3), st.integers(0, 2**16))
def test_the_best_is_the_furthest_that_was_held(peaks: list[float], seed: int) -> None:
    angle = holds(peaks)
    series = figure(
        {"knee_flexion": angle}, turn_deg=90.0, sides=("LEFT",), noise_m=0.004, seed=seed
    )
    result = measure_range([series], KNEE, "left")
    assert len(result.attempts_deg) == len(peaks)
    assert result.best_deg == pytest.approx(max(peaks), abs=3.0)


def test_a_try_much_smaller_than_the_others_is_left_out_and_said_to_be() -> None:
    result = measure_range([knee([40.0, 110.0, 112.0])], KNEE, "left")
    assert result.attempts_deg == pytest.approx((110.0, 112.0), abs=1.0)
    assert result.warnings == ("1 try was left out: much smaller than the others.",)


# Not measured ------------------------------------------------------------------------------------


def why(series: LandmarkSeries, movement_id: str = "knee_flexion", side: str = "left") -> str:
    result = measure_range([series], MOVEMENTS[movement_id], side)  # type: ignore[arg-type]
    assert (result.best_deg, result.attempts_deg) == (None, ())
    assert result.not_measured is not None
    return result.not_measured


def test_a_view_from_the_wrong_side_is_not_measured() -> None:
    frontal = figure({"knee_flexion": holds([100.0])})
    assert "turn your side to the camera" in why(frontal)
    sagittal = figure({"shoulder_abduction": holds([100.0])}, turn_deg=90.0)
    assert "face the camera" in why(sagittal, "shoulder_abduction")


def test_a_recording_that_does_not_tell_the_view_is_not_measured() -> None:
    series = knee([100.0])
    flat = replace(series, world=np.full_like(series.world, np.nan))
    assert "how you stood" in why(flat)


def test_a_hidden_joint_is_not_measured() -> None:
    assert "could not be seen" in why(without(knee([100.0]), Landmark.LEFT_ANKLE, slice(None)))


def test_nobody_is_not_measured() -> None:
    series = knee([100.0])
    nobody = replace(
        series,
        image=np.full_like(series.image, np.nan),
        world=np.full_like(series.world, np.nan),
        visibility=np.zeros_like(series.visibility),
    )
    assert "Nobody" in why(nobody)


def test_standing_still_is_not_a_range() -> None:
    still = figure({"knee_flexion": np.full(120, 40.0)}, turn_deg=90.0, noise_m=0.003)
    assert "No full movement" in why(still)


def test_an_attempt_whose_end_was_hidden_is_left_out() -> None:
    angle = holds([100.0, 118.0])
    hidden = np.flatnonzero(angle > 60.0)
    hidden = hidden[hidden > len(angle) / 2]
    series = without(knee([100.0, 118.0]), Landmark.LEFT_ANKLE, slice(hidden[0], hidden[-1]))
    result = measure_range([series], KNEE, "left")
    assert result.attempts_deg == pytest.approx((100.0,), abs=1.5)
    assert any("Try 2 was left out" in warning for warning in result.warnings)


def test_one_bad_recording_of_three_is_named_and_the_others_count() -> None:
    frontal = figure({"knee_flexion": holds([130.0])})
    result = measure_range([knee([100.0]), frontal, knee([103.0])], KNEE, "left")
    assert result.attempts_deg == pytest.approx((100.0, 103.0), abs=1.5)
    assert any(warning.startswith("Recording 2:") for warning in result.warnings)


def test_hips_out_of_the_picture_are_told() -> None:
    series = figure({"shoulder_abduction": holds([90.0], rest=10.0)})
    for landmark in (Landmark.LEFT_HIP, Landmark.RIGHT_HIP):
        series = without(series, landmark, slice(None))
    result = measure_range([series], MOVEMENTS["shoulder_abduction"], "left")
    assert result.best_deg == pytest.approx(90.0, abs=2.0)
    assert any("hips" in warning for warning in result.warnings)


@pytest.mark.parametrize("count", [0, 4])
def test_a_test_has_one_to_three_recordings(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 3"):
        measure_range([knee([100.0])] * count, KNEE, "left")


def test_a_side_of_the_trunk_is_refused() -> None:
    with pytest.raises(ValueError, match="no sides"):
        measure_range([knee([100.0])], MOVEMENTS["trunk_flexion"], "left")


def test_on_a_real_person_the_held_range_stays_below_the_highest_frame() -> None:
    series = read_series(DATA / "elbow_flexion.npz")
    highest = float(np.nanmax(joint_angle(series, "elbow_flexion", "left")))
    result = measure_range([series], MOVEMENTS["elbow_flexion"], "left")
    assert len(result.attempts_deg) == 3
    assert result.best_deg is not None
    assert result.best_deg < highest
