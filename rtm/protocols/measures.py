"""What a criterion may measure: only what sessions, range tests and questionnaires record."""

from __future__ import annotations

from rtm.exercises import ExerciseLibrary
from rtm.protocols.definition import Criterion, CriterionUnit, Phase
from rtm.range_of_motion import load_movements

# Beside these, any movement of `rtm.range_of_motion` and any camera exercise's primary angle.
UNIT_OF: dict[str, CriterionUnit] = {
    "time_since_surgery": "weeks",
    "time_since_onset": "weeks",
    "time_in_phase": "weeks",
    "pain_before": "score",  # at rest, as asked before a session, 0–10
    "pain_severity": "score",  # with activity, as asked after a session, 0–10
    "adherence": "percent",
    "score_total": "score",
    "repetitions_in_30_s": "repetitions",
    "outcome_score": "score",
}
TIMES = frozenset({"time_since_surgery", "time_since_onset", "time_in_phase"})
PAINS = frozenset({"pain_before", "pain_severity"})


def problem_of(
    criterion: Criterion, phase: Phase, instruments: frozenset[str], exercises: ExerciseLibrary
) -> str | None:
    """Why `criterion` can't be measured while `phase` is done; None where it can.

    `instruments` are those that the protocol asks for.
    """
    name = criterion.measure
    prescribed = {line.exercise_id for line in phase.exercises}
    if name not in UNIT_OF:
        angles = {movement.id for movement in load_movements()}
        for exercise_id in prescribed:
            angle = exercises[exercise_id].primary_angle
            angles |= {angle.name} if angle else set()
        if name not in angles:
            return f"nothing in the phase measures {name}"
    expected = UNIT_OF.get(name, "deg")
    if criterion.unit != expected:
        return f"{name} is in {expected}, not {criterion.unit}"
    if (criterion.instrument_id is not None) != (name == "outcome_score"):
        return f"{name} and an instrument do not belong together"
    if criterion.instrument_id is not None and criterion.instrument_id not in instruments:
        return f"the protocol does not ask for {criterion.instrument_id}"
    return _exercise_problem(criterion, prescribed, exercises)


def _exercise_problem(
    criterion: Criterion, prescribed: set[str], exercises: ExerciseLibrary
) -> str | None:
    exercise_id = criterion.exercise_id
    if exercise_id is None:
        missing = criterion.measure == "repetitions_in_30_s"
        return "repetitions_in_30_s must name its exercise" if missing else None
    if criterion.measure not in ("repetitions_in_30_s", "score_total"):
        return f"{criterion.measure} is of no single exercise"
    if exercise_id not in prescribed:
        return f"{exercise_id} is not in the phase"
    if exercises[exercise_id].measurement != "camera":
        return f"{exercise_id} is not measured by the camera"
    return None
