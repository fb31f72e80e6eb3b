"""Absolute joint positions as a landmark series: measured depth, and a picture from in front.

What works in the picture (finding walking, drawing) gets the orthographic picture of a camera in
front of the person: every metre takes the same number of pixels, near or far.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from vision.errors import UnreadableSeries
from vision.landmarks import LANDMARK_COUNT, Array, Landmark, LandmarkSeries

# House choices: fine enough that rounding to a pixel is far below the sensor's error, and a
# border so that nothing touches the edge.
_PIXELS_PER_METRE = 400.0
_BORDER_M = 0.2

# A cloud of joints wider than this is not one person on the spot in metres.
_WIDEST_M = 30.0


def series_of_positions(
    t_s: Array,
    positions: Mapping[Landmark, Array],
    visibility: Mapping[Landmark, Array] | None = None,
    *,
    camera: Literal["as given", "in front"],
) -> LandmarkSeries:
    """The series of `positions`, each (N, 3) in m: x right, y down, z away, right-handed.

    `camera` says whether those axes are already a camera's, or only level, so that they are
    turned about the vertical until the person faces it. `visibility` holds (N,) 0–1 for each
    landmark; without it whatever has a position is seen.

    Raises:
        UnreadableSeries: no positions, or not of one person in metres.
    """
    world = np.full((t_s.size, LANDMARK_COUNT, 3), np.nan)
    seen = np.zeros((t_s.size, LANDMARK_COUNT))
    for landmark, track in positions.items():
        world[:, landmark] = track
        seen[:, landmark] = np.isfinite(track).all(axis=1)
        if visibility is not None:
            seen[:, landmark] *= visibility[landmark]
    if camera == "in front":
        world = world @ _towards_camera(world).T
    image, width, height = _orthographic(world[..., :2])
    return LandmarkSeries(t_s, image, world, seen, width, height, depth_is_measured=True)


def _towards_camera(world: Array) -> Array:
    """(3, 3) the turn about the vertical that puts the person's left at the picture's right."""
    lines = np.concatenate(
        [
            world[:, Landmark[f"LEFT_{joint}"]] - world[:, Landmark[f"RIGHT_{joint}"]]
            for joint in ("SHOULDER", "HIP")
        ]
    )
    lines = lines[np.isfinite(lines).all(axis=1)]
    if not lines.size:
        raise UnreadableSeries("Neither shoulders nor hips have positions.")
    x, _, z = np.median(lines, axis=0)
    length = np.hypot(x, z)
    if length == 0:
        raise UnreadableSeries("The shoulders and hips lie on one vertical line.")
    cos, sin = x / length, z / length
    return np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])


def _orthographic(flat_m: Array) -> tuple[Array, int, int]:
    """(N, 33, 2) as fractions of the picture, with the picture's width and height in pixels."""
    if not np.isfinite(flat_m).any():
        raise UnreadableSeries("No joint has a position.")
    least = np.nanmin(flat_m, axis=(0, 1)) - _BORDER_M
    size = np.nanmax(flat_m, axis=(0, 1)) + _BORDER_M - least
    if (size > _WIDEST_M).any():
        raise UnreadableSeries(f"The joints are {size.max():.0f} m apart: not a person in metres.")
    width, height = (round(float(side) * _PIXELS_PER_METRE) for side in size)
    return (flat_m - least) * _PIXELS_PER_METRE / [width, height], width, height
