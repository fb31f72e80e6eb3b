"""Angles by clinical definition, against a figure whose angles are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tests.vision.figure import figure
from vision.kinematics import (
    ANGLES,
    BodySide,
    View,
    joint_angle,
    measured_to_vertical,
    observed_view,
)
from vision.landmarks import Landmark, LandmarkSeries
from vision.smoothing import smooth

N = 12


@pytest.mark.parametrize("turn", [0.0, 45.0, 90.0, -90.0])
@pytest.mark.parametrize("degrees", [-15.0, 0.0, 40.0])
def test_hip_extension_is_positive_backwards_from_every_view(degrees: float, turn: float) -> None:
    series = figure({"hip_flexion": np.full(N, degrees)}, turn_deg=turn)
    extension = joint_angle(series, "hip_extension", "left")
    assert extension == pytest.approx(np.full(N, -degrees), abs=0.5)


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
    angles = {"knee_flexion": 50.0, "shoulder_flexion": 40.0, "elbow_flexion": 60.0}
    series = figure(
        {angle: np.full(N, degrees) for angle, degrees in angles.items()},
        turn_deg=0.0 if "frontal" in ANGLES[name].views else 90.0,
    )
    moved = replace(series, image=series.image * 0.5 + 0.2)
    there = joint_angle(moved, name, "left")
    assert np.isfinite(there).all()
    assert there == pytest.approx(joint_angle(series, name, "left"))


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


def _turned_about(series: LandmarkSeries, names: str, axis: str, degrees: float) -> LandmarkSeries:
    """The named landmarks turned about an axis of the picture through their middle."""
    indices = [Landmark[name] for name in names.split()]
    world = series.world.copy()
    middle = world[:, indices].mean(axis=1, keepdims=True)
    vector = np.radians(degrees) * np.eye(3)["xyz".index(axis)]
    turn = Rotation.from_rotvec(vector).as_matrix()
    world[:, indices] = (world[:, indices] - middle) @ turn.T + middle
    image = np.stack([0.5 + world[..., 0] / 2.4, 0.45 + world[..., 1] / 2.4], axis=2)
    return replace(series, world=world, image=image)


HEAD = "NOSE LEFT_EAR RIGHT_EAR"
SHOULDERS = "LEFT_SHOULDER RIGHT_SHOULDER"


@pytest.mark.parametrize("degrees", [-30.0, 0.0, 20.0, 45.0])
def test_neck_flexion_is_positive_forwards_and_ignores_the_trunk(degrees: float) -> None:
    for lean in (0.0, 25.0):
        level = figure({"trunk_flexion": np.full(N, lean)}, turn_deg=90.0)
        # Facing the picture's left, nodding turns the head from up over the left: about z.
        nodding = _turned_about(level, HEAD, "z", -degrees)
        neutral = joint_angle(level, "neck_flexion", "left")
        measured = joint_angle(nodding, "neck_flexion", "left")
        assert measured - neutral == pytest.approx(np.full(N, degrees), abs=0.5)


@pytest.mark.parametrize("degrees", [-30.0, 0.0, 40.0])
@pytest.mark.parametrize("turn", [0.0, 45.0])
def test_neck_lateral_flexion_counts_either_side(degrees: float, turn: float) -> None:
    series = _turned_about(figure({"knee_flexion": np.zeros(N)}), HEAD, "z", degrees)
    series = _seen_from(series, turn)
    measured = joint_angle(series, "neck_lateral_flexion", "left")
    assert measured == pytest.approx(np.full(N, abs(degrees)), abs=0.5)


@pytest.mark.parametrize("degrees", [-60.0, 0.0, 35.0])
@pytest.mark.parametrize("turn", [0.0, 45.0])
def test_neck_rotation_counts_either_side(degrees: float, turn: float) -> None:
    series = _turned_about(figure({"knee_flexion": np.zeros(N)}), HEAD, "y", degrees)
    measured = joint_angle(_seen_from(series, turn), "neck_rotation", "left")
    assert measured == pytest.approx(np.full(N, abs(degrees)), abs=0.5)


@pytest.mark.parametrize("degrees", [-25.0, 0.0, 30.0])
def test_trunk_rotation_is_the_shoulders_against_the_hips(degrees: float) -> None:
    series = _turned_about(figure({"knee_flexion": np.zeros(N)}), SHOULDERS, "y", degrees)
    measured = joint_angle(series, "trunk_rotation", "left")
    assert measured == pytest.approx(np.full(N, abs(degrees)), abs=0.5)


@pytest.mark.parametrize("degrees", [-12.0, 0.0, 12.0])
@pytest.mark.parametrize("turn", [0.0, 45.0])
def test_pelvic_obliquity_counts_either_side(degrees: float, turn: float) -> None:
    series = _turned_about(
        figure({"knee_flexion": np.zeros(N)}), "LEFT_HIP RIGHT_HIP", "z", degrees
    )
    measured = joint_angle(_seen_from(series, turn), "pelvic_obliquity", "left")
    assert measured == pytest.approx(np.full(N, abs(degrees)), abs=0.5)


def test_anterior_pelvic_tilt_is_no_angle_of_ours() -> None:
    assert not any("pelvic_tilt" in name for name in ANGLES)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("inwards", [-0.03, 0.0, 0.06])
def test_a_knee_that_falls_inwards_is_valgus_on_both_sides(side: BodySide, inwards: float) -> None:
    series = figure({"knee_flexion": np.zeros(N)})
    world = series.world.copy()
    world[:, Landmark[f"{side.upper()}_KNEE"], 0] -= inwards if side == "left" else -inwards
    image = np.stack([0.5 + world[..., 0] / 2.4, 0.45 + world[..., 1] / 2.4], axis=2)
    measured = joint_angle(replace(series, world=world, image=image), "knee_valgus", side)
    # Both segments are 0.42 m long, and the knee lies off their common line by `inwards`.
    assert measured == pytest.approx(np.full(N, 2 * np.degrees(np.arctan2(inwards, 0.42))), abs=0.1)


def test_valgus_is_not_read_off_a_thigh_that_points_at_the_camera() -> None:
    depth = np.concatenate([np.zeros(N), np.full(N, 150.0)])
    series = figure({"knee_flexion": depth, "hip_flexion": 0.55 * depth})
    measured = joint_angle(series, "knee_valgus", "left")
    assert np.isfinite(measured[:N]).all()
    assert np.isnan(measured[N:]).all()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("degrees", [-40.0, 0.0, 50.0])
def test_external_rotation_turns_the_bent_forearm_outwards(side: BodySide, degrees: float) -> None:
    series = figure({"elbow_flexion": np.full(N, 90.0)})
    elbow = series.world[:, Landmark[f"{side.upper()}_ELBOW"]]
    outwards = np.radians(degrees)
    sign = 1.0 if side == "left" else -1.0
    world = series.world.copy()
    world[:, Landmark[f"{side.upper()}_WRIST"]] = elbow + 0.26 * np.array(
        [sign * np.sin(outwards), 0.0, -np.cos(outwards)]
    )
    measured = joint_angle(replace(series, world=world), "shoulder_external_rotation", side)
    assert measured == pytest.approx(np.full(N, degrees), abs=0.5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_with_the_arm_out_to_the_side_external_rotation_is_upwards(side: BodySide) -> None:
    series = figure({"shoulder_abduction": np.full(N, 90.0)})
    world = series.world.copy()
    world[:, Landmark[f"{side.upper()}_WRIST"]] = (
        world[:, Landmark[f"{side.upper()}_ELBOW"]] + np.array([0.0, -0.26, 0.0])
    )  # fmt: skip
    measured = joint_angle(replace(series, world=world), "shoulder_external_rotation", side)
    assert measured == pytest.approx(np.full(N, 90.0), abs=0.5)


@pytest.mark.parametrize("bent", [0.0, 25.0])
def test_a_straight_elbow_tells_no_shoulder_rotation(bent: float) -> None:
    series = figure({"elbow_flexion": np.full(N, bent)})
    assert np.isnan(joint_angle(series, "shoulder_external_rotation", "left")).all()


@pytest.mark.parametrize("name", sorted(ANGLES))
@pytest.mark.parametrize(
    ("turn", "view"), [(0.0, "frontal"), (45.0, "oblique"), (90.0, "sagittal")]
)
def test_an_angle_is_measured_from_its_own_views_only_unless_depth_is_measured(
    name: str, turn: float, view: View
) -> None:
    bent = {"knee_flexion": 40.0, "shoulder_abduction": 60.0, "elbow_flexion": 80.0}
    series = figure({angle: np.full(N, value) for angle, value in bent.items()}, turn_deg=turn)
    by_camera = joint_angle(series, name, "left")
    assert np.isfinite(by_camera).all() == (view in ANGLES[name].views)
    in_depth = joint_angle(replace(series, depth_is_measured=True), name, "left")
    assert np.isfinite(in_depth).all()


@pytest.mark.parametrize(
    "name",
    ["plane_of_elevation", "shoulder_external_rotation", "neck_rotation", "trunk_rotation"],
)
def test_what_needs_depth_is_not_read_off_a_picture(name: str) -> None:
    series = figure({"shoulder_abduction": np.full(N, 80.0), "elbow_flexion": np.full(N, 80.0)})
    flat = replace(series, world=np.full_like(series.world, np.nan))
    assert np.isnan(joint_angle(flat, name, "left")).all()


@given(
    degrees=st.floats(0, 140),
    turn=st.floats(-180, 180),
    side=st.sampled_from(["left", "right"]),
)
def test_measured_depth_reads_the_knee_true_from_any_side(
    degrees: float, turn: float, side: BodySide
) -> None:
    series = figure({"knee_flexion": np.full(3, degrees)}, turn_deg=turn)
    measured = joint_angle(replace(series, depth_is_measured=True), "knee_flexion", side)
    assert measured == pytest.approx(np.full(3, degrees), abs=0.1)


def _seen_from(series: LandmarkSeries, turn_deg: float) -> LandmarkSeries:
    turn = Rotation.from_euler("y", turn_deg, degrees=True).as_matrix()
    world = series.world @ turn.T
    image = np.stack([0.5 + world[..., 0] / 2.4, 0.45 + world[..., 1] / 2.4], axis=2)
    return replace(series, world=world, image=image)
