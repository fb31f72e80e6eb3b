"""Which joints an exercise moves, how far, and by what: read from its demonstration."""

from __future__ import annotations

from dataclasses import dataclass

from rtm.exercises.definition import Exercise, Work
from rtm.exercises.poses import ANGLES, SIDED_ANGLES

# Less is the sway of a figure that stands, not a movement that is asked for: a house choice.
_MOVES_DEG = 5.0


@dataclass(frozen=True)
class Movement:
    """The least and greatest value in deg of one angle, and what moves it; None if nothing."""

    least_deg: float
    most_deg: float
    work: Work | None


def movements(exercise: Exercise) -> dict[str, Movement]:
    """Each angle of `rtm.exercises.figure` over one repetition, of the side that is treated.

    A one-sided exercise is shown with the right side; one for both sides counts the side that
    goes farther. An angle that moves is active unless the definition says otherwise.
    """
    found = {}
    for angle in ANGLES:
        values = _values(exercise, angle)
        least, most = min(map(min, values)), max(map(max, values))
        moves = any(max(side) - min(side) > _MOVES_DEG for side in values)
        found[angle] = Movement(least, most, exercise.work.get(angle, "active" if moves else None))
    return found


def _values(exercise: Exercise, angle: str) -> list[list[float]]:
    """The angle at each keyframe, a list a side."""
    frames = exercise.demonstration.keyframes
    if angle not in SIDED_ANGLES:
        keys = [angle]
    elif exercise.laterality == "unilateral":
        keys = [f"right_{angle}"]
    else:
        keys = [f"right_{angle}", f"left_{angle}"]
    values = [[frame.angles_deg[key] for frame in frames] for key in keys]
    primary = exercise.primary_angle
    if primary is not None and primary.name == angle:
        values[0] = [*values[0], primary.rest_deg, primary.target_deg]
    return values
