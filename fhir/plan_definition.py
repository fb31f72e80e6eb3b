"""A protocol as PlanDefinition, back, and applied to one person ($apply).

A phase is an action; within it each exercise is an action with its default dose, defined by the
exercise's ActivityDefinition. A PlanDefinition holds all of its protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from fhir import codes
from fhir.activity_definition import activity_url, exercise_of
from fhir.bundle import Resource
from fhir.careplan import proposed_careplan
from fhir.codes import concept, fhir_id, identifier, own_name, quantity
from fhir.goal import goal_target, read_goal_target
from fhir.meaning import Unreadable, needed, own_identifier, reading
from fhir.parties import Parties
from fhir.servicerequest import dose_extension, read_dose, repeat
from fhir.translation import texts, translated
from rtm.exercises import Side
from rtm.protocols import (
    Criterion,
    GoalTemplate,
    Phase,
    Precaution,
    Protocol,
    ProtocolLine,
    draft_program,
)

PROTOCOL_ID = f"{codes.BASE}/identifier/protocol"
_FOCUS = {"system": "http://terminology.hl7.org/CodeSystem/usage-context-type", "code": "focus"}


class UnreadablePlan(Unreadable):
    """The PlanDefinition is no protocol of ours; the message names what is missing or wrong."""


def plan_url(protocol_id: str) -> str:
    """The canonical url of a protocol's PlanDefinition."""
    return f"{codes.BASE}/PlanDefinition/{fhir_id(protocol_id)}"


def plan_definition(protocol: Protocol) -> Resource:
    """The protocol; its guideline is a citation, its condition the focus of its use."""
    return {
        "resourceType": "PlanDefinition",
        "id": fhir_id(protocol.id),
        "meta": codes.profile("protocol"),
        "language": "en",
        "extension": [
            *(_precaution(precaution) for precaution in protocol.precautions),
            *(
                {"url": codes.RED_FLAG_EXTENSION, **translated("valueString", flag)}
                for flag in protocol.red_flags
            ),
        ],
        "url": plan_url(protocol.id),
        "identifier": [identifier(PROTOCOL_ID, protocol.id)],
        "name": "".join(word.capitalize() for word in protocol.id.split("_")),
        **translated("title", protocol.title),
        "type": concept(codes.PLAN_DEFINITION_TYPE, "clinical-protocol", "Clinical Protocol"),
        "status": "active",
        "experimental": False,
        "useContext": [
            {
                "code": _FOCUS,
                "valueCodeableConcept": concept(
                    codes.ICD10CM, protocol.condition_code, protocol.condition_display
                ),
            }
        ],
        "topic": [{"text": protocol.region}],
        "relatedArtifact": [{"type": "citation", "citation": protocol.guideline}],
        "goal": [_goal(phase, goal) for phase in protocol.phases for goal in phase.goals],
        "action": [_phase(phase) for phase in protocol.phases],
    }


def read_plan_definition(resource: Mapping[str, Any]) -> Protocol:
    """The inverse of `plan_definition`.

    Raises:
        UnreadablePlan: an element of ours is missing, or an exercise is not of this library.
        Unreadable: a modifier that is not known.
    """
    with reading(resource, UnreadablePlan):
        focus = needed(
            (
                context["valueCodeableConcept"]["coding"][0]
                for context in resource["useContext"]
                if context["code"]["code"] == "focus"
            ),
            "the condition that it is for",
        )
        goals = {goal["id"]: goal for goal in resource.get("goal", ())}
        extensions = resource.get("extension", ())
        return Protocol(
            id=own_identifier(resource, PROTOCOL_ID),
            title=texts(resource, "title"),
            region=resource["topic"][0]["text"],
            condition_code=focus["code"],
            condition_display=focus["display"],
            guideline=needed(
                (a["citation"] for a in resource["relatedArtifact"] if a["type"] == "citation"),
                "its guideline",
            ),
            precautions=tuple(
                _read_precaution(e) for e in extensions if e["url"] == codes.PRECAUTION_EXTENSION
            ),
            red_flags=tuple(
                texts(e, "valueString") for e in extensions if e["url"] == codes.RED_FLAG_EXTENSION
            ),
            phases=tuple(_read_phase(action, goals) for action in resource["action"]),
        )


