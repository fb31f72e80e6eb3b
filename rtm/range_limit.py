"""A limit to how far one patient may go in an exercise, in deg of its own angle.

The limit lies between where the exercise rests and what it asks for: whoever keeps to it has done
the whole of it, so it takes the place of the exercise's target.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from rtm.exercises import Exercise, PrimaryAngle

if TYPE_CHECKING:  # the protocols' drafts need this module
    from rtm.protocols.definition import MovementRule


def within_limit(exercise: Exercise, limit_deg: float | None) -> Exercise:
    """The exercise as this patient is to do it; the same where there is no limit to heed."""
    angle = exercise.primary_angle
    if limit_deg is None or angle is None:
        return exercise
    nearest = min if _rises(angle) else max
    return replace(
        exercise, primary_angle=replace(angle, target_deg=nearest(angle.target_deg, limit_deg))
    )


def problem_of_limit(exercise: Exercise, limit_deg: float) -> str | None:
    """Why the limit can't be set, for the clinician; None where it can."""
    angle = exercise.primary_angle
    if angle is None:
        return "The exercise has no angle of its own to limit: say it in the note."
    way = limit_deg - angle.rest_deg if _rises(angle) else angle.rest_deg - limit_deg
    if way < angle.minimum_rom_deg:
        return (
            f"It begins at {angle.rest_deg:g}° and a repetition needs "
            f"{angle.minimum_rom_deg:g}°: nothing would be left to do."
        )
    if way > abs(angle.target_deg - angle.rest_deg):
        return f"The exercise asks for no more than {angle.target_deg:g}°: leave the limit empty."
    return None


def limit_of(exercise: Exercise, rules: Iterable[MovementRule]) -> float | None:
    """The strictest of a protocol's rules that limits the way the exercise's own angle goes."""
    angle = exercise.primary_angle
    if angle is None:
        return None
    kind = "at_most" if _rises(angle) else "at_least"
    found = [
        rule.deg
        for rule in rules
        if rule.kind == kind and rule.subject == angle.name and rule.deg is not None
    ]
    if not found:
        return None
    return min(found) if _rises(angle) else max(found)


def carried_limit(before: Exercise, after: Exercise, limit_deg: float | None) -> float | None:
    """The limit of a line whose exercise is replaced; None where its angle goes another way."""
    old, new = before.primary_angle, after.primary_angle
    if limit_deg is None or old is None or new is None:
        return None
    same = old.name == new.name and _rises(old) == _rises(new)
    return limit_deg if same and problem_of_limit(after, limit_deg) is None else None


def _rises(angle: PrimaryAngle) -> bool:
    return angle.target_deg > angle.rest_deg
