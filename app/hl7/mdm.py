"""A readable document for the chart: HL7 v2.5.1 MDM^T02, its text, its PDF, or both."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime

from app.hl7.er7 import escape
from app.hl7.writing import (
    APPLICATION,
    Envelope,
    Subject,
    components,
    msh,
    pid,
    require_valid,
    segment,
    timestamp,
)

# LOINC 11506-3: Progress note.
_PROGRESS_NOTE = ("11506-3", "Progress note", "LN")


@dataclass(frozen=True)
class Author:
    """Who answers for a document. `npi` may be None."""

    family: str
    given: str
    npi: str | None


@dataclass(frozen=True)
class Document:
    """`id` stays the same whenever the document is sent (TXA-12); `pdf` is a whole file."""

    id: str
    title: str
    written_at: datetime
    author: Author | None
    text: str | None = None
    pdf: bytes | None = None

    def __post_init__(self) -> None:
        if not self.text and not self.pdf:
            raise ValueError(f"document {self.id} has neither text nor PDF")


def mdm_t02(
    document: Document, subject: Subject, envelope: Envelope, *, visit_number: str | None = None
) -> str:
    """The message, every segment ended by CR.

    The text is one OBX of formatted text, the PDF one of encapsulated data in base64. TXA-17 is
    DO, documented: nobody signed it in the EHR's sense. `visit_number` (PV1-19) is the encounter
    that a site names for what happens at home.

    Raises:
        NotValid: a text in it breaks HL7's grammar.
    """
    author = "" if document.author is None else _xcn(document.author)
    written = timestamp(document.written_at)
    visit = {2: "O"} if visit_number is None else {2: "O", 19: escape(visit_number)}
    lines = [
        msh("MDM^T02^MDM_T02", envelope),
        segment("EVN", {1: "T02", 2: timestamp(envelope.written_at)}),
        pid(subject),
        segment("PV1", visit),
        segment(
            "TXA",
            {
                1: "1",
                2: "PN",
                3: "TX" if document.text else "AP",
                4: written,
                5: author,
                6: written,
                9: author,
                12: components(document.id, APPLICATION),
                17: "DO",
                19: "AV",
            },
        ),
    ]
    values = []
    data = base64.b64encode(document.pdf or b"").decode("ascii")
    if document.text:
        values.append(("FT", escape(document.text)))
    if data:
        values.append(("ED", f"{APPLICATION}^AP^PDF^Base64^{data}"))
    for number, (kind, value) in enumerate(values, start=1):
        code = components(*_PROGRESS_NOTE, "", document.title)
        lines.append(
            segment("OBX", {1: str(number), 2: kind, 3: code, 5: value, 11: "F", 14: written})
        )
    text = "".join(lines)
    # hl7apy holds the text of ED-5 to 199 letters; the standard lets it hold a whole file.
    require_valid(text.replace(data, data[:100]) if data else text)
    return text


def _xcn(author: Author) -> str:
    if author.npi is None:
        return components("", author.family, author.given)
    return components(author.npi, author.family, author.given, *[""] * 5, "NPI")
