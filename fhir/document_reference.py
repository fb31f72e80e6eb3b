"""A monitoring summary as DocumentReference: readable by people, and structured for systems.

For EHRs that take documents but no CarePlans or Observations. Both attachments are the same
content in two forms, which is what R4 means by several of them in one DocumentReference.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha1
from typing import Any

from fhir import codes
from fhir.bundle import Resource
from fhir.codes import concept, identifier
from fhir.meaning import Unreadable, needed, reading
from fhir.wire import parse, serialise

PDF = "application/pdf"
FHIR_JSON = "application/fhir+json"

_CLINICAL_NOTE = (
    "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
    "clinical-note",
    "Clinical Note",
)


class UnreadableDocument(Unreadable):
    """The DocumentReference carries no structured summary of ours; the message says why."""


def document_reference(
    summary_pdf: bytes,
    structured: Mapping[str, Any],
    *,
    id: str,
    patient: str,
    author: str,
    title: str,
    created: datetime,
    period: tuple[datetime, datetime] | None = None,
    encounter: str | None = None,
    replaces: str | None = None,
) -> Resource:
    """The document: `summary_pdf` for people and `structured`, a FHIR resource, for systems.

    Both are within the resource, so a reader fetches nothing. `id` is ours and stays over
    redelivery; `replaces` is the reference of an earlier one. `period` is what it covers.

    Raises:
        ValueError: `summary_pdf` is not a PDF, or `structured` no FHIR resource.
    """
    if not summary_pdf.startswith(b"%PDF-"):
        raise ValueError("the summary is not a PDF")
    if "resourceType" not in structured:
        raise ValueError("the structured summary is no FHIR resource")
    context: dict[str, Any] = {}
    if period is not None:
        context["period"] = {"start": period[0].isoformat(), "end": period[1].isoformat()}
    if encounter:
        context["encounter"] = [{"reference": encounter}]
    resource: Resource = {
        "resourceType": "DocumentReference",
        "meta": codes.profile("monitoring-summary"),
        "identifier": [identifier(codes.DOCUMENT_ID, id)],
        "status": "current",
        "docStatus": "final",
        "type": concept(codes.LOINC, *codes.MONITORING_REPORT),
        "category": [concept(*_CLINICAL_NOTE)],
        "subject": {"reference": patient},
        "date": created.isoformat(),
        "author": [{"reference": author}],
        "description": title,
        "content": [
            {"attachment": _attachment(PDF, summary_pdf, title, created)},
            {"attachment": _attachment(FHIR_JSON, serialise(structured), title, created)},
        ],
    }
    if replaces:
        resource["relatesTo"] = [{"code": "replaces", "target": {"reference": replaces}}]
    if context:
        resource["context"] = context
    return resource


def read_structured_summary(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The structured attachment of a DocumentReference of ours.

    Only what is within the resource is read: an attachment that is but a URL is not fetched.

    Raises:
        UnreadableDocument: there is none, or it is not what its hash says.
        Unreadable: a modifier that is not known, or entered in error.
    """
    with reading(resource, UnreadableDocument):
        attachment = needed(
            (
                content["attachment"]
                for content in resource["content"]
                if content["attachment"].get("contentType") == FHIR_JSON
                and "data" in content["attachment"]
            ),
            "a structured summary within it",
        )
        data = b64decode(attachment["data"], validate=True)
        if "hash" in attachment and _hash(data) != attachment["hash"]:
            raise UnreadableDocument("the structured summary differs from its hash")
        found: Any = parse(data)
        if not isinstance(found, dict) or "resourceType" not in found:
            raise UnreadableDocument("the structured summary is no FHIR resource")
        return found


def _attachment(content_type: str, data: bytes, title: str, created: datetime) -> dict[str, Any]:
    return {
        "contentType": content_type,
        "language": "en",
        "data": b64encode(data).decode("ascii"),
        "size": len(data),
        "hash": _hash(data),
        "title": title,
        "creation": created.isoformat(),
    }


def _hash(data: bytes) -> str:
    """R4 asks for SHA-1, base64: it tells damage in transit, it is no signature."""
    return b64encode(sha1(data, usedforsecurity=False).digest()).decode("ascii")
