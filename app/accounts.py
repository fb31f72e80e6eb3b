"""One patient's account for the tally, from the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.rtm_book import current_episodes, read_ledgers
from app.store import ClaimLineRow, PatientRow
from billing.account import Account, Billed
from rtm.episode import Episode
from rtm.ledger import Ledger

# The claim filing type of Medicare in the Source of Payment Typology (PHDSC/NAHDO).
_MEDICARE_TYPES = ("1", "11", "111", "12", "MEDICARE")


def read_account(db: Session, patient: PatientRow, as_of: date) -> Account | None:
    """None where the patient was never monitored."""
    return read_accounts(db, [patient], as_of).get(patient.id)


def read_accounts(db: Session, patients: Sequence[PatientRow], as_of: date) -> dict[int, Account]:
    """The account of each monitored patient, by the patient's row id, in three queries for all."""
    episodes = current_episodes(db, [patient.id for patient in patients])
    episode_ids = [episode.id for episode in episodes.values()]
    ledgers = read_ledgers(db, episode_ids)
    billed: dict[str, list[Billed]] = {}
    for episode_id, day, code, units in db.execute(
        select(
            ClaimLineRow.episode_id,
            ClaimLineRow.service_date,
            ClaimLineRow.code,
            ClaimLineRow.units,
        ).where(ClaimLineRow.episode_id.in_(episode_ids))
    ):
        billed.setdefault(episode_id, []).append(Billed(day, code, units))
    return {
        patient.id: _account(
            patient, episode, ledgers[episode.id], billed.get(episode.id, []), as_of
        )
        for patient in patients
        if (episode := episodes.get(patient.id)) is not None
    }


def _account(
    patient: PatientRow, episode: Episode, ledger: Ledger, billed: Sequence[Billed], as_of: date
) -> Account:
    so_far = patient.billing.get("therapy_allowed_to_date")
    return Account(
        time_zone=ZoneInfo(patient.time_zone),
        as_of=as_of,
        payer=payer_kind(patient),
        episode=episode,
        ledger=ledger,
        billed=tuple(billed),
        therapy_allowed_to_date=None if so_far is None else Decimal(str(so_far)),
    )


def payer_kind(patient: PatientRow) -> str:
    """`medicare`, or `other` for a payer whose amounts are not the national ones."""
    kind = (patient.billing.get("coverage") or {}).get("kind")
    return "medicare" if kind in _MEDICARE_TYPES else "other"
