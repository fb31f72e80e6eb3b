"""Our profiles: what a reader may rely on in each resource that we send."""

from __future__ import annotations

from collections.abc import Sequence

from fhir import codes
from fhir.bundle import Resource
from fhir.guide.structure import (
    Element,
    coded,
    components,
    element,
    extension_slice,
    extension_slicing,
    own_extension,
    profile,
    quantity_value,
)


def profiles() -> list[Resource]:
    """One profile a kind of resource, two where two kinds are sent."""
    return [
        profile(
            "home-exercise-program",
            "CarePlan",
            "A program of home exercises as it was signed, or as a protocol proposes it.",
            [
                *own_extension("CarePlan", "program", 1, "1"),
                element("CarePlan.identifier", least=1),
                element("CarePlan.intent", fixed=("Code", "plan")),
                element("CarePlan.category", least=1),
                element("CarePlan.title", least=1),
                element("CarePlan.period", least=1),
                element("CarePlan.author", least=1),
                element("CarePlan.addresses", least=1),
                element("CarePlan.activity", least=1),
            ],
        ),
        profile(
            "exercise-order",
            "ServiceRequest",
            "One exercise of a program, with its dose, side and days.",
            [
                *extension_slicing("ServiceRequest", 1),
                extension_slice("ServiceRequest", "exercise-dose", 1, "1"),
                extension_slice("ServiceRequest", "range-limit", 0, "1"),
                element("ServiceRequest.identifier", least=1),
                element("ServiceRequest.intent", fixed=("Code", "order")),
                element("ServiceRequest.code", least=1, bound="exercise"),
                element("ServiceRequest.occurrence[x]", least=1, types=["Timing"]),
                element("ServiceRequest.requester", least=1),
                element("ServiceRequest.bodySite", least=1, most="1", bound="side"),
            ],
        ),
        profile(
            "program-goal",
            "Goal",
            "What a program is to reach: a measure at a value by a day.",
            [
                element("Goal.identifier", least=1),
                element("Goal.target", least=1, most="1"),
                element("Goal.target.measure", least=1, bound="session-measure"),
                element("Goal.target.detail[x]", least=1, types=["Range"]),
                element("Goal.target.due[x]", least=1, types=["date"]),
            ],
        ),
        profile(
            "monitoring-software",
            "Device",
            "One version of the software that measured.",
            [
                element("Device.identifier", least=1),
                element("Device.manufacturer", least=1),
                element("Device.deviceName", least=1),
                element("Device.version", least=1),
            ],
        ),
        _observation(
            "exercise-session",
            "One exercise done at home: repetitions, duration, score; absent where not measured.",
            [
                element("Observation.basedOn", least=1),
                element(
                    "Observation.code",
                    pattern=("CodeableConcept", coded(codes.MEASURE, "exercise_session")),
                ),
                element("Observation.effective[x]", least=1, types=["Period"]),
                element("Observation.value[x]", most="0"),
                element("Observation.bodySite", least=1, bound="side"),
                element("Observation.method", least=1, bound="session-source"),
                element("Observation.device", least=1),
                element("Observation.hasMember", least=2),
                *components(
                    "repetitions",
                    "duration",
                    *(
                        f"score_{part}"
                        for part in (
                            *("total", "range", "control", "form", "symmetry", "completeness"),
                        )
                    ),
                ),
            ],
        ),
        _observation(
            "session-pain",
            "Pain before or after a session, 0 to 10, as the patient says.",
            [
                element(
                    "Observation.code",
                    pattern=("CodeableConcept", coded(codes.LOINC, codes.PAIN_SEVERITY[0])),
                ),
                element("Observation.effective[x]", least=1, types=["dateTime"]),
                quantity_value("{score}"),
            ],
        ),
        _observation(
            "session-range",
            "How far a joint moved in a session, with the ends of its angle.",
            [
                element("Observation.code", bound="session-measure"),
                element("Observation.effective[x]", least=1, types=["Period"]),
                quantity_value("deg"),
                element("Observation.device", least=1),
                *components("angle_minimum", "angle_maximum"),
            ],
        ),
        _observation(
            "range-test",
            "The best of up to three attempts at a movement, with its minimal detectable change.",
            [
                element("Observation.code", bound="session-measure"),
                element("Observation.effective[x]", least=1, types=["dateTime"]),
                quantity_value("deg"),
                element("Observation.device", least=1),
                element("Observation.referenceRange", least=1),
                *components("attempt_1", "minimal_detectable_change"),
            ],
        ),
        _observation(
            "adherence",
            "Days done of the days that a program asked for.",
            [
                element("Observation.basedOn", least=1),
                element(
                    "Observation.code",
                    pattern=("CodeableConcept", coded(codes.MEASURE, "adherence")),
                ),
                element("Observation.effective[x]", least=1, types=["Period"]),
                quantity_value("%", least=0),
                *components("days_due", "days_done", "streak"),
            ],
        ),
        _observation(
            "exercise-minutes",
            "Minutes of home exercise in a stretch of days.",
            [
                element("Observation.basedOn", least=1),
                element(
                    "Observation.code",
                    pattern=("CodeableConcept", coded(codes.LOINC, codes.EXERCISE_DURATION[0])),
                ),
                element("Observation.effective[x]", least=1, types=["Period"]),
                quantity_value("min"),
            ],
        ),
        _observation(
            "outcome-score",
            "Score of a patient-reported outcome measure, absent while an answer is missing.",
            [
                element(
                    "Observation.code",
                    pattern=("CodeableConcept", coded(codes.MEASURE, "outcome_score")),
                ),
                element("Observation.effective[x]", least=1, types=["dateTime"]),
                quantity_value("{score}", least=0),
                element("Observation.referenceRange", least=1),
                element("Observation.derivedFrom", least=1),
            ],
        ),
        profile(
            "outcome-measure",
            "Questionnaire",
            "A patient-reported outcome measure of whole numbers.",
            [
                *own_extension("Questionnaire", "instrument-scoring", 1, "1"),
                element("Questionnaire.url", least=1),
                element("Questionnaire.identifier", least=1),
                element("Questionnaire.version", least=1),
                element("Questionnaire.title", least=1),
                element("Questionnaire.copyright", least=1),
                element("Questionnaire.item", least=1),
            ],
        ),
        profile(
            "outcome-response",
            "QuestionnaireResponse",
            "A filled outcome measure.",
            [
                element("QuestionnaireResponse.identifier", least=1),
                element("QuestionnaireResponse.questionnaire", least=1),
                element("QuestionnaireResponse.subject", least=1),
                element("QuestionnaireResponse.authored", least=1),
                element("QuestionnaireResponse.author", least=1),
            ],
        ),
        profile(
            "care-message",
            "Communication",
            "A message between the patient and the care team, in plain text.",
            [
                element("Communication.identifier", least=1),
                element("Communication.subject", least=1),
                element("Communication.sent", least=1),
                element("Communication.sender", least=1),
                element("Communication.payload", least=1, most="1"),
                element("Communication.payload.content[x]", types=["string"]),
            ],
        ),
        profile(
            "monitoring-summary",
            "DocumentReference",
            "What monitoring found, as a PDF and as a FHIR resource, both within.",
            [
                element("DocumentReference.identifier", least=1),
                element(
                    "DocumentReference.type",
                    least=1,
                    pattern=("CodeableConcept", coded(codes.LOINC, codes.MONITORING_REPORT[0])),
                ),
                element("DocumentReference.category", least=1),
                element("DocumentReference.subject", least=1),
                element("DocumentReference.date", least=1),
                element("DocumentReference.author", least=1),
                element("DocumentReference.content", least=2, most="2"),
            ],
        ),
        profile(
            "monitoring-consent",
            "Consent",
            "A patient's consent to remote monitoring for one episode.",
            [
                *own_extension("Consent", "consent-taking", 1, "1"),
                element("Consent.identifier", least=1),
                element(
                    "Consent.scope",
                    pattern=("CodeableConcept", coded(codes.CONSENT_SCOPE, "treatment")),
                ),
                element("Consent.patient", least=1),
                element("Consent.dateTime", least=1),
                element("Consent.performer", least=1),
                element("Consent.organization", least=1),
                element("Consent.provision", least=1),
                element("Consent.provision.period", least=1),
            ],
        ),
        profile(
            "exercise-definition",
            "ActivityDefinition",
            "An exercise of the library, with its steps as description.",
            [
                element("ActivityDefinition.url", least=1),
                element("ActivityDefinition.title", least=1),
                element("ActivityDefinition.description", least=1),
                element("ActivityDefinition.kind", least=1, fixed=("Code", "ServiceRequest")),
                element("ActivityDefinition.code", least=1, bound="exercise"),
            ],
        ),
        profile(
            "protocol",
            "PlanDefinition",
            "A condition's protocol: phases as actions with the conditions on which they start and "
            "stop, in each its exercises with their dose, and when to ask which questionnaire.",
            [
                *extension_slicing("PlanDefinition", 2),
                extension_slice("PlanDefinition", "pain-bounds", 1, "1"),
                extension_slice("PlanDefinition", "precaution", 0, "*"),
                extension_slice("PlanDefinition", "red-flag", 1, "*"),
                element("PlanDefinition.url", least=1),
                element("PlanDefinition.identifier", least=1),
                element("PlanDefinition.title", least=1),
                element("PlanDefinition.type", least=1),
                element("PlanDefinition.useContext", least=1),
                element("PlanDefinition.relatedArtifact", least=1),
                element("PlanDefinition.goal", least=1),
                element("PlanDefinition.action", least=1),
                element("PlanDefinition.action.title", least=1),
                element("PlanDefinition.action.action", least=1),
            ],
        ),
        profile(
            "data-access",
            "AuditEvent",
            "Who read, searched or changed whose data.",
            [
                element("AuditEvent.subtype", least=1, most="1"),
                element("AuditEvent.action", least=1),
                element("AuditEvent.outcome", least=1),
                element("AuditEvent.agent", least=1, most="1"),
                element("AuditEvent.agent.who", least=1),
            ],
        ),
    ]


def _observation(name: str, description: str, elements: list[Element]) -> Resource:
    common = [
        element("Observation.identifier", least=1),
        element("Observation.status", fixed=("Code", "final")),
        element("Observation.category", least=1),
        element("Observation.subject", least=1),
    ]
    own = {one["id"] for one in elements}
    return profile(
        name,
        "Observation",
        description,
        _in_order(_OBSERVATION, [e for e in common if e["id"] not in own] + elements),
    )


# The order of R4's definition, in which a differential must stand.
_OBSERVATION = (
    *("identifier", "basedOn", "status", "category", "code", "subject", "effective[x]"),
    *("value[x]", "dataAbsentReason", "bodySite", "method", "device", "referenceRange"),
    *("hasMember", "derivedFrom", "component"),
)


def _in_order(names: Sequence[str], elements: list[Element]) -> list[Element]:
    return sorted(elements, key=lambda e: names.index(e["path"].split(".")[1]))
