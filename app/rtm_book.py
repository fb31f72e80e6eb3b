"""The RTM ledger at rest: facts in, the ledger and episode of a patient out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import __version__
from app.consents import queue_consent
from app.store import (
    ConsentEventRow,
    EpisodeRow,
    LedgerFactRow,
    PatientRow,
    PractitionerRow,
    Tenant,
    among,
    as_text,
    json_reader,
    mark_stale,
    to_document,
)
from rtm.consent import ConsentEvent, with_declarations
from rtm.episode import Consent, Device, Episode, TherapyPlan
from rtm.ledger import (
    Confirmation,
    Correction,
    Interaction,
    InteractionKind,
    Ledger,
    MonitoredDay,
    ProviderKind,
    TimeEntry,
)
from rtm.plan_of_care import Certification
from rtm.session import Session as ExerciseSession

_KINDS: dict[str, type] = {
    "monitored_day": MonitoredDay,
    "time_entry": TimeEntry,
    "interaction": Interaction,
    "correction": Correction,
    "confirmation": Confirmation,
}
# A certification is a fact as well, but nothing that is counted.
_RECORDED: dict[str, type] = {**_KINDS, "certification": Certification}
AnyFact = MonitoredDay | TimeEntry | Interaction | Correction | Confirmation | Certification

CONSENT_TEXT_VERSION = "2026-11"

# One heartbeat never covers more than this: the page sends one each minute.
_LONGEST_INTERVAL = timedelta(minutes=5)


class IntervalRefused(ValueError):
    """The page's timer sent something that can't be an interval of work."""


@dataclass(frozen=True)
class Interval:
    """A stretch in which the chart was in use."""

    id: str
    start: datetime
    end: datetime


def current_episode(db: Session, patient_id: int) -> Episode | None:
    """The patient's newest episode, ended or not."""
    found = read_episodes(db, [patient_id]).get(patient_id)
    return found[-1] if found else None


def read_episodes(db: Session, patient_ids: Sequence[int]) -> dict[int, list[Episode]]:
    """The episodes of each patient who has any, the newest last, with what the patient declared
    about being monitored."""
    if not patient_ids:
        return {}
    rows = db.execute(
        select(EpisodeRow.patient_id, as_text(EpisodeRow.document))
        .where(among(db, EpisodeRow.patient_id, patient_ids))
        .order_by(EpisodeRow.recorded_at)
    )
    read = json_reader(Episode)
    episodes: dict[int, list[Episode]] = {}
    for patient_id, text in rows:
        episodes.setdefault(patient_id, []).append(read(text))
    for patient_id, events in read_consent_events(db, patient_ids).items():
        own = episodes.get(patient_id, [])
        own[:] = [with_declarations(episode, events) for episode in own]
    return episodes


def read_consent_events(db: Session, patient_ids: Sequence[int]) -> dict[int, list[ConsentEvent]]:
    """What each patient declared about being monitored, if anything, the oldest first."""
    rows = db.execute(
        select(ConsentEventRow.patient_id, as_text(ConsentEventRow.document))
        .where(among(db, ConsentEventRow.patient_id, patient_ids))
        .order_by(ConsentEventRow.at, ConsentEventRow.id)
    )
    read = json_reader(ConsentEvent)
    events: dict[int, list[ConsentEvent]] = {}
    for patient_id, text in rows:
        events.setdefault(patient_id, []).append(read(text))
    return events


