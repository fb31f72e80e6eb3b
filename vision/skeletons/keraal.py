"""Reading the KERAAL data set (Devanne, Nguyen et al.; BSD-2-Clause).

| reader | file | depth |
|---|---|---|
| read_blazepose | JSON, 33 landmarks by name, x and y as fractions of the picture | no |
| read_openpose | JSON, COCO 18 by name, the same fractions | no |
| read_alphapose | JSON, COCO 17 by number, the same fractions | no |
| read_kinect | text, 25 joints × (position in m, quaternion) | yes |
| read_vicon | text, 17 targets × (position in mm, quaternion x y z w) | yes |

The pictures' files hold `{"positions": {frame number: {joint: [x, y, …]}}}`; a frame may be left
out, and a joint that was not found is not in its frame. No file tells the picture's size or the
frame rate, so the reader is told; nor does any tell how well a joint was seen, so every joint in
the file counts as seen. Kinect's files have no tracking states. The two BlazePose files known here
were made from a mirrored picture: what they call left is the person's right.

The targets of the motion capture sit on the segments and not in the joints, so shoulder, elbow
and wrist are found as the centres about which these bodies turn (`vision.skeletons.
joint_centres`). That the quaternions turn the target's axes to the room's, whose z is up, is not
in the format's description; it is what makes those bodies share a point within centimetres. The
legs of a seated person do not turn enough to find hip and knee: both hips are put to either side
of the target on the pelvis, and knees and ankles are not measured. In some files the targets of
forearm and upper arm bear each other's names; the names are taken under which the arm holds
together, and an arm that holds together under neither is not measured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from vision.errors import UnreadableSeries
from vision.landmarks import LANDMARK_COUNT, Array, Landmark, LandmarkSeries
from vision.skeletons import kinect
from vision.skeletons.joint_centres import JointCentre, RigidBody, centre_of_rotation
from vision.skeletons.motion_capture import series_of_positions
from vision.skeletons.text import table, text_of

_NUMBERS_A_JOINT = 7  # position and quaternion

_LIMBS = ("SHOULDER", "ELBOW", "WRIST", "HIP", "KNEE", "ANKLE")

_OPENPOSE = {
    "Nose": Landmark.NOSE,
    **{
        f"{side[0].lower()}{joint.capitalize()}": Landmark[f"{side}_{joint}"]
        for side in ("LEFT", "RIGHT")
        for joint in ("EAR", *_LIMBS)
    },
}

# COCO 17: nose, eyes, ears, then left and right of each joint from the shoulders down.
_ALPHAPOSE = {
    "0": Landmark.NOSE,
    "3": Landmark.LEFT_EAR,
    "4": Landmark.RIGHT_EAR,
    **{
        str(5 + 2 * place + side): Landmark[f"{('LEFT', 'RIGHT')[side]}_{joint}"]
        for place, joint in enumerate(_LIMBS)
        for side in (0, 1)
    },
}

_VICON_TARGETS = (
    "RightForearm",
    "LeftForearm",
    "RightArm",
    "LeftArm",
    "Chest",
    "RightThigh",
    "LeftThigh",
    "RightShoulder",
    "LeftShoulder",
    "RightHand",
    "LeftHand",
    "RightFoot",
    "LeftFoot",
    "Hips",
    "Head",
    "RightTibia",
    "LeftTibia",
)

# Half of the distance between the hip joints of an adult, about 0.17 m (Harrington et al., J
# Biomech 40:595–602, 2007).
_HALF_HIP_M = 0.085

# House choice: a shoulder's centre wanders by two or three centimetres as the shoulder blade
# turns; targets that part by more than this are not on neighbouring segments.
_MOST_SPREAD_M = 0.05


@dataclass(frozen=True)
class Recording:
    """What a file's name says, group 3: `correct` is its label C, any other an error."""

    modality: str
    exercise: str
    participant: int
    trial: int
    label: str

    @property
    def correct(self) -> bool:
        return self.label == "C"

    @property
    def performance(self) -> tuple[str, int, int]:
        """The same for every modality that saw it."""
        return self.exercise, self.participant, self.trial


_NAME = re.compile(r"G3-(\w+)-(\w+)-P(\d+)T(\d+)-\w+-(\w+)-\d+\.(?:json|txt)(?:\.gz)?")


