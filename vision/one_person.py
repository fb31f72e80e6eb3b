"""Keeping to one person: where the tracker jumps to somebody else, a gap is carried instead.

A landmarker that follows one person starts anew when it loses them, with whoever is found then.
Between two frames nobody gets far; a body that is suddenly elsewhere, or of another size, is
another one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vision.landmarks import Array, Landmark, LandmarkSeries

_TRUNK = [
    Landmark.LEFT_SHOULDER,
    Landmark.RIGHT_SHOULDER,
    Landmark.LEFT_HIP,
    Landmark.RIGHT_HIP,
]
_BODY = [*_TRUNK, Landmark.LEFT_KNEE, Landmark.RIGHT_KNEE]

# All in body sizes, the root mean square distance of shoulders, hips and knees from their middle:
# about 0.4 m in an adult who stands (by the segment lengths of Drillis and Contini, 1966).
# Four metres a second is faster than the trunk moves in a jump or a fall on to a chair.
_FASTEST_PER_S = 10.0
# What the landmarks of one person scatter between frames, at most: 0.3 m, less than the breadth
# of the shoulders, which two people side by side are at least apart.
_SCATTER = 0.75

# Trunk and thighs foreshorten in a movement, but not by a third from one frame to the next.
_SIZE_RATIO = 1.5
# After this long without a sight of the person, size tells nothing: they may have walked.
_SIZE_HOLDS_S = 0.5


def only_one_person(series: LandmarkSeries) -> tuple[LandmarkSeries, int]:
    """`series` with gaps where somebody else was tracked, and how many frames these are.

    The person is the one tracked for the longest stretch.
    """
    frames = np.flatnonzero(np.isfinite(series.image[:, _BODY]).all(axis=(1, 2)))
    if frames.size < 2:
        return series, 0
    size_px = np.array([series.width, series.height], dtype=np.float64)
    points = series.image[frames][:, _BODY] * size_px
    body = _Body(
        series.t_s[frames],
        points[:, : len(_TRUNK)].mean(axis=1),
        np.sqrt(((points - points.mean(axis=1, keepdims=True)) ** 2).sum(axis=2).mean(axis=1)),
    )
    together = body.could_be_one(np.arange(frames.size - 1), np.arange(1, frames.size))
    if together.all():
        return series, 0
    stretches = np.split(np.arange(frames.size), np.flatnonzero(~together) + 1)
    others = np.concatenate([frames[each] for each in _others(body, stretches)] or [frames[:0]])
    return _without(series, others), int(others.size)


class _Body:
    """Time (N,) in s, place (N, 2) and size (N,) in pixels of whoever was tracked."""

    def __init__(self, t_s: Array, place: Array, size: Array) -> None:
        self.t_s, self.place, self.size = t_s, place, size

    def could_be_one(self, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether the body at each of `first` may be the one at `second`."""
        apart_s = np.abs(self.t_s[second] - self.t_s[first])
        larger = np.maximum(self.size[first], self.size[second])
        smaller = np.minimum(self.size[first], self.size[second])
        moved = np.linalg.norm(self.place[second] - self.place[first], axis=-1)
        near = moved <= (_SCATTER + _FASTEST_PER_S * apart_s) * larger
        alike = (larger <= _SIZE_RATIO * smaller) | (apart_s > _SIZE_HOLDS_S)
        return np.asarray(near & alike)


def _others(body: _Body, stretches: list[NDArray[np.intp]]) -> list[NDArray[np.intp]]:
    """The stretches that don't join on to the longest, before or after it in time."""
    longest = max(range(len(stretches)), key=lambda n: stretches[n].size)
    others = []
    last = stretches[longest][-1:]
    for stretch in stretches[longest + 1 :]:
        if body.could_be_one(last, stretch[:1])[0]:
            last = stretch[-1:]
        else:
            others.append(stretch)
    first = stretches[longest][:1]
    for stretch in reversed(stretches[:longest]):
        if body.could_be_one(stretch[-1:], first)[0]:
            first = stretch[:1]
        else:
            others.append(stretch)
    return others


def _without(series: LandmarkSeries, frames: NDArray[np.intp]) -> LandmarkSeries:
    image, world = series.image.copy(), series.world.copy()
    visibility = series.visibility.copy()
    image[frames], world[frames], visibility[frames] = np.nan, np.nan, 0.0
    return replace(series, image=image, world=world, visibility=visibility)
