"""The landmark series: where a person's 33 pose landmarks are, frame by frame.

Landmarks are those of MediaPipe Pose, in its order. A frame in which nobody was found is kept,
with NaN coordinates and visibility 0: gaps are carried, never filled here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vision.errors import UnreadableSeries

Array = NDArray[np.float64]
LANDMARK_COUNT = 33


class Landmark(IntEnum):
    """The landmarks used here, by their index in the pose topology."""

    NOSE = 0
    LEFT_EAR = 7
    RIGHT_EAR = 8
    LEFT_SHOULDER = 11
    RIGHT_SHOULDER = 12
    LEFT_ELBOW = 13
    RIGHT_ELBOW = 14
    LEFT_WRIST = 15
    RIGHT_WRIST = 16
    LEFT_HIP = 23
    RIGHT_HIP = 24
    LEFT_KNEE = 25
    RIGHT_KNEE = 26
    LEFT_ANKLE = 27
    RIGHT_ANKLE = 28
    LEFT_HEEL = 29
    RIGHT_HEEL = 30
    LEFT_FOOT_INDEX = 31
    RIGHT_FOOT_INDEX = 32


@dataclass(frozen=True)
class LandmarkSeries:
    """One person over N frames.

    Attributes:
        t_s: (N,) seconds from the start, strictly increasing; the frame rate may vary.
        image: (N, 33, 2) x to the right and y down, as fractions of the picture's width and
            height; may leave 0–1 where a landmark lies outside the picture.
        world: (N, 33, 3) metres from the middle of the hips, or from a fixed point where a
            sensor measures absolute positions; x to the picture's right, y down, z away from
            the camera.
        visibility: (N, 33) 0–1, the estimator's belief that the landmark is seen.
        width, height: of the picture in pixels.
        depth_is_measured: whether `world` was measured in all three axes, as by motion capture,
            and not estimated from one picture.
    """

    t_s: Array
    image: Array
    world: Array
    visibility: Array
    width: int
    height: int
    depth_is_measured: bool = False

    def __post_init__(self) -> None:
        frames = self.t_s.shape[0] if self.t_s.ndim == 1 else -1
        for name, array, shape in (
            ("t_s", self.t_s, (frames,)),
            ("image", self.image, (frames, LANDMARK_COUNT, 2)),
            ("world", self.world, (frames, LANDMARK_COUNT, 3)),
            ("visibility", self.visibility, (frames, LANDMARK_COUNT)),
        ):
            if array.shape != shape:
                raise UnreadableSeries(f"{name} has the shape {array.shape}, expected {shape}.")
            if array.dtype.kind not in "fiu":
                raise UnreadableSeries(f"{name} holds {array.dtype} values, expected numbers.")
        if frames < 2:
            raise UnreadableSeries(
                f"The series has {max(frames, 0)} frames; at least 2 are needed."
            )
        if not np.isfinite(self.t_s).all():
            raise UnreadableSeries("t_s holds a value that is not a finite number.")
        if (np.diff(self.t_s) <= 0).any():
            where = int(np.argmax(np.diff(self.t_s) <= 0)) + 1
            raise UnreadableSeries(f"t_s does not increase at frame {where}.")
        if self.width < 1 or self.height < 1:
            raise UnreadableSeries(f"The picture size {self.width}×{self.height} is not positive.")
        if np.isinf(self.image).any() or np.isinf(self.world).any():
            raise UnreadableSeries("A coordinate is infinite; use NaN where nothing was found.")

    @property
    def frame_count(self) -> int:
        return int(self.t_s.shape[0])

    @property
    def duration_s(self) -> float:
        return float(self.t_s[-1] - self.t_s[0])

    @cached_property
    def fps(self) -> float:
        """The median frame rate."""
        return float(1.0 / np.median(np.diff(self.t_s)))

    @cached_property
    def found(self) -> NDArray[np.bool_]:
        """(N,) whether any landmark of a person was found in the frame."""
        return np.asarray(np.isfinite(self.image).any(axis=(1, 2)))

    @cached_property
    def turn_deg(self) -> float:
        """How far shoulders and hips are turned from facing the camera, 0–90, the median over
        the recording; NaN where the world coordinates do not tell."""
        left = self.world[:, [Landmark.LEFT_SHOULDER, Landmark.LEFT_HIP]]
        right = self.world[:, [Landmark.RIGHT_SHOULDER, Landmark.RIGHT_HIP]]
        x, _, z = np.abs(left - right).reshape(-1, 3).T
        told = np.isfinite(x) & np.isfinite(z) & ((x > 0) | (z > 0))
        if not told.any():
            return float("nan")
        with np.errstate(divide="ignore"):  # a line straight at the camera has an infinite slope
            return float(np.degrees(np.arctan(np.median(z[told] / x[told]))))
