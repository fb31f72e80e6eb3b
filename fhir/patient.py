"""Reading the people of a launch: Patient, Practitioner, PractitionerRole, Coverage, Condition."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fhir.codes import ICD10CM, NPI
from fhir.meaning import Unreadable, reading
from fhir.reference import relative_reference

_MR_TYPE = "MR"
_TIME_ZONE_EXTENSION = "http://hl7.org/fhir/StructureDefinition/timezone"


class MissingElement(Unreadable):
    """The EHR's resource lacks something that we can't do without; the message names it."""


@dataclass(frozen=True)
class PatientBanner:
    """What identifies a patient on every page, and what a claim needs of the person.

    `time_zone` is an IANA name where the EHR gives one; `language` a BCP 47 tag.
    """

    id: str
    family: str
    given: str
    birth_date: date
    gender: str
    mrn: str | None
    phone: str | None
    address_line: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    language: str | None
    time_zone: str | None

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}".strip()

    def age_on(self, day: date) -> int:
        """Completed years of age."""
        had_birthday = (day.month, day.day) >= (self.birth_date.month, self.birth_date.day)
        return day.year - self.birth_date.year - (0 if had_birthday else 1)


@dataclass(frozen=True)
class PatientStanding:
    """What the modifier elements of a Patient say (R4, patient.html: active, deceased, link).

    `replaced_by` is the reference of the record that holds from now on, `replaces` those for which
    this one stands since a merge.
    """

    active: bool
    deceased: bool
    replaced_by: str | None
    replaces: tuple[str, ...]


@dataclass(frozen=True)
class PractitionerIdentity:
    """`taxonomy` is a NUCC provider taxonomy code where the EHR gives one."""

    id: str
    family: str
    given: str
    npi: str | None
    taxonomy: str | None

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}".strip()


@dataclass(frozen=True)
class CoverageSummary:
    """The insurance to bill: member id, the payer's name and id where known.

    `start` and `end` are its first and last day; None where the EHR gives none, or no date.
    """

    member_id: str | None
    payer_name: str | None
    payer_id: str | None
    kind: str | None
    id: str | None = None
    start: date | None = None
    end: date | None = None

    def covers(self, day: date) -> bool:
        """Whether it is in force on `day`, as far as its dates are known."""
        return (self.start is None or self.start <= day) and (self.end is None or day <= self.end)


def read_patient(resource: Mapping[str, Any]) -> PatientBanner:
    """Raises MissingElement without id, name or birthDate, Unreadable for an unknown modifier."""
    with reading(resource, MissingElement):
        return _patient(resource)


def _patient(resource: Mapping[str, Any]) -> PatientBanner:
    name = _name(resource)
    address: Mapping[str, Any] = next(iter(resource.get("address", ())), {})
    return PatientBanner(
        id=_required(resource, "id"),
        family=name[0],
        given=name[1],
        birth_date=_birth_date(resource),
        gender=resource.get("gender", "unknown"),
        mrn=_mrn(resource.get("identifier", ())),
        phone=_phone(resource.get("telecom", ())),
        address_line=", ".join(address.get("line", ())) or None,
        city=address.get("city"),
        state=address.get("state"),
        postal_code=address.get("postalCode"),
        language=_language(resource.get("communication", ())),
        time_zone=_time_zone(resource, address),
    )


def read_standing(resource: Mapping[str, Any]) -> PatientStanding:
    """Raises Unreadable for an unknown modifier, or an element of another form."""
    with reading(resource):
        links = [
            (link.get("type"), relative_reference(link["other"].get("reference", "")))
            for link in resource.get("link", ())
        ]
        replacing = [other for kind, other in links if kind == "replaced-by"]
        dead = resource.get("deceasedBoolean") is True or "deceasedDateTime" in resource
        return PatientStanding(
            active=resource.get("active", True) is not False,
            deceased=dead,
            replaced_by=next(iter(replacing), None),
            replaces=tuple(other for kind, other in links if kind == "replaces" and other),
        )


def read_practitioner(
    practitioner: Mapping[str, Any], roles: Iterable[Mapping[str, Any]] = ()
) -> PractitionerIdentity:
    """Raises MissingElement without id or name, Unreadable for an unknown modifier."""
    with reading(practitioner, MissingElement):
        return _practitioner(practitioner, roles)


def _practitioner(
    practitioner: Mapping[str, Any], roles: Iterable[Mapping[str, Any]]
) -> PractitionerIdentity:
    family, given = _name(practitioner)
    numbers = [
        item.get("value")
        for item in practitioner.get("identifier", ())
        if item.get("system") == NPI
    ]
    codes = [
        coding.get("code")
        for role in roles
        for concept in (*role.get("specialty", ()), *role.get("code", ()))
        for coding in concept.get("coding", ())
        if coding.get("system") == "http://nucc.org/provider-taxonomy"
    ]
    return PractitionerIdentity(
        id=_required(practitioner, "id"),
        family=family,
        given=given,
        npi=next(iter(numbers), None),
        taxonomy=next(iter(codes), None),
    )


def read_coverage(resource: Mapping[str, Any]) -> CoverageSummary:
    """Raises Unreadable for an unknown modifier, or one entered in error."""
    with reading(resource):
        return _coverage(resource)


def _coverage(resource: Mapping[str, Any]) -> CoverageSummary:
    payor: Mapping[str, Any] = next(iter(resource.get("payor", ())), {})
    kind: Mapping[str, Any] = next(iter(resource.get("type", {}).get("coding", ())), {})
    period: Mapping[str, Any] = resource.get("period", {})
    return CoverageSummary(
        member_id=resource.get("subscriberId") or _first_value(resource.get("identifier", ())),
        payer_name=payor.get("display"),
        payer_id=payor.get("identifier", {}).get("value"),
        kind=kind.get("code"),
        id=resource.get("id"),
        start=_day(period.get("start"), last=False),
        end=_day(period.get("end"), last=True),
    )


def read_diagnoses(conditions: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """ICD-10-CM codes of the active conditions, in the EHR's order, each once.

    What was refuted, entered in error, or is qualified by a modifier that we don't know, is no
    diagnosis.
    """
    found: list[str] = []
    for condition in conditions:
        try:
            with reading(condition):
                found += _diagnosis(condition)
        except Unreadable:
            continue
    return tuple(dict.fromkeys(found))


def _diagnosis(condition: Mapping[str, Any]) -> list[str]:
    holds = _status(condition, "clinicalStatus") in (None, "active", "recurrence", "relapse")
    if not holds or _status(condition, "verificationStatus") in ("refuted", "entered-in-error"):
        return []
    return [
        coding["code"]
        for coding in condition.get("code", {}).get("coding", ())
        if coding.get("system") == ICD10CM and isinstance(coding.get("code"), str)
    ]


def _required(resource: Mapping[str, Any], element: str) -> str:
    value = resource.get(element)
    if not value:
        raise MissingElement(f"{resource.get('resourceType', 'resource')} has no {element}")
    return str(value)


def _name(resource: Mapping[str, Any]) -> tuple[str, str]:
    names = sorted(
        resource.get("name", ()), key=lambda name: name.get("use") not in ("official", "usual")
    )
    for name in names:
        family, given = name.get("family"), " ".join(name.get("given", ()))
        if family or given:
            return family or "", given
        if name.get("text"):
            return name["text"], ""
    raise MissingElement(f"{resource.get('resourceType', 'resource')} has no name")


def _birth_date(resource: Mapping[str, Any]) -> date:
    text = _required(resource, "birthDate")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise MissingElement("Patient.birthDate is not a full date") from None


def _day(value: str | None, *, last: bool) -> date | None:
    """The day of a FHIR dateTime; of a year or month its first or `last` day."""
    text = (value or "").split("T")[0]
    try:
        if len(text) == len("YYYY-MM-DD"):
            return date.fromisoformat(text)
        has_month = len(text) == len("YYYY-MM")
        first = date.fromisoformat(f"{text}-01" if has_month else f"{text}-01-01")
    except ValueError:
        return None
    if not last:
        return first
    month = first.month if has_month else 12
    return date(first.year, month, monthrange(first.year, month)[1])


def _mrn(identifiers: Iterable[Mapping[str, Any]]) -> str | None:
    for item in identifiers:
        codings = item.get("type", {}).get("coding", ())
        if any(coding.get("code") == _MR_TYPE for coding in codings):
            return item.get("value")
    return None


def _phone(telecom: Iterable[Mapping[str, Any]]) -> str | None:
    return next((item.get("value") for item in telecom if item.get("system") == "phone"), None)


def _language(communication: Iterable[Mapping[str, Any]]) -> str | None:
    ordered = sorted(communication, key=lambda item: not item.get("preferred", False))
    codes = [
        coding.get("code")
        for item in ordered
        for coding in item.get("language", {}).get("coding", ())
    ]
    return next(iter(codes), None)


def _time_zone(resource: Mapping[str, Any], address: Mapping[str, Any]) -> str | None:
    for extension in (*address.get("extension", ()), *resource.get("extension", ())):
        if extension.get("url") == _TIME_ZONE_EXTENSION:
            return _known_zone(extension.get("valueCode"))
    return None


def _known_zone(name: object) -> str | None:
    try:
        ZoneInfo(name)  # type: ignore[arg-type]  # whatever the EHR put there
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        return None
    return str(name)


def _first_value(identifiers: Iterable[Mapping[str, Any]]) -> str | None:
    return next((item.get("value") for item in identifiers), None)


def _status(condition: Mapping[str, Any], element: str) -> str | None:
    coding: Mapping[str, Any] = next(iter(condition.get(element, {}).get("coding", ())), {})
    return coding.get("code")
