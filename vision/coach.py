"""What to tell the patient: at most a few cues, the most frequent fault first."""

from __future__ import annotations

from rtm.exercises import Exercise
from rtm.session import ExerciseResult


def cues(result: ExerciseResult, exercise: Exercise, language: str, at_most: int = 2) -> list[str]:
    """Plain sentences in `language`; empty when nothing needs saying."""
    by_id = {fault.id: fault for fault in exercise.faults}
    frequent = sorted(result.faults, key=lambda finding: -len(finding.repetitions))
    return [by_id[finding.id].cue[language] for finding in frequent[:at_most]]
