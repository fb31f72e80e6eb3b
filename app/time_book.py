"""Time and talks as the person whose they are signs and corrects them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import cast
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.rtm_book import current_episode, read_ledgers, record_fact
from app.store import ClaimLineRow, LedgerFactRow, PatientRow, PractitionerRow
from billing.management import month_of
from billing.rules import load_rules
from rtm.ledger import (
    Confirmation,
    Correction,
    Fact,
    FactHistory,
    Interaction,
    InteractionKind,
    Ledger,
    ProviderKind,
    TimeEntry,
    is_time_of,
    seconds_of,
    without_overlap,
)
from rtm.time_lines import TimeLine, shortened, time_lines

# What is signed; the page shows these words above the button, and the fact keeps them.
STATEMENT = (
    "I confirm that I spent this time on the care of this patient, as stated here, "
    "and that it is not billed in any other way."
)


class ChangeRefused(ValueError):
    """The change can't be recorded; the message says why."""


@dataclass(frozen=True)
class Record:
    """When a fact was recorded, and by whom."""

    at: datetime
    by: str


@dataclass(frozen=True)
class TimeBook:
    """The time and the talks of the patient's newest episode. `records` are by fact id."""

    episode_id: str
    lines: tuple[TimeLine, ...]
    talks: tuple[FactHistory, ...]
    records: Mapping[str, Record]

    def talk_is_of(self, history: FactHistory, practitioner: PractitionerRow) -> bool:
        """By NPI; a talk without one belongs to who recorded it."""
        talk = history.standing or history.first
        if isinstance(talk, Interaction) and talk.npi is not None:
            return talk.npi == practitioner.npi
        return self.records[history.first.id].by == practitioner.name


@dataclass(frozen=True)
class StretchChoice:
    """What the signer decided of one stretch: which entries were shown, and what becomes of them.

    `shorten_to_s` keeps the first so many seconds. Leaving out and shortening need a `reason`.
    """

    entry_ids: tuple[str, ...]
    activity: str
    leave_out: bool = False
    shorten_to_s: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Confirmed:
    """What was signed. `passed_over` counts named entries that did not wait for this person."""

    seconds: int
    passed_over: int


@dataclass(frozen=True)
class TimeChange:
    """What a correction changes of a line of time; None leaves it as it is."""

    reason: str
    retract: bool = False
    seconds: int | None = None
    activity: str | None = None
    local_date: date | None = None


@dataclass(frozen=True)
class TalkChange:
    """What a correction makes of a talk; `local_at` is a wall clock of the patient's zone.

    `seconds` None leaves its length as it is.
    """

    reason: str
    retract: bool
    local_at: datetime
    kind: InteractionKind
    seconds: int | None = None


@dataclass(frozen=True)
class LeftCharge:
    """A charge of the month that has left on a claim and stands."""

    code: str
    claim_id: str
    service_date: date


def read_time_book(db: Session, patient_id: int) -> TimeBook | None:
    """None without an episode."""
    episode = current_episode(db, patient_id)
    if episode is None:
        return None
    return time_book(db, episode.id, read_ledgers(db, [episode.id])[episode.id])


def time_book(db: Session, episode_id: str, ledger: Ledger) -> TimeBook:
    """The book of an episode whose ledger was read already."""
    found, _ = ledger.histories
    rows = db.execute(
        select(LedgerFactRow.id, LedgerFactRow.recorded_at, LedgerFactRow.recorded_by).where(
            LedgerFactRow.episode_id == episode_id
        )
    )
    return TimeBook(
        episode_id=episode_id,
        lines=time_lines(found),
        talks=tuple(history for history in found if isinstance(history.first, Interaction)),
        records={fact_id: Record(at, by) for fact_id, at, by in rows},
    )


