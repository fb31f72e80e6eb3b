"""ADT: what a message says of a patient's identity, demographics and stay (HL7 v2.5.1 chapter 3).

Pure: a cut message in, a frozen value out. Versions 2.1 to 2.8 write these fields alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Literal

from app.hl7.er7 import NULL, Message, Repetition, Segment, read_day, read_instant
from app.hl7.unusable import Unusable

AdtKind = Literal["admission", "discharge", "demographics", "merge"]

# HL7 table 0003. A04 registers an outpatient, A28 and A31 add and update a person.
KINDS: dict[str, AdtKind] = {
    "A01": "admission",
    "A03": "discharge",
    "A04": "demographics",
    "A08": "demographics",
    "A28": "demographics",
    "A31": "demographics",
    "A40": "merge",
}

# HL7 table 0001 as FHIR's AdministrativeGender (HL7's v2-to-FHIR concept map).
_GENDERS = {
    "F": "female",
    "M": "male",
    "O": "other",
    "A": "other",
    "N": "other",
    "U": "unknown",
}

_MRN_TYPES = ("MR", "")


@dataclass(frozen=True)
class Demographics:
    """What PID says: `changes` by the field names of `fhir.patient.PatientBanner`.

    A field that is not in `changes` was not sent; None means that the sender deletes it.
    `birth_date` is None where it was not sent.
    """

    changes: dict[str, str | None]
    birth_date: date | None


@dataclass(frozen=True)
class AdtSubjects:
    """Whom an event concerns: record numbers of the authority asked for, as many as are sent.

    `given_up` are MRG-1's, empty but in a merge.
    """

    kind: AdtKind
    mrns: tuple[str, ...]
    given_up: tuple[str, ...] = ()


@dataclass(frozen=True)
class AdtEvent:
    """What an event says of its patient. `visit_number` is PV1-19."""

    demographics: Demographics
    occurred_at: datetime | None
    visit_number: str | None


def read_subjects(
    message: Message, trigger_event: str, mrn_authority: tuple[str, ...]
) -> AdtSubjects:
    """Only whom: a feed is mostly of people who are not ours, and what it says of them may be odd.

    Raises:
        Unusable: there is not one PID, or in a merge not one MRG with an MRG-1.
        KeyError: `trigger_event` is not in KINDS.
    """
    kind = KINDS[trigger_event]
    mrns = read_mrns(the_pid(message), 3, mrn_authority)
    if kind != "merge":
        return AdtSubjects(kind, mrns)
    merges = [segment for segment in message.segments if segment.name == "MRG"]
    if len(merges) != 1 or not merges[0].field(1):
        raise Unusable("a merge without one MRG-1")
    return AdtSubjects(kind, mrns, read_mrns(merges[0], 1, mrn_authority))


def read_event(message: Message, zone: tzinfo) -> AdtEvent:
    """The rest. `zone` holds for timestamps without an offset.

    Raises:
        Unusable: a field that can't be what it should.
    """
    evn, pv1 = message.first("EVN"), message.first("PV1")
    return AdtEvent(
        demographics=read_demographics(the_pid(message)),
        occurred_at=_occurred_at(evn, zone),
        visit_number=(pv1.value(19) or None) if pv1 else None,
    )


def read_mrns(segment: Segment, field: int, mrn_authority: tuple[str, ...]) -> tuple[str, ...]:
    """The medical record numbers among the identifiers (CX) of `field`, by their authority.

    The same digits of another authority are another patient. CX-4 is a namespace id, a universal
    id, or both: either may be the name by which we know the authority.
    """
    numbers = []
    for identifier in segment.repetitions(field):
        value, authority = identifier.component(1).strip(), identifier.subcomponents(4)[:2]
        is_mrn = identifier.component(5) in _MRN_TYPES and set(authority) & set(mrn_authority)
        if value and not identifier.is_null and is_mrn:
            numbers.append(value)
    return tuple(dict.fromkeys(numbers))


def read_demographics(pid: Segment) -> Demographics:
    """PID-5, 7, 8, 11 and 13; language and time zone stay as the chart has them.

    Raises:
        Unusable: an empty name, a date of birth or a sex that is none, or one that is deleted.
    """
    changes: dict[str, str | None] = {}
    name = _preferred(pid, 5, 7, ("L", "", "D"))
    if name is not None:
        family, *given = (_or_none(name.component(number)) for number in (1, 2, 3))
        if not family and not any(given):
            raise Unusable("PID-5 has no name")
        changes.update(family=family or "", given=" ".join(filter(None, given)))
    sex = pid.value(8)
    if sex:
        if sex not in _GENDERS:
            raise Unusable("PID-8 is not in table 0001")
        changes["gender"] = _GENDERS[sex]
    changes.update(_address(pid))
    changes.update(_phone(pid))
    return Demographics(changes, _birth_date(pid))


def the_pid(message: Message) -> Segment:
    """Raises Unusable where the message is not of one patient."""
    pids = [segment for segment in message.segments if segment.name == "PID"]
    if len(pids) != 1:
        raise Unusable(f"{len(pids)} PID segments where there is one patient")
    return pids[0]


def _occurred_at(evn: Segment | None, zone: tzinfo) -> datetime | None:
    """EVN-6, when it happened, else EVN-2, when it was recorded."""
    text = "" if evn is None else evn.value(6) or evn.value(2)
    if not text:
        return None
    try:
        return read_instant(text, zone)
    except ValueError:
        raise Unusable("EVN has no timestamp to the minute") from None


def _birth_date(pid: Segment) -> date | None:
    text = pid.value(7)
    if not text:
        return None
    try:
        return read_day(text)
    except ValueError:
        raise Unusable("PID-7 is no full date") from None


def _preferred(
    segment: Segment, field: int, use_component: int, uses: tuple[str, ...]
) -> Repetition | None:
    """The repetition whose use comes first in `uses`, else the first; None where none is sent."""
    found = segment.repetitions(field)
    for use in uses:
        for repetition in found:
            if repetition.component(use_component) == use:
                return repetition
    return next(iter(found), None)


def _address(pid: Segment) -> dict[str, str | None]:
    address = _preferred(pid, 11, 7, ("H", "L", ""))
    if address is None:
        return {}
    if address.is_null:
        return dict.fromkeys(("address_line", "city", "state", "postal_code"))
    lines = (_or_none(address.component(number)) for number in (1, 2))
    return {
        "address_line": ", ".join(filter(None, lines)) or None,
        "city": _or_none(address.component(3)),
        "state": _or_none(address.component(4)),
        "postal_code": _or_none(address.component(5)),
    }


def _phone(pid: Segment) -> dict[str, str | None]:
    """XTN-1 as formerly written, else XTN-12, else put together from its parts."""
    for phone in pid.repetitions(13):
        if phone.is_null:
            return {"phone": None}
        if phone.component(3) in ("", "PH", "CP"):
            whole = phone.component(1) or phone.component(12)
            parts = (phone.component(number) for number in (5, 6, 7))
            number = whole or "-".join(filter(None, parts))
            if number:
                return {"phone": number}
    return {}


def _or_none(text: str) -> str | None:
    return None if text in ("", NULL) else text
