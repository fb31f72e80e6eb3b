"""Angles by clinical definition, against a figure whose angles are known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vision.figure import figure
from vision.kinematics import ANGLES, joint_angle, measured_to_vertical, observed_view
from vision.landmarks import LandmarkSeries
from vision.smoothing import smooth

N = 12


@pytest.mark.parametrize("degrees", [0.0, 30.0, 75.0, 120.0])
@pytest.mark.parametrize("turn", [0.0, 45.0, 90.0])
@pytest.mark.parametrize("name", ["knee_flexion", "elbow_flexion"])
def test_hinge_joints_read_true_from_every_view(name: str, degrees: float, turn: float) -> None:
    series = figure({name: np.full(N, degrees)}, turn_deg=turn)
    assert joint_angle(series, name, "left") == pytest.approx(np.full(N, degrees), abs=0.5)


@pytest.mark.parametrize("degrees", [0.0, 20.0, 45.0])
def test_hip_abduction_counts_outwards_on_both_sides(degrees: float) -> None:
    series = figure({"hip_abduction": np.full(N, degrees)})
    for side in ("left", "right"):
        measured = joint_angle(series, "hip_abduction", side)  # type: ignore[arg-type]
        assert measured == pytest.approx(np.full(N, degrees), abs=0.5)


def test_crossing_the_leg_inwards_is_negative_abduction() -> None:
    series = figure({"hip_abduction": np.full(N, -15.0)})
    assert joint_angle(series, "hip_abduction", "left") == pytest.approx(np.full(N, -15.0), abs=0.5)


@pytest.mark.parametrize("degrees", [0.0, 60.0, 90.0, 170.0])
def test_shoulder_abduction_is_measured_from_the_trunk(degrees: float) -> None:
    series = figure({"shoulder_abduction": np.full(N, degrees)})
    # The figure's hips are narrower than its shoulders: its trunk line leans 9 degrees.
    assert joint_angle(series, "shoulder_abduction", "left") == pytest.approx(
        np.full(N, degrees), abs=11
    )


def test_an_invisible_landmark_is_not_measured() -> None:
    series = figure({"knee_flexion": np.full(N, 40.0)})
    visibility = series.visibility.copy()
    visibility[:, 25] = 0.2
    hidden = LandmarkSeries(series.t_s, series.image, series.world, visibility, 960, 960)
    assert np.isnan(joint_angle(hidden, "knee_flexion", "left")).all()
    assert np.isfinite(joint_angle(hidden, "knee_flexion", "right")).all()


@pytest.mark.parametrize(("turn", "view"), [(0, "frontal"), (45, "oblique"), (90, "sagittal")])
def test_the_view_is_told_from_shoulders_and_hips(turn: float, view: str) -> None:
    assert observed_view(figure({"knee_flexion": np.zeros(N)}, turn_deg=turn)) == view


@pytest.mark.parametrize("name", sorted(ANGLES))
def test_every_angle_ignores_where_the_person_stands_and_how_large(name: str) -> None:
    series = figure({"knee_flexion": np.full(N, 50.0), "shoulder_flexion": np.full(N, 40.0)})
    moved = LandmarkSeries(
        series.t_s, series.image * 0.5 + 0.2, series.world, series.visibility, 960, 960
    )
    assert joint_angle(moved, name, "left") == pytest.approx(joint_angle(series, name, "left"))


def test_smoothing_does_not_lag_behind_the_movement() -> None:
    t_s = np.arange(0, 6, 1 / 30)
    angle = 60 + 50 * np.sin(2 * np.pi * 0.5 * t_s)
    rng = np.random.default_rng(1)
    smoothed = smooth(t_s, angle + rng.normal(0, 3, len(t_s)))
    lags = range(-5, 6)
    errors = [np.abs(np.roll(smoothed, lag)[10:-10] - angle[10:-10]).mean() for lag in lags]
    assert lags[int(np.argmin(errors))] == 0
    assert np.sqrt(np.mean((smoothed - angle) ** 2)) < 2.0


def test_smoothing_leaves_what_was_not_measured_unmeasured() -> None:
    t_s = np.arange(0, 4, 1 / 30)
    angle = np.full(len(t_s), 40.0)
    angle[20] = angle[60:90] = np.nan
    smoothed = smooth(t_s, angle)
    assert np.array_equal(np.isnan(smoothed), np.isnan(angle))
    assert smoothed[np.isfinite(smoothed)] == pytest.approx(40.0)


def test_one_mistaken_frame_does_not_show() -> None:
    t_s = np.arange(0, 2, 1 / 30)
    angle = np.full(len(t_s), 40.0)
    angle[30] = 150.0
    assert smooth(t_s, angle) == pytest.approx(angle * 0 + 40.0)


@pytest.mark.parametrize("lean", [-20.0, 0.0, 35.0])
@pytest.mark.parametrize("turn", [0.0, 45.0, 90.0, -90.0])
def test_trunk_flexion_is_positive_forwards_from_every_view(lean: float, turn: float) -> None:
    series = figure({"trunk_flexion": np.full(N, lean)}, turn_deg=turn)
    assert joint_angle(series, "trunk_flexion", "left") == pytest.approx(np.full(N, lean), abs=0.5)


@pytest.mark.parametrize("turn", [0.0, 45.0, 90.0])
@pytest.mark.parametrize(
    ("movement", "plane"), [("shoulder_abduction", 0.0), ("shoulder_flexion", 90.0)]
)
def test_the_plane_of_elevation_tells_raising_aside_from_raising_in_front(
    movement: str, plane: float, turn: float
) -> None:
    series = figure({movement: np.full(N, 80.0)}, turn_deg=turn)
    for side in ("left", "right"):
        measured = joint_angle(series, "plane_of_elevation", side)  # type: ignore[arg-type]
        assert measured == pytest.approx(np.full(N, plane), abs=1.0)


def test_a_hanging_arm_has_no_plane_of_elevation() -> None:
    series = figure({"shoulder_flexion": np.full(N, 10.0)})
    assert np.isnan(joint_angle(series, "plane_of_elevation", "left")).all()


def test_hip_abduction_is_not_measured_from_the_side() -> None:
    series = figure({"hip_abduction": np.full(N, 30.0)}, turn_deg=90.0)
    assert np.isnan(joint_angle(series, "hip_abduction", "left")).all()


def test_with_the_hips_out_of_the_picture_the_arm_is_measured_against_the_vertical() -> None:
    series = figure({"shoulder_abduction": np.full(N, 70.0)})
    visibility = series.visibility.copy()
    visibility[:, 23:] = 0.1
    desk = LandmarkSeries(series.t_s, series.image, series.world, visibility, 960, 960)
    assert not measured_to_vertical(series, "shoulder_abduction", "left")
    assert measured_to_vertical(desk, "shoulder_abduction", "left")
    assert joint_angle(desk, "shoulder_abduction", "left") == pytest.approx(
        np.full(N, 70.0), abs=0.5
    )
