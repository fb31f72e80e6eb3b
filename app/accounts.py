"""Patients' accounts for the tally, from the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import func, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.rtm_book import read_episodes, read_ledgers
from app.store import (
    LONGEST_ENTRY,
    ClaimExportRow,
    ClaimLineRow,
    LedgerFactRow,
    PatientRow,
    PractitionerRow,
    Tenant,
    among,
)
from billing.account import Account, Billed, BusyTime, EarlierEpisode, Entity
from billing.payers import MEDICARE, UNKNOWN_PAYER, load_payers
from rtm.episode import Episode
from rtm.ledger import Ledger, ProviderKind, TimeEntry

_ENTITIES: tuple[Entity, ...] = get_args(Entity)
# The claim filing type of Medicare in the Source of Payment Typology (PHDSC/NAHDO).
_MEDICARE_TYPES = ("1", "11", "111", "12", "MEDICARE")


class UnknownEntity(ValueError):
    """The practice's record names a kind of entity that there is none of."""


def read_account(db: Session, patient: PatientRow, as_of: date) -> Account | None:
    """None where the patient was never monitored."""
    return read_accounts(db, [patient], as_of).get(patient.id)


def read_accounts(db: Session, patients: Sequence[PatientRow], as_of: date) -> dict[int, Account]:
    """The account of each monitored patient, by the patient's row id, in a few queries for all.

    The session must name its tenant.
    """
    practice = db.get_one(Tenant, db.info["tenant_id"]).practice
    ids = [patient.id for patient in patients]
    episodes = read_episodes(db, ids)
    current = {patient_id: found[-1] for patient_id, found in episodes.items()}
    around = _Around(
        ledgers=read_ledgers(db, [episode.id for episode in current.values()]),
        billed=_billed(db, ids),
        busy=busy_times(db, ids),
        kinds=_provider_kinds(db, current.values()),
    )
    return {
        patient.id: _account(patient, episodes[patient.id], practice, around, as_of)
        for patient in patients
        if patient.id in current
    }


def payer_profile(patient: PatientRow, practice: dict[str, Any]) -> str:
    """The id of the payer's profile: as the practice set it, else Medicare's by the coverage.

    `practice["payer_profiles"]` gives a profile for a payer id. A payer without one is `other`.
    """
    coverage = patient.billing.get("coverage") or {}
    chosen = practice.get("payer_profiles", {}).get(coverage.get("payer_id"))
    if chosen in load_payers():
        return str(chosen)
    return MEDICARE if coverage.get("kind") in _MEDICARE_TYPES else UNKNOWN_PAYER


def billing_entity(practice: dict[str, Any]) -> Entity:
    """What kind of entity the practice bills as: `practice["entity"]`, else a private practice.

    Raises:
        UnknownEntity: the record names none of them.
    """
    entity = practice.get("entity", "private_practice")
    if entity not in _ENTITIES:
        known = ", ".join(_ENTITIES)
        raise UnknownEntity(
            f"the health system's record names the entity {entity!r}; known: {known}"
        )
    return cast(Entity, entity)


@dataclass(frozen=True)
class _Around:
    """What several patients' accounts are made from, read at once."""

    ledgers: dict[str, Ledger]
    billed: dict[int, list[Billed]]
    busy: dict[int, list[BusyTime]]
    kinds: dict[str, ProviderKind]


def _account(
    patient: PatientRow,
    episodes: Sequence[Episode],
    practice: dict[str, Any],
    around: _Around,
    as_of: date,
) -> Account:
    *earlier, episode = episodes
    so_far = patient.billing.get("therapy_allowed_to_date")
    return Account(
        time_zone=ZoneInfo(patient.time_zone),
        as_of=as_of,
        payer=payer_profile(patient, practice),
        episode=episode,
        ledger=around.ledgers[episode.id],
        billed=tuple(around.billed.get(patient.id, ())),
        therapy_allowed_to_date=None if so_far is None else Decimal(str(so_far)),
        earlier_episodes=tuple(EarlierEpisode(e.start, e.end, e.plan_of_care) for e in earlier),
        busy=tuple(around.busy.get(patient.id, ())),
        diagnoses=tuple(patient.billing.get("diagnoses") or ()),
        entity=billing_entity(practice),
        practitioner_kind=around.kinds.get(episode.practitioner_npi or ""),
    )