def read_ledgers(
    db: Session,
    episode_ids: Sequence[str],
    recorded_until: datetime | None = None,
    kinds: Collection[str] = tuple(_KINDS),
) -> dict[str, Ledger]:
    """Every fact of each episode that is counted, in the order of recording.

    With `recorded_until`, as the ledgers stood then; with `kinds`, of those alone.
    """
    if not episode_ids:
        return {}
    facts: dict[str, dict[str, list[Any]]] = {
        episode_id: {kind: [] for kind in _KINDS} for episode_id in episode_ids
    }
    query = (
        select(
            LedgerFactRow.episode_id,
            LedgerFactRow.kind,
            as_text(LedgerFactRow.document),
        )
        .where(among(db, LedgerFactRow.episode_id, episode_ids), LedgerFactRow.kind.in_(kinds))
        .order_by(LedgerFactRow.recorded_at, LedgerFactRow.id)
    )
    if recorded_until is not None:
        query = query.where(LedgerFactRow.recorded_at <= recorded_until)
    readers: dict[str, Callable[[str], Any]] = {
        kind: json_reader(fact) for kind, fact in _KINDS.items()
    }
    for episode_id, kind, text in db.execute(query):
        facts[episode_id][kind].append(readers[kind](text))
    _name_authors(db, [found["time_entry"] for found in facts.values()])
    return {
        episode_id: Ledger(
            days=tuple(found["monitored_day"]),
            time=tuple(found["time_entry"]),
            interactions=tuple(found["interaction"]),
            corrections=tuple(found["correction"]),
            confirmations=tuple(found["confirmation"]),
        )
        for episode_id, found in facts.items()
    }


def _name_authors(db: Session, ledgers: Sequence[list[TimeEntry]]) -> None:
    """Entries of before authors were in them get whom their rows have always named."""
    unnamed = [entry.id for entries in ledgers for entry in entries if entry.author is None]
    if not unnamed:
        return
    rows = db.execute(
        select(LedgerFactRow.id, LedgerFactRow.recorded_by, LedgerFactRow.recorded_at).where(
            among(db, LedgerFactRow.id, unnamed)
        )
    )
    recorded = {fact_id: (by, at) for fact_id, by, at in rows}
    for entries in ledgers:
        entries[:] = [
            entry if entry.author else _by_its_recorder(entry, *recorded[entry.id])
            for entry in entries
        ]


def _by_its_recorder(entry: TimeEntry, recorded_by: str, recorded_at: datetime) -> TimeEntry:
    """An entry of before authors were in it: its row has always said who logged it and when."""
    signed_at = recorded_at if entry.source == "manual" else None
    return replace(entry, author=recorded_by, signed_at=signed_at)


def start_episode(
    db: Session,
    patient: PatientRow,
    practitioner: PractitionerRow,
    *,
    start: date,
    set_up: bool,
    therapy_plan: TherapyPlan | None,
    now: datetime,
) -> Episode:
    """Begins monitoring with consent given now; the tenant's record names the device's basis."""
    practice = db.get_one(Tenant, patient.tenant_id).practice
    episode = Episode(
        id=str(uuid4()),
        start=start,
        end=None,
        setup_completed=now if set_up else None,
        consent=Consent(now, practitioner.name, "verbal", CONSENT_TEXT_VERSION),
        device=Device(
            name="Homestretch",
            system="musculoskeletal",
            version=__version__,
            regulatory_basis=practice.get("device_regulatory_basis"),
        ),
        therapy_plan=therapy_plan,
        practitioner_npi=practitioner.npi,
        no_other_monitoring_attested_at=now,
    )
    db.add(
        EpisodeRow(
            id=episode.id, patient_id=patient.id, document=to_document(episode), recorded_at=now
        )
    )
    queue_consent(db, patient, episode, now)
    mark_stale(db, patient.id)
    db.flush()
    return episode


def record_monitored_day(
    db: Session,
    patient: PatientRow,
    session: ExerciseSession,
    *,
    received_at: datetime,
    now: datetime,
) -> None:
    """The session's day in the patient's own time zone, if monitoring was on then, and wanted."""
    episode = current_episode(db, patient.id)
    day = session.monitored_day(ZoneInfo(patient.time_zone))
    if episode is None or day < episode.start or (episode.end and day > episode.end):
        return
    if any(gap.contains(received_at) for gap in episode.consent_gaps):
        return
    fact = MonitoredDay(
        id=f"day:{session.id}",
        local_date=day,
        captured_at=session.started_at,
        received_at=received_at,
        session_id=session.id,
        self_report=session.source == "manual",
        kind="self_report" if session.source == "manual" else "session",
    )
    record_fact(db, patient.id, episode.id, fact, "patient", now)


