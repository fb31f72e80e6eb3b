"""A goal of a program as Goal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal, cast

from fhir import codes
from fhir.bundle import Resource
from fhir.codes import identifier, quantity
from rtm.program import Goal

_UNITS = {"deg": ("deg", "deg"), "score": ("score", "{score}"), "percent": ("%", "%")}


def goal_resource(program_id: str, goal: Goal, patient: str, start: date) -> Resource:
    """A Goal with one target: at least (`detailRange.low`) or at most (`.high`) a value."""
    bound = "low" if goal.comparison == "at_least" else "high"
    return {
        "resourceType": "Goal",
        "identifier": [identifier(codes.GOAL_ID, f"{program_id}.{goal.id}")],
        "lifecycleStatus": "active",
        "description": {"text": goal.description},
        "subject": {"reference": patient},
        "startDate": start.isoformat(),
        "target": [
            {
                "measure": _measure(goal.measure),
                "detailRange": {bound: quantity(goal.target_value, *_UNITS[goal.unit])},
                "dueDate": goal.due.isoformat(),
            }
        ],
    }


def read_goal(resource: Mapping[str, Any]) -> Goal:
    """The inverse of `goal_resource`. Raises KeyError for a missing element."""
    own = next(i["value"] for i in resource["identifier"] if i["system"] == codes.GOAL_ID)
    target = resource["target"][0]
    at_least = "low" in target["detailRange"]
    value = target["detailRange"]["low" if at_least else "high"]
    unit = next(name for name, (_, code) in _UNITS.items() if code == value["code"])
    return Goal(
        id=own.rpartition(".")[2],
        description=resource["description"]["text"],
        measure=target["measure"]["coding"][-1]["code"],
        comparison="at_least" if at_least else "at_most",
        target_value=float(value["value"]),
        unit=cast(Literal["deg", "score", "percent"], unit),
        due=date.fromisoformat(target["dueDate"]),
    )


def _measure(name: str) -> dict[str, Any]:
    own = {"system": codes.MEASURE, "code": name, "display": name.replace("_", " ")}
    if name == "pain_severity":
        code, display = codes.PAIN_SEVERITY
        return {"coding": [{"system": codes.LOINC, "code": code, "display": display}, own]}
    return {"coding": [own]}