def confirm_time(
    db: Session,
    patient_id: int,
    practitioner: PractitionerRow,
    choices: Sequence[StretchChoice],
    now: datetime,
) -> Confirmed:
    """Signs the entries that were shown and still wait for this person, and no other.

    Raises:
        ChangeRefused: a stretch is left out or shortened without a reason, or to more than it
            has; nothing is signed then.
    """
    book = _locked_book(db, patient_id)
    waiting = {
        entry.id: entry
        for line in book.lines
        for history in line.histories
        if history.signature is None and isinstance(entry := history.standing, TimeEntry)
        if is_time_of(entry, practitioner.npi, practitioner.name)
    }
    named = {entry_id for choice in choices for entry_id in choice.entry_ids}
    passed_over = len(named - set(waiting))
    corrections: list[Correction] = []
    signed: dict[str, list[TimeEntry]] = {}
    for choice in choices:
        entries = [waiting.pop(i) for i in choice.entry_ids if i in waiting]
        if not entries:
            continue
        kept, changes = _decided(entries, choice)
        corrections += [
            _correction(practitioner, old, new, choice.reason, now) for old, new in changes
        ]
        signed.setdefault(choice.activity, []).extend(kept)
    for correction in corrections:
        record_fact(db, patient_id, book.episode_id, correction, practitioner.name, now)
    for activity, entries in signed.items():
        if entries:
            confirmation = Confirmation(
                id=f"confirmation:{uuid4()}",
                entry_ids=tuple(entry.id for entry in entries),
                author=practitioner.name,
                by=cast(ProviderKind, practitioner.provider_kind),
                at=now,
                statement=STATEMENT,
                npi=practitioner.npi,
                activity=activity,
            )
            record_fact(db, patient_id, book.episode_id, confirmation, practitioner.name, now)
    everything = [entry for entries in signed.values() for entry in entries]
    return Confirmed(seconds_of(without_overlap(everything)), passed_over)


def correct_time(
    db: Session,
    patient_id: int,
    practitioner: PractitionerRow,
    entry_ids: Sequence[str],
    change: TimeChange,
    now: datetime,
) -> tuple[date, ...]:
    """Corrects the entries that were shown, each by a new fact; the dates that it touches.

    Raises:
        ChangeRefused: no reason, nothing changed, an entry that changed meanwhile or is somebody
            else's, or a change that an entry of the timer can't have; nothing is recorded then.
    """
    book = _locked_book(db, patient_id)
    standing = {entry.id: entry for line in book.lines for entry in line.standing}
    entries = [standing[entry_id] for entry_id in entry_ids if entry_id in standing]
    if not entries or len(entries) < len(entry_ids):
        raise ChangeRefused("This time was changed meanwhile. Look at it again.")
    if not all(is_time_of(entry, practitioner.npi, practitioner.name) for entry in entries):
        raise ChangeRefused("Only the person whose time it is can correct it.")
    changes = _changed(entries, change, now)
    if not changes:
        raise ChangeRefused("Nothing was changed.")
    for old, new in changes:
        correction = _correction(practitioner, old, new, change.reason, now)
        record_fact(db, patient_id, book.episode_id, correction, practitioner.name, now)
    touched = [entry.local_date for pair in changes for entry in pair if entry is not None]
    return tuple(sorted(set(touched)))


def correct_talk(
    db: Session,
    patient: PatientRow,
    practitioner: PractitionerRow,
    talk_id: str,
    change: TalkChange,
    now: datetime,
) -> tuple[date, ...]:
    """Corrects a talk that stands under `talk_id`; the dates that it touches.

    Raises:
        ChangeRefused: no reason, nothing changed, changed meanwhile, or somebody else's.
    """
    book = _locked_book(db, patient.id)
    history = next((h for h in book.talks if h.standing and h.standing.id == talk_id), None)
    talk = history.standing if history else None
    if history is None or not isinstance(talk, Interaction):
        raise ChangeRefused("This talk was changed meanwhile. Look at it again.")
    if not book.talk_is_of(history, practitioner):
        raise ChangeRefused("Only the person who held the talk can correct it.")
    zone = ZoneInfo(patient.time_zone)
    at = change.local_at.replace(tzinfo=zone).astimezone(UTC)
    if at > now:
        raise ChangeRefused("A talk can't be dated before it was held.")
    seconds = talk.seconds if change.seconds is None else change.seconds
    new = replace(talk, at=at, kind=change.kind, seconds=seconds)
    # A form's clock shows minutes: the seconds of the record are no change.
    if abs((new.at - talk.at).total_seconds()) < 60:
        new = replace(new, at=talk.at)
    if not change.retract and new == talk:
        raise ChangeRefused("Nothing was changed.")
    made = None if change.retract else replace(new, id=f"corrected:{uuid4()}")
    correction = _correction(practitioner, talk, made, change.reason, now)
    record_fact(db, patient.id, book.episode_id, correction, practitioner.name, now)
    return tuple(sorted({fact.at.astimezone(zone).date() for fact in (talk, made) if fact}))