def recording_of(path: Path) -> Recording | None:
    """By the published naming of group 3; None for any other file."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    modality, exercise, participant, trial, label = match.groups()
    return Recording(modality, exercise, int(participant), int(trial), label)


def read_blazepose(path: Path, *, width: int, height: int, fps: float) -> LandmarkSeries:
    """The series in `path`; frame numbers, which may skip, give the times.

    The file's own depth is left out (`read_blazepose_depth`): angles can be read in the plane of
    the picture only.

    Raises:
        UnreadableSeries: not a file of this form.
    """
    return _read_picture(path, _blazepose, width, height, fps)


def read_blazepose_depth(path: Path, *, width: int, height: int, fps: float) -> LandmarkSeries:
    """As `read_blazepose`, with `world` made of the picture and the file's depth.

    The depth has the scale of x, and no metre is known: `world` is in heights of the picture, and
    serves for angles only.
    """
    flat = read_blazepose(path, width=width, height=height, fps=fps)
    frames = json.loads(text_of(path))["positions"]
    depth = np.full((flat.frame_count, LANDMARK_COUNT), np.nan)
    for row, joints in zip(depth, frames.values(), strict=True):
        for name, position in joints.items():
            if (landmark := _blazepose(name)) is not None and len(position) == 3:
                row[landmark] = position[2]
    picture = np.concatenate([flat.image, depth[..., None]], axis=2)
    return replace(flat, world=picture * [width / height, 1.0, width / height])


def read_openpose(path: Path, *, width: int, height: int, fps: float) -> LandmarkSeries:
    """As `read_blazepose`."""
    return _read_picture(path, _OPENPOSE.get, width, height, fps)


def read_alphapose(path: Path, *, width: int, height: int, fps: float) -> LandmarkSeries:
    """As `read_blazepose`."""
    return _read_picture(path, _ALPHAPOSE.get, width, height, fps)


def _blazepose(name: str) -> Landmark | None:
    return Landmark.__members__.get(name.upper())


def _read_picture(
    path: Path,
    landmark_of: Callable[[str], Landmark | None],
    width: int,
    height: int,
    fps: float,
) -> LandmarkSeries:
    try:
        frames: Mapping[str, Mapping[str, list[float]]] = json.loads(text_of(path))["positions"]
        numbers = np.array([float(number) for number in frames])
        image = np.full((len(frames), LANDMARK_COUNT, 2), np.nan)
        for row, joints in zip(image, frames.values(), strict=True):
            for name, position in joints.items():
                if (landmark := landmark_of(name)) is not None:
                    row[landmark] = position[:2]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnreadableSeries(f"The file is not of KERAAL's form: {error!r}") from None
    if not np.isfinite(image).any():
        raise UnreadableSeries("No joint in the file bears a name of this skeleton.")
    return LandmarkSeries(
        t_s=(numbers - numbers[:1]) / fps,
        image=image,
        world=np.full((len(frames), LANDMARK_COUNT, 3), np.nan),
        visibility=np.isfinite(image).all(axis=2).astype(np.float64),
        width=width,
        height=height,
    )


def read_kinect(path: Path, *, fps: float) -> LandmarkSeries:
    """Rows of 175 numbers, one a frame.

    Raises:
        UnreadableSeries: not a file of this form.
    """
    rows = table(path, len(kinect.JOINTS) * _NUMBERS_A_JOINT)
    positions = rows.reshape(len(rows), len(kinect.JOINTS), _NUMBERS_A_JOINT)[..., :3]
    return kinect.series_of_kinect(np.arange(len(rows)) / fps, positions)


def read_vicon(path: Path, *, fps: float) -> LandmarkSeries:
    """Rows of 119 numbers, one a frame.

    Raises:
        UnreadableSeries: not a file of this form.
    """
    rows = table(path, len(_VICON_TARGETS) * _NUMBERS_A_JOINT)
    targets = rows.reshape(len(rows), len(_VICON_TARGETS), _NUMBERS_A_JOINT)
    quaternions = targets[..., 3:]
    if (
        not np.isfinite(rows).all()
        or (np.abs(np.linalg.norm(quaternions, axis=2) - 1) > 0.01).any()
    ):
        raise UnreadableSeries("A target has no orientation: its quaternion is not of length 1.")
    bodies = {
        name: RigidBody(
            targets[:, index, :3] / 1000.0,
            Rotation.from_quat(quaternions[:, index]).as_matrix(),
        )
        for index, name in enumerate(_VICON_TARGETS)
    }
    tracks: dict[Landmark, Array] = {}
    for side in ("Left", "Right"):
        for joint, track in zip(("SHOULDER", "ELBOW", "WRIST"), _arm(bodies, side), strict=True):
            tracks[Landmark[f"{side.upper()}_{joint}"]] = track
    thighs = bodies["LeftThigh"].position - bodies["RightThigh"].position
    leftwards = thighs * [1.0, 1.0, 0.0]
    leftwards /= np.linalg.norm(leftwards, axis=1, keepdims=True)
    tracks[Landmark.LEFT_HIP] = bodies["Hips"].position + _HALF_HIP_M * leftwards
    tracks[Landmark.RIGHT_HIP] = bodies["Hips"].position - _HALF_HIP_M * leftwards
    # The room's z is up: y, −z, x is right-handed with y down, level, and still to be turned.
    level = {
        mark: np.stack([track[:, 0], -track[:, 2], track[:, 1]], axis=1)
        for mark, track in tracks.items()
    }
    return series_of_positions(np.arange(len(rows)) / fps, level, camera="in front")


def _arm(bodies: Mapping[str, RigidBody], side: str) -> list[Array]:
    """Shoulder, elbow and wrist (N, 3) m; NaN where the arm does not hold together."""
    arm, forearm = bodies[f"{side}Arm"], bodies[f"{side}Forearm"]

    def chain(upper: RigidBody, lower: RigidBody) -> list[JointCentre]:
        links = (bodies[f"{side}Shoulder"], upper, lower, bodies[f"{side}Hand"])
        return [centre_of_rotation(*pair) for pair in pairwise(links)]

    def worst(centres: list[JointCentre]) -> float:
        return max(centre.spread for centre in centres)

    best = min(chain(arm, forearm), chain(forearm, arm), key=worst)
    if worst(best) > _MOST_SPREAD_M:
        return [np.full_like(centre.track, np.nan) for centre in best]
    return [centre.track for centre in best]
