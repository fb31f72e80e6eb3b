"""The search parameters that the application uses, and no silent ignoring of others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from smart_launch.sandbox.outcome import FhirProblem
from smart_launch.sandbox.validation import references

Kind = Literal["token", "reference", "date", "string"]

# Each parameter's kind and the elements that it looks at, as in R4's SearchParameters.
_PARAMETERS: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "_id": ("token", ("id",)),
    "_lastUpdated": ("date", ("meta",)),
    "identifier": ("token", ("identifier",)),
    "category": ("token", ("category",)),
    "code": ("token", ("code",)),
    "status": ("token", ("status",)),
    "intent": ("token", ("intent",)),
    "class": ("token", ("class",)),
    "clinical-status": ("token", ("clinicalStatus",)),
    "gender": ("token", ("gender",)),
    "type": ("token", ("type",)),
    "lifecycle-status": ("token", ("lifecycleStatus",)),
    "specialty": ("token", ("specialty",)),
    "patient": ("reference", ("subject", "patient", "beneficiary")),
    "subject": ("reference", ("subject",)),
    "beneficiary": ("reference", ("beneficiary",)),
    "based-on": ("reference", ("basedOn",)),
    "practitioner": ("reference", ("practitioner",)),
    "organization": ("reference", ("organization",)),
    "encounter": ("reference", ("encounter",)),
    "target": ("reference", ("target",)),
    "has-member": ("reference", ("hasMember",)),
    "payor": ("reference", ("payor",)),
    "date": ("date", ("effectiveDateTime", "effectivePeriod", "period", "date")),
    "onset-date": ("date", ("onsetDateTime", "onsetPeriod")),
    "start-date": ("date", ("startDate",)),
    "authored": ("date", ("authoredOn", "authored")),
    "recorded": ("date", ("recorded",)),
    "birthdate": ("date", ("birthDate",)),
    "name": ("string", ("name",)),
    "family": ("string", ("name",)),
    "given": ("string", ("name",)),
}

_EVERYWHERE = ("_id", "_lastUpdated")
_BY_TYPE: dict[str, tuple[str, ...]] = {
    name: tuple(parameters.split())
    for name, parameters in {
        "CarePlan": "identifier patient subject category status intent date based-on encounter",
        "Communication": "identifier patient subject category status",
        "Condition": "identifier patient subject category code clinical-status encounter "
        "onset-date",
        "Consent": "identifier patient category status date",
        "Coverage": "identifier patient beneficiary payor status type",
        "Device": "identifier patient status type",
        "DocumentReference": "identifier patient subject category status type date",
        "Encounter": "identifier patient subject status class type date based-on",
        "Group": "identifier type code",
        "Goal": "identifier patient subject category lifecycle-status start-date",
        "Observation": "identifier patient subject category code status date based-on has-member "
        "encounter",
        "Organization": "identifier name type",
        "Patient": "identifier name family given gender birthdate",
        "Practitioner": "identifier name family given gender",
        "PractitionerRole": "identifier practitioner organization specialty",
        "Provenance": "target recorded",
        "QuestionnaireResponse": "identifier patient subject status authored based-on",
        "ServiceRequest": "identifier patient subject category code status intent based-on "
        "encounter authored",
    }.items()
}
RESOURCE_TYPES = tuple(_BY_TYPE)

_FOREVER = datetime.max.replace(tzinfo=UTC)
_CONTROL = frozenset({"_count", "_offset", "_sort", "_format"})


def search_parameters(resource_type: str) -> dict[str, Kind]:
    """The parameters that searching this type understands, and the kind of each."""
    names = (*_EVERYWHERE, *_BY_TYPE.get(resource_type, ()))
    return {name: _PARAMETERS[name][0] for name in names}


@dataclass(frozen=True)
class Criteria:
    """A search; parameters repeat as in the query: all must hold, commas mean any.

    Raises FhirProblem 400 for a parameter or an order that is not supported, or for no date.
    """

    resource_type: str
    parameters: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        known = search_parameters(self.resource_type)
        for name, value in self.parameters:
            if name not in known and name not in _CONTROL:
                raise FhirProblem(
                    400,
                    "not-supported",
                    f"search parameter {name} is not supported for {self.resource_type}",
                )
            if name == "_sort" and known.get(value.removeprefix("-")) != "date":
                raise FhirProblem(400, "not-supported", f"sorting by {value} is not supported")
            if known.get(name) == "date":
                for choice in value.split(","):
                    _wanted_span(choice)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked of the resources."""
        return all(name in _CONTROL for name, _ in self.parameters)

    def identifiers(self) -> Iterator[tuple[str | None, str]]:
        """(system or None for any, value) of each `identifier` parameter without a comma."""
        for name, value in self.parameters:
            if name == "identifier" and "," not in value and not value.endswith("|"):
                system, bar, code = value.rpartition("|")
                yield (system if bar else None), code

    @property
    def sort(self) -> str | None:
        return next((value for name, value in self.parameters if name == "_sort"), None)


