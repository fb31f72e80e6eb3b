"""R4 search parameters: their kinds, and whether a resource meets a criterion. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from app.api.problem import FhirProblem

Kind = Literal["token", "reference", "date", "uri"]
Span = tuple[datetime, datetime]

_DATE = re.compile(
    r"(?P<prefix>[a-z]{2})?(?P<date>\d{4}(-\d{2}(?P<day>-\d{2})?)?)"
    r"(?P<time>T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?(?P<zone>Z|[+\- ]\d{2}:\d{2})?"
)
_PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Parameter:
    """One search parameter: the elements that it looks at, as dotted paths.

    `targets` are the types that a reference may lead to here; `definition` R4's canonical URL.
    """

    name: str
    kind: Kind
    elements: tuple[str, ...]
    definition: str
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Criterion:
    """One parameter with its alternatives; a resource meets it by any of them."""

    parameter: Parameter
    choices: tuple[str, ...]

    def meets(self, resource: Mapping[str, Any], base: str) -> bool:
        """`base` is this server's URL, which absolute references may begin with."""
        values = [v for path in self.parameter.elements for v in values_at(resource, path)]
        if self.parameter.kind == "date":
            wanted = [read_date(choice) for choice in self.choices]
            spans = [span for value in values for span in _spans(value)]
            return any(_dated(*want, span) for want in wanted for span in spans)
        if self.parameter.kind == "reference":
            found = [v["reference"] for v in values if isinstance(v, dict) and v.get("reference")]
            return any(
                _refers(choice, target, base, self.parameter.targets)
                for choice in self.choices
                for target in found
            )
        if self.parameter.kind == "uri":
            return any(value in self.choices for value in values)
        return any(_token(choice, value) for choice in self.choices for value in values)


def criterion(parameter: Parameter, modifier: str | None, value: str, base: str) -> Criterion:
    """Reads `value`, whose alternatives are separated by commas.

    Raises:
        FhirProblem: 400 for a modifier that is not supported, or a value of another kind.
    """
    choices = [choice for choice in _split(value, ",") if choice]
    if modifier is not None:
        if parameter.kind != "reference" or modifier not in parameter.targets:
            raise FhirProblem(
                400, "not-supported", f"{parameter.name}:{modifier} is not supported here."
            )
        choices = [c if "/" in c else f"{modifier}/{c}" for c in choices]
    if not choices:
        raise FhirProblem(400, "invalid", f"{parameter.name} has no value.")
    if parameter.kind == "date":
        for choice in choices:
            read_date(choice)
    return Criterion(parameter, tuple(choices))


def names_patients(criterion: Criterion, base: str) -> bool:
    """Whether every alternative is a patient."""
    if criterion.parameter.targets == ("Patient",):
        return True
    locals_ = [choice.removeprefix(f"{base}/") for choice in criterion.choices]
    of_patients = "Patient" in criterion.parameter.targets
    return of_patients and all(local.startswith("Patient/") for local in locals_)


def referred_ids(criterion: Criterion, resource_type: str, base: str) -> frozenset[str]:
    """The ids of `resource_type` that a reference criterion names."""
    ids = set()
    for choice in criterion.choices:
        local = choice.removeprefix(f"{base}/")
        kind, slash, id_ = local.rpartition("/")
        if not slash or kind == resource_type:
            ids.add(id_)
    return frozenset(ids)


def read_date(wanted: str) -> tuple[str, Span]:
    """A date criterion as its prefix and the span of time that it names.

    A `+` that a client forgot to escape has become a space; it is read as what it was.

    Raises:
        FhirProblem: 400.
    """
    match = _DATE.fullmatch(wanted)
    if match is None or (match["time"] and not match["day"]):
        raise FhirProblem(400, "invalid", f"{wanted[:40]!r} is not a FHIR date.")
    prefix = match["prefix"] or "eq"
    if prefix not in _PREFIXES:
        raise FhirProblem(400, "not-supported", f"The date prefix {prefix} is not supported.")
    zone = (match["zone"] or "").replace(" ", "+")
    try:
        return prefix, _span(f"{match['date']}{match['time'] or ''}{zone}")
    except (ValueError, OverflowError):
        raise FhirProblem(400, "invalid", f"{wanted[:40]!r} is not a FHIR date.") from None


