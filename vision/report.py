"""The score as JSON: the stable form that scripts rely on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rtm.session import ExerciseResult


def result_json(result: ExerciseResult) -> dict[str, Any]:
    """JSON-ready; angles rounded to 0.1°, times to 1 ms, scores to 0.1; null = not measured."""
    angle = result.primary_angle
    return {
        "exercise": result.exercise_id,
        "side": result.side,
        "duration_s": round(result.duration_s, 3),
        "frames": result.frames,
        "frames_measured": result.frames_measured,
        "repetitions": [
            {
                "start_s": round(repetition.start_s, 3),
                "peak_s": round(repetition.peak_s, 3),
                "end_s": round(repetition.end_s, 3),
                "peak_deg": round(repetition.peak_deg, 1),
                "rom_deg": round(repetition.rom_deg, 1),
                "score": _rounded(repetition.score),
                "faults": list(repetition.faults),
                "concentric_s": _rounded(repetition.concentric_s, 3),
                "eccentric_s": _rounded(repetition.eccentric_s, 3),
                "hold_s": _rounded(repetition.hold_s, 3),
                "smoothness": _rounded(repetition.smoothness, 2),
                "side": repetition.side or result.side,
            }
            for repetition in result.repetitions
        ],
        "repetition_count": len(result.repetitions),
        "primary_angle": None
        if angle is None
        else {
            "name": angle.name,
            "min_deg": round(angle.min_deg, 1),
            "max_deg": round(angle.max_deg, 1),
            "rom_deg": round(angle.rom_deg, 1),
        },
        "score": {name: _rounded(value) for name, value in asdict(result.score).items()},
        "explanation": [
            {
                "part": part.part,
                "measure": part.measure,
                "value": round(part.value, 2),
                "unit": part.unit,
                "confidence": round(part.confidence, 2),
            }
            for part in result.explanation
        ],
        "faults": [
            {
                "id": fault.id,
                "repetitions": list(fault.repetitions),
                "measure": fault.measure,
                "value": round(fault.value, 2),
                "unit": fault.unit,
                "cue": fault.cue,
            }
            for fault in result.faults
        ],
        "quality": {
            "visibility": _rounded(result.quality.visibility, 3),
            "fps": _rounded(result.quality.fps, 2),
            "warnings": list(result.quality.warnings),
        },
    }


def _rounded(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)
