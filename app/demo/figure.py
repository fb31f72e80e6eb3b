"""A stick figure whose arms rise: landmark series for the synthetic patients' history.

The figure stands facing the camera. Its landmarks carry the jitter of a real estimator, so that
its sessions go through the same scoring as anybody's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vision.landmarks import LANDMARK_COUNT, Landmark, LandmarkSeries

_FPS = 20.0
_JITTER_M = 0.006
_REST_DEG = 12.0

# Metres from the middle of the hips, x to the picture's right (the person's left), y down.
_BODY = {
    "NOSE": (0.0, -0.68),
    "EAR": (0.07, -0.70),
    "SHOULDER": (0.18, -0.50),
    "HIP": (0.10, 0.0),
    "KNEE": (0.11, 0.42),
    "ANKLE": (0.11, 0.84),
    "HEEL": (0.11, 0.88),
    "FOOT_INDEX": (0.13, 0.92),
}
_UPPER_ARM_M, _FOREARM_M = 0.29, 0.26


def arm_raises(
    peaks_deg: Sequence[float], rng: np.random.Generator, seconds_each: float = 3.0
) -> LandmarkSeries:
    """One bilateral arm raise to the side for each of `peaks_deg`, with a second of rest around."""
    elevation = np.concatenate(
        [np.full(int(_FPS), _REST_DEG)]
        + [_raise(peak, seconds_each) for peak in peaks_deg]
        + [np.full(int(_FPS), _REST_DEG)]
    )
    world = np.zeros((len(elevation), LANDMARK_COUNT, 3))
    for side, sign in (("LEFT", 1.0), ("RIGHT", -1.0)):
        for joint, (x, y) in _BODY.items():
            name = joint if joint == "NOSE" else f"{side}_{joint}"
            world[:, Landmark[name], :2] = (sign * x, y)
        angle = np.radians(elevation)
        direction = np.stack([sign * np.sin(angle), np.cos(angle)], axis=1)
        elbow = world[:, Landmark[f"{side}_SHOULDER"], :2] + _UPPER_ARM_M * direction
        world[:, Landmark[f"{side}_ELBOW"], :2] = elbow
        world[:, Landmark[f"{side}_WRIST"], :2] = elbow + _FOREARM_M * direction
    world += rng.normal(0.0, _JITTER_M, world.shape)
    image = np.stack([0.5 + world[..., 0] / 2.4, 0.45 + world[..., 1] / 2.4], axis=2)
    return LandmarkSeries(
        t_s=np.arange(len(elevation)) / _FPS,
        image=image,
        world=world,
        visibility=np.full((len(elevation), LANDMARK_COUNT), 0.95),
        width=720,
        height=720,
    )


def _raise(peak_deg: float, seconds: float) -> np.ndarray:
    phase = np.linspace(0.0, 2 * np.pi, int(seconds * _FPS))
    return _REST_DEG + (peak_deg - _REST_DEG) * (1 - np.cos(phase)) / 2
