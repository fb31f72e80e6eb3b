"""One patient's account for the tally, from the database."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.rtm_book import current_episode, read_ledger
from app.store import ClaimLineRow, PatientRow
from billing.account import Account, Billed

# The claim filing type of Medicare in the Source of Payment Typology (PHDSC/NAHDO).
_MEDICARE_TYPES = ("1", "11", "111", "12", "MEDICARE")


def read_account(db: Session, patient: PatientRow, as_of: date) -> Account | None:
    """None where the patient was never monitored."""
    episode = current_episode(db, patient.id)
    if episode is None:
        return None
    lines = db.scalars(
        select(ClaimLineRow).where(
            ClaimLineRow.episode_id == episode.id, ClaimLineRow.released_at.is_(None)
        )
    )
    so_far = patient.billing.get("therapy_allowed_to_date")
    return Account(
        time_zone=ZoneInfo(patient.time_zone),
        as_of=as_of,
        payer=payer_kind(patient),
        episode=episode,
        ledger=read_ledger(db, episode.id),
        billed=tuple(Billed(line.service_date, line.code, line.units) for line in lines),
        therapy_allowed_to_date=None if so_far is None else Decimal(str(so_far)),
    )


def payer_kind(patient: PatientRow) -> str:
    """`medicare`, or `other` for a payer whose amounts are not the national ones."""
    kind = (patient.billing.get("coverage") or {}).get("kind")
    return "medicare" if kind in _MEDICARE_TYPES else "other"
