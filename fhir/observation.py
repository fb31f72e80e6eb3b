"""A session as Observations: one parent, its range of motion, and pain before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from fhir import codes
from fhir.bundle import Resource, create_once, put_by_id, put_by_identifier, transaction, urn
from fhir.careplan import program_reference
from fhir.codes import concept, identifier, quantity
from fhir.device import SoftwareDevice, device_resource
from fhir.meaning import reading
from fhir.provenance import provenance_resource
from rtm.feedback import Feedback
from rtm.session import Session

_SCORE_PARTS = ("total", "range", "control", "form", "symmetry", "completeness")


def session_bundle(
    session: Session,
    *,
    patient: str,
    careplan: str | None,
    program_id: str,
    exercise_name: str,
    device: SoftwareDevice,
    recorded: datetime,
) -> Resource:
    """The transaction for one session; the parent Observation is its first entry.

    Each Observation is created only if its identifier is new, so sending it twice has one
    effect. `careplan` is the EHR's reference to the plan; None where the EHR has none, and then
    the link is by our program identifier alone.
    """
    device_urn = urn(codes.DEVICE_ID, device.version)
    common = {
        "subject": {"reference": patient},
        "basedOn": [program_reference(program_id, careplan)],
        "device": {"reference": device_urn},
    }
    members = _members(session, common)
    urns = {name: urn(codes.SESSION_ID, session.id, name) for name in members}
    parent_urn = urn(codes.SESSION_ID, session.id)
    parent = _parent(session, common, exercise_name, list(urns.values()))
    targets = [parent_urn, *urns.values()]
    return transaction(
        [
            create_once(parent, parent_urn),
            *(create_once(resource, urns[name]) for name, resource in members.items()),
            put_by_identifier(device_resource(device), device_urn),
            put_by_id(
                provenance_resource(session.id, targets, patient, device_urn, recorded),
                urn(codes.SESSION_ID, session.id, "provenance"),
            ),
        ]
    )


def read_measures(observation: Mapping[str, Any]) -> dict[str, float | None]:
    """The components of a parent Observation that are numbers, by measure; None where data is
    absent.

    Components of others are left out.

    Raises:
        Unreadable: a modifier that is not known, entered in error, or a value that is no number.
    """
    measures: dict[str, float | None] = {}
    with reading(observation):
        for component in observation.get("component", ()):
            if "valueCodeableConcept" in component:
                continue
            value = component.get("valueQuantity", {}).get("value", component.get("valueInteger"))
            for coding in component["code"].get("coding", ()):
                if coding.get("system") == codes.MEASURE:
                    measures[coding["code"]] = None if value is None else float(value)
    return measures


def _parent(
    session: Session, common: Mapping[str, Any], exercise_name: str, member_urns: list[str]
) -> Resource:
    resource: Resource = {
        "resourceType": "Observation",
        "meta": codes.profile("exercise-session"),
        "identifier": [identifier(codes.SESSION_ID, session.id)],
        **common,
        "status": "final",
        "category": [_category("activity", "Activity")],
        "code": {
            "coding": [
                _measure_coding("exercise_session", "Home exercise session"),
                {"system": codes.EXERCISE, "code": session.exercise_id, "display": exercise_name},
            ],
            "text": f"Home exercise session: {exercise_name}",
        },
        "effectivePeriod": {
            "start": session.started_at.isoformat(),
            "end": session.ended_at.isoformat(),
        },
        "bodySite": concept(codes.SNOMED, *codes.LATERALITY[session.side]),
        "method": concept(codes.MEASURE, f"source_{session.source}", _SOURCES[session.source]),
        "component": [
            _component("repetitions", session.repetition_count, "repetitions", "{repetitions}"),
            _component("duration", round(session.duration_s, 1), "s", "s"),
            *_score_components(session),
            *_feedback_components(session.feedback),
        ],
        "hasMember": [{"reference": member} for member in member_urns],
    }
    if session.feedback.note is not None:
        resource["note"] = [
            {
                "authorReference": {"reference": common["subject"]["reference"]},
                "time": session.ended_at.isoformat(),
                "text": session.feedback.note,
            }
        ]
    return resource


_SOURCES = {
    "video": "Measured from video",
    "landmarks": "Measured from body landmarks",
    "manual": "Reported by the patient",
}


def _score_components(session: Session) -> list[dict[str, Any]]:
    score = asdict(session.result.score) if session.result else {}
    components = []
    for part in _SCORE_PARTS:
        value = score.get(part)
        rounded = None if value is None else round(value, 1)
        components.append(_component(f"score_{part}", rounded, "score", "{score}"))
    return components


def _feedback_components(feedback: Feedback) -> list[dict[str, Any]]:
    """What the patient said; what was skipped, or not asked for, is left out.

    No LOINC or SNOMED CT code that we could check says a plain 0–10 rating of perceived exertion
    (DICOM's 122735 is the Borg CR10 scale, which this is not), so the codes are our own.
    """
    components = []
    if feedback.effort is not None:
        components.append(_component("perceived_exertion", feedback.effort, "score", "{score}"))
    for name, answer in (
        ("difficulty", feedback.difficulty),
        ("stopped_reason", feedback.stopped_reason),
    ):
        if answer is not None:
            code = f"{name}_{answer}"
            components.append(
                {
                    "code": {"coding": [_measure_coding(name, name.replace("_", " "))]},
                    "valueCodeableConcept": concept(codes.MEASURE, code, code.replace("_", " ")),
                }
            )
    return components


def _members(session: Session, common: Mapping[str, Any]) -> dict[str, Resource]:
    members = {
        "pain-before": _pain(
            session, common, "pain-before", session.pain.before, session.started_at
        ),
        "pain-after": _pain(session, common, "pain-after", session.pain.after, session.ended_at),
    }
    if session.result is not None and session.result.primary_angle is not None:
        members["rom"] = _range_of_motion(session, common)
    return members


def _pain(
    session: Session, common: Mapping[str, Any], name: str, value: int, at: datetime
) -> Resource:
    code, display = codes.PAIN_SEVERITY
    return {
        "resourceType": "Observation",
        "meta": codes.profile("session-pain"),
        "identifier": [identifier(codes.SESSION_ID, f"{session.id}.{name}")],
        "subject": common["subject"],
        "basedOn": common["basedOn"],
        "status": "final",
        "category": [_category("survey", "Survey")],
        "code": {
            "coding": [
                {"system": codes.LOINC, "code": code, "display": display},
                _measure_coding(name.replace("-", "_"), name.replace("-", " ")),
            ],
            "text": f"Pain severity {name.removeprefix('pain-')} the session",
        },
        "effectiveDateTime": at.isoformat(),
        "valueQuantity": quantity(value, "score", "{score}"),
    }


def _range_of_motion(session: Session, common: Mapping[str, Any]) -> Resource:
    assert session.result is not None, "asked for only where measured"
    assert session.result.primary_angle is not None, "asked for only where measured"
    angle = session.result.primary_angle
    words = angle.name.replace("_", " ")
    return {
        "resourceType": "Observation",
        "meta": codes.profile("session-range"),
        "identifier": [identifier(codes.SESSION_ID, f"{session.id}.rom")],
        **common,
        "status": "final",
        "category": [_category("activity", "Activity")],
        "code": {
            "coding": [_measure_coding(angle.name, f"Range of motion, {words}")],
            "text": f"Range of motion, {words}",
        },
        "bodySite": concept(codes.SNOMED, *codes.LATERALITY[session.side]),
        "effectivePeriod": {
            "start": session.started_at.isoformat(),
            "end": session.ended_at.isoformat(),
        },
        "valueQuantity": quantity(round(angle.rom_deg, 1), "deg", "deg"),
        "component": [
            _component("angle_minimum", round(angle.min_deg, 1), "deg", "deg"),
            _component("angle_maximum", round(angle.max_deg, 1), "deg", "deg"),
        ],
    }


def _component(name: str, value: float | None, unit: str, ucum: str) -> dict[str, Any]:
    component: dict[str, Any] = {
        "code": {"coding": [_measure_coding(name, name.replace("_", " "))]}
    }
    if value is None:
        component["dataAbsentReason"] = concept(
            codes.DATA_ABSENT_REASON, "not-performed", "Not Performed"
        )
    else:
        component["valueQuantity"] = quantity(value, unit, ucum)
    return component


def _category(code: str, display: str) -> dict[str, Any]:
    return concept(codes.OBSERVATION_CATEGORY, code, display)


def _measure_coding(code: str, display: str) -> dict[str, str]:
    return {"system": codes.MEASURE, "code": code, "display": display}
