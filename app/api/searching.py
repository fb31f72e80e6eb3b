"""Searches over the record: parameters in, one page of resources out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.api.access import Grant, Reach
from app.api.holdings import Holdings
from app.api.identity import key_of, keys_in
from app.api.parameters import (
    Criterion,
    bounds,
    criterion,
    names_patients,
    referred_ids,
    values_at,
)
from app.api.places import Held, Narrowing, Order, Place
from app.api.problem import FhirProblem
from app.api.registry import RECORD, SERVED, ServedType

DEFAULT_COUNT, MOST_COUNT = 50, 200

# What one request may look at: a search that finds little goes on with its next page.
MOST_SCANNED = 2000
MOST_INCLUDED = 1000

# References between resources that come from one row, so that one's id names the other's row.
_WITHIN_A_ROW = ("target", "has-member", "activity-reference", "goal")

# Types whose identifiers begin with the id of their row.
_IDENTIFIED_BY_ROW = (
    "CarePlan",
    "ServiceRequest",
    "Goal",
    "Observation",
    "QuestionnaireResponse",
    "Consent",
    "Communication",
)

_LONGEST_SESSION = timedelta(days=7)
_OLDEST = datetime(1900, 1, 1, tzinfo=UTC)

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Leg:
    """One type to go through; a page ends inside one and the next goes on from there."""

    served: ServedType
    criteria: tuple[Criterion, ...]
    reach: Reach


@dataclass(frozen=True)
class Query:
    """What to find. `understood` are the parameters that were used, for the self link."""

    legs: tuple[Leg, ...]
    understood: Pairs
    order: Order = field(default_factory=Order)
    count: int = DEFAULT_COUNT
    only_total: bool = False
    with_total: bool = False
    includes: tuple[str, ...] = ()
    revincludes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Position:
    """Where a page ended: in which leg, after which place."""

    leg: int
    after: Place | None


@dataclass(frozen=True)
class Page:
    """`total` is None where counting was not asked for and is not free."""

    matches: tuple[Held, ...]
    included: tuple[Held, ...]
    next: Position | None
    total: int | None
    warning: str | None = None


def read_query(grant: Grant, served: ServedType, pairs: Pairs, base: str, *, strict: bool) -> Query:
    """The search that `pairs` ask for, held to what `grant` reaches.

    Parameters that are not known are left out, unless `strict`.

    Raises:
        FhirProblem: 400 for a value or modifier that can't be used, or an unknown parameter
            where `strict`; 403 where the grant does not cover searching this type.
    """
    reach = grant.reach(served.name, "s")
    query = Query((), ())
    criteria: list[Criterion] = []
    understood: list[tuple[str, str]] = []
    for name, value in pairs:
        if not value:
            continue
        bare, colon, modifier = name.partition(":")
        parameter = served.parameter(bare)
        if parameter is not None:
            criteria.append(criterion(parameter, modifier if colon else None, value, base))
        else:
            read = _control(query, served, name, value)
            if read is None:
                if strict:
                    raise FhirProblem(
                        400, "not-supported", f"{name[:60]} is not supported for {served.name}."
                    )
                continue
            query = read
        understood.append((name, value))
    return replace(
        query,
        legs=(Leg(served, tuple(criteria), reach),),
        understood=tuple(understood),
    )


def record_query(grant: Grant, patient: str, pairs: Pairs, base: str, *, strict: bool) -> Query:
    """`Patient/[id]/$everything`: `_since`, `_type` and `_count`.

    Types that the grant does not cover are left out, but for Patient itself: then 403.
    """
    grant.reach("Patient", "r")
    types: tuple[str, ...] = RECORD
    since: list[str] = []
    query = Query((), ())
    understood: list[tuple[str, str]] = []
    for name, value in pairs:
        if name == "_type":
            types = tuple(kind for kind in RECORD if kind in value.split(","))
        elif name == "_since":
            since.append(value)
        elif name == "_count":
            query = _control(query, SERVED["Patient"], name, value) or query
        elif strict:
            raise FhirProblem(400, "not-supported", f"{name[:60]} is not supported here.")
        else:
            continue
        understood.append((name, value))
    legs = []
    for name in types:
        if not grant.allows(name, "r"):
            continue
        served = SERVED[name]
        criteria = [updated_since(served, instant, base) for instant in since]
        reach = grant.reach(name, "r").held_to(frozenset({patient}))
        legs.append(Leg(served, tuple(criteria), reach))
    return replace(query, legs=tuple(legs), understood=tuple(understood))


def updated_since(served: ServedType, instant: str, base: str) -> Criterion:
    """Raises FhirProblem 400 where `instant` is none."""
    parameter = served.parameter("_lastUpdated")
    assert parameter is not None, "every type has it"
    return criterion(parameter, None, f"ge{instant}", base)


def run(
    holdings: Holdings, grant: Grant, query: Query, base: str, start: Position | None = None
) -> Page:
    """One page from `start` on.

    Raises:
        FhirProblem: 400 where counting would look at more than `MOST_SCANNED` resources.
    """
    if query.only_total:
        return Page((), (), None, _total(holdings, query, base))
    matches: list[Held] = []
    last: Position | None = None
    more = False
    scan = _scan(holdings, query, base, start or Position(0, None))
    for scanned, (position, held, met) in enumerate(scan):
        if scanned == MOST_SCANNED or (met and len(matches) == query.count):
            more = True
            break
        last = position
        if met:
            matches.append(held)
    total = None
    if query.with_total:
        total = _total(holdings, query, base)
    elif start is None and not more:
        total = len(matches)
    included, warning = _included(holdings, grant, query, base, matches)
    return Page(tuple(matches), included, last if more else None, total, warning)


def every(holdings: Holdings, leg: Leg, base: str) -> Iterator[Held]:
    """Every match of one leg, however many."""
    for held in holdings.stream(leg.served.name, _narrowing(leg, base)):
        if _meets(leg, held, base):
            yield held


def _scan(
    holdings: Holdings, query: Query, base: str, start: Position
) -> Iterator[tuple[Position, Held, bool]]:
    for number, leg in enumerate(query.legs):
        if number < start.leg:
            continue
        after = start.after if number == start.leg else None
        narrowing = _narrowing(leg, base)
        for held in holdings.stream(leg.served.name, narrowing, query.order, after):
            yield Position(number, held.place), held, _meets(leg, held, base)


def _total(holdings: Holdings, query: Query, base: str) -> int:
    total = 0
    for scanned, (_, _, met) in enumerate(_scan(holdings, query, base, Position(0, None))):
        if scanned >= MOST_SCANNED:
            raise FhirProblem(
                400, "too-costly", "There is too much to count. Please narrow the search."
            )
        total += met
    return total


def _meets(leg: Leg, held: Held, base: str) -> bool:
    return leg.reach.covers(held.resource) and all(
        each.meets(held.resource, base) for each in leg.criteria
    )


def _narrowing(leg: Leg, base: str) -> Narrowing:
    """What of the criteria the database can already tell."""
    reach, keys, programs = leg.reach, None, None
    updated, dated = [], []
    for each in leg.criteria:
        name = each.parameter.name
        if names_patients(each, base):
            reach = reach.held_to(referred_ids(each, "Patient", base))
        elif name == "based-on":
            plans = referred_ids(each, "CarePlan", base)
            programs = _both(programs, frozenset(id_.removeprefix("program-") for id_ in plans))
        elif name == "_id":
            keys = _both(keys, frozenset(key_of(choice) for choice in each.choices))
        elif name in _WITHIN_A_ROW:
            ids = (choice.rpartition("/")[2] for choice in each.choices)
            keys = _both(keys, frozenset(key_of(id_) for id_ in ids))
        elif name == "identifier" and leg.served.name in _IDENTIFIED_BY_ROW:
            keys = _both(keys, frozenset(key for choice in each.choices for key in keys_in(choice)))
        elif name == "_lastUpdated":
            updated.append(each)
        elif name == "date" and leg.served.name == "Observation":
            dated.append(each)
    begun, until = bounds(dated)
    # What goes on at an instant may have begun before it, though never a week before.
    since = None if begun is None or begun < _OLDEST else begun - _LONGEST_SESSION
    return Narrowing(reach.patients, keys, programs, bounds(updated), (since, until))


def _both(some: frozenset[str] | None, more: frozenset[str]) -> frozenset[str]:
    return more if some is None else some & more


def _control(query: Query, served: ServedType, name: str, value: str) -> Query | None:
    """`query` with a parameter that steers the result; None for one that is not known."""
    if name == "_count":
        if not value.isascii() or not value.isdecimal() or len(value) > 9:
            raise FhirProblem(400, "invalid", "_count must be a whole number.")
        count = int(value)
        return replace(query, count=min(count, MOST_COUNT), only_total=count == 0)
    if name == "_sort":
        by = value.removeprefix("-")
        if by not in served.sorts:
            return None
        return replace(query, order=Order(by, value.startswith("-")))  # type: ignore[arg-type]  # in sorts
    if name == "_summary" and value in ("count", "false"):
        return replace(query, only_total=value == "count")
    if name == "_total" and value in ("none", "accurate", "estimate"):
        return replace(query, with_total=value != "none")
    if name == "_include" and _named(value) in served.includes:
        return replace(query, includes=(*query.includes, value))
    if name == "_revinclude" and _named(value) in served.revincludes:
        return replace(query, revincludes=(*query.revincludes, value))
    return query if name == "_format" else None


def _named(include: str) -> str:
    """`CarePlan:goal` of `CarePlan:goal:Goal`."""
    return ":".join(include.split(":")[:2])


def _included(
    holdings: Holdings, grant: Grant, query: Query, base: str, matches: Sequence[Held]
) -> tuple[tuple[Held, ...], str | None]:
    """What the matches refer to, and what refers to them; each once, and no match again.

    Types that the grant does not cover are left out.
    """
    found: dict[str, Held] = {}
    known = {held.reference for held in matches}
    for held in _referred(holdings, grant, query, matches):
        if held.reference not in known:
            found[held.reference] = held
    for scanned, (held, met) in enumerate(_referring(holdings, grant, query, base, matches)):
        if scanned == MOST_SCANNED or len(found) > MOST_INCLUDED:
            return tuple(found.values())[:MOST_INCLUDED], (
                "There are too many resources that may refer to these; "
                "please search for them by that reference."
            )
        if met and held.reference not in known:
            found[held.reference] = held
    return tuple(found.values()), None


def _referred(
    holdings: Holdings, grant: Grant, query: Query, matches: Sequence[Held]
) -> Iterator[Held]:
    wanted: dict[str, None] = {}
    for include in query.includes:
        _, name, *target = include.split(":")
        for held in matches:
            parameter = SERVED[held.resource["resourceType"]].parameter(name)
            for reference in _references(held.resource, parameter.elements if parameter else ()):
                kind = reference.partition("/")[0]
                if kind in SERVED and target in ([], [kind]):
                    wanted[reference] = None
    for reference in wanted:
        kind, _, id_ = reference.partition("/")
        if grant.allows(kind, "r"):
            reach = grant.reach(kind, "r")
            found = holdings.read(kind, id_, reach.patients)
            if found is not None and reach.covers(found.resource):
                yield found


def _referring(
    holdings: Holdings, grant: Grant, query: Query, base: str, matches: Sequence[Held]
) -> Iterator[tuple[Held, bool]]:
    """What may refer to the matches, and whether it does."""
    if not matches:
        return
    for include in query.revincludes:
        kind, name, *_ = include.split(":")
        served = SERVED[kind]
        parameter = served.parameter(name)
        if parameter is not None and grant.allows(kind, "s"):
            choices = tuple(held.reference for held in matches)
            leg = Leg(served, (Criterion(parameter, choices),), grant.reach(kind, "s"))
            for held in holdings.stream(served.name, _narrowing(leg, base)):
                yield held, _meets(leg, held, base)


def _references(resource: dict[str, Any], elements: Sequence[str]) -> Iterator[str]:
    for path in elements:
        for value in values_at(resource, path):
            if isinstance(value, dict) and isinstance(value.get("reference"), str):
                yield value["reference"]


def position_document(position: Position) -> dict[str, Any]:
    """JSON-ready, for a sealed link."""
    after = position.after
    place = None if after is None else [after.instant.isoformat(), after.key, after.number]
    return {"leg": position.leg, "after": place}


def position_from(document: dict[str, Any]) -> Position:
    """The inverse of `position_document`."""
    after = document["after"]
    place = None
    if after is not None:
        place = Place(datetime.fromisoformat(after[0]), after[1], after[2])
    return Position(document["leg"], place)
