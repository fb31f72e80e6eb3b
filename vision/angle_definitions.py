"""What each joint angle is: clinical definition, landmarks, and from where a camera can tell it.

Zero is the anatomical position and flexion, abduction and elevation count upwards, as with a
goniometer (American Academy of Orthopaedic Surgeons, Joint Motion, 1965).

| angle | between | zero | positive | plane | views |
|---|---|---|---|---|---|
| knee_flexion | thigh (hip→knee) and shank (knee→ankle) | straight | bent | S | all |
| hip_flexion | trunk and thigh, seen along the line of the hips | straight | bent | S | all |
| hip_extension | trunk and thigh, in the plane of the face | in line | behind | S | all |
| hip_abduction | trunk and thigh, in the frontal plane | in line | outwards | F | F, O |
| knee_valgus | thigh and shank, in the frontal plane | in line | knee inwards | F | F |
| ankle_dorsiflexion | shank and foot | right angle | toes up | S | S, O |
| shoulder_abduction | trunk (shoulder→hip) and upper arm | hanging | raised | F | all |
| shoulder_flexion | trunk (shoulder→hip) and upper arm | hanging | raised | S | all |
| shoulder_external_rotation | bent forearm, about the upper arm | forwards | outwards | T | F, O |
| plane_of_elevation | raised arm, seen from above | out to the side | forwards | T | all |
| elbow_flexion | upper arm and forearm (elbow→wrist) | straight | bent | S | all |
| neck_flexion | line ear→nose and trunk | right angle | forwards | S | S, O |
| neck_lateral_flexion | lines of ears and of shoulders | parallel | either side | F | F, O |
| neck_rotation | line ear→nose and the trunk's front | straight on | either side | T | F, O |
| trunk_flexion | trunk and the vertical | upright | forwards | S | all |
| trunk_lateral_flexion | trunk and the vertical | upright | either side | F | F, O |
| trunk_rotation | lines of shoulders and of hips, from above | parallel | either side | T | F, O |
| pelvic_obliquity | line of the hips and the horizontal | level | either side | F | F, O |

Planes and views: F frontal, S sagittal, T transverse, O oblique. The views are those from which
one camera can tell the angle. The anterior tilt of the pelvis is missing: no landmark lies at the
front or the back of it, so none of these landmarks moves with it alone.

The neck's goniometer has its axis at the ear and its arm along the base of the nose (Norkin and
White, Measurement of Joint Motion, 5th ed., chapter 11). `knee_valgus` is the frontal plane
projection angle of Willson and Davis (J Orthop Sports Phys Ther 38:606–615, 2008). Rotation at
the shoulder is told by the forearm, so only with the elbow bent; with the arm out to the side,
external is upwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vision.landmarks import Array
from vision.vectors import between, dot, heading, turned, unit, vertical, without

Plane = Literal["frontal", "sagittal", "transverse"]
View = Literal["frontal", "sagittal", "oblique"]
Points = dict[str, Array]

EVERY_VIEW: frozenset[View] = frozenset(("frontal", "sagittal", "oblique"))
_FROM_IN_FRONT: frozenset[View] = frozenset(("frontal", "oblique"))
_FROM_THE_SIDE: frozenset[View] = frozenset(("sagittal", "oblique"))

# A hanging or an overhead arm points nowhere when seen from above.
_ARM_RAISED_DEG = (35.0, 145.0)

# House choice: a line that shows less than half its length (foreshortened by more than 60°)
# doubles the error of its landmarks, and its direction is not read.
_LEAST_SHOWN = 0.5


@dataclass(frozen=True)
class AngleDefinition:
    """`joints` are the landmarks without side; `bilateral` angles have a left and a right.

    `views` are those from which one camera can measure it; from any other the movement goes
    towards the lens or behind the body, and it is not measured. Where depth is measured every
    view will do. `in_picture` says whether the angle may be read off the picture when the view
    is along its plane; angles that need the way the person faces are told by world coordinates
    only. `to_vertical` names the joints that suffice when the vertical stands for the trunk.
    """

    name: str
    plane: Plane
    joints: tuple[str, ...]
    bilateral: bool
    measure: Callable[[Points], Array]
    in_picture: bool = True
    views: frozenset[View] = EVERY_VIEW
    to_vertical: tuple[str, ...] = ()


def _middle(p: Points, joint: str) -> Array:
    return (p[f"LEFT_{joint}"] + p[f"RIGHT_{joint}"]) / 2


def _across(p: Points, joint: str) -> Array:
    """From the person's right to the left."""
    return p[f"LEFT_{joint}"] - p[f"RIGHT_{joint}"]


