"""One prescribed exercise as ServiceRequest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

from fhir import codes
from fhir.bundle import Resource
from fhir.codes import concept, identifier
from fhir.meaning import needed
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
        "meta": codes.profile("exercise-order"),
        "extension": [dose_extension(line.dose), *_limit_extension(line)],
        "identifier": [identifier(codes.PROGRAM_LINE_ID, f"{program.id}.{line.key}")],
        "status": status,
        "intent": "order",
        "code": concept(codes.EXERCISE, line.exercise_id, exercise_name),
        "subject": {"reference": parties.patient},
        "occurrenceTiming": {"repeat": {**_bounds(program), **repeat(line.dose)}},
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
    exercise = _code(resource["code"], codes.EXERCISE)
    side_code = _code(resource["bodySite"][0], codes.SNOMED)
    side = needed((s for s, (code, _) in codes.LATERALITY.items() if code == side_code), "side")
    return PrescribedExercise(
        exercise_id=exercise,
        side=cast(Side, side),
        dose=read_dose(resource["extension"], resource["occurrenceTiming"]["repeat"]),
        note=resource.get("patientInstruction", ""),
        limit_deg=_read_limit(resource["extension"]),
    )


def _limit_extension(line: PrescribedExercise) -> list[Resource]:
    if line.limit_deg is None:
        return []
    return [{"url": codes.RANGE_LIMIT_EXTENSION, "valueDecimal": line.limit_deg}]


def _read_limit(extensions: Iterable[Mapping[str, Any]]) -> float | None:
    found = (e["valueDecimal"] for e in extensions if e["url"] == codes.RANGE_LIMIT_EXTENSION)
    limit_deg = next(found, None)
    return None if limit_deg is None else float(limit_deg)


def read_dose(extensions: Iterable[Mapping[str, Any]], timing_repeat: Mapping[str, Any]) -> Dose:
    """The dose in our `exercise-dose` extension and a Timing's `repeat`.

    Raises KeyError for a missing element, InvalidDose for one out of bounds.
    """
    extension = needed((e for e in extensions if e["url"] == codes.DOSE_EXTENSION), "the dose")
    parts = {part["url"]: part for part in extension["extension"]}
    weekdays = cast("list[Weekday]", timing_repeat.get("dayOfWeek", list(EVERY_DAY)))
    return Dose(
        sets=parts["sets"]["valueInteger"],
        repetitions=parts["repetitions"]["valueInteger"],
        hold_s=float(parts["hold"]["valueDuration"]["value"]),
        rest_s=float(parts["rest"]["valueDuration"]["value"]),
        times_per_day=timing_repeat["frequency"],
        weekdays=frozenset(weekdays),
    )


def dose_extension(dose: Dose) -> dict[str, Any]:
    """What of a dose R4's Timing can't say."""
    return {
        "url": codes.DOSE_EXTENSION,
        "extension": [
            {"url": "sets", "valueInteger": dose.sets},
            {"url": "repetitions", "valueInteger": dose.repetitions},
            {"url": "hold", "valueDuration": codes.quantity(dose.hold_s, "s", "s")},
            {"url": "rest", "valueDuration": codes.quantity(dose.rest_s, "s", "s")},
        ],
    }


def repeat(dose: Dose) -> dict[str, Any]:
    """How often, as a Timing's `repeat`; weekdays only where it is not every day."""
    found: dict[str, Any] = {"frequency": dose.times_per_day, "period": 1, "periodUnit": "d"}
    if dose.weekdays != EVERY_DAY:
        found["dayOfWeek"] = [day for day in WEEKDAYS if day in dose.weekdays]
    return found


def _bounds(program: Program) -> dict[str, Any]:
    return {"boundsPeriod": {"start": program.start.isoformat(), "end": program.end.isoformat()}}


def _code(concept_: Mapping[str, Any], system: str) -> str:
    found = (cast(str, c["code"]) for c in concept_["coding"] if c.get("system") == system)
    return needed(found, system)
