"""What the FHIR API serves: one table for routing, searching, and describing itself.

A type more is a line here and a source of its rows in `app.api.holdings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.api.parameters import Parameter

_R4 = "http://hl7.org/fhir/SearchParameter"


@dataclass(frozen=True)
class ServedType:
    """A resource type that can be read and searched.

    `sorts` are the names that `_sort` takes. `versions` says which versions can be read: none by
    number, the current one (the only one there is), or every.
    """

    name: str
    parameters: tuple[Parameter, ...]
    sorts: tuple[str, ...] = ("_lastUpdated",)
    versions: Literal["none", "current", "every"] = "current"

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)

    @property
    def includes(self) -> tuple[str, ...]:
        """What `_include` takes."""
        return tuple(f"{self.name}:{p.name}" for p in self.parameters if p.targets)

    @property
    def revincludes(self) -> tuple[str, ...]:
        """What `_revinclude` takes: references of any type that may lead here."""
        return tuple(
            f"{other.name}:{p.name}"
            for other in SERVED.values()
            for p in other.parameters
            if self.name in p.targets
        )


def _token(name: str, element: str, definition: str) -> Parameter:
    return Parameter(name, "token", (element,), f"{_R4}/{definition}")


def _date(name: str, definition: str, *elements: str) -> Parameter:
    return Parameter(name, "date", elements, f"{_R4}/{definition}")


def _reference(name: str, element: str, definition: str, *targets: str) -> Parameter:
    return Parameter(name, "reference", (element,), f"{_R4}/{definition}", targets)


_EVERY = (
    _token("_id", "id", "Resource-id"),
    _date("_lastUpdated", "Resource-lastUpdated", "meta.lastUpdated"),
)


def _about_patient(name: str, element: str = "subject") -> tuple[Parameter, ...]:
    return (
        _token("identifier", "identifier", "clinical-identifier"),
        _reference("patient", element, "clinical-patient", "Patient"),
        _reference("subject", element, f"{name}-subject", "Patient"),
    )


def _definition(name: str) -> tuple[Parameter, ...]:
    return (
        *_EVERY,
        _token("status", "status", f"{name}-status"),
        Parameter("url", "uri", ("url",), f"{_R4}/{name}-url"),
    )


_TYPES = (
    ServedType(
        "Patient",
        (
            *_EVERY,
            _token("identifier", "identifier", "Patient-identifier"),
            _token("gender", "gender", "individual-gender"),
            _date("birthdate", "individual-birthdate", "birthDate"),
        ),
        versions="none",
    ),
    ServedType(
        "CarePlan",
        (
            *_EVERY,
            *_about_patient("CarePlan"),
            _token("category", "category", "CarePlan-category"),
            _token("status", "status", "CarePlan-status"),
            _token("intent", "intent", "CarePlan-intent"),
            _date("date", "clinical-date", "period"),
            _reference(
                "activity-reference",
                "activity.reference",
                "CarePlan-activity-reference",
                "ServiceRequest",
            ),
            _reference("goal", "goal", "CarePlan-goal", "Goal"),
        ),
        versions="every",
    ),
    ServedType(
        "ServiceRequest",
        (
            *_EVERY,
            *_about_patient("ServiceRequest"),
            _token("code", "code", "clinical-code"),
            _token("status", "status", "ServiceRequest-status"),
            _token("intent", "intent", "ServiceRequest-intent"),
        ),
        versions="every",
    ),
    ServedType(
        "Goal",
        (
            *_EVERY,
            *_about_patient("Goal"),
            _token("lifecycle-status", "lifecycleStatus", "Goal-lifecycle-status"),
            _date("start-date", "Goal-start-date", "startDate"),
        ),
        versions="every",
    ),
    ServedType(
        "Observation",
        (
            *_EVERY,
            *_about_patient("Observation"),
            _token("category", "category", "Observation-category"),
            _token("code", "code", "clinical-code"),
            _token("status", "status", "Observation-status"),
            _date("date", "clinical-date", "effectiveDateTime", "effectivePeriod"),
            _reference("based-on", "basedOn", "Observation-based-on", "CarePlan"),
            _reference("has-member", "hasMember", "Observation-has-member", "Observation"),
            _reference("device", "device", "Observation-device", "Device"),
            _reference(
                "derived-from",
                "derivedFrom",
                "Observation-derived-from",
                "QuestionnaireResponse",
            ),
        ),
        sorts=("_lastUpdated", "date"),
    ),
    ServedType(
        "QuestionnaireResponse",
        (
            *_EVERY,
            _token("identifier", "identifier", "QuestionnaireResponse-identifier"),
            _reference("patient", "subject", "QuestionnaireResponse-patient", "Patient"),
            _reference("subject", "subject", "QuestionnaireResponse-subject", "Patient"),
            _token("status", "status", "QuestionnaireResponse-status"),
            _date("authored", "QuestionnaireResponse-authored", "authored"),
            _reference("based-on", "basedOn", "QuestionnaireResponse-based-on", "CarePlan"),
        ),
    ),
    ServedType(
        "Consent",
        (
            *_EVERY,
            _token("identifier", "identifier", "clinical-identifier"),
            _reference("patient", "patient", "clinical-patient", "Patient"),
            _token("status", "status", "Consent-status"),
            _date("date", "clinical-date", "dateTime"),
        ),
        versions="none",
    ),
    ServedType(
        "Communication",
        (
            *_EVERY,
            _token("identifier", "identifier", "Communication-identifier"),
            _reference("patient", "subject", "Communication-patient", "Patient"),
            _reference("subject", "subject", "Communication-subject", "Patient"),
            _reference("sender", "sender", "Communication-sender", "Patient"),
            _token("status", "status", "Communication-status"),
            _date("sent", "Communication-sent", "sent"),
            _date("received", "Communication-received", "received"),
        ),
        versions="none",
    ),
    ServedType(
        "Device",
        (
            *_EVERY,
            _token("identifier", "identifier", "Device-identifier"),
            _token("status", "status", "Device-status"),
        ),
    ),
    ServedType(
        "Provenance",
        (
            *_EVERY,
            _reference("agent", "agent.who", "Provenance-agent", "Patient", "Device"),
            _reference("target", "target", "Provenance-target", "Observation"),
            _date("recorded", "Provenance-recorded", "recorded"),
        ),
    ),
    ServedType("ActivityDefinition", _definition("ActivityDefinition"), versions="none"),
    ServedType("PlanDefinition", _definition("PlanDefinition"), versions="none"),
    ServedType("Questionnaire", _definition("Questionnaire"), versions="none"),
)

SERVED = {each.name: each for each in _TYPES}

# A patient's record in the order in which `$everything` gives it.
RECORD = (
    "Patient",
    "Consent",
    "CarePlan",
    "ServiceRequest",
    "Goal",
    "Observation",
    "QuestionnaireResponse",
    "Provenance",
    "Communication",
    "Device",
)