def matches(criteria: Criteria, resource: dict[str, Any], updated: datetime) -> bool:
    """Whether `resource` meets every parameter."""
    return all(
        any(_matches(name, choice, resource, updated) for choice in value.split(","))
        for name, value in criteria.parameters
        if name not in _CONTROL
    )


def sort_key(
    criteria: Criteria, resource: dict[str, Any], updated: datetime, sequence: int
) -> tuple[float, int]:
    """By a date parameter (`-` descending), else in the order of writing."""
    if criteria.sort is None:
        return 0.0, sequence
    sign = -1 if criteria.sort.startswith("-") else 1
    spans = list(_spans(criteria.sort.removeprefix("-"), resource, updated))
    first = spans[0][0].timestamp() if spans else 0.0
    return sign * first, sign * sequence


def _matches(name: str, wanted: str, resource: dict[str, Any], updated: datetime) -> bool:
    kind, elements = _PARAMETERS[name]
    if kind == "date":
        return _dated(wanted, list(_spans(name, resource, updated)))
    found = [resource[element] for element in elements if element in resource]
    if kind == "token":
        return _token(wanted, found)
    if kind == "string":
        return any(_named(name, wanted, value) for value in found)
    return any(_refers(name, wanted, target["reference"]) for target in references(found))


def _token(wanted: str, found: Any) -> bool:
    system, bar, code = wanted.rpartition("|")
    if isinstance(found, str):
        return not system and found == code
    if isinstance(found, list):
        return any(_token(wanted, part) for part in found)
    if not isinstance(found, dict):
        return False
    if "coding" in found:
        return _token(wanted, found["coding"])
    value = found.get("code", found.get("value"))
    return (not code or value == code) and (not bar or found.get("system", "") == system)


def _named(name: str, wanted: str, found: Any) -> bool:
    """R4's string matching: the start of a part, in whatever case."""
    if isinstance(found, list):
        return any(_named(name, wanted, part) for part in found)
    parts: list[str] = []
    if isinstance(found, str):
        parts.append(found)
    if isinstance(found, dict):
        if name in ("name", "family"):
            parts.append(found.get("family", ""))
        if name in ("name", "given"):
            parts.extend(found.get("given", ()))
    return any(part.lower().startswith(wanted.lower()) for part in parts)


def _refers(name: str, wanted: str, target: str) -> bool:
    """A bare id stands for any type, except that `patient` and `practitioner` say theirs."""
    if "/" in wanted:
        return target == wanted
    if name in ("patient", "practitioner"):
        return target == f"{name.capitalize()}/{wanted}"
    return bool(wanted) and target.endswith(f"/{wanted}")


def _spans(
    name: str, resource: dict[str, Any], updated: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The time spans that a date parameter looks at, each from–to, excluding to."""
    if name == "_lastUpdated":
        yield updated, updated
        return
    for element in _PARAMETERS[name][1]:
        value = resource.get(element)
        if isinstance(value, str):
            yield _span(value)
        elif isinstance(value, dict):
            start, end = value.get("start"), value.get("end")
            yield (
                _span(start)[0] if start else datetime.min.replace(tzinfo=UTC),
                _span(end)[1] if end else _FOREVER,
            )


_DATE_PREFIXES = ("eq", "ge", "gt", "le", "lt")


def _wanted_span(wanted: str) -> tuple[str, datetime, datetime]:
    """A date criterion as prefix, from and to. Raises FhirProblem 400."""
    prefix, text = (wanted[:2], wanted[2:]) if wanted[:2].isalpha() else ("eq", wanted)
    if prefix not in _DATE_PREFIXES:
        raise FhirProblem(400, "not-supported", f"date prefix {prefix} is not supported")
    try:
        return prefix, *_span(text)
    except ValueError:
        raise FhirProblem(400, "invalid", f"{wanted!r} is not a FHIR date") from None


def _dated(wanted: str, spans: list[tuple[datetime, datetime]]) -> bool:
    prefix, first, last = _wanted_span(wanted)
    tests = {
        "eq": lambda a, b: first <= a and b <= last,
        "ge": lambda a, b: b >= first,
        "gt": lambda a, b: b > last,
        "le": lambda a, b: a <= last,
        "lt": lambda a, b: a < first,
    }
    return any(tests[prefix](a, b) for a, b in spans)


def _span(text: str) -> tuple[datetime, datetime]:
    """A year, month or day is all of it, in UTC here; an instant is itself. Raises ValueError."""
    if len(text) == 4:
        first = datetime(int(text), 1, 1, tzinfo=UTC)
        return first, _later(first, 366).replace(month=1, day=1)
    if len(text) == 7:
        first = datetime.fromisoformat(f"{text}-01").replace(tzinfo=UTC)
        return first, _later(first, 31).replace(day=1)
    first = datetime.fromisoformat(text)
    first = first if first.tzinfo else first.replace(tzinfo=UTC)
    return first, _later(first, 1) if len(text) == 10 else first


def _later(first: datetime, days: int) -> datetime:
    """9999-12-31 is how some systems write "no end"."""
    try:
        return first + timedelta(days=days)
    except OverflowError:
        return _FOREVER
