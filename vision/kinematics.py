"""Joint angles of a landmark series: from which view, off the picture or in world coordinates.

A movement in the plane of the picture is measured in the picture, where landmarks are most
exact; any other in the estimator's world coordinates (docs/decisions/0006-picture-or-world.md).
Which of the two is decided once for a recording, from how far the shoulders and hips are turned,
so that an angle never jumps between them. In the same way the arm is measured against the
vertical for a whole recording in which the hips are mostly out of the picture, as in a call at
a desk. Where depth was measured, as by motion capture, world coordinates always tell best.

What each angle is, and from which views one camera can tell it, stands in
`vision.angle_definitions`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vision.angle_definitions import ANGLES, AngleDefinition, View
from vision.landmarks import Array, Landmark, LandmarkSeries

__all__ = [
    "ANGLES",
    "VISIBLE",
    "AngleDefinition",
    "BodySide",
    "View",
    "joint_angle",
    "measured_to_vertical",
    "observed_view",
    "visibility_of",
]

BodySide = Literal["left", "right"]

# The estimator's own documentation puts "likely visible" at one half.
VISIBLE = 0.5

# Turned less than this from facing the camera, a frontal movement shortens by less than 18 %.
_FRONTAL_WITHIN_DEG = 35.0
_SAGITTAL_BEYOND_DEG = 55.0


def observed_view(series: LandmarkSeries) -> View:
    """How the person stands to the camera; frontal where nothing tells."""
    if series.turn_deg >= _SAGITTAL_BEYOND_DEG:
        return "sagittal"
    return "oblique" if series.turn_deg > _FRONTAL_WITHIN_DEG else "frontal"


def joint_angle(series: LandmarkSeries, name: str, side: BodySide) -> Array:
    """(N,) the angle in deg; NaN where a landmark that it needs is not visible.

    All NaN from a view in which one camera can't tell the angle. `side` is the person's own;
    ignored by angles of the trunk and the neck.

    Raises:
        KeyError: no such angle.
    """
    definition = ANGLES[name]
    view = observed_view(series)
    if view not in definition.views and not series.depth_is_measured:
        return np.full(series.frame_count, np.nan)
    joints = definition.joints
    if measured_to_vertical(series, name, side):
        joints = definition.to_vertical
    indices = {joint: _index(joint, side) for joint in joints}
    if _read_off_the_picture(series, definition, view):
        size = np.array([series.width, series.height], dtype=np.float64)
        points = {joint: series.image[:, index] * size for joint, index in indices.items()}
    else:
        points = {joint: series.world[:, index] for joint, index in indices.items()}
    seen = _seen(series, joints, side)
    return np.where(seen, definition.measure(points), np.nan)


def _read_off_the_picture(series: LandmarkSeries, definition: AngleDefinition, view: View) -> bool:
    if series.depth_is_measured:
        return False
    along = definition.in_picture and view == definition.plane
    return along or bool(np.isnan(series.world).all())


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
    own = joint == "NOSE" or joint.startswith(("LEFT_", "RIGHT_"))
    return Landmark[joint if own else f"{side.upper()}_{joint}"]
