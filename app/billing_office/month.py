"""A month of the billing office: its bounds and its patients' rows, tallied when out of date."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from app.accounts import read_accounts
from app.store import (
    ChargeApprovalRow,
    ClaimLineRow,
    EpisodeRow,
    PatientMonthChargeRow,
    PatientMonthRow,
    PatientRow,
    from_document,
    mark_stale,
    to_document,
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
    db: Session, month: str, today: date, now: datetime, at_most: int, *, wait: bool = False
) -> int:
    """Tallies up to `at_most` patients whose row of `month` is missing or out of date; how many.

    Other workers that do the same at the same time take other patients; with `wait`, theirs are
    waited for instead, so that none is left out.
    """
    first, last = month_bounds(month)
    patients = db.scalars(
        select(PatientRow)
        .where(_is_out_of_date(month, last, today))
        .order_by(PatientRow.id)
        .limit(at_most)
        .with_for_update(skip_locked=not wait)
    ).all()
    accounts = read_accounts(db, patients, today)
    ids = [patient.id for patient in patients]
    stored = {
        row.patient_id: row
        for row in db.scalars(
            select(PatientMonthRow).where(
                PatientMonthRow.month == month, PatientMonthRow.patient_id.in_(ids)
            )
        )
    }
    db.execute(
        delete(PatientMonthChargeRow)
        .where(PatientMonthChargeRow.month == month, PatientMonthChargeRow.patient_id.in_(ids))
        .execution_options(synchronize_session=False)
    )
    approved = _approved(db, ids)
    for patient in patients:
        row = stored.get(patient.id)
        if row is None:
            row = PatientMonthRow(patient_id=patient.id, month=month)
            db.add(row)
        line = _line(accounts[patient.id], first, last, approved.get(patient.id, ()))
        _fill(row, patient, accounts[patient.id], line, activity(accounts[patient.id], first, last))
        db.add_all(_charge_rows(patient, month, line))
        row.as_of, row.computed_at, row.stale = today, now, False
    db.flush()
    return len(patients)


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


def charged_months(db: Session, month: str) -> list[PatientMonth]:
    """Every patient with a charge in `month`, by name, from rows that are up to date."""
    found = db.execute(
        select(PatientMonthRow, PatientRow)
        .join(PatientRow, PatientRow.id == PatientMonthRow.patient_id)
        .where(PatientMonthRow.month == month, PatientMonthRow.charge_count > 0)
        .order_by(PatientMonthRow.name, PatientMonthRow.patient_id)
    ).all()
    return [patient_month(row, patient) for row, patient in found]


def patient_month(row: PatientMonthRow, patient: PatientRow) -> PatientMonth:
    document = row.document
    return PatientMonth(
        patient, document["episode_id"], from_document(WorklistRow, document["worklist"])
    )


def month_of(db: Session, patient: PatientRow, month: str, today: date) -> PatientMonth | None:
    """One patient's month by the facts of this moment, which is not stored; None without an
    episode."""
    account = read_accounts(db, [patient], today).get(patient.id)
    if account is None:
        return None
    first, last = month_bounds(month)
    line = _line(account, first, last, _approved(db, [patient.id]).get(patient.id, ()))
    return PatientMonth(patient, account.episode.id, line)


def approve_charges(
    db: Session, month: str, patient_ids: Sequence[int], practitioner_id: int, now: datetime
) -> int:
    """Records that a person looked at what those patients' charges were held for; how many."""
    rows = db.scalars(
        select(PatientMonthRow).where(
            PatientMonthRow.month == month, PatientMonthRow.patient_id.in_(patient_ids)
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
    right = select(PatientMonthRow.patient_id).where(
        PatientMonthRow.month == month,
        PatientMonthRow.stale.is_(False),
        or_(PatientMonthRow.as_of == today, PatientMonthRow.as_of > last),
    )
    return PatientRow.id.in_(select(EpisodeRow.patient_id)) & PatientRow.id.not_in(right)


def _approved(db: Session, patient_ids: Sequence[int]) -> dict[int, list[ChargeIdentity]]:
    found: dict[int, list[ChargeIdentity]] = {}
    for row in db.scalars(
        select(ChargeApprovalRow).where(ChargeApprovalRow.patient_id.in_(patient_ids))
    ):
        modifiers = tuple(row.modifiers.split(".")) if row.modifiers else ()
        found.setdefault(row.patient_id, []).append((row.code, row.last, modifiers))
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


def _fill(
    row: PatientMonthRow,
    patient: PatientRow,
    account: Account,
    line: WorklistRow,
    done: Activity,
) -> None:
    row.name, row.state, row.state_rank = patient.name, line.state, STATES.index(line.state)
    row.total_cents, row.projected_cents = _cents(line.total), _cents(line.projected)
    row.charge_count, row.unpriced_count = len(line.charges), line.unpriced
    row.needs_live_contact = line.needs_live_contact
    row.next_step_by = min((step.by for step in line.steps), default=None)
    row.monitored_days, row.minutes = done.days, done.minutes
    row.document = {"episode_id": account.episode.id, "worklist": to_document(line)}


def _charge_rows(
    patient: PatientRow, month: str, line: WorklistRow
) -> Iterator[PatientMonthChargeRow]:
    for charge in line.charges:
        yield PatientMonthChargeRow(
            patient_id=patient.id,
            month=month,
            code=charge.code,
            units=charge.units,
            cents=None if charge.amount is None else _cents(charge.amount),
        )


def _cents(amount: Decimal) -> int:
    return int((amount * 100).to_integral_value())
