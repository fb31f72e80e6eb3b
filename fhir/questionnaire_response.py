"""A filled outcome measure as QuestionnaireResponse, and its score as Observation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from fhir import codes
from fhir.bundle import Resource, create_once, transaction, urn
from fhir.codes import concept, identifier, own_name, quantity
from fhir.meaning import Unreadable, reading
from fhir.questionnaire import name_link, questionnaire_url
from rtm.outcomes import Instrument, OutcomeResponse


class UnreadableResponse(Unreadable):
    """The QuestionnaireResponse is not one of ours; the message names what is missing."""


def outcome_bundle(
    response: OutcomeResponse, instrument: Instrument, *, patient: str, careplan: str | None
) -> Resource:
    """The transaction for one response; its score comes second, absent with a reason where an
    answer is missing.

    Raises:
        rtm.outcomes.InvalidAnswers: the answers are not of this instrument.
    """
    response_urn = urn(codes.OUTCOME_ID, response.id)
    return transaction(
        [
            create_once(
                questionnaire_response(response, instrument, patient=patient, careplan=careplan),
                response_urn,
            ),
            create_once(
                score_observation(
                    response,
                    instrument,
                    patient=patient,
                    careplan=careplan,
                    derived_from=response_urn,
                ),
                urn(codes.OUTCOME_ID, response.id, "score"),
            ),
        ]
    )


def questionnaire_response(
    response: OutcomeResponse, instrument: Instrument, *, patient: str, careplan: str | None
) -> Resource:
    """The answers; `in-progress` while one is missing that the score needs.

    R4 gives a QuestionnaireResponse one identifier, not a list.
    """
    language = response.language
    resource: Resource = {
        "resourceType": "QuestionnaireResponse",
        "meta": codes.profile("outcome-response"),
        "language": language,
        "identifier": identifier(codes.OUTCOME_ID, response.id),
        "questionnaire": (
            f"{questionnaire_url(response.instrument_id)}|{response.instrument_version}"
        ),
        "status": "in-progress" if instrument.score(response.answers) is None else "completed",
        "subject": {"reference": patient},
        "authored": response.answered_at.isoformat(),
        "author": {"reference": patient},
        "source": {"reference": patient},
        "item": [
            {
                "linkId": item.id,
                **({"text": item.text.get(language, item.text["en"])} if item.text else {}),
                "answer": [_answer(response, item.id)],
            }
            for item in instrument.items
            if item.id in response.answers
        ],
    }
    if not resource["item"]:
        del resource["item"]
    if careplan:
        resource["basedOn"] = [{"reference": careplan}]
    return resource


def _answer(response: OutcomeResponse, item_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"valueInteger": response.answers[item_id]}
    if item_id in response.names:
        named = {"linkId": name_link(item_id), "answer": [{"valueString": response.names[item_id]}]}
        answer["item"] = [named]
    return answer


def score_observation(
    response: OutcomeResponse,
    instrument: Instrument,
    *,
    patient: str,
    careplan: str | None,
    derived_from: str,
) -> Resource:
    """The score, with the scale's bounds as its reference range."""
    least, most = instrument.score_bounds
    score = instrument.score(response.answers)
    title = instrument.title["en"]
    resource: Resource = {
        "resourceType": "Observation",
        "meta": codes.profile("outcome-score"),
        "identifier": [identifier(codes.OUTCOME_ID, f"{response.id}.score")],
        "status": "final",
        "category": [concept(codes.OBSERVATION_CATEGORY, "survey", "Survey")],
        "code": {
            "coding": [
                {"system": codes.MEASURE, "code": "outcome_score", "display": "outcome score"},
                {"system": codes.INSTRUMENT, "code": instrument.id, "display": title},
            ],
            "text": f"{title} score",
        },
        "subject": {"reference": patient},
        "effectiveDateTime": response.answered_at.isoformat(),
        "referenceRange": [
            {
                "low": _points(least),
                "high": _points(most),
                "text": f"Scale {least:g} to {most:g}; {instrument.better} is better",
            }
        ],
        "derivedFrom": [{"reference": derived_from}],
    }
    if careplan:
        resource["basedOn"] = [{"reference": careplan}]
    if score is None:
        resource["dataAbsentReason"] = concept(codes.DATA_ABSENT_REASON, "unknown", "Unknown")
    else:
        resource["valueQuantity"] = _points(round(score, 2))
    return resource


def read_questionnaire_response(resource: Mapping[str, Any]) -> OutcomeResponse:
    """The inverse of `questionnaire_response`.

    Raises:
        UnreadableResponse: an element of ours is missing or another type.
        Unreadable: a modifier that is not known, or entered in error.
    """
    with reading(resource, UnreadableResponse):
        url, _, version = cast(str, resource["questionnaire"]).partition("|")
        own = resource["identifier"]
        if own["system"] != codes.OUTCOME_ID:
            raise UnreadableResponse("the QuestionnaireResponse has an identifier of others")
        return OutcomeResponse(
            id=own["value"],
            instrument_id=own_name(url.rpartition("/")[2]),
            instrument_version=version,
            answered_at=datetime.fromisoformat(resource["authored"]),
            language=resource.get("language", "en"),
            answers={
                item["linkId"]: item["answer"][0]["valueInteger"]
                for item in resource.get("item", ())
            },
            names={
                item["linkId"]: item["answer"][0]["item"][0]["answer"][0]["valueString"]
                for item in resource.get("item", ())
                if "item" in item["answer"][0]
            },
        )


def _points(value: float) -> dict[str, Any]:
    return quantity(value, "score", "{score}")
