"""Orders that pages go through, and the part of them that the database does.

A page ends at a place: an instant, the key of a row, and a number within the row. The next one
begins after it, wherever rows have been added meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, or_
from sqlalchemy.orm import InstrumentedAttribute

from app.store import PatientRow
from fhir.bundle import Resource

# A Select's type tells its columns, which these functions leave as they are.
AnySelect = Select[*tuple[Any, ...]]

Bounds = tuple[datetime | None, datetime | None]


@dataclass(frozen=True, order=True)
class Place:
    """Where a resource stands in an order: the instant, its row's key, its number in the row."""

    instant: datetime
    key: str
    number: int


@dataclass(frozen=True)
class Held:
    """A resource with its id and meta, and its place in the order asked for."""

    resource: Resource
    place: Place

    @property
    def reference(self) -> str:
        return f"{self.resource['resourceType']}/{self.resource['id']}"


@dataclass(frozen=True)
class Order:
    """By the instant that `by` names, from the oldest unless `descending`."""

    by: Literal["_lastUpdated", "date"] = "_lastUpdated"
    descending: bool = False


@dataclass(frozen=True)
class Narrowing:
    """What the query leaves out beforehand; every other criterion is met by the resource.

    `patients` (FHIR ids) holds a search to their compartments. `keys` are row keys, `programs`
    our program ids. `updated` bounds the instants of `_lastUpdated`, `begun` those at which a
    result's session or test began; ends are excluded. None narrows nothing.
    """

    patients: frozenset[str] | None = None
    keys: frozenset[str] | None = None
    programs: frozenset[str] | None = None
    updated: Bounds = (None, None)
    begun: Bounds = (None, None)


# A column, or what the database makes of several.
Instant = InstrumentedAttribute[Any] | ColumnElement[Any]


def bounded(instant: Instant, within: Bounds) -> list[ColumnElement[bool]]:
    first, last = within
    bounds: list[ColumnElement[bool]] = []
    if first is not None:
        bounds.append(instant >= first)
    if last is not None:
        bounds.append(instant < last)
    return bounds


def of_patients(narrowing: Narrowing) -> list[ColumnElement[bool]]:
    if narrowing.patients is None:
        return []
    return [PatientRow.fhir_id.in_(narrowing.patients)]


def subjects(keys: frozenset[str], prefix: str) -> frozenset[str]:
    return frozenset(key.removeprefix(prefix) for key in keys if key.startswith(prefix))


def ordered(
    statement: AnySelect,
    instant: Instant,
    id_: InstrumentedAttribute[Any],
    prefix: str,
    order: Order,
    after: Place | None,
) -> AnySelect:
    """In order of instant and row id, from the row of `after` on (that row included)."""
    if after is not None:
        where = instant < after.instant if order.descending else instant > after.instant
        if after.key.startswith(prefix):
            own = id_.type.python_type(after.key.removeprefix(prefix))
            beyond = id_ <= own if order.descending else id_ >= own
            where = or_(where, and_(instant == after.instant, beyond))
        elif (prefix < after.key) == order.descending:
            where = or_(where, instant == after.instant)
        statement = statement.where(where)
    if order.descending:
        return statement.order_by(instant.desc(), id_.desc())
    return statement.order_by(instant, id_)


def rank(place: Place, order: Order) -> tuple[datetime, str]:
    """Between sources only the source's part of the key counts; see `Holdings.stream`."""
    return place.instant, place.key.partition("-")[0]


def is_after(held: Held, after: Place | None, order: Order) -> bool:
    """Within the row where the last page ended, only what it had not given yet."""
    if after is None or held.place.key != after.key or held.place.instant != after.instant:
        return True
    return held.place.number > after.number


def placed(held: Iterable[Held], order: Order, after: Place | None) -> list[Held]:
    beyond = [
        each
        for each in held
        if after is None or (each.place < after if order.descending else each.place > after)
    ]
    return sorted(beyond, key=lambda each: each.place, reverse=order.descending)
