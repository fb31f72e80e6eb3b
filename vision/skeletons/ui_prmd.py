"""Reading the UI-PRMD data set (Vakanski et al., Data 3(1):2, 2018), its Kinect recordings.

Files are `mMM_sSS_eEE_positions.txt` and `…_angles.txt` (movement 01–10, subject 01–10, episode
01–10), one repetition each; those of incorrect performances end in `_inc.txt`. A row is a frame
at 30 frames/s: 22 joints × 3 numbers with commas. Positions are in cm, of the waist absolute and of
every other joint from the one before it in the chain; angles are in deg, Euler angles applied
about x, then y, then z. Axes: x to the left of a person who faces the sensor, y up, z towards
the sensor.

Positions in the room come from turning each offset by the angles of the joints before it, as the
authors' published reconstruction does. That turns the arms by the chest's own angles alone, not
by those of waist and spine before it; whether the sensor's chest angles are indeed absolute is
not documented, so angles at the shoulder are doubtful where the trunk leans.

The Vicon recordings (39 joints) are refused: the authors name no order of the joints, and the one
that a published reader assumes could not be confirmed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from vision.errors import UnreadableSeries
from vision.landmarks import Array, Landmark, LandmarkSeries
from vision.skeletons.motion_capture import series_of_positions
from vision.skeletons.text import lines_of, table

FPS = 30.0
_JOINTS = 22
_VICON_COLUMNS = 39 * 3
_CHEST = 2

# Each joint hangs from another, whose rotation turns its offset.
_PARENTS = (None, 0, 1, 2, 3, 4, 2, 6, 7, 8, 2, 10, 11, 12, 0, 14, 15, 16, 0, 18, 19, 20)

# The arms' rotations begin anew at the collar.
_COLLARS = (6, 10)

_LANDMARKS = {
    Landmark[f"{side}_{joint}"]: first + place
    for side, arm, leg in (("LEFT", 7, 14), ("RIGHT", 11, 18))
    for joint, first, place in (
        ("SHOULDER", arm, 0),
        ("ELBOW", arm, 1),
        ("WRIST", arm, 2),
        ("HIP", leg, 0),
        ("KNEE", leg, 1),
        ("ANKLE", leg, 2),
        ("FOOT_INDEX", leg, 3),
    )
}


@dataclass(frozen=True)
class Episode:
    """What a file's name says."""

    movement: int
    subject: int
    episode: int
    correct: bool


_NAME = re.compile(r"m(\d\d)_s(\d\d)_e(\d\d)_positions(_inc)?\.txt")


def episode_of(path: Path) -> Episode | None:
    """By the published naming of files of positions; None for any other file."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    movement, subject, episode = (int(number) for number in match.groups()[:3])
    return Episode(movement, subject, episode, correct=match[4] is None)


def angles_beside(positions: Path) -> Path:
    """Where the set keeps the angles of a file of positions: the folder `Angles` beside."""
    name = positions.name.replace("_positions", "_angles")
    if positions.parent.name == "Positions":
        return positions.parent.parent / "Angles" / name
    return positions.with_name(name)


def read_kinect(positions: Path, angles: Path) -> LandmarkSeries:
    """One repetition, from its two files.

    Raises:
        UnreadableSeries: not files of this form, or of different lengths.
    """
    columns = len(lines_of(positions)[0].split(","))
    if columns == _VICON_COLUMNS:
        raise UnreadableSeries("The order of UI-PRMD's Vicon joints is not documented well enough.")
    offsets, turns = (
        table(path, 3 * _JOINTS, ",").reshape(-1, _JOINTS, 3) for path in (positions, angles)
    )
    if len(offsets) != len(turns):
        raise UnreadableSeries(f"{len(offsets)} rows of positions, {len(turns)} of angles.")
    room_m = _chained(offsets, turns) / 100.0
    camera = room_m * [1.0, -1.0, -1.0]
    return series_of_positions(
        np.arange(len(camera)) / FPS,
        {landmark: camera[:, joint] for landmark, joint in _LANDMARKS.items()},
        camera="as given",
    )


def _chained(offsets: Array, turns: Array) -> Array:
    """(N, 22, 3) positions in the room."""
    own = [Rotation.from_euler("xyz", turns[:, joint], degrees=True) for joint in range(_JOINTS)]
    rotations = [own[0]]
    room = offsets.copy()
    for joint, parent in enumerate(_PARENTS):
        if parent is None:
            continue
        turn = own[_CHEST] if joint in _COLLARS else rotations[parent]
        room[:, joint] = turn.apply(offsets[:, joint]) + room[:, parent]
        rotations.append(turn * own[joint])
    return room
