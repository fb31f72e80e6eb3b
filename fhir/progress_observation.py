"""Adherence and minutes of exercise over a stretch of days, as Observations."""

from __future__ import annotations

from datetime import date
from typing import Any

from fhir import codes
from fhir.bundle import Resource
from fhir.careplan import program_reference
from fhir.codes import concept, identifier, quantity
from rtm.adherence import Adherence


def adherence_observation(
    adherence: Adherence,
    *,
    program_id: str,
    first: date,
    last: date,
    patient: str,
    careplan: str | None,
) -> Resource:
    """The share of prescribed days that were done, with both counts; absent while none was due."""
    resource = {
        "resourceType": "Observation",
        "meta": codes.profile("adherence"),
        "identifier": [_identifier(program_id, "adherence", first, last)],
        "status": "final",
        "category": [_ACTIVITY],
        "code": {"coding": [_measure("adherence")], "text": "Adherence to the program"},
        **_common(program_id, first, last, patient, careplan),
        "component": [
            _days("days_due", len(adherence.days_due)),
            _days("days_done", len(adherence.days_done)),
            _days("streak", adherence.streak),
        ],
    }
    if adherence.percent is None:
        resource["dataAbsentReason"] = concept(
            codes.DATA_ABSENT_REASON, "not-applicable", "Not Applicable"
        )
    else:
        resource["valueQuantity"] = quantity(round(adherence.percent, 1), "%", "%")
    return resource


def exercise_minutes_observation(
    minutes: float,
    *,
    program_id: str,
    first: date,
    last: date,
    patient: str,
    careplan: str | None,
) -> Resource:
    """Minutes of home exercise from `first` to `last`, both included.

    Coded as LOINC 55411-3 in minutes, as the Physical Activity guide measures a bout. Its
    minutes per week (82290-8) mean moderate to vigorous aerobic activity, which a program for a
    sore joint is not: they are not claimed.
    """
    code, display = codes.EXERCISE_DURATION
    return {
        "resourceType": "Observation",
        "meta": codes.profile("exercise-minutes"),
        "identifier": [_identifier(program_id, "exercise_minutes", first, last)],
        "status": "final",
        "category": [_ACTIVITY],
        "code": {
            "coding": [
                {"system": codes.LOINC, "code": code, "display": display},
                _measure("exercise_minutes"),
            ],
            "text": "Minutes of home exercise",
        },
        **_common(program_id, first, last, patient, careplan),
        "valueQuantity": quantity(round(minutes, 1), "min", "min"),
    }


_ACTIVITY = concept(codes.OBSERVATION_CATEGORY, "activity", "Activity")


def _common(
    program_id: str, first: date, last: date, patient: str, careplan: str | None
) -> dict[str, Any]:
    return {
        "basedOn": [program_reference(program_id, careplan)],
        "subject": {"reference": patient},
        "effectivePeriod": {"start": first.isoformat(), "end": last.isoformat()},
    }


def _identifier(program_id: str, name: str, first: date, last: date) -> dict[str, str]:
    return identifier(codes.PROGRESS_ID, f"{program_id}.{name}.{first}.{last}")


def _measure(name: str) -> dict[str, str]:
    return {"system": codes.MEASURE, "code": name, "display": name.replace("_", " ")}


def _days(name: str, count: int) -> dict[str, Any]:
    return {"code": {"coding": [_measure(name)]}, "valueQuantity": quantity(count, "d", "d")}
