"""SIU: appointments made, moved, cancelled and missed (HL7 v2.5.1 chapter 10)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Literal

from app.hl7.adt import read_mrns, the_pid
from app.hl7.er7 import Message, Segment, read_instant
from app.hl7.unusable import Unusable

VisitStatus = Literal["booked", "cancelled", "noshow"]

# HL7 table 0003, to FHIR's Appointment.status.
STATUSES: dict[str, VisitStatus] = {
    "S12": "booked",
    "S13": "booked",
    "S14": "booked",
    "S15": "cancelled",
    "S26": "noshow",
}

# SCH-10 and AIS-8, by UCUM and by the words that schedulers write.
_MINUTES = {
    "min": 1,
    "minute": 1,
    "minutes": 1,
    "m": 1,
    "": 1,
    "h": 60,
    "hr": 60,
    "hour": 60,
    "hours": 60,
}
_LONGEST_MINUTES = 7 * 24 * 60


@dataclass(frozen=True)
class Appointment:
    """`id` is the filler's (SCH-2), else the placer's (SCH-1)."""

    id: str
    status: VisitStatus
    starts_at: datetime
    ends_at: datetime | None


def read_visitor(message: Message, mrn_authority: tuple[str, ...]) -> tuple[str, ...]:
    """The patient's record numbers of the authority asked for.

    Raises:
        Unusable: the appointment is not of one patient.
    """
    return read_mrns(the_pid(message), 3, mrn_authority)


def read_siu(message: Message, trigger_event: str, zone: tzinfo) -> Appointment:
    """Reads one appointment. `zone` holds for timestamps without an offset.

    Raises:
        Unusable: no SCH, no id or start, or an appointment that ends before it starts.
        KeyError: `trigger_event` is not in STATUSES.
    """
    status = STATUSES[trigger_event]
    sch = message.first("SCH")
    if sch is None:
        raise Unusable("the appointment has no SCH")
    identifier = sch.value(2) or sch.value(1)
    if not identifier:
        raise Unusable("SCH-1 and SCH-2 are empty")
    starts_at, ends_at = _times(message, sch, zone)
    return Appointment(identifier, status, starts_at, ends_at)


def _times(message: Message, sch: Segment, zone: tzinfo) -> tuple[datetime, datetime | None]:
    """Of SCH-11, else TQ1-7 and 8, else AIS-4; the end also by a duration (SCH-9, AIS-7)."""
    tq1, ais = message.first("TQ1"), message.first("AIS")
    start, end = sch.value(11, 4), sch.value(11, 5)
    duration, unit = sch.value(9), sch.value(10)
    if not start and tq1 is not None:
        start, end = tq1.value(7), tq1.value(8)
    if ais is not None:
        start = start or ais.value(4)
        if not duration:
            duration, unit = ais.value(7), ais.value(8)
    if not start:
        raise Unusable("the appointment has no start in SCH-11, TQ1-7 or AIS-4")
    try:
        starts_at = read_instant(start, zone)
        ends_at = read_instant(end, zone) if end else _after(starts_at, duration, unit)
    except ValueError:
        raise Unusable("the appointment's start or end is no timestamp to the minute") from None
    if ends_at is not None and ends_at < starts_at:
        raise Unusable("the appointment ends before it starts")
    return starts_at, ends_at


def _after(starts_at: datetime, duration: str, unit: str) -> datetime | None:
    """None where the duration is in no unit that we know."""
    scale = _MINUTES.get(unit.lower())
    if not duration.isdecimal() or scale is None or len(duration) > 6:
        return None
    minutes = int(duration) * scale
    if minutes > _LONGEST_MINUTES:
        raise Unusable("the appointment lasts longer than a week")
    try:
        return starts_at + timedelta(minutes=minutes)
    except OverflowError:
        raise Unusable("the appointment ends outside of the calendar") from None
