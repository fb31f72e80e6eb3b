"""A stick figure posed by joint angles: where its joints are.

World axes: x to where the person faces when upright, y to the person's left, z up; lengths are
shares of stature. An angle is named and counted as in `vision.kinematics`: zero is the
anatomical position (of the forearm: thumb forwards), flexion, abduction, outward rotation and
elevation count upwards, `extension` is negative flexion.

| angle | turns |
|---|---|
| trunk_flexion, trunk_lateral_flexion (left +) | the trunk from the position's own pose |
| trunk_rotation (left +) | shoulders and head over the pelvis |
| lumbar_flexion | the lower half of the trunk against the upper, the line between its ends kept |
| neck_flexion, neck_lateral_flexion (left +), neck_rotation (left +) | neck and head |
| head_flexion | the head on the neck |
| shoulder_flexion, shoulder_abduction, shoulder_external_rotation | the upper arm |
| scapular_elevation, scapular_retraction | the shoulder about the base of the neck |
| elbow_flexion, forearm_pronation, wrist_flexion | forearm and hand |
| hip_flexion, hip_abduction, hip_external_rotation | the thigh, on a pelvis kept level |
| knee_flexion, ankle_dorsiflexion | shank and foot |
| pelvic_obliquity (left hip up +) | the line of the hips |
"""

from __future__ import annotations

from math import cos, pi, radians, sin

import numpy as np
from numpy.typing import NDArray

from rtm.exercises.definition import Demonstration, DrawnView, Position
from rtm.exercises.poses import SIDED_ANGLES

Vector = NDArray[np.float64]
Joints = dict[str, Vector]

# Shares of stature: Drillis & Contini 1966, as tabulated in Winter, Biomechanics and Motor
# Control of Human Movement, figure 4.1 (trunk = shoulder height 0.818 less hip height 0.530).
TRUNK, NECK, HEAD = 0.288, 0.052, 0.130
UPPER_ARM, FOREARM, HAND = 0.186, 0.146, 0.108
THIGH, SHANK, FOOT, ANKLE_HEIGHT = 0.245, 0.246, 0.152, 0.039
SHOULDER_HALF, HIP_HALF = 0.129, 0.0955
# House choices where the table has nothing: only how hand, foot and face look.
_THUMB, _HEEL_SHARE, _NOSE = 0.05, 0.25, 0.75

# Pairs of joints, farthest from the eye first where limbs cross.
BONES = (
    *(
        (f"{side}_{a}", f"{side}_{b}")
        for side in ("left", "right")
        for a, b in (
            ("hip", "knee"),
            ("knee", "ankle"),
            ("ankle", "heel"),
            ("heel", "toe"),
            ("ankle", "toe"),
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("wrist", "hand"),
            ("wrist", "thumb"),
        )
    ),
    ("left_hip", "right_hip"),
    ("neck", "left_shoulder"),
    ("neck", "right_shoulder"),
    ("pelvis", "spine"),
    ("spine", "neck"),
    ("neck", "skull_base"),
    ("skull_base", "head"),
    ("head", "nose"),
)


def angles_at(demonstration: Demonstration, t: float) -> dict[str, float]:
    """Every angle in deg at the share `t` (0–1) of a repetition, eased between keyframes."""
    frames = demonstration.keyframes
    first = frames[0]
    index = max(n for n, frame in enumerate(frames) if frame.t <= t)
    before = frames[index]
    after, end = (frames[index + 1], frames[index + 1].t) if index + 1 < len(frames) else (first, 1)
    share = (t - before.t) / (end - before.t) if end > before.t else 0.0
    eased = (1 - cos(pi * share)) / 2
    return {
        name: value + eased * (after.angles_deg[name] - value)
        for name, value in before.angles_deg.items()
    }


def figure_at(demonstration: Demonstration, position: Position, t: float) -> Joints:
    """Where each joint is, (3,) each, at the share `t` of a repetition.

    The floor is z = 0: the lowest part of the body touches it at rest.
    """
    rest = pose(angles_at(demonstration, 0.0), position)
    now = rest if t == 0 else pose(angles_at(demonstration, t), position)
    floor = _lowest(rest)
    if demonstration.contacts:
        held = demonstration.contacts[0]
        shift = rest[held] - now[held] - [0.0, 0.0, floor]
    else:
        shift = np.array([0.0, 0.0, -_lowest(now)])
    return {name: point + shift for name, point in now.items()}


def project(joints: Joints, view: DrawnView) -> Joints:
    """(2,) each: the picture's x to the right and y up.

    The sagittal view shows the person's right side, the frontal one faces the person, and the
    transverse one looks down from above with the person facing up the picture.
    """
    across, up = {"sagittal": (0, 2), "frontal": (1, 2), "transverse": (1, 0)}[view]
    sign = -1.0 if view == "transverse" else 1.0
    return {name: np.array([sign * p[across], p[up]]) for name, p in joints.items()}


# How far the middle of a lying, kneeling or leaning part is from the surface under it: half the
# thickness of the body there, a house choice for the drawing.
CLEARANCE = {"pelvis": 0.055, "neck": 0.055, "head": HEAD / 2}
_SIDED_CLEARANCE = {
    "knee": 0.025,
    "ankle": 0.02,
    "shoulder": 0.03,
    "hip": 0.03,
    "elbow": 0.02,
}


