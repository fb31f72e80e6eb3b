"""How hard an exercise is among those that lead to it and on from it."""

from __future__ import annotations

from typing import Literal

from rtm.exercises.definition import Exercise

Difficulty = Literal["easy", "medium", "hard"]


def difficulty(exercise: Exercise) -> Difficulty:
    """By the library's own links: easy where no easier one is named, hard where no harder one is.

    An exercise without any link is medium.
    """
    if bool(exercise.regressions) == bool(exercise.progressions):
        return "medium"
    return "hard" if exercise.regressions else "easy"