def apply_plan(
    plan: Mapping[str, Any],
    activities: Sequence[Mapping[str, Any]],
    *,
    phase_id: str | None,
    program_id: str,
    start: date,
    side: Side,
    parties: Parties,
) -> Resource:
    """PlanDefinition/$apply: the CarePlan that one phase gives for one person, as a draft.

    It is the CarePlan that signing the same phase would send, with its ServiceRequests and Goals
    contained. `phase_id` None is the first phase; `side` is that of every unilateral exercise;
    `activities` are the ActivityDefinitions that the plan names.

    Raises:
        UnreadablePlan: not a protocol of ours, or an activity of the phase is not given.
        rtm.protocols.UnknownProtocol: no such phase.
    """
    protocol = read_plan_definition(plan)
    phase = protocol.phases[0] if phase_id is None else protocol.phase(phase_id)
    program = draft_program(protocol, phase, id=program_id, start=start, side=side)
    names = {exercise_of(activity["url"]): activity["title"] for activity in activities}
    missing = [line.exercise_id for line in program.exercises if line.exercise_id not in names]
    if missing:
        raise UnreadablePlan(f"no ActivityDefinition is given for {', '.join(missing)}")
    return proposed_careplan(program, parties, names)


def _phase(phase: Phase) -> dict[str, Any]:
    return {
        "id": phase.id,
        "extension": [_criterion(criterion) for criterion in phase.exit_criteria],
        **translated("title", phase.title),
        "goalId": [_goal_id(phase, goal) for goal in phase.goals],
        "timingDuration": quantity(phase.weeks, "weeks", "wk"),
        "action": [
            {
                "extension": [dose_extension(line.dose)],
                "timingTiming": {"repeat": repeat(line.dose)},
                "definitionCanonical": activity_url(line.exercise_id),
            }
            for line in phase.exercises
        ],
    }


def _read_phase(action: Mapping[str, Any], goals: Mapping[str, Mapping[str, Any]]) -> Phase:
    return Phase(
        id=action["id"],
        title=texts(action, "title"),
        weeks=int(action["timingDuration"]["value"]),
        exercises=tuple(
            ProtocolLine(
                exercise_of(line["definitionCanonical"]),
                read_dose(line["extension"], line["timingTiming"]["repeat"]),
            )
            for line in action["action"]
        ),
        goals=tuple(_read_goal(goals[goal_id]) for goal_id in action.get("goalId", ())),
        exit_criteria=tuple(
            _read_criterion(extension)
            for extension in action.get("extension", ())
            if extension["url"] == codes.CRITERION_EXTENSION
        ),
    )


def _goal_id(phase: Phase, goal: GoalTemplate) -> str:
    return f"{fhir_id(phase.id)}.{fhir_id(goal.id)}"


def _goal(phase: Phase, goal: GoalTemplate) -> dict[str, Any]:
    return {
        "id": _goal_id(phase, goal),
        "description": {"text": goal.description},
        "target": [
            {
                **goal_target(goal.measure, goal.comparison, goal.value, goal.unit),
                "due": quantity(goal.due_weeks, "weeks", "wk"),
            }
        ],
    }


def _read_goal(goal: Mapping[str, Any]) -> GoalTemplate:
    target = goal["target"][0]
    measure, comparison, value, unit = read_goal_target(target)
    return GoalTemplate(
        id=own_name(goal["id"].partition(".")[2]),
        description=goal["description"]["text"],
        measure=measure,
        comparison=comparison,
        value=value,
        unit=unit,
        due_weeks=int(target["due"]["value"]),
    )


def _criterion(criterion: Criterion) -> dict[str, Any]:
    return {
        "url": codes.CRITERION_EXTENSION,
        "extension": [
            {"url": "measure", "valueCode": criterion.measure},
            {"url": "comparison", "valueCode": criterion.comparison},
            {"url": "value", "valueDecimal": criterion.value},
            {"url": "unit", "valueCode": criterion.unit},
        ],
    }


def _read_criterion(extension: Mapping[str, Any]) -> Criterion:
    parts = {part["url"]: part for part in extension["extension"]}
    return Criterion(
        measure=parts["measure"]["valueCode"],
        comparison=parts["comparison"]["valueCode"],
        value=parts["value"]["valueDecimal"],
        unit=parts["unit"]["valueCode"],
    )


def _precaution(precaution: Precaution) -> dict[str, Any]:
    return {
        "url": codes.PRECAUTION_EXTENSION,
        "extension": [
            {"url": "text", **translated("valueString", precaution.text)},
            *(
                {"url": "forbids", "valueCanonical": activity_url(exercise_id)}
                for exercise_id in precaution.forbids
            ),
        ],
    }


def _read_precaution(extension: Mapping[str, Any]) -> Precaution:
    parts = extension["extension"]
    return Precaution(
        text=needed(
            (texts(part, "valueString") for part in parts if part["url"] == "text"), "its text"
        ),
        forbids=tuple(
            exercise_of(part["valueCanonical"]) for part in parts if part["url"] == "forbids"
        ),
    )
