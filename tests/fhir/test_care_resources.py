"""Messages, documents, consents, measures and accesses: valid R4, and read back as they were."""

from __future__ import annotations

import copy
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha1
from typing import Any

import pytest
from hypothesis import given, settings

from fhir.audit_event import Access, audit_event
from fhir.communication import (
    CareMessage,
    UnreadableMessage,
    communication_resource,
    read_communication,
)
from fhir.consent import UnreadableConsent, consent_resource, read_consent
from fhir.document_reference import (
    UnreadableDocument,
    document_reference,
    read_structured_summary,
)
from fhir.guide.examples import FUNCTION
from fhir.progress_observation import adherence_observation, exercise_minutes_observation
from fhir.questionnaire import questionnaire_resource, read_questionnaire
from fhir.questionnaire_response import (
    UnreadableResponse,
    outcome_bundle,
    questionnaire_response,
    read_questionnaire_response,
)
from rtm.adherence import Adherence
from rtm.episode import Consent
from rtm.instruments import load_measures
from rtm.outcomes import InvalidAnswers, OutcomeResponse
from tests.fhir.r4 import r4_issues
from tests.fhir.samples import KNEE_SUM, text

AT = datetime(2026, 10, 6, 15, 30, tzinfo=UTC)
PDF = b"%PDF-1.7\n%%EOF\n"
MESSAGE = CareMessage(
    id="m2",
    patient="Patient/p1",
    sender="Practitioner/x1",
    recipients=("Patient/p1",),
    sent_at=AT,
    text="Two sets are enough <for now> & then rest.",
    topic="Your knee",
    in_reply_to="m1",
    read_at=AT,
)
CONSENT = Consent(at=AT, obtained_by="Terry Alvarez", method="electronic", text_version="2026-03")
ANSWERS = OutcomeResponse(
    "r1",
    FUNCTION.id,
    FUNCTION.version,
    AT,
    "es",
    {"activity_1": 3, "activity_2": 4, "activity_3": 6},
    {"activity_1": "Subir escaleras", "activity_2": "Vestirme"},
)


def consent(status: Any = "active", of: Consent = CONSENT) -> dict[str, Any]:
    return consent_resource(
        of,
        episode_id="e1",
        patient="Patient/p1",
        organization="Prairie Rehab Clinic",
        start=date(2026, 10, 6),
        end=date(2027, 1, 4),
        status=status,
    )


def document(structured: dict[str, Any] | None = None) -> dict[str, Any]:
    return document_reference(
        PDF,
        structured or {"resourceType": "CarePlan", "status": "active", "dose": 1.5},
        id="d1",
        patient="Patient/p1",
        author="Practitioner/x1",
        title="Home exercise program",
        created=AT,
        period=(AT, AT),
        encounter="Encounter/e1",
        replaces="DocumentReference/d0",
    )


def access(**change: Any) -> Access:
    return replace(
        Access("a1", AT, "read", "Practitioner/x1", "Terry Alvarez", True, "CarePlan/1"), **change
    )


def test_all_of_them_are_valid_r4() -> None:
    week = (date(2026, 10, 5), date(2026, 10, 11))
    progress: dict[str, Any] = {
        "program_id": "p",
        "first": week[0],
        "last": week[1],
        "patient": "Patient/p1",
    }
    resources = [
        communication_resource(MESSAGE, "CarePlan/1"),
        communication_resource(
            replace(MESSAGE, topic=None, in_reply_to=None, read_at=None, recipients=("Group/1",))
        ),
        communication_resource(replace(MESSAGE, recipients=(), read_at=None)),
        consent(),
        consent("inactive", Consent(at=AT)),
        document(),
        questionnaire_resource(FUNCTION),
        questionnaire_resource(KNEE_SUM),
        outcome_bundle(ANSWERS, FUNCTION, patient="Patient/p1", careplan="CarePlan/1"),
        outcome_bundle(
            replace(ANSWERS, answers={}, names={}), FUNCTION, patient="Patient/p1", careplan=None
        ),
        adherence_observation(Adherence(week, week[:1], 1), careplan="CarePlan/1", **progress),
        adherence_observation(Adherence((), (), 0), careplan=None, **progress),
        exercise_minutes_observation(74.25, careplan=None, **progress),
        audit_event(access(), "homestretch"),
        audit_event(access(patient="Patient/p1", address="192.0.2.7"), "homestretch"),
        audit_event(
            access(interaction="search", what=None, query="Observation?patient=p1"), "homestretch"
        ),
        audit_event(access(interaction="delete", succeeded=False, what=None), "homestretch"),
    ]
    assert r4_issues(resources) == []


