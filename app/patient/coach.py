"""What of an exercise's definition the coach on the patient's device works with."""

from __future__ import annotations

from typing import Any

from rtm.exercises import Exercise
from vision.movement import primary_angle


def coach_definition(exercise: Exercise) -> dict[str, Any]:
    """As `app/web/src/coach/exercise.ts` reads it. Raises NotMeasurable."""
    angle = primary_angle(exercise)
    return {
        "id": exercise.id,
        "laterality": exercise.laterality,
        "angle": {
            "name": angle.name,
            "restDeg": angle.rest_deg,
            "targetDeg": angle.target_deg,
            "minimumRomDeg": angle.minimum_rom_deg,
            "counting": angle.counting,
        },
    }
