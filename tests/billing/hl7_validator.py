"""hl7apy's strict validation, called so that it is believed: a segment it does not know is dropped
in silence, so what it understood is compared with what was sent."""

from __future__ import annotations

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Message
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message


def read_strictly(text: str) -> Message:
    """Raises HL7apyException or ValueError for what is not valid."""
    message = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
    message.validate()
    return message


def hl7_errors(text: str) -> list[str]:
    """What is wrong with a message; empty if it is valid and understood whole."""
    try:
        understood = segment_names(read_strictly(text).to_er7())
    except (HL7apyException, ValueError) as error:
        return [f"{type(error).__name__}: {error}"]
    sent = segment_names(text)
    return [] if understood == sent else [f"of {sent} only {understood} was understood"]


def segment_names(text: str) -> list[str]:
    return [line[:3] for line in text.split("\r") if line]
