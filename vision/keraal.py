"""Reading the KERAAL data set's BlazePose files (Devanne, Nguyen et al.; BSD-2-Clause).

Each file holds `{"positions": {frame number: {joint name: [x, y, z]}}}` with x and y as fractions
of the picture. It says nothing of the picture's size or frame rate, nor how well a joint was
seen, so the reader is told the first two and takes every joint that stands in the file as seen.
The files have no world coordinates: angles can be read in the plane of the picture only.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from vision.errors import UnreadableSeries
from vision.landmarks import LANDMARK_COUNT, Landmark, LandmarkSeries


def read_blazepose(path: Path, *, width: int, height: int, fps: float) -> LandmarkSeries:
    """The series in `path`; frame numbers, which may skip, give the times.

    Raises:
        UnreadableSeries: not a file of this form.
    """
    try:
        frames = json.loads(path.read_text("utf-8"))["positions"]
        numbers = np.array([float(number) for number in frames])
        image = np.full((len(frames), LANDMARK_COUNT, 2), np.nan)
        for row, joints in zip(image, frames.values(), strict=True):
            for name, position in joints.items():
                if name.upper() in Landmark.__members__:
                    row[Landmark[name.upper()]] = position[:2]
    except (UnicodeDecodeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnreadableSeries(f"The file is not of KERAAL's BlazePose form: {error!r}") from None
    return LandmarkSeries(
        t_s=(numbers - numbers[:1]) / fps,
        image=image,
        world=np.full((len(frames), LANDMARK_COUNT, 3), np.nan),
        visibility=np.isfinite(image).all(axis=2).astype(np.float64),
        width=width,
        height=height,
    )
