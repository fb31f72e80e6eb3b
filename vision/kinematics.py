"""Joint angles by clinical definition, from a landmark series.

Zero is the anatomical position and flexion, abduction and elevation count upwards, as with a
goniometer (American Academy of Orthopaedic Surgeons, Joint Motion, 1965).

| angle | between | zero | positive | plane |
|---|---|---|---|---|
| knee_flexion | thigh (hip→knee) and shank (knee→ankle) | straight | bent | sagittal |
| hip_flexion | trunk and thigh, both seen along the line of the hips | straight | bent | sagittal |
| hip_abduction | trunk and thigh, in the frontal plane | in line | outwards | frontal |
| shoulder_abduction | trunk (shoulder→hip) and upper arm | hanging | raised | frontal |
| shoulder_flexion | trunk (shoulder→hip) and upper arm | hanging | raised | sagittal |
| elbow_flexion | upper arm and forearm (elbow→wrist) | straight | bent | sagittal |
| trunk_flexion | trunk and the vertical | upright | forwards | sagittal |
| trunk_lateral_flexion | trunk and the vertical | upright | either side | frontal |
| ankle_dorsiflexion | shank and foot | right angle | toes up | sagittal |
| plane_of_elevation | raised arm, seen from above | out to the side | forwards | transverse |

A movement in the plane of the picture is measured in the picture, where landmarks are most
exact; any other in the estimator's world coordinates. Which of the two is decided once for a
recording, from how far the shoulders and hips are turned, so that an angle never jumps between
them. In the same way the arm is measured against the vertical for a whole recording in which
the hips are mostly out of the picture, as in a call at a desk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vision.landmarks import Array, Landmark, LandmarkSeries

Plane = Literal["frontal", "sagittal", "transverse"]
BodySide = Literal["left", "right"]
View = Literal["frontal", "sagittal", "oblique"]
Points = dict[str, Array]

# The estimator's own documentation puts "likely visible" at one half.
VISIBLE = 0.5

# Turned less than this from facing the camera, a frontal movement shortens by less than 18 %.
_FRONTAL_WITHIN_DEG = 35.0
_SAGITTAL_BEYOND_DEG = 55.0

# A hanging or an overhead arm points nowhere when seen from above.
_ARM_RAISED_DEG = (35.0, 145.0)


@dataclass(frozen=True)
class AngleDefinition:
    """`joints` are the landmarks without side; `bilateral` angles have a left and a right.

    `in_picture` says whether the angle may be read off the picture when the view is along its
    plane; angles of the trunk need the way that the person faces, which only world coordinates
    tell. `not_from` is a view from which one camera can't tell it, the movement being a small
    one towards the lens. `to_vertical` names the joints that suffice when the vertical stands
    for the trunk.
    """

    name: str
    plane: Plane
    joints: tuple[str, ...]
    bilateral: bool
    measure: Callable[[Points], Array]
    in_picture: bool = True
    not_from: View | None = None
    to_vertical: tuple[str, ...] = ()


def observed_view(series: LandmarkSeries) -> View:
    """How the person stands to the camera, by the median turn of shoulders and hips."""
    turns = []
    for left, right in (
        (Landmark.LEFT_SHOULDER, Landmark.RIGHT_SHOULDER),
        (Landmark.LEFT_HIP, Landmark.RIGHT_HIP),
    ):
        line = series.world[:, left] - series.world[:, right]
        turns.append(np.degrees(np.arctan2(np.abs(line[:, 2]), np.abs(line[:, 0]))))
    turn = np.concatenate(turns)
    turn = turn[np.isfinite(turn)]
    if turn.size == 0 or (middle := float(np.median(turn))) <= _FRONTAL_WITHIN_DEG:
        return "frontal"
    return "sagittal" if middle >= _SAGITTAL_BEYOND_DEG else "oblique"


def joint_angle(series: LandmarkSeries, name: str, side: BodySide) -> Array:
    """(N,) the angle in deg; NaN where a landmark that it needs is not visible.

    `side` is the person's own; ignored by angles of the trunk.

    Raises:
        KeyError: no such angle.
    """
    definition = ANGLES[name]
    joints = definition.joints
    if measured_to_vertical(series, name, side):
        joints = definition.to_vertical
    indices = {joint: _index(joint, side) for joint in joints}
    view = observed_view(series)
    if view == definition.not_from:
        return np.full(series.frame_count, np.nan)
    along = definition.in_picture and view == definition.plane
    if along or np.isnan(series.world).all():
        size = np.array([series.width, series.height], dtype=np.float64)
        points = {joint: series.image[:, index] * size for joint, index in indices.items()}
    else:
        points = {joint: series.world[:, index] for joint, index in indices.items()}
    return np.where(_seen(series, joints, side), definition.measure(points), np.nan)


def measured_to_vertical(series: LandmarkSeries, name: str, side: BodySide) -> bool:
    """Whether this angle takes the vertical for the trunk: the hips were mostly out of view."""
    definition = ANGLES[name]
    if not definition.to_vertical:
        return False
    without_trunk = int(_seen(series, definition.to_vertical, side).sum())
    return int(_seen(series, definition.joints, side).sum()) < without_trunk / 2


def visibility_of(series: LandmarkSeries, name: str, side: BodySide) -> float:
    """0–1, how well the estimator saw the landmarks of this angle, over the frames with anyone."""
    indices = [_index(joint, side) for joint in ANGLES[name].joints]
    seen = series.visibility[series.found][:, indices]
    return float(seen.mean()) if seen.size else 0.0


def _seen(series: LandmarkSeries, joints: tuple[str, ...], side: BodySide) -> NDArray[np.bool_]:
    visibility = series.visibility[:, [_index(joint, side) for joint in joints]]
    return np.asarray((visibility >= VISIBLE).all(axis=1))


def _index(joint: str, side: BodySide) -> int:
    own = joint.startswith(("LEFT_", "RIGHT_"))
    return Landmark[joint if own else f"{side.upper()}_{joint}"]


def _between(first: Array, second: Array) -> Array:
    """(N,) the angle in deg between two vectors, 0–180."""
    if first.shape[1] == 2:
        cross = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    else:
        cross = np.linalg.norm(np.cross(first, second), axis=1)
    angle: Array = np.degrees(np.arctan2(cross, _dot(first, second)))
    return angle


def _dot(first: Array, second: Array) -> Array:
    product: Array = np.einsum("ij,ij->i", first, second)
    return product


def _unit(vector: Array) -> Array:
    length = np.linalg.norm(vector, axis=1, keepdims=True)
    unit: Array = vector / np.where(length > 0, length, np.nan)
    return unit


def _without(vector: Array, axis: Array) -> Array:
    """`vector` less its part along the unit vector `axis`."""
    return vector - _dot(vector, axis)[:, None] * axis


def _vertical(like: Array) -> Array:
    down = np.zeros_like(like)
    down[:, 1] = 1.0
    return down


def _trunk_down(p: Points) -> Array:
    shoulders = (p["LEFT_SHOULDER"] + p["RIGHT_SHOULDER"]) / 2
    hips = (p["LEFT_HIP"] + p["RIGHT_HIP"]) / 2
    return hips - shoulders


def _leftwards(p: Points) -> Array:
    """Unit vector to the person's left, level with the ground; world coordinates only."""
    shoulders = p["LEFT_SHOULDER"] - p["RIGHT_SHOULDER"]
    line = shoulders + p["LEFT_HIP"] - p["RIGHT_HIP"] if "LEFT_HIP" in p else shoulders
    return _unit(_without(line, _vertical(line)))