def _trunk_down(p: Points) -> Array:
    return _middle(p, "HIP") - _middle(p, "SHOULDER")


def _leftwards(p: Points) -> Array:
    """Unit vector to the person's left, level with the ground; world coordinates only."""
    shoulders = _across(p, "SHOULDER")
    line = shoulders + _across(p, "HIP") if "LEFT_HIP" in p else shoulders
    return unit(without(line, vertical(line)))


def _forwards(p: Points) -> Array:
    """Unit vector to where the person faces; x right, y down, z away make this left × up."""
    left = _leftwards(p)
    forwards: Array = np.cross(left, -vertical(left))
    return forwards


def _outwards(p: Points) -> Array:
    """Unit vector away from the body on the side of this shoulder; world coordinates only."""
    left = _leftwards(p)
    return left * np.sign(dot(p["SHOULDER"] - _middle(p, "SHOULDER"), left))[:, None]


def _not_told(points: Points) -> Array | None:
    """All NaN for points of a picture, in which depth is missing."""
    one = next(iter(points.values()))
    return np.full(len(one), np.nan) if one.shape[1] == 2 else None


def _where_shown(angle_deg: Array, shown: Array) -> Array:
    """`angle_deg` where a line of the length `shown` is not foreshortened too far.

    A bone's own length is the most that it shows in the recording, less one frame in twenty,
    which may be mistaken.
    """
    if not np.isfinite(shown).any():
        return angle_deg
    return np.where(shown >= _LEAST_SHOWN * np.nanpercentile(shown, 95), angle_deg, np.nan)


def _knee_flexion(p: Points) -> Array:
    return between(p["KNEE"] - p["HIP"], p["ANKLE"] - p["KNEE"])


def _elbow_flexion(p: Points) -> Array:
    return between(p["ELBOW"] - p["SHOULDER"], p["WRIST"] - p["ELBOW"])


def _hip_flexion(p: Points) -> Array:
    trunk, thigh = _trunk_down(p), p["KNEE"] - p["HIP"]
    if trunk.shape[1] == 2:
        return between(trunk, thigh)
    across = unit(_across(p, "HIP"))
    return between(without(trunk, across), without(thigh, across))


def _hip_extension(p: Points) -> Array:
    """Backwards positive; a picture does not tell forwards from backwards."""
    if (nothing := _not_told(p)) is not None:
        return nothing
    down = unit(_trunk_down(p))
    backwards = unit(without(-_forwards(p), down))
    thigh = p["KNEE"] - p["HIP"]
    angle: Array = np.degrees(np.arctan2(dot(thigh, backwards), dot(thigh, down)))
    return angle


def _hip_abduction(p: Points) -> Array:
    """Outwards positive: the side of the trunk's axis on which this hip lies is outwards."""
    down = unit(_trunk_down(p))
    outwards = unit(without(p["HIP"] - _middle(p, "HIP"), down))
    thigh = p["KNEE"] - p["HIP"]
    angle: Array = np.degrees(np.arctan2(dot(thigh, outwards), dot(thigh, down)))
    return angle


def _knee_valgus(p: Points) -> Array:
    down = vertical(p["HIP"])
    outwards = unit(without(p["HIP"] - _middle(p, "HIP"), down))

    def lean_deg(line: Array) -> Array:
        lean: Array = np.degrees(np.arctan2(dot(line, outwards), dot(line, down)))
        return lean

    thigh, shank = p["KNEE"] - p["HIP"], p["ANKLE"] - p["KNEE"]
    shown = [np.hypot(dot(line, outwards), dot(line, down)) for line in (thigh, shank)]
    valgus = (lean_deg(shank) - lean_deg(thigh) + 180) % 360 - 180
    return _where_shown(_where_shown(valgus, shown[0]), shown[1])