def _billed(db: Session, patient_ids: Sequence[int]) -> dict[int, list[Billed]]:
    """Of every episode: a code once a month or a period is so for the patient, not the episode."""
    rows = db.execute(
        select(
            ClaimLineRow.patient_id,
            ClaimLineRow.service_date,
            ClaimLineRow.code,
            ClaimLineRow.units,
            ClaimLineRow.episode_id,
            ClaimExportRow.exported_at,
        )
        .join(ClaimExportRow, ClaimExportRow.id == ClaimLineRow.export_id)
        .where(among(db, ClaimLineRow.patient_id, patient_ids), ClaimLineRow.released_at.is_(None))
    )
    billed: dict[int, list[Billed]] = {}
    for patient_id, day, code, units, episode_id, left_at in rows:
        line = Billed(day, code, units, episode_id=episode_id, left_at=left_at)
        billed.setdefault(patient_id, []).append(line)
    return billed


def busy_times(
    db: Session, patient_ids: Sequence[int], recorded_until: datetime | None = None
) -> dict[int, list[BusyTime]]:
    """What the same people logged for other patients over the same minutes, as it stands, or
    stood at `recorded_until`."""
    own, other = aliased(LedgerFactRow), aliased(LedgerFactRow)
    rows = db.execute(
        select(own.patient_id, other.episode_id, other.npi, other.began_at, other.ended_at)
        .join(
            other,
            (other.npi == own.npi)
            & (other.patient_id != own.patient_id)
            & (other.began_at < own.ended_at)
            & (other.ended_at > own.began_at)
            # The rest says nothing new. It bounds what is looked at where years of entries are, and
            # tells PostgreSQL that few facts have clock times, or it would read all to join them.
            & (other.began_at > _longest_before(db, own.began_at))
            & other.npi.is_not(None)
            & other.began_at.is_not(None),
        )
        .where(
            among(db, own.patient_id, patient_ids), own.npi.is_not(None), own.began_at.is_not(None)
        )
        .distinct()
    ).all()
    # A row may be of an entry that was corrected or retracted since; what stands is known by span.
    others = list({row.episode_id for row in rows})
    ledgers = read_ledgers(db, others, recorded_until, ("time_entry", "correction", "confirmation"))
    standing = {
        (episode_id, entry.npi, entry.start, entry.end): entry.id
        for episode_id, ledger in ledgers.items()
        for entry in ledger.facts()
        if isinstance(entry, TimeEntry)
    }
    busy: dict[int, list[BusyTime]] = {}
    for patient_id, episode_id, npi, began_at, ended_at in rows:
        assert npi is not None, "the join is on it"
        assert began_at is not None, "the join is on it"
        assert ended_at is not None, "the join is on it"
        entry_id = standing.get((episode_id, npi, began_at, ended_at))
        if entry_id is not None:
            busy.setdefault(patient_id, []).append(BusyTime(entry_id, npi, began_at, ended_at))
    return busy


def _longest_before(db: Session, instant: InstrumentedAttribute[datetime | None]) -> Any:
    """No entry is longer (`LONGEST_ENTRY`), so none that began before it reaches `instant`."""
    if db.get_bind().dialect.name == "sqlite":
        return func.datetime(instant, f"-{LONGEST_ENTRY.total_seconds()} seconds")
    return instant - literal(LONGEST_ENTRY)


def _provider_kinds(db: Session, episodes: Any) -> dict[str, ProviderKind]:
    npis = {episode.practitioner_npi for episode in episodes if episode.practitioner_npi}
    rows = db.execute(
        select(PractitionerRow.npi, PractitionerRow.provider_kind).where(
            among(db, PractitionerRow.npi, npis)
        )
    )
    return {npi: cast(ProviderKind, kind) for npi, kind in rows if npi is not None}
