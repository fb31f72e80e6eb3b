"""A program as CarePlan, ServiceRequests and Goals in one transaction, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from fhir import codes
from fhir.bundle import Resource, checked, put_by_identifier, transaction, urn
from fhir.codes import concept, identifier
from fhir.goal import goal_resource, read_goal
from fhir.meaning import Unreadable, needed, own_identifier, reading, understand
from fhir.narrative import bullets, generated, paragraph
from fhir.parties import Parties
from fhir.reference import relative_reference
from fhir.servicerequest import read_service_request, service_request
from rtm.program import PrescribedExercise, Program


class UnreadableProgram(Unreadable):
    """The resources are not a program of ours; the message names what is missing."""


def prescription_bundle(
    program: Program,
    parties: Parties,
    exercise_names: Mapping[str, str],
    previous: Program | None = None,
) -> Resource:
    """The transaction that puts `program` into the EHR; the CarePlan is its first entry.

    Entries are found again by our identifiers, so sending it twice, or a later version, changes
    the same resources. Exercises that `previous` had and `program` lacks are revoked.
    """
    line_urns = {
        line.key: urn(codes.PROGRAM_LINE_ID, program.id, line.key) for line in program.exercises
    }
    goal_urns = {goal.id: urn(codes.GOAL_ID, program.id, goal.id) for goal in program.goals}
    plan_urn = urn(codes.PROGRAM_ID, program.id)
    entries = [
        put_by_identifier(
            _careplan(program, parties, exercise_names, line_urns, goal_urns), plan_urn
        )
    ]
    for line in program.exercises:
        resource = service_request(program, line, parties, exercise_names[line.exercise_id])
        entries.append(put_by_identifier(resource, line_urns[line.key]))
    for line in _dropped(program, previous):
        resource = service_request(
            program, line, parties, exercise_names[line.exercise_id], status="revoked"
        )
        full_url = urn(codes.PROGRAM_LINE_ID, program.id, line.key)
        entries.append(put_by_identifier(resource, full_url))
    for goal in program.goals:
        resource = goal_resource(program.id, goal, parties.patient, program.start)
        entries.append(put_by_identifier(resource, goal_urns[goal.id]))
    return transaction(entries)


def read_program(
    careplan: Mapping[str, Any],
    service_requests: Sequence[Mapping[str, Any]],
    goals: Sequence[Mapping[str, Any]],
) -> Program:
    """The program that these resources hold; only active or drafted ServiceRequests are its lines.

    Lines and goals come in the order in which the CarePlan refers to them, where it refers to
    them by id.

    Raises:
        UnreadableProgram: an element of ours is missing.
        Unreadable: a modifier that is not known, or entered in error.
    """
    for resource in (*service_requests, *goals):
        understand(resource)
    with reading(careplan, UnreadableProgram):
        facts = _extension(careplan, codes.PROGRAM_EXTENSION)
        program_id = own_identifier(careplan, codes.PROGRAM_ID)
        addressed = needed(
            (
                reference
                for reference in careplan["addresses"]
                if reference.get("identifier", {}).get("system") == codes.ICD10CM
            ),
            "the condition's code",
        )
        lines = [
            read_service_request(resource)
            for resource in _in_order(
                service_requests,
                [a["reference"] for a in careplan.get("activity", ()) if "reference" in a],
            )
            if resource["status"] in ("active", "draft")
        ]
        return Program(
            id=program_id,
            version=int(facts["version"]),
            title=careplan["title"],
            protocol_id=str(facts["protocol"]),
            phase_id=str(facts["phase"]),
            condition_code=addressed["identifier"]["value"],
            condition_display=addressed["display"],
            exercises=tuple(lines),
            goals=tuple(
                read_goal(resource) for resource in _in_order(goals, careplan.get("goal", ()))
            ),
            start=date.fromisoformat(careplan["period"]["start"]),
            end=date.fromisoformat(careplan["period"]["end"]),
        )


def proposed_careplan(
    program: Program, parties: Parties, exercise_names: Mapping[str, str]
) -> Resource:
    """The CarePlan that `prescription_bundle` would send, as a draft that is one resource.

    Its ServiceRequests and Goals are contained, and `read_program` reads them from there.
    """
    careplan, *others = prescription_bundle(program, parties, exercise_names)["entry"]
    local = {
        entry["fullUrl"]: f"{entry['resource']['resourceType'].lower()}-{number}"
        for number, entry in enumerate(others, start=1)
    }
    resource: Resource = {**careplan["resource"], "status": "draft"}
    resource["activity"] = [
        {"reference": {"reference": f"#{local[activity['reference']['reference']]}"}}
        for activity in resource["activity"]
    ]
    if "goal" in resource:
        resource["goal"] = [
            {"reference": f"#{local[goal['reference']]}"} for goal in resource["goal"]
        ]
    resource["contained"] = [
        {**entry["resource"], "id": local[entry["fullUrl"]], **_draft(entry["resource"])}
        for entry in others
    ]
    return checked(resource)


def _draft(resource: Resource) -> dict[str, str]:
    """The status of something that nobody has signed."""
    if resource["resourceType"] == "Goal":
        return {"lifecycleStatus": "proposed"}
    return {"status": "draft"}


def program_reference(program_id: str, careplan: str | None) -> dict[str, Any]:
    """A reference to a program's CarePlan, by our identifier alone where the EHR has none."""
    reference: dict[str, Any] = {
        "type": "CarePlan",
        "identifier": identifier(codes.PROGRAM_ID, program_id),
    }
    if careplan:
        reference["reference"] = careplan
    return reference


