"""Vectors frame by frame: (N, 2) of a picture, y down, or (N, 3) of the world, y down too."""

from __future__ import annotations

import numpy as np

from vision.landmarks import Array


def between(first: Array, second: Array) -> Array:
    """(N,) the angle in deg between two vectors, 0–180."""
    if first.shape[1] == 2:
        cross = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    else:
        cross = np.linalg.norm(np.cross(first, second), axis=1)
    angle: Array = np.degrees(np.arctan2(cross, dot(first, second)))
    return angle


def dot(first: Array, second: Array) -> Array:
    """(N,) the scalar product, row by row."""
    product: Array = np.einsum("ij,ij->i", first, second)
    return product


def unit(vector: Array) -> Array:
    """Of length 1; NaN where there is no direction."""
    length = np.linalg.norm(vector, axis=1, keepdims=True)
    direction: Array = vector / np.where(length > 0, length, np.nan)
    return direction


def without(vector: Array, axis: Array) -> Array:
    """`vector` less its part along the unit vector `axis`."""
    return vector - dot(vector, axis)[:, None] * axis


def vertical(like: Array) -> Array:
    """Unit vectors downwards, as many as `like` has."""
    down = np.zeros_like(like)
    down[:, 1] = 1.0
    return down


def heading(line: Array) -> Array:
    """(N,) the direction of `line` in deg as seen from above."""
    angle: Array = np.degrees(np.arctan2(line[:, 2], line[:, 0]))
    return angle


def turned(first_deg: Array, second_deg: Array, full_turn_deg: float) -> Array:
    """(N,) the angle between two directions, 0 to half of `full_turn_deg`."""
    half = full_turn_deg / 2
    return np.abs((first_deg - second_deg + half) % full_turn_deg - half)
