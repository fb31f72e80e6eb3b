"""Code systems and codes that we send, with where each is defined."""

from __future__ import annotations

from typing import Any

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
NPI = "http://hl7.org/fhir/sid/us-npi"
OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
DATA_ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
PROVENANCE_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
US_CORE_CAREPLAN_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/careplan-category"

# Our own artefacts live under one base, so that a reader finds their definitions together.
BASE = "https://homestretch.health/fhir"
EXERCISE = f"{BASE}/CodeSystem/exercise"
MEASURE = f"{BASE}/CodeSystem/session-measure"
PROGRAM_ID = f"{BASE}/identifier/program"
PROGRAM_LINE_ID = f"{BASE}/identifier/program-line"
GOAL_ID = f"{BASE}/identifier/goal"
SESSION_ID = f"{BASE}/identifier/session"
DEVICE_ID = f"{BASE}/identifier/device"
DOSE_EXTENSION = f"{BASE}/StructureDefinition/exercise-dose"
PROGRAM_EXTENSION = f"{BASE}/StructureDefinition/program"

# LOINC 72514-3: Pain severity - 0-10 verbal numeric rating [Score] - Reported.
PAIN_SEVERITY = ("72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported")

# SNOMED CT body-side qualifiers.
LATERALITY = {
    "left": ("7771000", "Left"),
    "right": ("24028007", "Right"),
    "bilateral": ("51440002", "Right and left"),
}


def concept(system: str, code: str, display: str) -> dict[str, Any]:
    """A CodeableConcept with one coding and its display as text."""
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def quantity(value: float, unit: str, code: str) -> dict[str, Any]:
    """A UCUM Quantity. `unit` is for people, `code` is UCUM's."""
    return {"value": value, "unit": unit, "system": UCUM, "code": code}


def identifier(system: str, value: str) -> dict[str, str]:
    return {"system": system, "value": value}