def test_a_message_comes_back_word_for_word() -> None:
    assert read_communication(communication_resource(MESSAGE)) == MESSAGE


@settings(deadline=None)
@given(text)
def test_any_text_of_a_message_stays_text(content: str) -> None:
    message = replace(MESSAGE, text=content)
    assert read_communication(communication_resource(message)) == message


def test_a_message_of_an_ehr_is_read_by_its_own_id_with_all_its_texts() -> None:
    resource = communication_resource(replace(MESSAGE, in_reply_to=None))
    resource |= {
        "id": "ehr-7",
        "identifier": [{"system": "urn:ehr", "value": "7"}],
        "inResponseTo": [{"reference": "Communication/6"}],
        "payload": [
            {"contentString": "One."},
            {"contentAttachment": {"url": "http://192.0.2.1/picture"}},
            {"contentString": "Two."},
        ],
    }
    message = read_communication(resource)
    assert (message.id, message.text, message.in_reply_to) == ("ehr-7", "One.\n\nTwo.", None)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sender": None}, "sender"),
        ({"payload": []}, "no text"),
        ({"status": "not-done"}, "not-done"),
        ({"sent": None}, "sent"),
    ],
)
def test_half_a_message_is_no_message(change: dict[str, Any], why: str) -> None:
    resource = communication_resource(MESSAGE) | change
    resource = {key: value for key, value in resource.items() if value is not None}
    with pytest.raises(UnreadableMessage, match=why):
        read_communication(resource)


def test_a_consent_comes_back_as_it_was_given() -> None:
    assert read_consent(consent()) == CONSENT
    assert read_consent(consent(of=Consent(at=AT))) == Consent(at=AT)


def test_a_consent_that_was_taken_back_or_is_not_ours_gives_no_consent() -> None:
    with pytest.raises(UnreadableConsent, match="inactive"):
        read_consent(consent("inactive"))
    with pytest.raises(UnreadableConsent, match="lacks"):
        read_consent({**consent(), "extension": []})


def test_a_document_reads_in_pdf_and_in_fhir() -> None:
    structured = {"resourceType": "CarePlan", "status": "active", "title": "Knee"}
    resource = document(structured)
    pdf, json_form = (content["attachment"] for content in resource["content"])
    assert b64decode(pdf["data"]) == PDF
    assert (pdf["contentType"], pdf["size"]) == ("application/pdf", len(PDF))
    assert json_form["contentType"] == "application/fhir+json"
    assert pdf["hash"] == b64encode(sha1(PDF, usedforsecurity=False).digest()).decode()
    assert read_structured_summary(resource) == structured
    assert resource["type"]["coding"][0]["code"] == "53576-5"


def test_a_document_that_was_damaged_is_not_read() -> None:
    resource = copy.deepcopy(document())
    attachment = resource["content"][1]["attachment"]
    attachment["data"] = b64encode(b'{"resourceType":"Goal"}').decode()
    with pytest.raises(UnreadableDocument, match="hash"):
        read_structured_summary(resource)
    del attachment["hash"]
    attachment["data"] = "%%%"
    with pytest.raises(UnreadableDocument, match="another form"):
        read_structured_summary(resource)


def test_an_attachment_that_is_but_an_address_is_not_fetched() -> None:
    resource = copy.deepcopy(document())
    attachment = resource["content"][1]["attachment"]
    del attachment["data"]
    attachment["url"] = "http://192.0.2.1/summary"
    with pytest.raises(UnreadableDocument, match="a structured summary within it"):
        read_structured_summary(resource)


