"""The codes that no public code system has for us, and the value sets that our profiles bind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fhir import codes
from fhir.bundle import Resource
from rtm.exercises import load_library
from rtm.feedback import load_scales
from rtm.protocols import load_protocols
from rtm.range_of_motion import MOST_ATTEMPTS, load_movements
from rtm.safety import load_safety

VALUE_SET = f"{codes.BASE}/ValueSet"

# Each measure with what it says; angles and movements come from the library on top.
_MEASURES = {
    "exercise_session": "One exercise done once at home.",
    "repetitions": "Full repetitions in a session, counted or reported.",
    "duration": "Length of a session in seconds.",
    "score_total": "Weighted mean of the parts of the score that were measured, 0 to 100.",
    "score_range": "How far the joint moved, of what the exercise asks for, 0 to 100.",
    "score_control": "Tempo and smoothness of the repetitions, 0 to 100.",
    "score_form": "Freedom from movement faults, 0 to 100.",
    "score_symmetry": "How alike the two sides moved, 0 to 100.",
    "score_completeness": "Repetitions done of those prescribed, 0 to 100.",
    "pain_before": "Pain severity before the session, 0 to 10, as the patient says.",
    "pain_after": "Pain severity after the session, 0 to 10, as the patient says.",
    "perceived_exertion": "Perceived exertion of a session, 0 (none) to 10 (the most one can do).",
    "difficulty": "Whether an exercise was too easy, just right or too hard, as the patient says.",
    "stopped_reason": "Why the patient broke off a session.",
    "angle_minimum": "Least value of a joint angle in a session.",
    "angle_maximum": "Highest value of a joint angle in a session.",
    "standard_deviation": "Sample standard deviation of the attempts of a test.",
    "minimal_detectable_change": "Least change that measuring alone does not explain (95 %).",
    "gain": "How much further the joint moves than at the test before; less is negative.",
    "source_video": "Measured by the server from a video.",
    "source_landmarks": "Measured from body landmarks that the device sent.",
    "source_manual": "Reported by the patient, not measured.",
    "adherence": "Days done of the days that a program asked for, in percent.",
    "days_due": "Days on which a program asked for anything.",
    "days_done": "Days due on which a session was done.",
    "streak": "The latest due days done without a miss.",
    "exercise_minutes": "Minutes of home exercise in a stretch of days.",
    "outcome_score": "Score of a patient-reported outcome measure.",
    "pain_severity": "Pain severity, 0 to 10, as a goal or criterion.",
    "time_since_surgery": "Weeks since surgery, as a criterion.",
    "time_since_onset": "Weeks since the injury or the first pain, as a criterion.",
    "time_in_phase": "Weeks since the phase of a protocol began, as a criterion.",
    "repetitions_in_30_s": "Most full repetitions of an exercise within 30 seconds.",
}


def code_systems() -> list[Resource]:
    """The exercises, what is measured, and the (deployment's own) outcome measures."""
    exercises = load_library().names()
    return [
        _code_system(
            codes.EXERCISE,
            "Exercises",
            "The exercise library; the code of an exercise is its id.",
            ((id_, name, None) for id_, name in exercises.items()),
        ),
        _code_system(
            codes.MEASURE,
            "Session measures",
            "What is measured or reported at home. Where LOINC has a code for it, both are sent.",
            ((code, code.replace("_", " "), text) for code, text in measures().items()),
        ),
        {
            **_code_system(
                codes.INSTRUMENT,
                "Outcome measures",
                "Patient-reported outcome measures by the id under which a deployment holds them.",
                (),
            ),
            "content": "not-present",
        },
    ]


def measures() -> dict[str, str]:
    """Every code of the measures' code system with its definition."""
    angles = {e.primary_angle.name for e in load_library() if e.primary_angle}
    phases = [phase for protocol in load_protocols() for phase in protocol.phases]
    angles |= {goal.measure for phase in phases for goal in phase.goals}
    for phase in phases:
        criteria = (*phase.entry_criteria, *phase.exit_criteria)
        angles |= {criterion.measure for criterion in criteria}
    found = dict(_MEASURES)
    for choice in load_scales().difficulties:
        found[f"difficulty_{choice.id}"] = f"The exercise was: {choice.text['en']}."
    for reason in load_safety().stop_reasons:
        found[f"stopped_reason_{reason.id}"] = f"Broke off the session: {reason.text['en']}."
    for number in range(1, MOST_ATTEMPTS + 1):
        found[f"attempt_{number}"] = f"Attempt {number} of a range of motion test."
    for movement in load_movements():
        words = movement.id.replace("_", " ")
        found[f"range_of_motion_{movement.id}"] = f"Best attempt of a test of {words}."
    for angle in sorted(angles - set(found)):
        words = angle.replace("_", " ")
        found[angle] = f"The joint angle {words}: its range in a session, its value in a goal."
    return found


def value_sets() -> list[Resource]:
    """What our profiles bind to."""
    return [
        _value_set("exercise", "Exercises of the library", [{"system": codes.EXERCISE}]),
        _value_set("session-measure", "Session measures", [{"system": codes.MEASURE}]),
        _value_set(
            "session-source",
            "Where a session's result comes from",
            [_listed(codes.MEASURE, [f"source_{s}" for s in ("video", "landmarks", "manual")])],
        ),
        _value_set(
            "side",
            "Body sides",
            [
                {
                    "system": codes.SNOMED,
                    "concept": [
                        {"code": code, "display": display}
                        for code, display in codes.LATERALITY.values()
                    ],
                }
            ],
        ),
    ]


def _code_system(
    url: str, title: str, description: str, concepts: Iterable[tuple[str, str, str | None]]
) -> Resource:
    listed = [
        {"code": code, "display": display, **({"definition": text} if text else {})}
        for code, display, text in concepts
    ]
    resource: Resource = {
        "resourceType": "CodeSystem",
        "id": url.rpartition("/")[2],
        "url": url,
        "name": _name(title),
        "title": title,
        "status": "active",
        "experimental": False,
        "description": description,
        "caseSensitive": True,
        "content": "complete",
    }
    return resource | ({"count": len(listed), "concept": listed} if listed else {})


def _value_set(id_: str, title: str, include: list[dict[str, Any]]) -> Resource:
    return {
        "resourceType": "ValueSet",
        "id": id_,
        "url": f"{VALUE_SET}/{id_}",
        "name": _name(title),
        "title": title,
        "status": "active",
        "experimental": False,
        "compose": {"include": include},
    }


def _listed(system: str, listed: Iterable[str]) -> dict[str, Any]:
    return {"system": system, "concept": [{"code": code} for code in listed]}


def _name(title: str) -> str:
    return "".join(word.capitalize() for word in title.replace("'", "").split())