def _forwards(p: Points) -> Array:
    """Unit vector to where the person faces; x right, y down, z away make this left × up."""
    left = _leftwards(p)
    forwards: Array = np.cross(left, -_vertical(left))
    return forwards


def _knee_flexion(p: Points) -> Array:
    return _between(p["KNEE"] - p["HIP"], p["ANKLE"] - p["KNEE"])


def _elbow_flexion(p: Points) -> Array:
    return _between(p["ELBOW"] - p["SHOULDER"], p["WRIST"] - p["ELBOW"])


def _hip_flexion(p: Points) -> Array:
    trunk, thigh = _trunk_down(p), p["KNEE"] - p["HIP"]
    if trunk.shape[1] == 2:
        return _between(trunk, thigh)
    across = _unit(p["LEFT_HIP"] - p["RIGHT_HIP"])
    return _between(_without(trunk, across), _without(thigh, across))


def _hip_abduction(p: Points) -> Array:
    """Outwards positive: the side of the trunk's axis on which this hip lies is outwards."""
    down = _unit(_trunk_down(p))
    outwards = _unit(_without(p["HIP"] - (p["LEFT_HIP"] + p["RIGHT_HIP"]) / 2, down))
    thigh = p["KNEE"] - p["HIP"]
    angle: Array = np.degrees(np.arctan2(_dot(thigh, outwards), _dot(thigh, down)))
    return angle


