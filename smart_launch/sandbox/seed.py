"""The sandbox's synthetic people, from `data/people.yaml`."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

from smart_launch.sandbox.access import Grant
from smart_launch.sandbox.search import Criteria
from smart_launch.sandbox.store import FhirStore
from smart_launch.sandbox.validation import validate

_SYSTEM = Grant((("system", "*", "cruds"),), None, None)
_MRN = "https://sandbox.example/mrn"

# Source of Payment Typology: 1 is Medicare.
_MEDICARE = "1"


def seed(store: FhirStore) -> None:
    """Puts every synthetic person into `store`; those already there stay as they are."""
    known = _known_ids(store)
    for resource in synthetic_resources():
        if f"{resource['resourceType']}/{resource['id']}" not in known:
            store.update(_SYSTEM, validate(resource), resource["id"])


def synthetic_resources() -> list[dict[str, Any]]:
    """Organization, practitioners, patients with conditions, coverage and encounter; groups."""
    people = yaml.safe_load(files(__package__).joinpath("data", "people.yaml").read_text("utf-8"))
    resources = [_organization(people["organization"])]
    for person in people["practitioners"]:
        resources += _practitioner(person, people["organization"]["id"])
    for person in people["patients"]:
        resources += _patient(person, people["organization"]["id"])
    return [*resources, *map(_group, people["groups"])]


def _known_ids(store: FhirStore) -> set[str]:
    known = set()
    for resource_type in {resource["resourceType"] for resource in synthetic_resources()}:
        page = store.search(_SYSTEM, Criteria(resource_type, ()), 0, 10_000)
        known |= {f"{resource_type}/{resource['id']}" for resource in page.resources}
    return known


def _organization(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Organization",
        "id": facts["id"],
        "active": True,
        "name": facts["name"],
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": facts["npi"]}],
    }


def _group(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Group",
        "id": facts["id"],
        "active": True,
        "type": "person",
        "actual": True,
        "name": facts["name"],
        "member": [{"entity": {"reference": f"Patient/{id_}"}} for id_ in facts["members"]],
    }


def _practitioner(facts: dict[str, Any], organization: str) -> list[dict[str, Any]]:
    practitioner: dict[str, Any] = {
        "resourceType": "Practitioner",
        "id": facts["id"],
        "text": _narrative(facts["about"]),
        "active": True,
        "name": [{"use": "official", "family": facts["family"], "given": [facts["given"]]}],
    }
    if "npi" in facts:
        practitioner["identifier"] = [
            {"system": "http://hl7.org/fhir/sid/us-npi", "value": facts["npi"]}
        ]
    role: dict[str, Any] = {
        "resourceType": "PractitionerRole",
        "id": f"{facts['id']}-role",
        "active": True,
        "practitioner": {"reference": f"Practitioner/{facts['id']}"},
        "organization": {"reference": f"Organization/{organization}"},
    }
    if "taxonomy" in facts:
        role["specialty"] = [
            {
                "coding": [
                    {"system": "http://nucc.org/provider-taxonomy", "code": facts["taxonomy"]}
                ],
                "text": facts["about"],
            }
        ]
    return [practitioner, role]


def _patient(facts: dict[str, Any], organization: str) -> list[dict[str, Any]]:
    own = f"Patient/{facts['id']}"
    patient = {
        "resourceType": "Patient",
        "id": facts["id"],
        "text": _narrative(facts["about"]),
        "identifier": _identifiers(facts),
        "active": True,
        "name": [{"use": "official", "family": facts["family"], "given": [facts["given"]]}],
        "telecom": [{"system": "phone", "value": facts["phone"], "use": "home"}],
        "gender": facts["gender"],
        "birthDate": facts["birth_date"],
        "address": [
            {
                "extension": [
                    {
                        "url": "http://hl7.org/fhir/StructureDefinition/timezone",
                        "valueCode": facts["time_zone"],
                    }
                ],
                "use": "home",
                "line": [facts["street"]],
                "city": facts["city"],
                "state": facts["state"],
                "postalCode": facts["zip"],
                "country": "US",
            }
        ],
        "communication": [
            {
                "language": {"coding": [{"system": "urn:ietf:bcp:47", "code": facts["language"]}]},
                "preferred": True,
            }
        ],
    }
    conditions = [
        {
            "resourceType": "Condition",
            "id": f"{facts['id']}-condition-{number}",
            "clinicalStatus": _concept("condition-clinical", "active"),
            "verificationStatus": _concept("condition-ver-status", "confirmed"),
            "category": [_concept("condition-category", "problem-list-item")],
            "code": {"coding": _diagnosis(condition), "text": condition["display"]},
            "subject": {"reference": own},
        }
        for number, condition in enumerate(facts["conditions"], start=1)
    ]
    coverage = {
        "resourceType": "Coverage",
        "id": f"{facts['id']}-coverage",
        "status": "active",
        "type": {
            "coding": [
                {
                    "system": "https://nahdo.org/sopt",
                    "code": facts["coverage"]["type"],
                }
            ],
            "text": facts["coverage"]["payer"],
        },
        "subscriberId": facts["coverage"]["member_id"],
        "beneficiary": {"reference": own},
        "relationship": {"coding": [{"code": "self"}]},
        "period": {"start": "2022-01-01"},
        "payor": [
            {
                "identifier": {"value": facts["coverage"]["payer_id"]},
                "display": facts["coverage"]["payer"],
            }
        ],
    }
    encounter = {
        "resourceType": "Encounter",
        "id": f"{facts['id']}-encounter",
        "status": "in-progress",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "AMB",
            "display": "ambulatory",
        },
        "subject": {"reference": own},
        "serviceProvider": {"reference": f"Organization/{organization}"},
    }
    return [patient, *conditions, coverage, encounter]


def _identifiers(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The medical record number, and for Medicare patients the beneficiary's."""
    numbers = [("MR", _MRN, facts["mrn"])]
    if facts["coverage"]["type"] == _MEDICARE:
        numbers.append(("MC", "http://hl7.org/fhir/sid/us-mbi", facts["coverage"]["member_id"]))
    kinds = "http://terminology.hl7.org/CodeSystem/v2-0203"
    return [
        {"type": {"coding": [{"system": kinds, "code": kind}]}, "system": system, "value": value}
        for kind, system, value in numbers
    ]


def _diagnosis(condition: dict[str, Any]) -> list[dict[str, str]]:
    codings = [("http://hl7.org/fhir/sid/icd-10-cm", condition["code"], condition["display"])]
    if "snomed" in condition:
        codings.append(("http://snomed.info/sct", condition["snomed"], condition["snomed_display"]))
    return [
        {"system": system, "code": code, "display": display} for system, code, display in codings
    ]


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


def _narrative(text: str) -> dict[str, str]:
    return {
        "status": "generated",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>',
    }
