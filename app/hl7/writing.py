"""What every message that we write has in common: segments, PID, and a check before it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message

from app.hl7.er7 import escape
from billing.hl7_dft import Routing

VERSION, CHARSET = "2.5.1", "UNICODE UTF-8"

# HL7 table 0396: 99zzz is a coding system of the sender's own.
OWN_CODES = "99HOMESTRETCH"
APPLICATION = "HOMESTRETCH"

_SEXES = {"female": "F", "male": "M", "other": "O", "unknown": "U"}


class NotValid(ValueError):
    """A message breaks HL7's own grammar: says where, and may quote it."""


@dataclass(frozen=True)
class Envelope:
    """MSH-3 to 6, 10 and 11, and the time of writing. `control_id` has at most 20 letters."""

    routing: Routing
    control_id: str
    processing_id: str
    written_at: datetime


@dataclass(frozen=True)
class Subject:
    """The patient of a message. `gender` is FHIR's; `mrn_authority` PID-3.4's namespace id."""

    mrn: str
    mrn_authority: str
    family: str
    given: str
    birth_date: date
    gender: str


def segment(name: str, fields: Mapping[int, str]) -> str:
    """One segment with `fields` by their number, each already in its wire form, ended by CR."""
    values = [fields.get(number, "") for number in range(1, max(fields) + 1)]
    return "|".join([name, *values]) + "\r"


def components(*parts: str) -> str:
    """A field of plain texts."""
    return "^".join(escape(part) for part in parts).rstrip("^")


def timestamp(moment: datetime) -> str:
    """To the second, in UTC with its offset."""
    return f"{moment.astimezone(UTC):%Y%m%d%H%M%S}+0000"


def msh(message_type: str, envelope: Envelope) -> str:
    """`message_type` is MSH-9 whole. MSH-15 and 16 stay empty: the original acknowledgment mode."""
    routing = envelope.routing
    fields = {
        2: escape(routing.sending_application),
        3: escape(routing.sending_facility),
        4: escape(routing.receiving_application),
        5: escape(routing.receiving_facility),
        6: timestamp(envelope.written_at),
        8: message_type,
        9: envelope.control_id,
        10: envelope.processing_id,
        11: VERSION,
        17: CHARSET,
    }
    # MSH-1 is the separator that stands before MSH-2, so every field is one place to the left.
    return segment("MSH", {1: "^~\\&", **fields})


def pid(subject: Subject) -> str:
    return segment(
        "PID",
        {
            1: "1",
            3: "^".join((escape(subject.mrn), "", "", escape(subject.mrn_authority), "MR")),
            5: components(subject.family, subject.given),
            7: f"{subject.birth_date:%Y%m%d}",
            8: _SEXES.get(subject.gender, "U"),
        },
    )


def require_valid(text: str) -> str:
    """`text` again, once hl7apy finds it strictly valid and has read every segment of it.

    Raises:
        NotValid: it does not, or dropped a segment, which it does without a word.
    """
    try:
        parsed = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
        parsed.validate()
        read = parsed.to_er7()
    except (HL7apyException, ValueError) as error:
        raise NotValid(str(error)) from None
    sent_names, read_names = segment_names(text), segment_names(read)
    if sent_names != read_names:
        lost = [name for name in sent_names if name not in read_names]
        raise NotValid(f"not understood: {lost[0] if lost else 'a segment out of place'}")
    return text


def segment_names(text: str) -> list[str]:
    return [line[:3] for line in text.split("\r") if line]
