"""One patient's account for the tally, from the database."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.rtm_book import current_episode, read_ledger
from app.store import ClaimLineRow, EpisodeRow, PatientRow, from_document
from billing.account import Account, Billed, EarlierEpisode
from rtm.episode import Episode

# The claim filing type of Medicare in the Source of Payment Typology (PHDSC/NAHDO).
_MEDICARE_TYPES = ("1", "11", "111", "12", "MEDICARE")


def read_account(db: Session, patient: PatientRow, as_of: date) -> Account | None:
    """None where the patient was never monitored."""
    episode = current_episode(db, patient.id)
    if episode is None:
        return None
    # Of every episode: a code once a month or a period is so for the patient, not the episode.
    lines = db.scalars(select(ClaimLineRow).where(ClaimLineRow.patient_id == patient.id))
    rows = db.scalars(
        select(EpisodeRow).where(EpisodeRow.patient_id == patient.id, EpisodeRow.id != episode.id)
    )
    earlier = [from_document(Episode, row.document) for row in rows]
    so_far = patient.billing.get("therapy_allowed_to_date")
    return Account(
        time_zone=ZoneInfo(patient.time_zone),
        as_of=as_of,
        payer=payer_kind(patient),
        episode=episode,
        ledger=read_ledger(db, episode.id),
        billed=tuple(Billed(line.service_date, line.code, line.units) for line in lines),
        therapy_allowed_to_date=None if so_far is None else Decimal(str(so_far)),
        earlier_episodes=tuple(EarlierEpisode(e.start, e.end, e.plan_of_care) for e in earlier),
        diagnoses=tuple(patient.billing.get("diagnoses") or ()),
    )


def payer_kind(patient: PatientRow) -> str:
    """`medicare`, or `other` for a payer whose amounts are not the national ones."""
    kind = (patient.billing.get("coverage") or {}).get("kind")
    return "medicare" if kind in _MEDICARE_TYPES else "other"
