"""How bright a picture is: of the whole, of the person and of what is around the person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision.landmarks import Array, Landmark
from vision.video import Picture

# Luma from red, green and blue (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114])

# A sample every so many pixels that about this many lines remain: enough for averages.
_LINES = 72

# From here on an 8-bit camera has reached the end of its scale and no detail is left.
CLIPPED = 250 / 255

_BODY = [
    Landmark[f"{side}_{joint}"]
    for side in ("LEFT", "RIGHT")
    for joint in ("EAR", "SHOULDER", "ELBOW", "WRIST", "HIP", "KNEE", "ANKLE")
]
_TRUNK = [
    Landmark.LEFT_SHOULDER,
    Landmark.RIGHT_SHOULDER,
    Landmark.LEFT_HIP,
    Landmark.RIGHT_HIP,
]


@dataclass(frozen=True)
class Light:
    """Luma (0 black, 1 white, as coded in the video) of one picture.

    `mean`, `spread` (between the 5th and 95th percentile) and `clipped` (the share burnt out) are
    of the whole; `person` is the mean over the trunk, `person_clipped` and `around_clipped` the
    shares burnt out of the trunk and of what lies outside the person's bounding box. None
    where nobody was found or no such part is in the picture.
    """

    t_s: float
    mean: float
    spread: float
    clipped: float
    person: float | None
    person_clipped: float | None
    around_clipped: float | None


def light_of(rgb: Picture, t_s: float, image: Array | None) -> Light:
    """The light in one picture; `image` (33, >=2) holds the person's x, y as in a series."""
    step = max(1, min(rgb.shape[:2]) // _LINES)
    luma = rgb[::step, ::step] @ _LUMA / 255.0
    low, high = np.percentile(luma, (5, 95))
    person = None if image is None else _box(luma, image[_TRUNK])
    around = None if image is None else _outside(luma, image[_BODY])
    return Light(
        t_s=t_s,
        mean=float(luma.mean()),
        spread=float(high - low),
        clipped=float((luma >= CLIPPED).mean()),
        person=None if person is None else float(person.mean()),
        person_clipped=None if person is None else float((person >= CLIPPED).mean()),
        around_clipped=None if around is None else float((around >= CLIPPED).mean()),
    )


def _box(luma: Array, points: Array) -> Array | None:
    rows, columns = _bounds(luma, points)
    inside = luma[rows, columns]
    return inside if inside.size else None


def _outside(luma: Array, points: Array) -> Array | None:
    outside = np.ones(luma.shape, dtype=np.bool_)
    outside[_bounds(luma, points)] = False
    return luma[outside] if outside.any() else None


def _bounds(luma: Array, points: Array) -> tuple[slice, slice]:
    size = np.array([luma.shape[1], luma.shape[0]])
    first = np.clip(np.floor(points[:, :2].min(axis=0) * size), 0, size).astype(int)
    last = np.clip(np.ceil(points[:, :2].max(axis=0) * size), 0, size).astype(int)
    return slice(first[1], last[1]), slice(first[0], last[0])
