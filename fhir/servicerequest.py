"""One prescribed exercise as ServiceRequest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from fhir import codes
from fhir.bundle import Resource
from fhir.codes import concept, identifier
from fhir.parties import Parties
from rtm.exercises import Side
from rtm.program import EVERY_DAY, WEEKDAYS, Dose, PrescribedExercise, Program, Weekday


def service_request(
    program: Program,
    line: PrescribedExercise,
    parties: Parties,
    exercise_name: str,
    status: Literal["active", "revoked"] = "active",
) -> Resource:
    """The order for one exercise. Sets, repetitions, hold and rest have no element of their own
    in ServiceRequest: they stand in our `exercise-dose` extension."""
    side = codes.LATERALITY[line.side]
    resource: Resource = {
        "resourceType": "ServiceRequest",
        "extension": [_dose_extension(line.dose)],
        "identifier": [identifier(codes.PROGRAM_LINE_ID, f"{program.id}.{line.exercise_id}")],
        "status": status,
        "intent": "order",
        "code": concept(codes.EXERCISE, line.exercise_id, exercise_name),
        "subject": {"reference": parties.patient},
        "occurrenceTiming": {"repeat": _repeat(program, line.dose)},
        "requester": {"reference": parties.practitioner},
        "bodySite": [concept(codes.SNOMED, *side)],
    }
    if line.note:
        resource["patientInstruction"] = line.note
    if parties.encounter:
        resource["encounter"] = {"reference": parties.encounter}
    return resource


def read_service_request(resource: Mapping[str, Any]) -> PrescribedExercise:
    """The inverse of `service_request`. Raises KeyError for a missing element."""
    exercise = next(c["code"] for c in resource["code"]["coding"] if c["system"] == codes.EXERCISE)
    side_code = resource["bodySite"][0]["coding"][0]["code"]
    side = next(name for name, (code, _) in codes.LATERALITY.items() if code == side_code)
    repeat = resource["occurrenceTiming"]["repeat"]
    extension = next(e for e in resource["extension"] if e["url"] == codes.DOSE_EXTENSION)
    parts = {part["url"]: part for part in extension["extension"]}
    weekdays = cast("list[Weekday]", repeat.get("dayOfWeek", list(EVERY_DAY)))
    return PrescribedExercise(
        exercise_id=exercise,
        side=cast(Side, side),
        dose=Dose(
            sets=parts["sets"]["valueInteger"],
            repetitions=parts["repetitions"]["valueInteger"],
            hold_s=float(parts["hold"]["valueDuration"]["value"]),
            rest_s=float(parts["rest"]["valueDuration"]["value"]),
            times_per_day=repeat["frequency"],
            weekdays=frozenset(weekdays),
        ),
        note=resource.get("patientInstruction", ""),
    )


def _dose_extension(dose: Dose) -> dict[str, Any]:
    return {
        "url": codes.DOSE_EXTENSION,
        "extension": [
            {"url": "sets", "valueInteger": dose.sets},
            {"url": "repetitions", "valueInteger": dose.repetitions},
            {"url": "hold", "valueDuration": codes.quantity(dose.hold_s, "s", "s")},
            {"url": "rest", "valueDuration": codes.quantity(dose.rest_s, "s", "s")},
        ],
    }


def _repeat(program: Program, dose: Dose) -> dict[str, Any]:
    repeat: dict[str, Any] = {
        "boundsPeriod": {"start": program.start.isoformat(), "end": program.end.isoformat()},
        "frequency": dose.times_per_day,
        "period": 1,
        "periodUnit": "d",
    }
    if dose.weekdays != EVERY_DAY:
        repeat["dayOfWeek"] = [day for day in WEEKDAYS if day in dose.weekdays]
    return repeat
