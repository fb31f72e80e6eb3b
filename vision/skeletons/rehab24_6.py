"""Reading REHAB24-6 (Černek, Sedmidubsky and Budikova, SISAP 2024; CC BY-NC 4.0).

`3d_joints/ExN/VIDEO-30fps.npy` holds (frames, 26, 4): homogeneous joint positions of motion
capture in metres, y up, at 30 frames/s. `joints_names.txt` in the set's folder holds lines
`number: name` in that order. `Segmentation.csv`, with semicolons, has a row for each repetition;
its frame numbers count from 1. The set calls its unit "virtual centimetres", but a public reader
measured metres; joints that span no person in metres are refused.

The names of the 26 joints could not be confirmed beyond that they are OptiTrack's, so they are
recognised from the set's own list in each of the namings that OptiTrack exports, and a list in
none of them is refused. The camera is put in front of the person.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vision.errors import UnreadableSeries
from vision.landmarks import Landmark, LandmarkSeries
from vision.skeletons.motion_capture import series_of_positions
from vision.skeletons.text import lines_of

FPS = 30.0

_PARTS = ("SHOULDER", "ELBOW", "WRIST", "HIP", "KNEE", "ANKLE")
# A bone is named for the segment that begins at the joint, save in the plain naming.
_NAMINGS = (
    ("l", "r", ("uarm", "farm", "hand", "thigh", "shin", "foot")),
    ("left", "right", ("arm", "forearm", "hand", "upleg", "leg", "foot")),
    ("left", "right", ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")),
)


@dataclass(frozen=True)
class Repetition:
    """A row of `Segmentation.csv`; `first_frame` and `last_frame` count from 0, both included."""

    video: str
    exercise: int
    subject: str
    first_frame: int
    last_frame: int
    correct: bool
    capture_failed: bool


def read_segmentation(path: Path) -> list[Repetition]:
    """Every labelled repetition.

    Raises:
        UnreadableSeries: a column is missing or holds something else.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [
                Repetition(
                    video=row["video_id"],
                    exercise=int(row["exercise_id"]),
                    subject=row["person_id"],
                    first_frame=int(row["first_frame"]) - 1,
                    last_frame=int(row["last_frame"]) - 1,
                    correct={"0": False, "1": True}[row["correctness"]],
                    capture_failed={"0": False, "1": True}[row["mocap_erroneous"]],
                )
                for row in csv.DictReader(file, delimiter=";")
            ]
    except (UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise UnreadableSeries(f"{path.name} is not REHAB24-6's segmentation: {error!r}") from None


def read_joints(path: Path, names: Path) -> LandmarkSeries:
    """The whole recording in `path`, by the set's own list of joint `names`.

    Raises:
        UnreadableSeries: not of this form, or the joints' names are not known.
    """
    order = _landmarks(names)
    try:
        joints = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableSeries(f"{path.name} is not a NumPy array: {error}") from None
    if joints.ndim != 3 or joints.shape[2] != 4 or joints.shape[1] <= max(order.values()):
        raise UnreadableSeries(f"{path.name} has the shape {joints.shape}, expected (N, 26, 4).")
    if not np.allclose(joints[..., 3], 1.0):
        raise UnreadableSeries(f"{path.name} holds points that are not homogeneous.")
    level = joints[..., :3].astype(np.float64) * [1.0, -1.0, -1.0]
    return series_of_positions(
        np.arange(len(level)) / FPS,
        {landmark: level[:, index] for landmark, index in order.items()},
        camera="in front",
    )


def _landmarks(names: Path) -> dict[Landmark, int]:
    index = {
        re.sub(r"[^a-z]", "", line.partition(":")[2].lower()): number
        for number, line in enumerate(lines_of(names))
    }
    for left, right, parts in _NAMINGS:
        wanted = {
            Landmark[f"{side}_{landmark}"]: f"{prefix}{part}"
            for side, prefix in (("LEFT", left), ("RIGHT", right))
            for landmark, part in zip(_PARTS, parts, strict=True)
        }
        if all(name in index for name in wanted.values()):
            return {landmark: index[name] for landmark, name in wanted.items()}
    raise UnreadableSeries(f"{names.name} names joints in no known way: {', '.join(index)}.")