def test_what_is_no_pdf_or_no_resource_makes_no_document() -> None:
    with pytest.raises(ValueError, match="not a PDF"):
        document_reference(
            b"<html>",
            {"resourceType": "CarePlan"},
            id="d",
            patient="Patient/1",
            author="Practitioner/1",
            title="t",
            created=AT,
        )
    with pytest.raises(ValueError, match="no FHIR resource"):
        document({"status": "active"})


def test_a_questionnaire_and_its_answers_come_back() -> None:
    for measure in load_measures():
        instrument = measure.instrument
        if measure.askable:
            assert read_questionnaire(questionnaire_resource(instrument)) == instrument
    interval = replace(KNEE_SUM, conversion=(100.0, *(50.0,) * 7, 0.0))
    assert read_questionnaire(questionnaire_resource(interval)) == interval
    scaled = replace(KNEE_SUM, scoring="mean", fewest=1, factor=25.0, offset=-25.0)
    assert read_questionnaire(questionnaire_resource(scaled)) == scaled
    response = questionnaire_response(ANSWERS, FUNCTION, patient="Patient/1", careplan=None)
    assert read_questionnaire_response(response) == ANSWERS
    assert response["item"][0]["text"] == "Primera cosa"


def test_the_score_stands_beside_the_answers_with_its_scale() -> None:
    bundle = outcome_bundle(ANSWERS, FUNCTION, patient="Patient/1", careplan=None)
    response, score = (entry["resource"] for entry in bundle["entry"])
    assert score["derivedFrom"][0]["reference"] == bundle["entry"][0]["fullUrl"]
    assert score["valueQuantity"]["value"] == 4.33
    assert (score["referenceRange"][0]["low"]["value"], response["status"]) == (0, "completed")


def test_half_a_questionnaire_is_in_progress_and_its_score_absent() -> None:
    half = replace(ANSWERS, instrument_id=KNEE_SUM.id, answers={"stairs": 3}, names={})
    bundle = outcome_bundle(half, KNEE_SUM, patient="Patient/1", careplan=None)
    response, score = (entry["resource"] for entry in bundle["entry"])
    assert response["status"] == "in-progress"
    assert "valueQuantity" not in score
    assert score["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_a_score_of_fewer_answers_than_items_is_complete_where_that_is_the_rule() -> None:
    one = replace(ANSWERS, answers={"activity_1": 3}, names={"activity_1": "Vestirme"})
    bundle = outcome_bundle(one, FUNCTION, patient="Patient/1", careplan=None)
    response, score = (entry["resource"] for entry in bundle["entry"])
    assert (response["status"], score["valueQuantity"]["value"]) == ("completed", 3)
    assert read_questionnaire_response(response) == one


def test_answers_of_another_measure_are_not_sent() -> None:
    with pytest.raises(InvalidAnswers):
        outcome_bundle(ANSWERS, KNEE_SUM, patient="Patient/1", careplan=None)


def test_a_questionnaire_response_of_others_is_not_read_as_ours() -> None:
    response = questionnaire_response(ANSWERS, FUNCTION, patient="Patient/1", careplan=None)
    with pytest.raises(UnreadableResponse):
        read_questionnaire_response({**response, "identifier": {"system": "urn:x", "value": "1"}})
    with pytest.raises(UnreadableResponse, match="questionnaire"):
        read_questionnaire_response({k: v for k, v in response.items() if k != "questionnaire"})


def test_an_access_names_who_what_and_whose() -> None:
    event = audit_event(access(patient="Patient/p1", succeeded=False), "homestretch")
    assert event["agent"][0]["who"]["reference"] == "Practitioner/x1"
    assert [entity["what"]["reference"] for entity in event["entity"]] == [
        "Patient/p1",
        "CarePlan/1",
    ]
    assert (event["action"], event["outcome"]) == ("R", "8")


def test_adherence_counts_its_days_and_is_absent_while_none_was_due() -> None:
    days = tuple(date(2026, 10, day) for day in range(5, 12))
    observation = adherence_observation(
        Adherence(days, days[:5], 3),
        program_id="p",
        first=days[0],
        last=days[-1],
        patient="Patient/1",
        careplan=None,
    )
    assert observation["valueQuantity"]["value"] == 71.4
    assert [c["valueQuantity"]["value"] for c in observation["component"]] == [7, 5, 3]
