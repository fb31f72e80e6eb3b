"""A month of the billing office: its bounds and its patients' rows, tallied when out of date."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from app.accounts import read_accounts
from app.store import (
    ChargeApprovalRow,
    ClaimLineRow,
    EpisodeRow,
    PatientMonthChargeRow,
    PatientMonthRow,
    PatientRow,
    among,
    from_document,
    insert_rows,
    mark_stale,
    to_json,
)
from billing.account import Account, Charge
from billing.payers import prices_on
from billing.tally import tally
from billing.worklist import (
    STATES,
    Activity,
    ChargeIdentity,
    WorklistRow,
    activity,
    worklist_row,
)
from rtm.episode import Episode


class BadMonth(ValueError):
    """Not YYYY-MM."""


@dataclass(frozen=True)
class PatientMonth:
    """One monitored patient's month as a row of the worklist."""

    patient: PatientRow
    episode_id: str
    row: WorklistRow

    @property
    def charges(self) -> tuple[Charge, ...]:
        """Those whose date of service lies in the month and which have not left before."""
        return self.row.charges


@dataclass(frozen=True)
class _Document:
    """What `PatientMonthRow.document` holds."""

    episode_id: str
    worklist: WorklistRow


def month_bounds(month: str) -> tuple[date, date]:
    """First and last day of `YYYY-MM`. Raises BadMonth."""
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise BadMonth(f"{month!r} is not a month of the form YYYY-MM") from None
    return first, first.replace(day=monthrange(first.year, first.month)[1])


def charge_key(episode_id: str, charge: Charge) -> str:
    """The same for the same charge whenever it is tallied; no two may leave with one key."""
    return f"{episode_id}:{charge.code}:{charge.last}:{'.'.join(charge.modifiers)}"


def neighbours(month: str) -> tuple[str, str]:
    """The months before and after."""
    first, last = month_bounds(month)
    return f"{first - timedelta(days=1):%Y-%m}", f"{last + timedelta(days=1):%Y-%m}"


def refresh(
    db: Session,
    month: str,
    today: date,
    now: datetime,
    at_most: int,
    *,
    after: int = 0,
) -> Sequence[int]:
    """Tallies up to `at_most` patients whose row of `month` is missing or out of date; their ids.

    Those with an id up to `after` are passed over. Other workers that do the same at the same time
    take other patients.
    """
    ids = lock_out_of_date(db, month, today, at_most=at_most, after=after)
    old = select(PatientMonthRow.patient_id, PatientMonthRow.id).where(
        PatientMonthRow.month == month, among(db, PatientMonthRow.patient_id, ids)
    )
    row_ids = {patient_id: row_id for patient_id, row_id in db.execute(old)}
    months = [each.at_rest(today, now) for each in tally_months(db, month, today, ids)]
    store_months(db, month, months, row_ids)
    return ids


def lock_out_of_date(
    db: Session,
    month: str,
    today: date,
    *,
    at_most: int | None = None,
    after: int = 0,
    wait: bool = False,
) -> Sequence[int]:
    """The ids, ascending, of the patients whose row of `month` is missing or out of date.

    Until the transaction ends no other worker takes them, and no fact of theirs is recorded. Those
    whom another worker has are left out; with `wait` they are waited for.
    """
    _, last = month_bounds(month)
    return db.scalars(
        select(PatientRow.id)
        .where(PatientRow.id > after, _is_out_of_date(month, last, today))
        .order_by(PatientRow.id)
        .limit(at_most)
        .with_for_update(skip_locked=not wait)
    ).all()