def _careplan(
    program: Program,
    parties: Parties,
    exercise_names: Mapping[str, str],
    line_urns: Mapping[str, str],
    goal_urns: Mapping[str, str],
) -> Resource:
    resource: Resource = {
        "resourceType": "CarePlan",
        "meta": codes.profile("home-exercise-program"),
        "text": _narrative(program, exercise_names),
        "extension": [
            {
                "url": codes.PROGRAM_EXTENSION,
                "extension": [
                    {"url": "version", "valueInteger": program.version},
                    {"url": "protocol", "valueString": program.protocol_id},
                    {"url": "phase", "valueString": program.phase_id},
                ],
            }
        ],
        "identifier": [identifier(codes.PROGRAM_ID, program.id)],
        "status": "active",
        "intent": "plan",
        "category": [
            concept(
                codes.US_CORE_CAREPLAN_CATEGORY, "assess-plan", "Assessment and Plan of Treatment"
            )
        ],
        "title": program.title,
        "subject": {"reference": parties.patient},
        "period": {"start": program.start.isoformat(), "end": program.end.isoformat()},
        "author": {"reference": parties.practitioner},
        "addresses": [
            {
                "type": "Condition",
                "identifier": identifier(codes.ICD10CM, program.condition_code),
                "display": program.condition_display,
            }
        ],
        "activity": [{"reference": {"reference": reference}} for reference in line_urns.values()],
    }
    if goal_urns:
        resource["goal"] = [{"reference": reference} for reference in goal_urns.values()]
    if parties.encounter:
        resource["encounter"] = {"reference": parties.encounter}
    return resource


def _narrative(program: Program, exercise_names: Mapping[str, str]) -> dict[str, str]:
    lines = [f"{exercise_names[line.exercise_id]}: {dose_text(line)}" for line in program.exercises]
    blocks = [paragraph(f"{program.title}, {program.start} to {program.end}"), bullets(lines)]
    if program.goals:
        blocks += [paragraph("Goals"), bullets([goal.description for goal in program.goals])]
    return generated(*blocks)


def dose_text(line: PrescribedExercise) -> str:
    """The dose in a few English words, for people who read the chart."""
    dose = line.dose
    words = f"{dose.sets} × {dose.repetitions}"
    if dose.hold_s:
        words += f", hold {dose.hold_s:g} s"
    if dose.times_per_day > 1:
        words += f", {dose.times_per_day} times a day"
    if line.limit_deg is not None:
        words += f", no further than {line.limit_deg:g}°"
    return f"{words}, {len(dose.weekdays)} days a week, {line.side}"


def _dropped(program: Program, previous: Program | None) -> Iterable[PrescribedExercise]:
    kept = {line.key for line in program.exercises}
    return () if previous is None else [x for x in previous.exercises if x.key not in kept]


def _in_order(
    resources: Sequence[Mapping[str, Any]], references: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    places = {
        relative_reference(str(item.get("reference"))): place
        for place, item in enumerate(references)
    }

    def place(resource: Mapping[str, Any]) -> int:
        id_ = resource.get("id")
        own = (f"{resource['resourceType']}/{id_}", f"#{id_}")
        return min(places.get(name, len(places)) for name in own)

    return sorted(resources, key=place)


def _extension(resource: Mapping[str, Any], url: str) -> dict[str, Any]:
    for extension in resource.get("extension", ()):
        if extension["url"] == url:
            return {
                part["url"]: needed((v for k, v in part.items() if k.startswith("value")), "value")
                for part in extension["extension"]
            }
    raise KeyError(url)