def _shoulder_elevation(p: Points) -> Array:
    arm = p["ELBOW"] - p["SHOULDER"]
    return _between(p["HIP"] - p["SHOULDER"] if "HIP" in p else _vertical(arm), arm)


def _plane_of_elevation(p: Points) -> Array:
    arm = p["ELBOW"] - p["SHOULDER"]
    if arm.shape[1] == 2:
        return np.full(len(arm), np.nan)
    left = _leftwards(p)
    middle = (p["LEFT_SHOULDER"] + p["RIGHT_SHOULDER"]) / 2
    outwards = left * np.sign(_dot(p["SHOULDER"] - middle, left))[:, None]
    angle = np.degrees(np.arctan2(_dot(arm, _forwards(p)), _dot(arm, outwards)))
    elevation = _between(_vertical(arm), arm)
    least, most = _ARM_RAISED_DEG
    return np.where((elevation >= least) & (elevation <= most), angle, np.nan)


def _trunk_flexion(p: Points) -> Array:
    up = -_trunk_down(p)
    if up.shape[1] == 2:  # a picture does not tell forwards from backwards
        return _between(up, -_vertical(up))
    angle: Array = np.degrees(np.arctan2(_dot(up, _forwards(p)), -up[:, 1]))
    return angle


def _trunk_lateral_flexion(p: Points) -> Array:
    up = -_trunk_down(p)
    sideways = up[:, 0] if up.shape[1] == 2 else _dot(up, _leftwards(p))
    angle: Array = np.abs(np.degrees(np.arctan2(sideways, -up[:, 1])))
    return angle


def _ankle_dorsiflexion(p: Points) -> Array:
    return 90.0 - _between(p["KNEE"] - p["ANKLE"], p["FOOT_INDEX"] - p["HEEL"])


_SHOULDERS = ("LEFT_SHOULDER", "RIGHT_SHOULDER")
_TRUNK = (*_SHOULDERS, "LEFT_HIP", "RIGHT_HIP")
_ARM = ("SHOULDER", "ELBOW")
_FOOT = ("KNEE", "ANKLE", "HEEL", "FOOT_INDEX")

ANGLES: dict[str, AngleDefinition] = {
    definition.name: definition
    for definition in (
        AngleDefinition("knee_flexion", "sagittal", ("HIP", "KNEE", "ANKLE"), True, _knee_flexion),
        AngleDefinition("hip_flexion", "sagittal", (*_TRUNK, "HIP", "KNEE"), True, _hip_flexion),
        AngleDefinition(
            "hip_abduction",
            "frontal",
            (*_TRUNK, "HIP", "KNEE"),
            True,
            _hip_abduction,
            not_from="sagittal",
        ),
        AngleDefinition(
            "shoulder_abduction",
            "frontal",
            ("HIP", *_ARM),
            True,
            _shoulder_elevation,
            to_vertical=_ARM,
        ),
        AngleDefinition(
            "shoulder_flexion",
            "sagittal",
            ("HIP", *_ARM),
            True,
            _shoulder_elevation,
            to_vertical=_ARM,
        ),
        AngleDefinition("elbow_flexion", "sagittal", (*_ARM, "WRIST"), True, _elbow_flexion),
        AngleDefinition(
            "trunk_flexion", "sagittal", _TRUNK, False, _trunk_flexion, in_picture=False
        ),
        AngleDefinition(
            "trunk_lateral_flexion",
            "frontal",
            _TRUNK,
            False,
            _trunk_lateral_flexion,
            not_from="sagittal",
        ),
        AngleDefinition("ankle_dorsiflexion", "sagittal", _FOOT, True, _ankle_dorsiflexion),
        AngleDefinition(
            "plane_of_elevation", "transverse", (*_SHOULDERS, *_ARM), True, _plane_of_elevation
        ),
    )
}
