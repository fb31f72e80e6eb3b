"""The billing worklist of one month: billable, short, blocked, and why."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import read_account
from app.store import ClaimLineRow, EpisodeRow, PatientRow
from billing.account import Charge
from billing.tally import tally
from billing.worklist import STATES, WorklistRow, worklist_row


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


def read_month(db: Session, month: str, as_of: date) -> list[PatientMonth]:
    """Every monitored patient, those first who need somebody, then by name."""
    first, last = month_bounds(month)
    patients = db.scalars(
        select(PatientRow)
        .where(PatientRow.id.in_(select(EpisodeRow.patient_id)))
        .order_by(PatientRow.name)
    )
    found = []
    for patient in patients:
        day = min(as_of, last) if as_of < first else as_of
        account = read_account(db, patient, day)
        assert account is not None, "only monitored patients were asked for"
        row = worklist_row(tally(account), first, last, day)
        found.append(PatientMonth(patient, account.episode.id, row))
    return sorted(found, key=lambda item: STATES.index(item.row.state))


def exported_lines(db: Session, month: str) -> list[ClaimLineRow]:
    """What has left already for this month and was not taken back."""
    first, last = month_bounds(month)
    return list(
        db.scalars(
            select(ClaimLineRow).where(
                ClaimLineRow.service_date >= first,
                ClaimLineRow.service_date <= last,
                ClaimLineRow.released_at.is_(None),
            )
        )
    )


def neighbours(month: str) -> tuple[str, str]:
    """The months before and after."""
    first, last = month_bounds(month)
    return f"{first - timedelta(days=1):%Y-%m}", f"{last + timedelta(days=1):%Y-%m}"
