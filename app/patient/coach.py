"""What the coach on the patient's device is told: the exercise, its dose, and what to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.languages import Language
from app.patient.pages import TodayLine
from rtm.exercises import Exercise
from vision.camera_check import messages
from vision.kinematics import ANGLES
from vision.movement import primary_angle

# What the device can tell of the picture by landmarks alone.
_CHECKS = ("nobody", "too_far", "too_near", "turn_to_face", "turn_sideways", "second_person")


def coach_page(
    line: TodayLine, session_id: str, addresses: Mapping[str, str], language: Language
) -> dict[str, Any]:
    """As `app/web/src/live/page.ts` reads it. Raises NotMeasurable."""
    dose = line.dose
    return {
        "sessionId": session_id,
        "addresses": dict(addresses),
        # The report of the session gives this id back.
        "exercise": {**coach_definition(line.exercise, language), "id": line.name_in_url},
        "side": None if line.side == "bilateral" else line.side,
        "cameraView": line.exercise.camera_view,
        "dose": {
            "sets": dose.sets,
            "repetitions": dose.repetitions,
            "holdS": dose.hold_s,
            "restS": dose.rest_s,
        },
        "messages": {
            id: text[language]
            for id, text in messages().items()
            if id in _CHECKS or id.startswith("cut_off_")
        },
    }


def coach_definition(exercise: Exercise, language: Language = "en") -> dict[str, Any]:
    """As `app/web/src/coach/exercise.ts` reads it. Raises NotMeasurable.

    Of the faults, those that are an angle beyond a bound; the others need the whole repetition.
    """
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
        "faults": [
            {
                "measure": fault.measure,
                "comparison": fault.comparison,
                "bound": fault.bound,
                "minimumDurationS": fault.minimum_duration_s,
                "cue": fault.cue[language],
            }
            for fault in exercise.faults
            if fault.measure in ANGLES
        ],
    }
