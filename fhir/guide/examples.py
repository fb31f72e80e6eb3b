"""Examples of every resource that we send, built by the code that sends them.

The person is invented. Resources of a transaction stand here as a server would hold them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from fhir import codes
from fhir.activity_definition import activity_definition
from fhir.audit_event import Access, audit_event
from fhir.bundle import Resource
from fhir.careplan import prescription_bundle
from fhir.claim import ChargeValues, ClaimValues, Performer, charge_item, claim_resource
from fhir.communication import CareMessage, communication_resource
from fhir.consent import consent_resource
from fhir.device import SoftwareDevice
from fhir.document_reference import document_reference
from fhir.observation import session_bundle
from fhir.parties import Parties
from fhir.plan_definition import apply_plan, plan_definition
from fhir.progress_observation import adherence_observation, exercise_minutes_observation
from fhir.questionnaire import questionnaire_resource
from fhir.questionnaire_response import outcome_bundle
from fhir.range_observation import range_bundle
from rtm.adherence import Adherence
from rtm.episode import Consent
from rtm.exercises import load_library
from rtm.feedback import Feedback
from rtm.instruments import load_measures
from rtm.outcomes import Instrument, OutcomeResponse
from rtm.program import Program
from rtm.protocols import draft_program, load_protocols
from rtm.range_of_motion import change_between, load_movements, range_result
from rtm.session import (
    AngleRange,
    ExerciseResult,
    Pain,
    Quality,
    Repetition,
    ScoreParts,
    Session,
)

START = date(2026, 10, 1)
AT = datetime(2026, 10, 5, 23, 30, tzinfo=UTC)
PARTIES = Parties("Patient/example", "Practitioner/example")
DEVICE = SoftwareDevice("Homestretch", "0.1.0", "Homestretch")
PLAN = "CarePlan/example-1"

# The Patient-Specific Functional Scale: the patient names the activities.
FUNCTION = load_measures()["psfs"].instrument

# The least that is a PDF: what a real summary looks like is shown by the product.
_PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def examples() -> list[Resource]:
    """Every example with an id of its own, in the order in which care goes."""
    return [
        *_people(),
        _applied(),
        *_stored(_prescription(), "example"),
        *_stored(_session_bundle(_measured()), "measured"),
        *_stored(_session_bundle(_reported()), "reported"),
        *_stored(_range_bundle(), "range"),
        *_progress(),
        *_stored(_outcome_bundle(FUNCTION), "outcome"),
        {"id": "example", **communication_resource(_message(), PLAN)},
        {"id": "example", **_consent()},
        {"id": "example", **_document()},
        audit_event(
            Access(
                "example",
                AT,
                "read",
                "Practitioner/example",
                "Terry Alvarez",
                succeeded=True,
                what=PLAN,
                patient=PARTIES.patient,
                address="192.0.2.7",
            ),
            "Homestretch",
        ),
        *_claim(),
        {"id": "prescription", **_prescription()},
    ]


def definitions() -> list[Resource]:
    """The library, the protocols and the outcome measures: content rather than examples."""
    return [
        *(activity_definition(exercise) for exercise in load_library()),
        *(plan_definition(protocol) for protocol in load_protocols()),
        *(
            questionnaire_resource(measure.instrument)
            for measure in load_measures()
            if measure.askable
        ),
    ]


def _people() -> list[Resource]:
    return [
        {
            "resourceType": "Patient",
            "id": "example",
            "name": [{"family": "Okafor", "given": ["Ada"]}],
            "birthDate": "1953-03-14",
            "gender": "female",
        },
        {
            "resourceType": "Practitioner",
            "id": "example",
            "identifier": [{"system": codes.NPI, "value": "1999999919"}],
            "name": [{"family": "Alvarez", "given": ["Terry"]}],
        },
    ]


def _program() -> Program:
    protocol = load_protocols()["shoulder_pain"]
    draft = draft_program(
        protocol, protocol.phases[0], id="b1f0c7e2-example", start=START, side="left"
    )
    first, *others = draft.exercises
    return replace(draft, exercises=(replace(first, limit_deg=90.0), *others))


def _prescription() -> Resource:
    return prescription_bundle(_program(), PARTIES, load_library().names())


def _applied() -> Resource:
    protocol = load_protocols()["low_back_pain"]
    proposed = apply_plan(
        plan_definition(protocol),
        [activity_definition(exercise) for exercise in load_library()],
        phase_id=None,
        program_id="proposed-example",
        start=START,
        side="bilateral",
        parties=PARTIES,
    )
    return {"id": "proposed", **proposed}


def _measured() -> Session:
    result = ExerciseResult(
        exercise_id="shoulder_abduction",
        side="left",
        duration_s=42.4,
        frames=1_060,
        frames_measured=1_031,
        repetitions=tuple(
            Repetition(4.0 * n, 4.0 * n + 1.8, 4.0 * n + 3.6, 140.2, 128.1, 91.0, ())
            for n in range(10)
        ),
        primary_angle=AngleRange("shoulder_abduction", 12.1, 148.3),
        score=ScoreParts(88.2, 95.0, 90.1, 86.5, None, 100.0),
        faults=(),
        quality=Quality(0.9, 25.0, ()),
    )
    return Session(
        "7a1d3f60-0000-4000-8000-000000000001",
        "shoulder_abduction",
        "left",
        "landmarks",
        AT,
        42.4,
        Pain(4, 3),
        result,
    )


def _reported() -> Session:
    return Session(
        "7a1d3f60-0000-4000-8000-000000000002",
        "scapular_squeeze",
        "bilateral",
        "manual",
        AT + timedelta(minutes=5),
        300.0,
        Pain(3, 3),
        None,
        20,
        Feedback(6, "just_right", "My shoulder clicks, but it does not hurt.", "tired"),
    )


def _session_bundle(session: Session) -> Resource:
    return session_bundle(
        session,
        patient=PARTIES.patient,
        careplan=PLAN,
        program_id=_program().id,
        exercise_name=load_library().names()[session.exercise_id],
        device=DEVICE,
        recorded=AT + timedelta(hours=1),
    )


def _range_bundle() -> Resource:
    movement = load_movements()["shoulder_abduction"]
    return range_bundle(
        "range-example",
        range_result(movement, "left", [120.5, 131.0, 128.2]),
        movement,
        measured_at=AT,
        change=change_between(movement, 104.0, 131.0),
        patient=PARTIES.patient,
        careplan=PLAN,
        program_id=_program().id,
        device=DEVICE,
        recorded=AT + timedelta(hours=1),
    )


def _progress() -> list[Resource]:
    days = tuple(START + timedelta(days=n) for n in range(7))
    common: dict[str, Any] = {
        "program_id": _program().id,
        "first": days[0],
        "last": days[-1],
        "patient": PARTIES.patient,
        "careplan": PLAN,
    }
    return [
        {"id": "adherence", **adherence_observation(Adherence(days, days[:5], 0), **common)},
        {"id": "exercise-minutes", **exercise_minutes_observation(74.5, **common)},
    ]


def _outcome_bundle(instrument: Instrument) -> Resource:
    response = OutcomeResponse(
        "outcome-example",
        instrument.id,
        instrument.version,
        AT,
        "en",
        {"activity_1": 3, "activity_2": 4, "activity_3": 6},
        {"activity_1": "Stairs", "activity_2": "Getting up", "activity_3": "A walk to the shop"},
    )
    return outcome_bundle(response, instrument, patient=PARTIES.patient, careplan=PLAN)


def _message() -> CareMessage:
    return CareMessage(
        id="message-example",
        patient=PARTIES.patient,
        sender=PARTIES.practitioner,
        recipients=(PARTIES.patient,),
        sent_at=AT,
        text="You did well. Keep below the height that hurts.",
        topic="Your shoulder",
    )


def _consent() -> Resource:
    return consent_resource(
        Consent(AT, "Terry Alvarez", "electronic", "2026-03"),
        episode_id="episode-example",
        patient=PARTIES.patient,
        organization="Prairie Rehab Clinic",
        start=START,
    )


def _document() -> Resource:
    return document_reference(
        _PDF,
        _prescription()["entry"][0]["resource"],
        id="document-example",
        patient=PARTIES.patient,
        author=PARTIES.practitioner,
        title="Home exercise program",
        created=AT,
    )


def _claim() -> list[Resource]:
    charge = ChargeValues(
        id="HS-1-1",
        code="98975",
        label="Set-up and patient teaching",
        modifiers=("GP",),
        units=1,
        amount=Decimal("21.71"),
        first=START,
        last=START,
        dates=(START, START),
        diagnoses=(1,),
    )
    claim = ClaimValues(
        id="HS-1",
        type="professional",
        created=date(2026, 11, 1),
        patient=PARTIES.patient,
        coverage="Coverage/example",
        provider=Performer("1999999901", "Prairie Rehab Clinic"),
        payer_id="00000",
        payer_name="Sample Medicare MAC",
        rendering=Performer("1999999919", "Terry Alvarez", PARTIES.practitioner),
        referring=None,
        diagnoses=("M25.512",),
        charges=(charge,),
        place_of_service="11",
    )
    return [
        {"id": "example", **claim_resource(claim)},
        {"id": "example", **charge_item(claim, charge)},
    ]


def _stored(bundle: Resource, name: str) -> list[Resource]:
    """The resources of a transaction with ids, and their references as a server makes them."""
    entries = bundle["entry"]
    ids = {
        entry["fullUrl"]: entry["resource"].get("id", f"{name}-{number}")
        for number, entry in enumerate(entries, start=1)
    }
    text = json.dumps([{"id": ids[e["fullUrl"]], **e["resource"]} for e in entries])
    for entry in entries:
        own = f"{entry['resource']['resourceType']}/{ids[entry['fullUrl']]}"
        text = text.replace(entry["fullUrl"], own)
    resources: list[Resource] = json.loads(text)
    return resources
