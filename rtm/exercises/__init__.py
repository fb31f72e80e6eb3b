"""The exercise library: one YAML file per exercise, checked against `schema.json`.

One definition feeds the printed steps, the moving figure, the score, the live coach and the
FHIR ActivityDefinition, so nothing about an exercise is written anywhere else.
"""

from rtm.exercises.definition import (
    CODE_SYSTEM,
    CameraView,
    Code,
    Demonstration,
    Exercise,
    Fault,
    Keyframe,
    Measurement,
    Phase,
    Position,
    PrimaryAngle,
    Requirement,
    Side,
    Tempo,
)
from rtm.exercises.library import ExerciseLibrary, InvalidExercise, UnknownExercise, load_library

__all__ = [
    "CODE_SYSTEM",
    "CameraView",
    "Code",
    "Demonstration",
    "Exercise",
    "ExerciseLibrary",
    "Fault",
    "InvalidExercise",
    "Keyframe",
    "Measurement",
    "Phase",
    "Position",
    "PrimaryAngle",
    "Requirement",
    "Side",
    "Tempo",
    "UnknownExercise",
    "load_library",
]