def bounds(criteria: list[Criterion]) -> tuple[datetime | None, datetime | None]:
    """The instants between which every match of these date criteria begins; None is open.

    Only for what is an instant itself, such as `_lastUpdated`. With alternatives it stays open.
    """
    first: list[datetime] = []
    last: list[datetime] = []
    for each in criteria:
        if len(each.choices) != 1:
            continue
        prefix, (start, end) = read_date(each.choices[0])
        if prefix in ("eq", "ge", "gt", "sa"):
            first.append(start)
        if prefix in ("eq", "le", "lt", "eb"):
            last.append(end)
    return max(first, default=None), min(last, default=None)


def values_at(resource: Any, path: str) -> Iterator[Any]:
    """Every value at a dotted path, through lists."""
    if isinstance(resource, list):
        for part in resource:
            yield from values_at(part, path)
    elif not path:
        yield resource
    elif isinstance(resource, dict):
        name, _, rest = path.partition(".")
        if name in resource:
            yield from values_at(resource[name], rest)


def _token(wanted: str, found: Any) -> bool:
    """`code`, `system|code`, `system|` or `|code` (FHIR R4, 3.1.1.4.10)."""
    parts = _split(wanted, "|")
    system, code = ("|".join(parts[:-1]), parts[-1]) if len(parts) > 1 else (None, wanted)
    code = _plain(code)
    if isinstance(found, str):
        return not system and found == code
    if not isinstance(found, dict):
        return False
    if "coding" in found:
        return any(_token(wanted, coding) for coding in found["coding"])
    value = found.get("code", found.get("value"))
    return (not code or value == code) and (
        system is None or found.get("system", "") == _plain(system)
    )


def _refers(wanted: str, target: str, base: str, targets: tuple[str, ...]) -> bool:
    """A bare id stands for any of the types that the parameter may lead to."""
    local = wanted.removeprefix(f"{base}/")
    if "/" in local:
        return target == local
    return any(target == f"{kind}/{local}" for kind in targets)


def _spans(value: Any) -> Iterator[Span]:
    if isinstance(value, str):
        yield _span(value)
    elif isinstance(value, dict):
        start, end = value.get("start"), value.get("end")
        yield (_span(start)[0] if start else _FIRST, _span(end)[1] if end else _LAST)


def _dated(prefix: str, wanted: Span, found: Span) -> bool:
    """FHIR R4, 3.1.1.4.5: how each prefix compares two spans, each from–to without its end."""
    (first, last), (start, end) = wanted, found
    if prefix in ("eq", "ne"):
        within = first <= start and end <= last
        return within if prefix == "eq" else not within
    return {
        "gt": end > last,
        "lt": start < first,
        "ge": end > first,
        "le": start < last,
        "sa": start >= last,
        "eb": end <= first,
    }[prefix]


def _span(text: str) -> Span:
    """The time that a FHIR date of any precision covers; one without a zone is in UTC here.

    Raises:
        ValueError: no date.
        OverflowError: one outside the years 1 to 9999 in UTC.
    """
    if len(text) == 4:
        year = int(text)
        end = datetime(year + 1, 1, 1, tzinfo=UTC) if year < 9999 else _LAST
        return datetime(year, 1, 1, tzinfo=UTC), end
    if len(text) == 7:
        first = datetime.fromisoformat(f"{text}-01").replace(tzinfo=UTC)
        return first, _later(first, timedelta(days=31)).replace(day=1)
    first = datetime.fromisoformat(text)
    first = first.astimezone(UTC) if first.tzinfo else first.replace(tzinfo=UTC)
    if len(text) == 10:
        return first, _later(first, timedelta(days=1))
    time = text[11:].replace("Z", "").split("+")[0].split("-")[0]
    precision = timedelta(minutes=1) if len(time) == 5 else timedelta(seconds=1)
    return first, _later(first, timedelta(microseconds=1) if "." in time else precision)


def _later(first: datetime, by: timedelta) -> datetime:
    try:
        return first + by
    except OverflowError:
        return _LAST


def _split(text: str, separator: str) -> list[str]:
    r"""Parts between separators that no backslash escapes; escapes stay as they are."""
    return re.split(rf"(?<!\\)\{separator}", text)


def _plain(text: str) -> str:
    return re.sub(r"\\([\\,|$])", r"\1", text)
