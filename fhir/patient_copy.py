"""A patient as we hold one, as Patient: for readers of our own FHIR API."""

from __future__ import annotations

from typing import Any

from fhir.bundle import Resource, checked
from fhir.codes import concept
from fhir.patient import PatientBanner

_IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
_GENDERS = ("male", "female", "other", "unknown")


def patient_resource(patient: PatientBanner, health_system: str) -> Resource:
    """The Patient under the id that the EHR gave; `health_system` names who assigned the MRN."""
    resource: Resource = {
        "resourceType": "Patient",
        "id": patient.id,
        "name": [_name(patient)],
        "gender": patient.gender if patient.gender in _GENDERS else "unknown",
        "birthDate": patient.birth_date.isoformat(),
    }
    if patient.mrn:
        resource["identifier"] = [
            {
                "use": "usual",
                "type": concept(_IDENTIFIER_TYPE, "MR", "Medical record number"),
                "value": patient.mrn,
                "assigner": {"display": health_system},
            }
        ]
    if patient.phone:
        resource["telecom"] = [{"system": "phone", "value": patient.phone}]
    if address := _address(patient):
        resource["address"] = [address]
    if patient.language:
        language = {"coding": [{"system": "urn:ietf:bcp:47", "code": patient.language}]}
        resource["communication"] = [{"language": language, "preferred": True}]
    return checked(resource)


def _name(patient: PatientBanner) -> dict[str, Any]:
    name: dict[str, Any] = {"use": "official", "text": patient.name}
    if patient.family:
        name["family"] = patient.family
    if patient.given:
        name["given"] = patient.given.split()
    return name


def _address(patient: PatientBanner) -> dict[str, Any]:
    parts = {
        "line": [patient.address_line] if patient.address_line else None,
        "city": patient.city,
        "state": patient.state,
        "postalCode": patient.postal_code,
    }
    return {name: value for name, value in parts.items() if value}
