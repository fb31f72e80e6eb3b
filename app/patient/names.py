"""What patients call sides, movements, joints and the parts of a score."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

# Of a line of the program, a session or a test.
SIDES: Mapping[str, LazyString] = {
    "left": _l("left side"),
    "right": _l("right side"),
    "bilateral": _l("both sides"),
}

# By the names of `vision.kinematics.ANGLES`.
ANGLES: Mapping[str, LazyString] = {
    "ankle_dorsiflexion": _l("Foot up"),
    "elbow_flexion": _l("Elbow bend"),
    "hip_abduction": _l("Leg to the side"),
    "hip_extension": _l("Leg to the back"),
    "hip_flexion": _l("Hip bend"),
    "knee_flexion": _l("Knee bend"),
    "knee_valgus": _l("Knee inward"),
    "neck_flexion": _l("Head to the front"),
    "neck_lateral_flexion": _l("Head to the side"),
    "neck_rotation": _l("Head turn"),
    "pelvic_obliquity": _l("Hip tilt"),
    "plane_of_elevation": _l("Arm direction"),
    "shoulder_abduction": _l("Arm to the side"),
    "shoulder_external_rotation": _l("Arm turn outward"),
    "shoulder_flexion": _l("Arm to the front"),
    "trunk_flexion": _l("Bend to the front"),
    "trunk_lateral_flexion": _l("Bend to the side"),
    "trunk_rotation": _l("Trunk turn"),
}

# By the regions of `rtm.range_of_motion`.
REGIONS: Mapping[str, LazyString] = {
    "ankle": _l("Ankle"),
    "back": _l("Back"),
    "elbow": _l("Elbow"),
    "hip": _l("Hip"),
    "knee": _l("Knee"),
    "neck": _l("Neck"),
    "shoulder": _l("Shoulder"),
}

# By the fields of `rtm.session.ScoreParts`.
PARTS: Mapping[str, LazyString] = {
    "range": _l("range"),
    "control": _l("control"),
    "form": _l("form"),
    "symmetry": _l("symmetry"),
    "completeness": _l("completeness"),
}