@dataclass(frozen=True)
class MonthAtRest:
    """One patient's month as it is stored: the columns of its row and of its charges' rows."""

    patient_id: int
    columns: Mapping[str, Any]
    charges: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class TalliedMonth:
    """One patient's month as just tallied."""

    month: str
    patient: PatientRow
    episode: Episode
    row: WorklistRow
    done: Activity

    @property
    def item(self) -> PatientMonth:
        return PatientMonth(self.patient, self.episode.id, self.row)

    def at_rest(self, as_of: date, now: datetime, *, stale: bool = False) -> MonthAtRest:
        """`stale` where what it holds is about to change."""
        row, own = self.row, {"patient_id": self.patient.id, "month": self.month}
        columns = {
            **own,
            "name": self.patient.name,
            "state": row.state,
            "state_rank": STATES.index(row.state),
            "total_cents": _cents(row.total),
            "projected_cents": _cents(row.projected),
            "charge_count": len(row.charges),
            "unpriced_count": row.unpriced,
            "needs_live_contact": row.needs_live_contact,
            "next_step_by": min((step.by for step in row.steps), default=None),
            "monitored_days": self.done.days,
            "minutes": self.done.minutes,
            "document": to_json(_Document(self.episode.id, row)),
            "as_of": as_of,
            "computed_at": now,
            "stale": stale,
        }
        charges = tuple(
            {
                **own,
                "code": charge.code,
                "units": charge.units,
                "cents": None if charge.amount is None else _cents(charge.amount),
            }
            for charge in row.charges
        )
        return MonthAtRest(self.patient.id, columns, charges)


def tally_months(
    db: Session, month: str, today: date, patient_ids: Sequence[int]
) -> list[TalliedMonth]:
    """The months of those patients who have an episode as the facts are now, in the order of their
    ids."""
    first, last = month_bounds(month)
    patients = db.scalars(
        select(PatientRow).where(among(db, PatientRow.id, patient_ids)).order_by(PatientRow.id)
    ).all()
    accounts, approved = read_accounts(db, patients, today), _approved(db, patient_ids)
    return [
        TalliedMonth(
            month,
            patient,
            accounts[patient.id].episode,
            _line(accounts[patient.id], first, last, approved.get(patient.id, ())),
            activity(accounts[patient.id], first, last),
        )
        for patient in patients
        if patient.id in accounts
    ]


def stored_months(db: Session, month: str) -> dict[int, tuple[int, int]]:
    """The row id and the number of charges of every stored row of `month`, by patient."""
    rows = db.execute(
        select(PatientMonthRow.patient_id, PatientMonthRow.id, PatientMonthRow.charge_count).where(
            PatientMonthRow.month == month
        )
    )
    return {patient_id: (row_id, count) for patient_id, row_id, count in rows}


def store_months(
    db: Session, month: str, months: Sequence[MonthAtRest], row_ids: Mapping[int, int]
) -> None:
    """Puts `months` in the place of the rows that there are of them, which `row_ids` gives by
    patient."""
    columns = {each.patient_id: each.columns for each in months}
    stored = {patient_id: row_ids[patient_id] for patient_id in columns if patient_id in row_ids}
    if stored:
        db.execute(
            delete(PatientMonthChargeRow)
            .where(
                PatientMonthChargeRow.month == month,
                among(db, PatientMonthChargeRow.patient_id, stored),
            )
            .execution_options(synchronize_session=False)
        )
        db.execute(
            update(PatientMonthRow), [{"id": id_, **columns[of]} for of, id_ in stored.items()]
        )
    new = (row for patient_id, row in columns.items() if patient_id not in stored)
    insert_rows(db, PatientMonthRow, new)
    insert_rows(db, PatientMonthChargeRow, (row for each in months for row in each.charges))


def out_of_date_count(db: Session, month: str, today: date) -> int:
    """How many monitored patients' rows of `month` are missing or out of date."""
    _, last = month_bounds(month)
    waiting = select(func.count(PatientRow.id)).where(_is_out_of_date(month, last, today))
    return db.scalar(waiting) or 0


def is_up_to_date(db: Session, month: str, today: date) -> bool:
    """Whether `refresh` has nothing to do."""
    _, last = month_bounds(month)
    waiting = select(PatientRow.id).where(_is_out_of_date(month, last, today)).limit(1)
    return db.scalar(waiting) is None


