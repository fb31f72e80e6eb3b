"""The exercise library: one YAML file per exercise, checked against `schema.json`.

One definition feeds the printed steps, the score, the live coach and the FHIR
ActivityDefinition, so nothing about an exercise is written anywhere else.
"""

from rtm.exercises.definition import (
    CameraView,
    Exercise,
    Fault,
    Measurement,
    PrimaryAngle,
    Requirement,
    Side,
    Tempo,
)
from rtm.exercises.library import ExerciseLibrary, InvalidExercise, UnknownExercise, load_library

__all__ = [
    "CameraView",
    "Exercise",
    "ExerciseLibrary",
    "Fault",
    "InvalidExercise",
    "Measurement",
    "PrimaryAngle",
    "Requirement",
    "Side",
    "Tempo",
    "UnknownExercise",
    "load_library",
]