def record_manual_time(
    db: Session,
    patient_id: int,
    practitioner: PractitionerRow,
    *,
    day: date,
    minutes: int,
    activity: str,
    now: datetime,
) -> None:
    """Logged and thereby signed. Raises LookupError without an episode."""
    entry = TimeEntry(
        id=str(uuid4()),
        local_date=day,
        seconds=minutes * 60,
        by=cast(ProviderKind, practitioner.provider_kind),
        activity=activity,
        npi=practitioner.npi,
        source="manual",
        author=practitioner.name,
        signed_at=now,
    )
    record_fact(db, patient_id, _episode(db, patient_id).id, entry, practitioner.name, now)


def read_interval(document: Any, now: datetime) -> Interval:
    """What the page's timer sent. Raises IntervalRefused."""
    try:
        interval = Interval(
            str(UUID(document["interval_id"])),
            datetime.fromisoformat(document["start"]),
            datetime.fromisoformat(document["end"]),
        )
    except (KeyError, TypeError, ValueError):
        raise IntervalRefused("The interval needs interval_id, start and end.") from None
    if interval.start.tzinfo is None or interval.end.tzinfo is None:
        raise IntervalRefused("The interval's instants need a time zone.")
    if not timedelta(0) < interval.end - interval.start <= _LONGEST_INTERVAL:
        raise IntervalRefused("The interval must be longer than nothing and at most 5 minutes.")
    if interval.end > now + timedelta(minutes=2):
        raise IntervalRefused("The interval ends in the future.")
    return interval


def record_timer_interval(
    db: Session,
    patient_id: int,
    practitioner: PractitionerRow,
    interval: Interval,
    *,
    now: datetime,
) -> bool:
    """Proposes an interval once; False without an episode, for one already logged, and for less
    than a second.

    It counts once its author confirms it. Overlaps between tabs and people are kept as sent; the
    tally counts each minute once.
    """
    episode = current_episode(db, patient_id)
    seconds = int((interval.end - interval.start).total_seconds())
    if episode is None or seconds == 0:
        return False
    if db.get(LedgerFactRow, f"timer:{interval.id}") is not None:
        return False
    practice_zone = ZoneInfo(db.get_one(Tenant, practitioner.tenant_id).time_zone)
    entry = TimeEntry(
        id=f"timer:{interval.id}",
        local_date=interval.start.astimezone(practice_zone).date(),
        seconds=seconds,
        by=cast(ProviderKind, practitioner.provider_kind),
        activity="review: chart open and in use",
        start=interval.start.astimezone(UTC),
        end=interval.end.astimezone(UTC),
        npi=practitioner.npi,
        source="timer",
        author=practitioner.name,
    )
    record_fact(db, patient_id, episode.id, entry, practitioner.name, now)
    return True


def record_interaction(
    db: Session,
    patient: PatientRow,
    practitioner: PractitionerRow,
    *,
    local_at: datetime,
    kind: InteractionKind,
    minutes: int,
    now: datetime,
) -> None:
    """Raises LookupError without an episode."""
    talk = Interaction(
        id=str(uuid4()),
        at=local_at.replace(tzinfo=ZoneInfo(patient.time_zone)),
        kind=kind,
        seconds=minutes * 60,
        npi=practitioner.npi,
        by=cast(ProviderKind, practitioner.provider_kind),
    )
    record_fact(db, patient.id, _episode(db, patient.id).id, talk, practitioner.name, now)


def _episode(db: Session, patient_id: int) -> Episode:
    episode = current_episode(db, patient_id)
    if episode is None:
        raise LookupError("Remote monitoring has not been started for this patient.")
    return episode


def record_fact(
    db: Session, patient_id: int, episode_id: str, fact: AnyFact, by: str, now: datetime
) -> None:
    """Adds one fact to the patient's ledger; `by` is the name of who recorded it."""
    row = LedgerFactRow(
        id=fact.id,
        patient_id=patient_id,
        episode_id=episode_id,
        kind=next(kind for kind, made in _RECORDED.items() if isinstance(fact, made)),
        document=to_document(fact),
        recorded_at=now,
        recorded_by=by,
    )
    entry = fact.replacement if isinstance(fact, Correction) else fact
    if isinstance(entry, TimeEntry):
        row.npi, row.began_at, row.ended_at = entry.npi, entry.start, entry.end
    db.add(row)
    mark_stale(db, patient_id)
    db.flush()
