"""Where the person stands: exercises are done on the spot, so walking is not one of them.

People walk in after starting the camera and out to stop it, and a walking knee bends sixty
degrees a step. What tells walking from exercise is not the joint but the ground: in walking
no foot stays where it was. Straight towards the camera or away from it, the feet hardly move in
the picture, but the whole body grows or shrinks.
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

# Half a metre at three metres from the camera, a house choice. Bending shortens the trunk alone and
# turning narrows the shoulders alone; only coming nearer widens both.
_GROWN_BY = 1.2

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
        return bool(2 * np.count_nonzero(np.isfinite(track[found, 0])) > found.sum())

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
    return np.asarray((least <= _MOVED_AWAY * trunk_px) & ~_grows(series.t_s, visible))


def _grows(t_s: Array, visible: dict[Landmark, Array]) -> NDArray[np.bool_]:
    """(N,) whether the body comes nearer to the camera or goes away from it."""
    left, right = _SHOULDERS
    across = visible[left] - visible[right]
    along = _middle(visible, _HIPS) - _middle(visible, _SHOULDERS)
    with np.errstate(divide="ignore"):
        widths, lengths = (np.log(np.hypot(*line.T)) for line in (across, along))
    if not all(np.isfinite(size).any() for size in (widths, lengths)):
        return np.zeros(t_s.size, dtype=np.bool_)
    wider, longer = _change(t_s, widths), _change(t_s, lengths)
    alike = np.sign(wider) == np.sign(longer)
    return np.asarray(alike & (np.minimum(abs(wider), abs(longer)) > np.log(_GROWN_BY)))


def _displacement(t_s: Array, track: Array) -> Array:
    """(N,) pixels between where `track` was and where it will be half a window away."""
    return np.hypot(_change(t_s, track[:, 0]), _change(t_s, track[:, 1]))


def _change(t_s: Array, values: Array) -> Array:
    """(N,) by how much `values` differ half a window before and after, gaps looked across."""
    seen = np.isfinite(values)
    at = np.concatenate([t_s + HALF_WINDOW_S, t_s - HALF_WINDOW_S])
    later, earlier = np.interp(at, t_s[seen], values[seen]).reshape(2, -1)
    change: Array = later - earlier
    return change


def _middle(position: dict[Landmark, Array], pair: tuple[Landmark, Landmark]) -> Array:
    return (position[pair[0]] + position[pair[1]]) / 2


def _trunk_length_px(position: dict[Landmark, Array]) -> float | None:
    """The upper quartile over the recording, for a bent trunk looks short."""
    trunk = _middle(position, _HIPS) - _middle(position, _SHOULDERS)
    length = np.hypot(trunk[:, 0], trunk[:, 1])
    length = length[np.isfinite(length)]
    return float(np.percentile(length, 75)) if length.size else None