def _ankle_dorsiflexion(p: Points) -> Array:
    return 90.0 - between(p["KNEE"] - p["ANKLE"], p["FOOT_INDEX"] - p["HEEL"])


def _shoulder_elevation(p: Points) -> Array:
    arm = p["ELBOW"] - p["SHOULDER"]
    return between(p["HIP"] - p["SHOULDER"] if "HIP" in p else vertical(arm), arm)


def _shoulder_external_rotation(p: Points) -> Array:
    if (nothing := _not_told(p)) is not None:
        return nothing
    arm, forearm = unit(p["ELBOW"] - p["SHOULDER"]), unit(p["WRIST"] - p["ELBOW"])
    across = without(forearm, arm)
    forwards = without(_forwards(p), arm)
    told = np.minimum(np.linalg.norm(across, axis=1), np.linalg.norm(forwards, axis=1))
    # With the arm hanging this is outwards, with the arm out to the side it is upwards.
    side = np.sign(dot(_outwards(p), _leftwards(p)))[:, None]
    external = side * np.cross(unit(forwards), arm)
    angle = np.degrees(np.arctan2(dot(across, external), dot(across, unit(forwards))))
    # A straight elbow leaves no forearm to see turn; of an arm held forwards none is the front.
    return np.where(told >= _LEAST_SHOWN, angle, np.nan)


def _plane_of_elevation(p: Points) -> Array:
    if (nothing := _not_told(p)) is not None:
        return nothing
    arm = p["ELBOW"] - p["SHOULDER"]
    angle = np.degrees(np.arctan2(dot(arm, _forwards(p)), dot(arm, _outwards(p))))
    elevation = between(vertical(arm), arm)
    least, most = _ARM_RAISED_DEG
    return np.where((elevation >= least) & (elevation <= most), angle, np.nan)


def _neck_flexion(p: Points) -> Array:
    """The nose lies in front of the ears, so it tells forwards from backwards."""
    down, face = unit(_trunk_down(p)), p["NOSE"] - _middle(p, "EAR")
    if face.shape[1] == 3:
        face = without(face, unit(without(_across(p, "SHOULDER"), down)))
    forwards = np.linalg.norm(without(face, down), axis=1)
    angle: Array = np.degrees(np.arctan2(dot(face, down), forwards))
    return angle


def _neck_lateral_flexion(p: Points) -> Array:
    ears, shoulders = _across(p, "EAR"), _across(p, "SHOULDER")
    if ears.shape[1] == 3:
        left = _leftwards(p)
        ears, shoulders = (
            np.stack([dot(line, left), line[:, 1]], axis=1) for line in (ears, shoulders)
        )
    head, trunk = (np.degrees(np.arctan2(line[:, 1], line[:, 0])) for line in (ears, shoulders))
    return _where_shown(turned(head, trunk, 180.0), np.linalg.norm(ears, axis=1))


def _neck_rotation(p: Points) -> Array:
    if (nothing := _not_told(p)) is not None:
        return nothing
    face = p["NOSE"] - _middle(p, "EAR")
    return turned(heading(face), heading(_forwards(p)), 360.0)


def _trunk_flexion(p: Points) -> Array:
    up = -_trunk_down(p)
    if up.shape[1] == 2:  # a picture does not tell forwards from backwards
        return between(up, -vertical(up))
    angle: Array = np.degrees(np.arctan2(dot(up, _forwards(p)), -up[:, 1]))
    return angle


def _trunk_lateral_flexion(p: Points) -> Array:
    up = -_trunk_down(p)
    sideways = up[:, 0] if up.shape[1] == 2 else dot(up, _leftwards(p))
    angle: Array = np.abs(np.degrees(np.arctan2(sideways, -up[:, 1])))
    return angle


def _trunk_rotation(p: Points) -> Array:
    if (nothing := _not_told(p)) is not None:
        return nothing
    return turned(heading(_across(p, "SHOULDER")), heading(_across(p, "HIP")), 360.0)


def _pelvic_obliquity(p: Points) -> Array:
    hips = _across(p, "HIP")
    level = np.linalg.norm(without(hips, vertical(hips)), axis=1)
    angle: Array = np.degrees(np.arctan2(np.abs(hips[:, 1]), level))
    return angle


