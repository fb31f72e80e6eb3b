"""A patient's consent to remote monitoring as Consent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal, cast

from fhir import codes
from fhir.bundle import Resource, put_by_identifier, transaction, urn
from fhir.codes import concept, identifier
from fhir.meaning import Unreadable, needed, reading
from rtm.episode import Consent


class UnreadableConsent(Unreadable):
    """The Consent is not one of ours; the message names what is missing."""


def consent_resource(
    consent: Consent,
    *,
    episode_id: str,
    patient: str,
    organization: str,
    start: date,
    end: date | None = None,
    status: Literal["active", "inactive", "rejected"] = "active",
) -> Resource:
    """The consent to monitoring during one episode.

    `organization` is the display name of who monitors. `status` is `inactive` once the patient
    took it back or the episode ended. Who asked, how, and which text was agreed to stand in our
    `consent-taking` extension.
    """
    taking = [{"url": "method", "valueCode": consent.method}]
    if consent.obtained_by:
        taking.append({"url": "obtainedBy", "valueString": consent.obtained_by})
    if consent.text_version:
        taking.append({"url": "textVersion", "valueString": consent.text_version})
    period = {"start": start.isoformat(), **({"end": end.isoformat()} if end else {})}
    return {
        "resourceType": "Consent",
        "meta": codes.profile("monitoring-consent"),
        "extension": [{"url": codes.CONSENT_EXTENSION, "extension": taking}],
        "identifier": [identifier(codes.CONSENT_ID, episode_id)],
        "status": status,
        "scope": concept(codes.CONSENT_SCOPE, "treatment", "Treatment"),
        "category": [concept(codes.LOINC, *codes.PATIENT_CONSENT)],
        "patient": {"reference": patient},
        "dateTime": consent.at.isoformat(),
        "performer": [{"reference": patient}],
        "organization": [{"display": organization}],
        "policyRule": concept(codes.ACT_CODE, "OPTIN", "opt-in"),
        "provision": {"type": "permit", "period": period},
    }


def consent_bundle(consent: Resource) -> Resource:
    """The transaction for one consent; sent again, it replaces what was sent before."""
    consent_urn = urn(codes.CONSENT_ID, consent["identifier"][0]["value"])
    return transaction([put_by_identifier(consent, consent_urn)])


def read_consent(resource: Mapping[str, Any]) -> Consent:
    """The inverse of `consent_resource`, as far as the domain holds it.

    Raises:
        UnreadableConsent: an element of ours is missing, or the consent is not in force.
        Unreadable: a modifier that is not known, or entered in error.
    """
    with reading(resource, UnreadableConsent):
        if resource["status"] != "active":
            raise UnreadableConsent(f"the Consent is {resource['status']}, not active")
        extension = needed(
            (e for e in resource["extension"] if e["url"] == codes.CONSENT_EXTENSION),
            "our consent-taking",
        )
        parts = {
            part["url"]: part.get("valueCode", part.get("valueString"))
            for part in extension["extension"]
        }
        return Consent(
            at=datetime.fromisoformat(resource["dateTime"]),
            obtained_by=parts.get("obtainedBy"),
            method=cast(Literal["verbal", "written", "electronic"], parts["method"]),
            text_version=parts.get("textVersion"),
        )
