"""The poses from which exercises begin, as joint angles in deg; `figure` draws them."""

from __future__ import annotations

from rtm.exercises.definition import Position

SIDED_ANGLES = (
    "shoulder_flexion",
    "shoulder_abduction",
    "shoulder_external_rotation",
    "scapular_elevation",
    "scapular_retraction",
    "elbow_flexion",
    "forearm_pronation",
    "wrist_flexion",
    "hip_flexion",
    "hip_abduction",
    "hip_external_rotation",
    "knee_flexion",
    "ankle_dorsiflexion",
)
_CENTRAL_ANGLES = (
    "trunk_flexion",
    "trunk_lateral_flexion",
    "trunk_rotation",
    "lumbar_flexion",
    "neck_flexion",
    "neck_lateral_flexion",
    "neck_rotation",
    "head_flexion",
    "pelvic_obliquity",
)
ANGLES = (*_CENTRAL_ANGLES, *SIDED_ANGLES)

# The pose from which an exercise's first keyframe starts.
_RELAXED = {"shoulder_flexion": 4.0, "shoulder_abduction": 4.0, "elbow_flexion": 12.0}
_LYING = {"shoulder_abduction": 12.0, "elbow_flexion": 5.0}
BASE_POSES: dict[Position, dict[str, float]] = {
    "standing": _RELAXED,
    "sitting": {
        **_RELAXED,
        "hip_flexion": 90.0,
        "knee_flexion": 90.0,
        "shoulder_flexion": 15.0,
        "elbow_flexion": 55.0,
    },
    "supine": {**_LYING, "ankle_dorsiflexion": -15.0},
    "prone": {**_LYING, "ankle_dorsiflexion": -75.0},
    "side_lying": {"hip_flexion": 0.0, "shoulder_flexion": 20.0, "elbow_flexion": 20.0},
    "quadruped": {
        "shoulder_flexion": 90.0,
        "hip_flexion": 90.0,
        "knee_flexion": 90.0,
        "ankle_dorsiflexion": -80.0,
        "wrist_flexion": -85.0,
        "forearm_pronation": 90.0,
        "neck_flexion": -15.0,
    },
}


def sided(angles_deg: dict[str, float]) -> dict[str, float]:
    """`angles_deg` with each angle of a limb given for `left_` and for `right_`."""
    both: dict[str, float] = {}
    for name, value in angles_deg.items():
        for key in (f"left_{name}", f"right_{name}") if name in SIDED_ANGLES else (name,):
            both[key] = value
    return both


def base_pose(position: Position) -> dict[str, float]:
    """Every angle in deg of the pose in which an exercise in `position` begins."""
    return sided({**dict.fromkeys(ANGLES, 0.0), **BASE_POSES[position]})
