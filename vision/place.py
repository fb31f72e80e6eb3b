"""Where the person stands: exercises are done on the spot, so walking is not one of them.

People walk in after starting the camera and out to stop it, and a walking knee bends sixty
degrees a step. What tells walking from exercise is not the joint but the ground: in walking
no foot stays where it was.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vision.kinematics import VISIBLE
from vision.landmarks import Array, Landmark, LandmarkSeries

# More than one step at a comfortable pace (about 0.55 s; Perry, Gait Analysis, 1992),
# to either side: in such a window every foot of a walker has swung.
HALF_WINDOW_S = 0.8

# In trunk lengths (about half a metre): less is a shuffle or a shift of weight.
_MOVED_AWAY = 0.5

_ANKLES = (Landmark.LEFT_ANKLE, Landmark.RIGHT_ANKLE)
_HIPS = (Landmark.LEFT_HIP, Landmark.RIGHT_HIP)
_SHOULDERS = (Landmark.LEFT_SHOULDER, Landmark.RIGHT_SHOULDER)


def on_the_spot(series: LandmarkSeries) -> NDArray[np.bool_]:
    """(N,) False while the whole body changes its place in the picture.

    A body is in place while either foot, or the middle between them, is: a step to the side, a
    lifted leg or a jump with both feet is no walk. Where the feet were not both in view most of
    the time, the middle of hips or shoulders may stand for the hidden ones. What could not be
    seen is taken to be in place.
    """
    size = np.array([series.width, series.height], dtype=np.float64)
    position = {mark: series.image[:, mark] * size for mark in (*_ANKLES, *_HIPS, *_SHOULDERS)}
    visible = {
        mark: np.where(series.visibility[:, mark, None] >= VISIBLE, track, np.nan)
        for mark, track in position.items()
    }
    found = series.found

    def often(track: Array) -> bool:
        return bool(np.isfinite(track[found, 0]).mean() > 0.5)

    feet = [visible[ankle] for ankle in _ANKLES]
    if all(often(foot) for foot in feet):
        anchors = [*feet, _middle(visible, _ANKLES)]
    else:
        trunk = [_middle(visible, pair) for pair in (_HIPS, _SHOULDERS)]
        anchors = [track for track in (*feet, *trunk) if often(track)]
    trunk_px = _trunk_length_px(position)
    if not anchors or trunk_px is None:
        return np.ones(series.frame_count, dtype=np.bool_)
    least = np.min([_displacement(series.t_s, track) for track in anchors], axis=0)
    return np.asarray(least <= _MOVED_AWAY * trunk_px)


def _displacement(t_s: Array, track: Array) -> Array:
    """(N,) pixels between where `track` was and where it will be half a window away."""
    seen = np.isfinite(track[:, 0])

    def at(times: Array) -> Array:
        axes = [np.interp(times, t_s[seen], track[seen, axis]) for axis in (0, 1)]
        return np.stack(axes, axis=1)

    moved: Array = np.linalg.norm(at(t_s + HALF_WINDOW_S) - at(t_s - HALF_WINDOW_S), axis=1)
    return moved


def _middle(position: dict[Landmark, Array], pair: tuple[Landmark, Landmark]) -> Array:
    return (position[pair[0]] + position[pair[1]]) / 2


def _trunk_length_px(position: dict[Landmark, Array]) -> float | None:
    """The upper quartile over the recording, for a bent trunk looks short."""
    trunk = _middle(position, _HIPS) - _middle(position, _SHOULDERS)
    length = np.hypot(trunk[:, 0], trunk[:, 1])
    length = length[np.isfinite(length)]
    return float(np.percentile(length, 75)) if length.size else None