def clearance(joint: str) -> float:
    """Half the body's thickness at `joint`, as a share of stature."""
    return CLEARANCE.get(joint, _SIDED_CLEARANCE.get(joint.partition("_")[2], 0.0))


def _lowest(joints: Joints) -> float:
    return min(float(point[2]) - clearance(name) for name, point in joints.items())


def pose(angles_deg: dict[str, float], position: Position) -> Joints:
    """Where each joint is, (3,) each, with the middle of the pelvis at the origin."""
    a = {name: radians(value) for name, value in angles_deg.items()}
    root = {
        "supine": _about_left(-pi / 2),
        "prone": _about_left(pi / 2),
        "quadruped": _about_left(pi / 2),
        "side_lying": _about_front(-pi / 2),
    }.get(position, np.eye(3))
    pelvis = root @ _about_left(a["trunk_flexion"])
    trunk = pelvis @ _about_front(-a["trunk_lateral_flexion"])
    half = [0.0, 0.0, TRUNK / 2]
    bend = a["lumbar_flexion"] / 2
    joints: Joints = {"pelvis": np.zeros(3)}
    joints["spine"] = trunk @ _about_left(-bend) @ half
    joints["neck"] = joints["spine"] + trunk @ _about_left(bend) @ half
    chest = trunk @ _about_up(a["trunk_rotation"])
    _head(joints, a, chest)
    for side, s in (("left", 1.0), ("right", -1.0)):
        own = {name: a[f"{side}_{name}"] for name in SIDED_ANGLES}
        limb = {**_arm(joints["neck"], chest, own, s), **_leg(pelvis, a, own, s)}
        joints |= {f"{side}_{name}": point for name, point in limb.items()}
    return joints


def _head(joints: Joints, a: dict[str, float], chest: Vector) -> None:
    neck = (
        chest
        @ _about_left(a["neck_flexion"])
        @ _about_front(-a["neck_lateral_flexion"])
        @ _about_up(a["neck_rotation"])
    )
    head = neck @ _about_left(a["head_flexion"])
    joints["skull_base"] = joints["neck"] + neck @ [0.0, 0.0, NECK]
    joints["head"] = joints["skull_base"] + head @ [0.0, 0.0, HEAD / 2]
    joints["nose"] = joints["head"] + head @ [_NOSE * HEAD, 0.0, 0.0]


def _arm(neck: Vector, chest: Vector, a: dict[str, float], s: float) -> Joints:
    """`s` is 1 for the left and -1 for the right: a rotation in the mirror."""
    girdle = (
        chest @ _about_up(s * a["scapular_retraction"]) @ _about_front(s * a["scapular_elevation"])
    )
    shoulder = neck + girdle @ [0.0, s * SHOULDER_HALF, 0.0]
    upper = (
        chest
        @ _about_left(-a["shoulder_flexion"])
        @ _about_front(s * a["shoulder_abduction"])
        @ _about_up(s * a["shoulder_external_rotation"])
    )
    fore = upper @ _about_left(-a["elbow_flexion"])
    turned = fore @ _about_up(-s * a["forearm_pronation"])
    hand = turned @ _about_front(-s * a["wrist_flexion"])
    elbow = shoulder + upper @ [0.0, 0.0, -UPPER_ARM]
    wrist = elbow + fore @ [0.0, 0.0, -FOREARM]
    slant = _THUMB * sin(pi / 4)
    return {
        "shoulder": shoulder,
        "elbow": elbow,
        "wrist": wrist,
        "hand": wrist + hand @ [0.0, 0.0, -HAND],
        "thumb": wrist + hand @ [slant, 0.0, -slant],
    }


def _leg(pelvis: Vector, a: dict[str, float], own: dict[str, float], s: float) -> Joints:
    hip = pelvis @ _about_front(a["pelvic_obliquity"]) @ [0.0, s * HIP_HALF, 0.0]
    thigh = (
        pelvis
        @ _about_up(s * own["hip_external_rotation"])
        @ _about_front(s * own["hip_abduction"])
        @ _about_left(-own["hip_flexion"])
    )
    shank = thigh @ _about_left(own["knee_flexion"])
    foot = shank @ _about_left(-own["ankle_dorsiflexion"])
    knee = hip + thigh @ [0.0, 0.0, -THIGH]
    ankle = knee + shank @ [0.0, 0.0, -SHANK]
    return {
        "hip": hip,
        "knee": knee,
        "ankle": ankle,
        "heel": ankle + foot @ [-_HEEL_SHARE * FOOT, 0.0, -ANKLE_HEIGHT],
        "toe": ankle + foot @ [(1 - _HEEL_SHARE) * FOOT, 0.0, -ANKLE_HEIGHT],
    }


def _about_front(angle: float) -> Vector:
    """Left turns up."""
    c, s = cos(angle), sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def _about_left(angle: float) -> Vector:
    """Up turns to the front."""
    c, s = cos(angle), sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def _about_up(angle: float) -> Vector:
    """The front turns left."""
    c, s = cos(angle), sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
