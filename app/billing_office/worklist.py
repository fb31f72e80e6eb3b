"""The worklist page: filtered, sorted, paged and summed in the database."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Literal, get_args

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.billing_office.month import PatientMonth, patient_month
from app.store import PatientMonthChargeRow, PatientMonthRow, PatientRow
from billing.worklist import STATES, State

Sort = Literal["state", "name", "total", "next_step"]
SORTS: tuple[Sort, ...] = get_args(Sort)

PAGE_SIZE = 50


class BadFilter(ValueError):
    """A filter that the page does not offer; the message names it."""


@dataclass(frozen=True)
class Filter:
    """What of the month is asked for. `page` counts from 1; `state` None is all but quiet.

    Raises:
        BadFilter: an unknown state or sort, or a page below 1.
    """

    month: str
    state: State | None = None
    name: str = ""
    needs_talk: bool = False
    sort: Sort = "state"
    page: int = 1

    def __post_init__(self) -> None:
        if self.state is not None and self.state not in STATES:
            raise BadFilter(f"there is no state {self.state}; there are {', '.join(STATES)}")
        if self.sort not in SORTS:
            raise BadFilter(f"there is no sorting by {self.sort}; there is {', '.join(SORTS)}")
        if self.page < 1:
            raise BadFilter("pages count from 1")


@dataclass(frozen=True)
class Summary:
    """Sums over the whole month, whatever is filtered."""

    by_state: dict[State, int]
    total: Decimal
    projected: Decimal
    charge_count: int
    unpriced_count: int
    needs_talk: int


@dataclass(frozen=True)
class Bar:
    """One bar of a chart: how many, and its share of the longest, 0–100."""

    label: str
    count: int
    percent: float
    note: str = ""


@dataclass(frozen=True)
class Charts:
    """The month in three pictures."""

    codes: tuple[Bar, ...]
    days: tuple[Bar, ...]
    minutes: tuple[Bar, ...]


@dataclass(frozen=True)
class Listing:
    """One page of the worklist."""

    items: tuple[PatientMonth, ...]
    matches: int
    pages: int


def listing(db: Session, wanted: Filter) -> Listing:
    """The page of patients that `wanted` asks for; a page past the end is empty."""
    conditions = _conditions(wanted)
    matches = db.scalar(select(func.count(PatientMonthRow.id)).where(*conditions)) or 0
    query = (
        select(PatientMonthRow, PatientRow)
        .join(PatientRow, PatientRow.id == PatientMonthRow.patient_id)
        .where(*conditions)
        .limit(PAGE_SIZE)
        .offset((wanted.page - 1) * PAGE_SIZE)
    )
    rows = db.execute(_sorted(query, wanted.sort)).all()
    return Listing(
        tuple(patient_month(row, patient) for row, patient in rows),
        matches,
        max(1, ceil(matches / PAGE_SIZE)),
    )


def summary(db: Session, month: str) -> Summary:
    rows = db.execute(
        select(
            PatientMonthRow.state,
            func.count(PatientMonthRow.id),
            func.sum(PatientMonthRow.total_cents),
            func.sum(PatientMonthRow.projected_cents),
            func.sum(PatientMonthRow.charge_count),
            func.sum(PatientMonthRow.unpriced_count),
        )
        .where(PatientMonthRow.month == month)
        .group_by(PatientMonthRow.state)
    ).all()
    talks = db.scalar(
        select(func.count(PatientMonthRow.id)).where(
            PatientMonthRow.month == month, PatientMonthRow.needs_live_contact.is_(True)
        )
    )
    counts = {row[0]: row[1] for row in rows}
    return Summary(
        by_state={state: counts.get(state, 0) for state in STATES},
        total=_dollars(sum(row[2] for row in rows)),
        projected=_dollars(sum(row[3] for row in rows)),
        charge_count=sum(row[4] for row in rows),
        unpriced_count=sum(row[5] for row in rows),
        needs_talk=talks or 0,
    )


def charts(db: Session, month: str) -> Charts:
    """Charges by code; patients by monitored days and by minutes."""
    codes = db.execute(
        select(
            PatientMonthChargeRow.code,
            func.sum(PatientMonthChargeRow.units),
            func.sum(PatientMonthChargeRow.cents),
        )
        .where(PatientMonthChargeRow.month == month)
        .group_by(PatientMonthChargeRow.code)
        .order_by(PatientMonthChargeRow.code)
    ).all()
    days = _histogram(db, month, PatientMonthRow.monitored_days, _DAY_BANDS)
    minutes = _histogram(db, month, PatientMonthRow.minutes, _MINUTE_BANDS)
    return Charts(
        codes=_bars(
            [
                (code, int(units), "" if cents is None else f"${_dollars(cents)}")
                for code, units, cents in codes
            ]
        ),
        days=_bars(days),
        minutes=_bars(minutes),
    )


# The bands end where a code begins: 2 and 16 days; 10, 20 and each further 20 minutes.
_DAY_BANDS = (("0–1", 0, 1), ("2–15", 2, 15), ("16 and more", 16, 31))
_MINUTE_BANDS = (
    ("0–9", 0, 9),
    ("10–19", 10, 19),
    ("20–39", 20, 39),
    ("40–59", 40, 59),
    ("60 and more", 60, 10**6),
)


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    conditions = [PatientMonthRow.month == wanted.month]
    if wanted.state is not None:
        conditions.append(PatientMonthRow.state == wanted.state)
    else:
        conditions.append(PatientMonthRow.state != "quiet")
    if wanted.name.strip():
        conditions.append(PatientMonthRow.name.icontains(wanted.name.strip(), autoescape=True))
    if wanted.needs_talk:
        conditions.append(PatientMonthRow.needs_live_contact.is_(True))
    return conditions


def _sorted(
    query: Select[PatientMonthRow, PatientRow], sort: Sort
) -> Select[PatientMonthRow, PatientRow]:
    by_name = (PatientMonthRow.name, PatientMonthRow.patient_id)
    orders = {
        "state": (PatientMonthRow.state_rank, *by_name),
        "name": by_name,
        "total": (PatientMonthRow.total_cents.desc(), *by_name),
        "next_step": (
            PatientMonthRow.next_step_by.is_(None),
            PatientMonthRow.next_step_by,
            *by_name,
        ),
    }
    return query.order_by(*orders[sort])


def _histogram(
    db: Session,
    month: str,
    column: InstrumentedAttribute[int],
    bands: tuple[tuple[str, int, int], ...],
) -> list[tuple[str, int, str]]:
    counts = db.execute(
        select(column, func.count()).where(PatientMonthRow.month == month).group_by(column)
    ).all()
    return [
        (label, sum(n for value, n in counts if least <= value <= most), "")
        for label, least, most in bands
    ]


def _bars(counted: list[tuple[str, int, str]]) -> tuple[Bar, ...]:
    longest = max((count for _, count, _ in counted), default=0)
    return tuple(
        Bar(label, count, 100.0 * count / longest if longest else 0.0, note)
        for label, count, note in counted
    )


def _dollars(cents: int) -> Decimal:
    return Decimal(cents) / 100