def charged_months(db: Session, month: str, patient_ids: Sequence[int]) -> list[PatientMonth]:
    """The months of those patients, as last tallied."""
    found = db.execute(
        select(PatientMonthRow, PatientRow)
        .join(PatientRow, PatientRow.id == PatientMonthRow.patient_id)
        .where(PatientMonthRow.month == month, among(db, PatientMonthRow.patient_id, patient_ids))
    ).all()
    return [patient_month(row, patient) for row, patient in found]


def patient_month(row: PatientMonthRow, patient: PatientRow) -> PatientMonth:
    document = from_document(_Document, row.document)
    return PatientMonth(patient, document.episode_id, document.worklist)


def month_of(db: Session, patient: PatientRow, month: str, today: date) -> PatientMonth | None:
    """One patient's month by the facts of this moment, which is not stored; None without an
    episode."""
    return next((each.item for each in tally_months(db, month, today, [patient.id])), None)


def approve_charges(
    db: Session, month: str, patient_ids: Sequence[int], practitioner_id: int, now: datetime
) -> int:
    """Records that a person looked at what those patients' charges were held for; how many."""
    rows = db.scalars(
        select(PatientMonthRow).where(
            PatientMonthRow.month == month, among(db, PatientMonthRow.patient_id, patient_ids)
        )
    ).all()
    count = 0
    for row in rows:
        line = from_document(WorklistRow, row.document["worklist"])
        for charge in line.to_review:
            db.add(
                ChargeApprovalRow(
                    patient_id=row.patient_id,
                    charge_key=charge_key(row.document["episode_id"], charge),
                    code=charge.code,
                    last=charge.last,
                    modifiers=".".join(charge.modifiers),
                    approved_by=practitioner_id,
                    approved_at=now,
                )
            )
            count += 1
        mark_stale(db, row.patient_id)
    db.flush()
    return count


def exported_lines(db: Session, month: str) -> Sequence[ClaimLineRow]:
    """What has left already for this month and was not taken back."""
    first, last = month_bounds(month)
    return db.scalars(
        select(ClaimLineRow).where(
            ClaimLineRow.service_date >= first,
            ClaimLineRow.service_date <= last,
            ClaimLineRow.released_at.is_(None),
        )
    ).all()


def _is_out_of_date(month: str, last: date, today: date) -> ColumnElement[bool]:
    """A month that is over does not change with the calendar any more, only with facts."""
    monitored = exists().where(EpisodeRow.patient_id == PatientRow.id)
    right = exists().where(
        PatientMonthRow.patient_id == PatientRow.id,
        PatientMonthRow.month == month,
        PatientMonthRow.stale.is_(False),
        or_(PatientMonthRow.as_of == today, PatientMonthRow.as_of > last),
    )
    return monitored & ~right


def _approved(db: Session, patient_ids: Sequence[int]) -> dict[int, list[ChargeIdentity]]:
    found: dict[int, list[ChargeIdentity]] = {}
    rows = db.execute(
        select(
            ChargeApprovalRow.patient_id,
            ChargeApprovalRow.code,
            ChargeApprovalRow.last,
            ChargeApprovalRow.modifiers,
        ).where(among(db, ChargeApprovalRow.patient_id, patient_ids))
    )
    for patient_id, code, last, modifiers in rows:
        identity = (code, last, tuple(modifiers.split(".")) if modifiers else ())
        found.setdefault(patient_id, []).append(identity)
    return found


def _line(
    account: Account,
    first: date,
    last: date,
    approved: Sequence[ChargeIdentity],
) -> WorklistRow:
    return worklist_row(
        tally(account), first, last, account.as_of, prices_on(account.payer, last), approved
    )


def _cents(amount: Decimal) -> int:
    return int((amount * 100).to_integral_value())
