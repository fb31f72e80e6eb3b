"""Readers are strict about what can turn a meaning around, and lenient about all else."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import pytest

from fhir.careplan import prescription_bundle, read_program
from fhir.meaning import Unreadable, understand
from fhir.parties import Parties
from fhir.patient import read_diagnoses, read_patient
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
