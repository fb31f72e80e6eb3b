"""A goal of a program as Goal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from fhir import codes
from fhir.bundle import Resource
from fhir.codes import identifier, quantity
from fhir.meaning import needed, own_identifier
from rtm.program import Goal

GoalUnit = Literal["deg", "score", "percent"]
Comparison = Literal["at_least", "at_most"]

_UNITS: dict[GoalUnit, tuple[str, str]] = {
    "deg": ("deg", "deg"),
    "score": ("score", "{score}"),
    "percent": ("%", "%"),
}


def goal_resource(program_id: str, goal: Goal, patient: str, start: date) -> Resource:
    """A Goal with one target."""
    return {
        "resourceType": "Goal",
        "meta": codes.profile("program-goal"),
        "identifier": [identifier(codes.GOAL_ID, f"{program_id}.{goal.id}")],
        "lifecycleStatus": "active",
        "description": {"text": goal.description},
        "subject": {"reference": patient},
        "startDate": start.isoformat(),
        "target": [
            {
                **goal_target(goal.measure, goal.comparison, goal.target_value, goal.unit),
                "dueDate": goal.due.isoformat(),
            }
        ],
    }


def read_goal(resource: Mapping[str, Any]) -> Goal:
    """The inverse of `goal_resource`. Raises KeyError for a missing element."""
    own = own_identifier(resource, codes.GOAL_ID)
    target = resource["target"][0]
    measure, comparison, value, unit = read_goal_target(target)
    return Goal(
        id=own.rpartition(".")[2],
        description=resource["description"]["text"],
        measure=measure,
        comparison=comparison,
        target_value=value,
        unit=unit,
        due=date.fromisoformat(target["dueDate"]),
    )


def goal_target(
    measure: str, comparison: Comparison, value: float, unit: GoalUnit
) -> dict[str, Any]:
    """At least (`detailRange.low`) or at most (`.high`) a value; the due time is the caller's."""
    bound = "low" if comparison == "at_least" else "high"
    return {
        "measure": _measure(measure),
        "detailRange": {bound: quantity(value, *_UNITS[unit])},
    }


def read_goal_target(target: Mapping[str, Any]) -> tuple[str, Comparison, float, GoalUnit]:
    """The inverse of `goal_target`. Raises KeyError for a missing element."""
    at_least = "low" in target["detailRange"]
    value = target["detailRange"]["low" if at_least else "high"]
    unit = needed((u for u, (_, code) in _UNITS.items() if code == value["code"]), "a unit of ours")
    own = needed(
        (c["code"] for c in target["measure"]["coding"] if c.get("system") == codes.MEASURE),
        "a measure of ours",
    )
    return own, "at_least" if at_least else "at_most", float(value["value"]), unit


def _measure(name: str) -> dict[str, Any]:
    own = {"system": codes.MEASURE, "code": name, "display": name.replace("_", " ")}
    if name == "pain_severity":
        code, display = codes.PAIN_SEVERITY
        return {"coding": [{"system": codes.LOINC, "code": code, "display": display}, own]}
    return {"coding": [own]}
