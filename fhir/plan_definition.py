"""A protocol as PlanDefinition, back, and applied to one person ($apply).

A phase is an action that starts and stops on conditions; within it each exercise is an action with
its default dose, defined by the exercise's ActivityDefinition. The questionnaires are an action of
their own. A PlanDefinition holds all of its protocol.
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
from fhir.plan_rules import (
    conditions,
    pain_extension,
    precaution_extension,
    read_conditions,
    read_pain,
    read_precautions,
    read_rules,
    rule_extension,
)
from fhir.questionnaire import questionnaire_url
from fhir.servicerequest import dose_extension, read_dose, repeat
from fhir.translation import texts, translated
from rtm.exercises import Side
from rtm.protocols import (
    GoalTemplate,
    OutcomeSchedule,
    Phase,
    Protocol,
    ProtocolLine,
    Source,
    Variant,
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
    """The protocol; its guidelines are citations, its condition the focus of its use."""
    return {
        "resourceType": "PlanDefinition",
        "id": fhir_id(protocol.id),
        "meta": codes.profile("protocol"),
        "language": "en",
        "extension": [
            pain_extension(protocol.pain),
            *(precaution_extension(precaution) for precaution in protocol.precautions),
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
        "usage": protocol.note,
        **_variant(protocol.variant),
        "topic": [{"text": protocol.region}],
        "relatedArtifact": [
            *map(_source, protocol.sources),
            *_education(protocol.education),
            *(
                [{"type": "derived-from", "resource": plan_url(protocol.variant.of)}]
                if protocol.variant
                else []
            ),
        ],
        "goal": [_goal(phase, goal) for phase in protocol.phases for goal in phase.goals],
        "action": [
            *map(_phase, protocol.phases),
            *([_outcomes(protocol.outcomes)] if protocol.outcomes else []),
        ],
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
            sources=tuple(
                _read_source(a) for a in resource["relatedArtifact"] if a["type"] == "citation"
            ),
            note=resource["usage"],
            pain=read_pain(extensions),
            precautions=read_precautions(extensions),
            red_flags=tuple(
                texts(e, "valueString") for e in extensions if e["url"] == codes.RED_FLAG_EXTENSION
            ),
            phases=tuple(
                _read_phase(action, goals)
                for action in resource["action"]
                if action["id"] != _OUTCOMES
            ),
            outcomes=tuple(
                asked
                for action in resource["action"]
                if action["id"] == _OUTCOMES
                for asked in _read_outcomes(action)
            ),
            education=_read_education(resource["relatedArtifact"]),
            variant=_read_variant(resource),
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


_OUTCOMES = "outcomes"


def _phase(phase: Phase) -> dict[str, Any]:
    found: dict[str, Any] = {"id": phase.id}
    if phase.precautions:
        found["extension"] = [precaution_extension(each) for each in phase.precautions]
    found |= translated("title", phase.title)
    if phase.education:
        found["documentation"] = _education(phase.education)
    return found | {
        "goalId": [_goal_id(phase, goal) for goal in phase.goals],
        "condition": [
            *conditions("start", phase.entry_criteria),
            *conditions("stop", phase.exit_criteria),
        ],
        "timingDuration": quantity(phase.weeks, "weeks", "wk"),
        "action": [_line(line) for line in phase.exercises],
    }


def _line(line: ProtocolLine) -> dict[str, Any]:
    return {
        "extension": [dose_extension(line.dose), *map(rule_extension, line.limits)],
        **(translated("description", line.note) if line.note else {}),
        "timingTiming": {"repeat": repeat(line.dose)},
        "definitionCanonical": activity_url(line.exercise_id),
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
                read_rules(line["extension"]),
                texts(line, "description") if "description" in line else None,
            )
            for line in action["action"]
        ),
        goals=tuple(_read_goal(goals[goal_id]) for goal_id in action.get("goalId", ())),
        entry_criteria=read_conditions("start", action),
        exit_criteria=read_conditions("stop", action),
        precautions=read_precautions(action.get("extension", ())),
        education=_read_education(action.get("documentation", ())),
    )


def _outcomes(outcomes: Sequence[OutcomeSchedule]) -> dict[str, Any]:
    """The questionnaires, each from the start on every so many weeks."""
    return {
        "id": _OUTCOMES,
        "title": "Questionnaires",
        "action": [
            {
                "timingTiming": {
                    "repeat": {"frequency": 1, "period": each.every_weeks, "periodUnit": "wk"}
                },
                "definitionCanonical": questionnaire_url(each.instrument_id),
            }
            for each in outcomes
        ],
    }


def _read_outcomes(action: Mapping[str, Any]) -> tuple[OutcomeSchedule, ...]:
    return tuple(
        OutcomeSchedule(
            own_name(asked["definitionCanonical"].rpartition("/")[2]),
            int(asked["timingTiming"]["repeat"]["period"]),
        )
        for asked in action["action"]
    )


def _education(ids: Sequence[str]) -> list[dict[str, Any]]:
    return [{"type": "documentation", "label": id_} for id_ in ids]


def _read_education(artifacts: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(each["label"] for each in artifacts if each["type"] == "documentation")


def _source(source: Source) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [
        {"url": "title", "valueString": source.title},
        {"url": "body", "valueString": source.body},
        {"url": "section", "valueString": source.section},
        {"url": "read", "valueCode": source.read},
    ]
    if source.year is not None:
        parts.append({"url": "year", "valueInteger": source.year})
    found = {
        "extension": [{"url": codes.GUIDELINE_EXTENSION, "extension": parts}],
        "type": "citation",
        "citation": source.citation,
    }
    return found | ({"url": source.url} if source.url else {})


def _read_source(artifact: Mapping[str, Any]) -> Source:
    extension = needed(
        (e for e in artifact["extension"] if e["url"] == codes.GUIDELINE_EXTENSION), "its source"
    )
    parts = {part["url"]: part for part in extension["extension"]}
    return Source(
        title=parts["title"]["valueString"],
        body=parts["body"]["valueString"],
        citation=artifact["citation"],
        section=parts["section"]["valueString"],
        read=parts["read"]["valueCode"],
        year=parts["year"]["valueInteger"] if "year" in parts else None,
        url=artifact.get("url"),
    )


def _variant(variant: Variant | None) -> dict[str, Any]:
    if variant is None:
        return {}
    return {"author": [{"name": variant.author}], "purpose": variant.reason}


def _read_variant(resource: Mapping[str, Any]) -> Variant | None:
    for artifact in resource["relatedArtifact"]:
        if artifact["type"] == "derived-from":
            of = own_name(artifact["resource"].rpartition("/")[2])
            return Variant(of, resource["author"][0]["name"], resource["purpose"])
    return None


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