_SHOULDERS = ("LEFT_SHOULDER", "RIGHT_SHOULDER")
_HIPS = ("LEFT_HIP", "RIGHT_HIP")
_TRUNK = (*_SHOULDERS, *_HIPS)
_HEAD = ("NOSE", "LEFT_EAR", "RIGHT_EAR")
_ARM = ("SHOULDER", "ELBOW")
_LEG = ("HIP", "KNEE", "ANKLE")
_FOOT = ("KNEE", "ANKLE", "HEEL", "FOOT_INDEX")

ANGLES: dict[str, AngleDefinition] = {
    definition.name: definition
    for definition in (
        AngleDefinition("knee_flexion", "sagittal", _LEG, True, _knee_flexion),
        AngleDefinition("hip_flexion", "sagittal", (*_TRUNK, "HIP", "KNEE"), True, _hip_flexion),
        AngleDefinition(
            "hip_extension",
            "sagittal",
            (*_TRUNK, "HIP", "KNEE"),
            True,
            _hip_extension,
            in_picture=False,
        ),
        AngleDefinition(
            "hip_abduction",
            "frontal",
            (*_TRUNK, "HIP", "KNEE"),
            True,
            _hip_abduction,
            views=_FROM_IN_FRONT,
        ),
        AngleDefinition(
            "knee_valgus",
            "frontal",
            (*_HIPS, *_LEG),
            True,
            _knee_valgus,
            views=frozenset(("frontal",)),
        ),
        AngleDefinition(
            "ankle_dorsiflexion",
            "sagittal",
            _FOOT,
            True,
            _ankle_dorsiflexion,
            views=_FROM_THE_SIDE,
        ),
        AngleDefinition(
            "shoulder_abduction",
            "frontal",
            ("HIP", *_ARM),
            True,
            _shoulder_elevation,
            to_vertical=_ARM,
        ),
        AngleDefinition(
            "shoulder_flexion",
            "sagittal",
            ("HIP", *_ARM),
            True,
            _shoulder_elevation,
            to_vertical=_ARM,
        ),
        AngleDefinition(
            "shoulder_external_rotation",
            "transverse",
            (*_SHOULDERS, *_ARM, "WRIST"),
            True,
            _shoulder_external_rotation,
            in_picture=False,
            views=_FROM_IN_FRONT,
        ),
        AngleDefinition(
            "plane_of_elevation",
            "transverse",
            (*_SHOULDERS, *_ARM),
            True,
            _plane_of_elevation,
            in_picture=False,
        ),
        AngleDefinition("elbow_flexion", "sagittal", (*_ARM, "WRIST"), True, _elbow_flexion),
        AngleDefinition(
            "neck_flexion",
            "sagittal",
            (*_HEAD, *_TRUNK),
            False,
            _neck_flexion,
            views=_FROM_THE_SIDE,
        ),
        AngleDefinition(
            "neck_lateral_flexion",
            "frontal",
            (*_HEAD[1:], *_SHOULDERS),
            False,
            _neck_lateral_flexion,
            views=_FROM_IN_FRONT,
        ),
        AngleDefinition(
            "neck_rotation",
            "transverse",
            (*_HEAD, *_SHOULDERS),
            False,
            _neck_rotation,
            in_picture=False,
            views=_FROM_IN_FRONT,
        ),
        AngleDefinition(
            "trunk_flexion", "sagittal", _TRUNK, False, _trunk_flexion, in_picture=False
        ),
        AngleDefinition(
            "trunk_lateral_flexion",
            "frontal",
            _TRUNK,
            False,
            _trunk_lateral_flexion,
            views=_FROM_IN_FRONT,
        ),
        AngleDefinition(
            "trunk_rotation",
            "transverse",
            _TRUNK,
            False,
            _trunk_rotation,
            in_picture=False,
            views=_FROM_IN_FRONT,
        ),
        AngleDefinition(
            "pelvic_obliquity", "frontal", _HIPS, False, _pelvic_obliquity, views=_FROM_IN_FRONT
        ),
    )
}
