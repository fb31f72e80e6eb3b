"""The dose that an exercise is offered with when it is added to a program by hand."""

from __future__ import annotations

from rtm.exercises import Exercise
from rtm.program import Dose
from rtm.protocols.definition import Protocol
from rtm.protocols.library import load_protocols

# House choices for exercises that no protocol doses; the clinician signs what stands in the form.
_TIMED, _COUNTED = Dose(1, 1, hold_s=60.0), Dose(2, 10)


def default_dose(exercise: Exercise, protocol: Protocol | None) -> Dose:
    """As `protocol` doses it, else as the first protocol that does, else a careful start."""
    protocols = [protocol] if protocol else []
    protocols += load_protocols()
    for one in protocols:
        for phase in one.phases:
            for line in phase.exercises:
                if line.exercise_id == exercise.id:
                    return line.dose
    return _TIMED if exercise.measurement == "timer" else _COUNTED
