"""Readers are strict about what can turn a meaning around, and lenient about all else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir.careplan import prescription_bundle, read_program
from fhir.communication import read_communication
from fhir.consent import read_consent
from fhir.document_reference import read_structured_summary
from fhir.guide.examples import definitions, examples
from fhir.meaning import Unreadable, understand
from fhir.observation import read_measures
from fhir.parties import Parties
from fhir.patient import read_coverage, read_diagnoses, read_patient, read_practitioner
from fhir.plan_definition import read_plan_definition
from fhir.questionnaire import read_questionnaire
from fhir.questionnaire_response import read_questionnaire_response
from rtm.program import Program
from rtm.protocols import draft_program, load_protocols
from smart_launch.sandbox.seed import synthetic_resources
from tests.fhir.samples import NAMES, as_stored

UNKNOWN = [{"url": "https://example.org/not-to-be-done", "valueBoolean": True}]


def program() -> Program:
    protocol = load_protocols()["neck_pain"]
    return draft_program(protocol, protocol.phases[0], id="p", start=date(2026, 10, 1), side="left")


def stored() -> list[dict[str, Any]]:
    return as_stored(prescription_bundle(program(), Parties("Patient/p", "Practitioner/x"), NAMES))


def read(resources: list[dict[str, Any]]) -> Program:
    return read_program(
        resources[0],
        [r for r in resources if r["resourceType"] == "ServiceRequest"],
        [r for r in resources if r["resourceType"] == "Goal"],
    )


def test_extensions_elements_and_references_that_we_never_sent_do_not_disturb() -> None:
    resources = stored()
    for resource in resources:
        resource["extension"] = [
            {"url": "https://example.org/x", "valueString": "x"},
            *resource.get("extension", ()),
        ]
        resource["note"] = [{"text": "seen in the clinic"}]
        resource["identifier"].insert(0, {"system": "urn:ehr", "value": "1"})
    plan = resources[0]
    plan["addresses"].insert(0, {"reference": "Condition/7"})
    plan["activity"].append({"detail": {"status": "scheduled", "description": "Visit"}})
    plan["activity"][0]["progress"] = [{"text": "going well"}]
    for activity in plan["activity"][:-1]:
        reference = activity["reference"]["reference"]
        activity["reference"]["reference"] = f"https://ehr.example/fhir/{reference}/_history/4"
    for resource in resources[1:]:
        if resource["resourceType"] == "ServiceRequest":
            for concept in (resource["code"], resource["bodySite"][0]):
                concept["coding"].insert(0, {"code": "local", "display": "no system"})
    assert read(resources) == program()


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan.update(modifierExtension=UNKNOWN),
        lambda plan: plan["activity"][0].update(modifierExtension=UNKNOWN),
        lambda plan: plan.update(implicitRules="https://example.org/rules"),
        lambda plan: plan.update(status="entered-in-error"),
    ],
)
def test_a_plan_with_a_modifier_that_we_do_not_know_is_not_read(change: Any) -> None:
    resources = stored()
    change(resources[0])
    with pytest.raises(Unreadable):
        read(resources)


def test_an_order_with_an_unknown_modifier_is_no_line_of_a_program() -> None:
    resources = stored()
    line = next(r for r in resources if r["resourceType"] == "ServiceRequest")
    line["modifierExtension"] = UNKNOWN
    with pytest.raises(Unreadable, match="ServiceRequest has a modifier"):
        read(resources)


def test_the_modifiers_of_contained_resources_are_their_own() -> None:
    understand({"resourceType": "Goal", "contained": [{"modifierExtension": UNKNOWN}]})


def test_a_patient_with_an_unknown_modifier_is_refused() -> None:
    patient = next(r for r in synthetic_resources() if r["resourceType"] == "Patient")
    read_patient(patient)
    with pytest.raises(Unreadable, match="Patient has a modifier"):
        read_patient({**patient, "modifierExtension": UNKNOWN})


@pytest.mark.parametrize("status", ["refuted", "entered-in-error"])
def test_a_condition_that_was_refuted_is_no_diagnosis(status: str) -> None:
    condition = next(r for r in synthetic_resources() if r["resourceType"] == "Condition")
    assert read_diagnoses([condition]) != ()
    changed = copy.deepcopy(condition)
    changed["verificationStatus"] = {"coding": [{"code": status}]}
    assert read_diagnoses([changed]) == ()
    assert read_diagnoses([{**condition, "modifierExtension": UNKNOWN}]) == ()


# Whatever an EHR may send ------------------------------------------------------------------------


def _first(type_: str) -> dict[str, Any]:
    everything = [*examples(), *definitions(), *synthetic_resources()]
    return next(r for r in everything if r["resourceType"] == type_)


READERS: list[tuple[dict[str, Any], Callable[[Any], object]]] = [
    (_first("Communication"), read_communication),
    (_first("Consent"), read_consent),
    (_first("DocumentReference"), read_structured_summary),
    (_first("PlanDefinition"), read_plan_definition),
    (_first("Questionnaire"), read_questionnaire),
    (_first("QuestionnaireResponse"), read_questionnaire_response),
    (_first("Observation"), read_measures),
    (_first("Patient"), read_patient),
    (_first("Practitioner"), read_practitioner),
    (_first("Coverage"), read_coverage),
    (_first("Condition"), lambda condition: read_diagnoses([condition])),
    (
        next(r for r in examples() if r["id"] == "proposed"),
        lambda plan: read_program(
            plan,
            [r for r in plan["contained"] if r.get("resourceType") == "ServiceRequest"],
            [r for r in plan["contained"] if r.get("resourceType") == "Goal"],
        ),
    ),
]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something could stand otherwise; not the types, by which a reader is chosen."""
    parts = list(
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    found = [] if not path or "resourceType" in path or path[-1] == "contained" else [path]
    if len(path) == 2 and path[0] == "contained":
        found = []
    return found + [one for key, part in parts for one in _paths(part, (*path, key))]


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_no_resource_however_broken_breaks_a_reader(data: st.DataObject) -> None:
    original, read = data.draw(st.sampled_from(READERS))
    resource = copy.deepcopy(original)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_paths(resource)))
        parent = resource
        for key in path[:-1]:
            parent = parent[key]
        wrong = data.draw(
            st.sampled_from([None, "", "x", 7, -1.5, True, [], {}, [1], [{}], {"a": 1}, [[]]])
            | st.just("2026-13-45")
        )
        if wrong is None and isinstance(parent, dict):
            del parent[path[-1]]
        else:
            parent[path[-1]] = wrong
    line = "read"
    try:
        read(resource)
    except Unreadable as error:
        line = str(error)
    assert line.isprintable()
    assert len(line) < 300
