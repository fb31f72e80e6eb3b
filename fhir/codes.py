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
CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
COMMUNICATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/communication-category"
AUDIT_EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
RESTFUL_INTERACTION = "http://hl7.org/fhir/restful-interaction"
SECURITY_ROLE = "http://terminology.hl7.org/CodeSystem/extra-security-role-type"
OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
PLAN_DEFINITION_TYPE = "http://terminology.hl7.org/CodeSystem/plan-definition-type"

# Our own artefacts live under one base, so that a reader finds their definitions together.
BASE = "https://homestretch.health/fhir"
EXERCISE = f"{BASE}/CodeSystem/exercise"
MEASURE = f"{BASE}/CodeSystem/session-measure"
INSTRUMENT = f"{BASE}/CodeSystem/instrument"
PROGRAM_ID = f"{BASE}/identifier/program"
PROGRAM_LINE_ID = f"{BASE}/identifier/program-line"
GOAL_ID = f"{BASE}/identifier/goal"
SESSION_ID = f"{BASE}/identifier/session"
DEVICE_ID = f"{BASE}/identifier/device"
PROGRESS_ID = f"{BASE}/identifier/progress"
INSTRUMENT_ID = f"{BASE}/identifier/instrument"
OUTCOME_ID = f"{BASE}/identifier/outcome"
MESSAGE_ID = f"{BASE}/identifier/message"
DOCUMENT_ID = f"{BASE}/identifier/document"
CONSENT_ID = f"{BASE}/identifier/consent"
DOSE_EXTENSION = f"{BASE}/StructureDefinition/exercise-dose"
PROGRAM_EXTENSION = f"{BASE}/StructureDefinition/program"
CONSENT_EXTENSION = f"{BASE}/StructureDefinition/consent-taking"
CRITERION_EXTENSION = f"{BASE}/StructureDefinition/phase-criterion"
PRECAUTION_EXTENSION = f"{BASE}/StructureDefinition/precaution"
RANGE_LIMIT_EXTENSION = f"{BASE}/StructureDefinition/range-limit"
MOVEMENT_RULE_EXTENSION = f"{BASE}/StructureDefinition/movement-rule"
PAIN_BOUNDS_EXTENSION = f"{BASE}/StructureDefinition/pain-bounds"
GUIDELINE_EXTENSION = f"{BASE}/StructureDefinition/guideline-source"
RED_FLAG_EXTENSION = f"{BASE}/StructureDefinition/red-flag"
FORM_EXTENSION = f"{BASE}/StructureDefinition/instrument-scoring"

# LOINC codes, each with where it was checked.
# HL7 value sets and LOINC: "Pain severity - 0-10 verbal numeric rating [Score] - Reported".
PAIN_SEVERITY = ("72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported")
# Physical Activity IG 1.0.0, value set pa-observation-code-activity; in minutes.
EXERCISE_DURATION = ("55411-3", "Exercise duration")
# R4 value set doc-classcodes.
MONITORING_REPORT = ("53576-5", "Personal health monitoring report Document")
# R4 value set consent-category.
PATIENT_CONSENT = ("59284-0", "Patient Consent")

# SNOMED CT body-side qualifiers.
LATERALITY = {
    "left": ("7771000", "Left"),
    "right": ("24028007", "Right"),
    "bilateral": ("51440002", "Right and left"),
}


def concept(system: str, code: str, display: str) -> dict[str, Any]:
    """A CodeableConcept with one coding and its display as text."""
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def profile(name: str) -> dict[str, list[str]]:
    """A `meta` that claims our own profile `name` (docs/fhir)."""
    return {"profile": [f"{BASE}/StructureDefinition/{name}"]}


def quantity(value: float, unit: str, code: str) -> dict[str, Any]:
    """A UCUM Quantity. `unit` is for people, `code` is UCUM's."""
    return {"value": value, "unit": unit, "system": UCUM, "code": code}


def identifier(system: str, value: str) -> dict[str, str]:
    return {"system": system, "value": value}


def fhir_id(name: str) -> str:
    """A name of ours as a FHIR id, which has no underscores."""
    return name.replace("_", "-")


def own_name(id_: str) -> str:
    """The inverse of `fhir_id`: names of ours have no dashes."""
    return id_.replace("-", "_")
