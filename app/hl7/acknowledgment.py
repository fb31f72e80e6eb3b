"""Answers to received messages: ACK in original and in enhanced mode, with ERR where refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.hl7.er7 import escape
from app.hl7.header import CHARSETS, Header

# HL7 table 0357, the codes used here, and their texts there.
ErrorCode = Literal["100", "101", "102", "103", "200", "202", "203"]
_ERRORS: dict[str, str] = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
}

# MSA-3 holds 80 letters, MSH-10 20 in 2.5.1 and 199 since 2.7.
_LONGEST_TEXT, _LONGEST_CONTROL_ID = 80, 199


@dataclass(frozen=True)
class Verdict:
    """What is said of a message at the door. `text` quotes nothing of it.

    `code` is that of the original mode (HL7 table 0008); `place` is where the fault is, as
    segment and field (ERR-2), None where it is in no field.
    """

    code: Literal["AA", "AE", "AR"]
    text: str = ""
    error: ErrorCode | None = None
    place: tuple[str, int] | None = None


ACCEPTED = Verdict("AA")


def acknowledgment(
    header: Header | None, verdict: Verdict, *, control_id: str, now: datetime
) -> bytes | None:
    """The content of the ACK; None where the sender wants none, or sent an ACK itself.

    MSH-15 and MSH-16 both empty is the original mode: AA, AE or AR. Else it is the enhanced mode
    (v2.5.1 section 2.9.3): the accept acknowledgment CA, CE or CR where MSH-15 wants one, and
    where only MSH-16 does, AA, AE or AR. No application acknowledgment follows later: a fault of
    meaning that is found afterwards waits for a person here, it does not go back to the sender.
    `control_id` is that of the ACK itself. A frame without a readable MSH has a blank MSA-2.
    """
    code = _code(header, verdict)
    if code is None:
        return None
    segments = [_msh(header, control_id, now), _msa(header, verdict, code)]
    if verdict.error is not None:
        segments.append(_err(verdict, verdict.error))
    text = "".join(f"{segment}\r" for segment in segments)
    charset = "" if header is None else CHARSETS.get(header.charset, "")
    return text.encode(charset or "ascii", "replace")


def _code(header: Header | None, verdict: Verdict) -> str | None:
    if header is None:
        return verdict.code
    if header.message_code == "ACK":
        return None  # else two systems would acknowledge each other for ever
    accept, application = header.accept_acknowledgment, header.application_acknowledgment
    if not accept and not application:
        return verdict.code
    if accept not in ("", "NE"):
        return f"C{verdict.code[1]}" if _is_wanted(accept, verdict) else None
    return verdict.code if _is_wanted(application or "NE", verdict) else None


def _is_wanted(condition: str, verdict: Verdict) -> bool:
    """By HL7 table 0155; a condition that is not in it gets an answer, as AL would."""
    return {
        "NE": False,
        "SU": verdict.code == "AA",
        "ER": verdict.code != "AA",
    }.get(condition, True)


def _msh(header: Header | None, control_id: str, now: datetime) -> str:
    swapped = ["", "", "", ""]
    processing_id, charset, trigger = "P", "", ""
    if header is not None:
        swapped = [
            header.receiving_application,
            header.receiving_facility,
            header.sending_application,
            header.sending_facility,
        ]
        processing_id = header.processing_id or "P"
        charset = header.charset if header.charset in CHARSETS else ""
        trigger = header.trigger_event
    fields = [
        "^~\\&",
        *(_safe(value) for value in swapped),
        f"{now:%Y%m%d%H%M%S}+0000",
        "",
        f"ACK^{_safe(trigger)}^ACK" if trigger else "ACK",
        control_id,
        _safe(processing_id),
        "2.5.1",
        *[""] * 5,
        charset,
    ]
    return "MSH|" + "|".join(fields).rstrip("|")


def _msa(header: Header | None, verdict: Verdict, code: str) -> str:
    answered = "" if header is None else _safe(header.control_id)
    return f"MSA|{code}|{answered}|{escape(verdict.text[:_LONGEST_TEXT])}".rstrip("|")


def _err(verdict: Verdict, error: ErrorCode) -> str:
    place = "" if verdict.place is None else f"{verdict.place[0]}^1^{verdict.place[1]}"
    return f"ERR||{place}|{error}^{_ERRORS[error]}^HL70357|E||||{escape(verdict.text)}"


def _safe(value: str) -> str:
    """What is sent back: no longer than MSH-10 may be, and unable to break a segment."""
    return escape(value[:_LONGEST_CONTROL_ID])