def left_charges(db: Session, patient_id: int, days: Sequence[date]) -> tuple[LeftCharge, ...]:
    """The charges made of time and talks of those days' months that have left and stand."""
    codes = {rule.code for rule_set in load_rules().sets for rule in rule_set.of_period("month")}
    rows = db.execute(
        select(ClaimLineRow.code, ClaimLineRow.claim_id, ClaimLineRow.service_date)
        .where(
            ClaimLineRow.patient_id == patient_id,
            ClaimLineRow.released_at.is_(None),
            ClaimLineRow.code.in_(codes),
        )
        .order_by(ClaimLineRow.service_date, ClaimLineRow.code)
    )
    months = {month_of(day) for day in days}
    return tuple(
        LeftCharge(code, claim_id, day)
        for code, claim_id, day in rows
        if any(day in month for month in months)
    )


def _locked_book(db: Session, patient_id: int) -> TimeBook:
    """As it stands, held against everybody else who signs or corrects for this patient."""
    db.execute(select(PatientRow.id).where(PatientRow.id == patient_id).with_for_update())
    book = read_time_book(db, patient_id)
    if book is None:
        raise ChangeRefused("Remote monitoring has not been started for this patient.")
    return book


def _decided(
    entries: Sequence[TimeEntry], choice: StretchChoice
) -> tuple[list[TimeEntry], list[tuple[TimeEntry, TimeEntry | None]]]:
    """The entries to sign, and what of them is corrected first."""
    if choice.leave_out:
        return [], [(entry, None) for entry in entries]
    if choice.shorten_to_s is None:
        return list(entries), []
    changes = _cut(entries, choice.shorten_to_s)
    changed = {old.id for old, _ in changes}
    kept = [entry for entry in entries if entry.id not in changed]
    return [*kept, *(new for _, new in changes if new is not None)], changes


def _changed(
    entries: Sequence[TimeEntry], change: TimeChange, now: datetime
) -> list[tuple[TimeEntry, TimeEntry | None]]:
    """Each entry that `change` alters, and what takes its place."""
    if change.retract:
        return [(entry, None) for entry in entries]
    wanted: dict[str, TimeEntry | None] = {entry.id: entry for entry in entries}
    seconds_now = seconds_of(without_overlap(entries))
    clocked = any(entry.start is not None for entry in entries)
    if clocked and change.local_date not in (None, entries[0].local_date):
        raise ChangeRefused("The timer's date can't be changed. Retract it and log it by hand.")
    if change.seconds is not None and change.seconds != seconds_now:
        if clocked:
            wanted |= {old.id: new for old, new in _cut(entries, change.seconds)}
        else:
            wanted = {entry.id: replace(entry, seconds=change.seconds) for entry in entries}
    for entry_id, new in wanted.items():
        if new is not None:
            wanted[entry_id] = replace(
                new,
                activity=change.activity or new.activity,
                local_date=change.local_date or new.local_date,
            )
    return [
        (entry, new and _anew(new, now)) for entry in entries if (new := wanted[entry.id]) != entry
    ]


def _cut(entries: Sequence[TimeEntry], seconds: int) -> list[tuple[TimeEntry, TimeEntry | None]]:
    try:
        changes = shortened(entries, seconds)
    except ValueError:
        has = seconds_of(without_overlap(entries))
        why = f"What the timer recorded ({has // 60}:{has % 60:02}) can only be made shorter."
        raise ChangeRefused(why) from None
    return [(old, None if new is None else _anew(new)) for old, new in changes]


def _anew(entry: TimeEntry, signed_at: datetime | None = None) -> TimeEntry:
    """A replacement has an id of its own, so that nobody signs what he was not shown."""
    signed = signed_at if entry.source == "manual" else None
    return replace(entry, id=f"corrected:{uuid4()}", signed_at=signed)


def _correction(
    practitioner: PractitionerRow, old: Fact, new: Fact | None, reason: str, now: datetime
) -> Correction:
    if not reason.strip():
        raise ChangeRefused("Say why: a change of time or talks needs a reason.")
    return Correction(
        id=f"correction:{uuid4()}",
        corrects=old.id,
        author=practitioner.name,
        reason=reason.strip(),
        at=now,
        replacement=new,
        npi=practitioner.npi,
    )
