"""Any number of invented patients with a month of monitoring, written straight into a database.

The same numbers and seed always give the same rows. The month holds what a month-end meets: every
tier of days and minutes, timers that overlap between patients and that somebody signed or did not,
corrections, discharges, Medicare and commercial payers, therapy plans and none, lines that left
before, and for each reason of the scrubber that a patient's data can cause somebody who is held for
it (`DEFECTS`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store import (
    ChargeApprovalRow,
    ClaimExportRow,
    ClaimLineRow,
    CounterRow,
    EpisodeRow,
    LedgerFactRow,
    PatientRow,
    PractitionerRow,
    insert_rows,
    to_json,
)
from app.store.base import TenantOwned
from rtm.episode import Consent, Device, Episode, TherapyPlan
from rtm.ledger import (
    Confirmation,
    Correction,
    Fact,
    Interaction,
    InteractionKind,
    MonitoredDay,
    ProviderKind,
    TimeEntry,
)

# The month that is closed, and the day on which it is.
MONTH = "2026-10"
CLOSED_AT = datetime(2026, 11, 5, 15, tzinfo=UTC)
_FIRST, _LAST = date(2026, 10, 1), date(2026, 10, 31)
_PERIOD = timedelta(days=29)
# Who starts on it has two 30-day periods that end in the month: on its first and its last day.
_TWO_PERIODS = _LAST - 2 * _PERIOD - timedelta(days=1)

_PRACTICE_ZONE = ZoneInfo("America/Chicago")
_PATIENTS_OF_ONE = 60
_AT_ONCE = 1000

_KINDS: Mapping[type, str] = {
    MonitoredDay: "monitored_day",
    TimeEntry: "time_entry",
    Interaction: "interaction",
    Correction: "correction",
    Confirmation: "confirmation",
}
_PLANS: Mapping[ProviderKind, TherapyPlan] = {"pt": "GP", "ot": "GO", "slp": "GN"}
_TAXONOMIES: Mapping[ProviderKind, str] = {
    "pt": "225100000X",
    "ot": "225X00000X",
    "slp": "235Z00000X",
    "physician": "208100000X",
    "npp": "363L00000X",
}
# Of twenty who give care.
_STAFF: tuple[ProviderKind, ...] = (
    *("pt",) * 12,
    *("ot",) * 3,
    "slp",
    *("physician",) * 2,
    *("npp",) * 2,
)
_FAMILIES = (
    *("Abara", "Adler", "Ánguelov", "Baptiste", "Brandt", "Castillo", "Delgado", "Dvořák"),
    *("Eriksen", "Farrow", "Gallardo", "Haddad", "Hoang", "Ibarra", "Jankowski", "Kaplan"),
    *("Lindqvist", "Mäkinen", "Nakamura", "Núñez", "O'Brien", "Okafor", "Quispe", "Ramírez"),
    *("Sørensen", "Tanaka", "Thorne", "Vargas", "Weiß", "Whitaker", "Yilmaz", "Zapata"),
)
_GIVEN = (
    *("Ada", "Bela", "Carmen", "Dario", "Edith", "Elias", "Farida", "Gloria", "Hugo", "Ines"),
    *("Jonas", "Kira", "Lucía", "Marta", "Noor", "Omar", "Petra", "Samuel", "Viktor", "Yara"),
)
_PLACES = (
    ("Springfield", "IL", "62702", "America/Chicago"),
    ("Peoria", "IL", "61602-1234", "America/Chicago"),
    ("Gary", "IN", "46402", "America/Chicago"),
    ("Detroit", "MI", "48226", "America/Detroit"),
    ("Denver", "CO", "80202", "America/Denver"),
)
_COMMERCIAL = "5"
# Payer id, name, type in the Source of Payment Typology, share. No amounts of a commercial payer
# are shipped, so that those claims are tallied and built, and held for the want of a price.
_PAYERS = (
    ("00131", "Sample Medicare MAC East", "1", 45),
    ("00450", "Sample Medicare MAC West", "1", 25),
    ("SMA01", "Sample Medicare Advantage", "11", 15),
    ("60054", "Sample Mutual", _COMMERCIAL, 15),
)
_TALKS: tuple[tuple[InteractionKind, ...], ...] = (
    (),
    ("message",),
    ("phone",),
    ("video", "message"),
)
_CONDITIONS = ("M17.11", "M17.12", "M75.121", "M54.50", "M25.561", "M16.11", "S83.511A", "Z96.651")


Recorded = Fact | Correction | Confirmation


@dataclass(frozen=True)
class Practitioner:
    """A practitioner of the practice and the kind of work that is theirs."""

    npi: str
    kind: ProviderKind
    taxonomy: str | None = None

    @property
    def name(self) -> str:
        return f"Practitioner {self.npi}"

    @property
    def plan(self) -> TherapyPlan | None:
        """Under which therapy plan this kind works."""
        return _PLANS.get(self.kind)


@dataclass(frozen=True)
class Person:
    """One patient at rest: the patient's columns, the episodes and the facts of the last one.

    `billed` are code and date of lines that left before, `approved` the code and last day of
    charges that somebody looked at.
    """

    id: int
    columns: Mapping[str, Any]
    episodes: tuple[Episode, ...]
    facts: tuple[Recorded, ...]
    billed: tuple[tuple[str, date], ...] = ()
    approved: tuple[tuple[str, date], ...] = ()


# People ------------------------------------------------------------------------------------------


def practitioners(patients: int) -> list[Practitioner]:
    """Who cares for so many patients, and two whose own data hold every claim of theirs."""
    count = max(len(_STAFF), -(-patients // _PATIENTS_OF_ONE))
    kinds = (_STAFF[number % len(_STAFF)] for number in range(count))
    sound = [
        Practitioner(_npi(number), kind, _TAXONOMIES[kind]) for number, kind in enumerate(kinds)
    ]
    return [*sound, _WITHOUT_TAXONOMY, _WRONG_NPI]


def people(count: int, first_id: int = 1, seed: int = 1) -> Iterator[Person]:
    """`count` patients with consecutive ids; each is the same whoever else there is."""
    sound = practitioners(count)[:-2]
    for number in range(first_id, first_id + count):
        rng = Random(f"{seed}-{number}")
        person = _person(number, sound[number % len(sound)], rng)
        if number % _EACH_DEFECTIVE == 0:
            name = list(DEFECTS)[number // _EACH_DEFECTIVE % len(DEFECTS)]
            person = DEFECTS[name](person)
        yield person


def beneficiary(number: int) -> str:
    """An invented number of the form of a Medicare Beneficiary Identifier."""
    letters = "ACDEFGHJKMNPQRTUVWXY"
    digits = f"{number % 10_000:04d}"
    last = digits[2:]
    return f"9{letters[number // 10_000 % 20]}A{digits[0]}AA{digits[1]}AA{last}"


def _npi(number: int) -> str:
    """Ten digits of which the last is the check digit (45 CFR 162.406)."""
    body = f"1{number + 50_000_000:08d}"
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(body[::-1]))
    total = 24 + sum(digit - 9 if digit > 9 else digit for digit in doubled)
    return f"{body}{-total % 10}"


_WITHOUT_TAXONOMY = Practitioner(_npi(49_000_000), "pt")
_WRONG_NPI = Practitioner(f"{_npi(49_000_001)[:9]}{(int(_npi(49_000_001)[9]) + 1) % 10}", "pt")


def _person(number: int, practitioner: Practitioner, rng: Random) -> Person:
    start = _TWO_PERIODS if rng.random() < 0.04 else _LAST - _PERIOD - timedelta(rng.randrange(31))
    city, state, postal_code, zone = rng.choice(_PLACES)
    monitored = _monitored_dates(start, rng)
    end = None
    if monitored and rng.random() < 0.04:
        end = max(monitored[-1], _FIRST)
    began = datetime.combine(start, time(15), UTC)
    episode = Episode(
        id=f"episode-{number}",
        start=start,
        end=end,
        setup_completed=began if rng.random() < 0.97 else None,
        consent=Consent(began, "Terry Alvarez", "verbal", "2026-11"),
        device=Device("Homestretch", "musculoskeletal", None, "0.1.0", False, "recorded for tests"),
        therapy_plan=practitioner.plan,
        practitioner_npi=practitioner.npi,
        no_other_monitoring_attested_at=began,
        plan_of_care=f"plan-{number}",
    )
    facts = _facts(number, practitioner, monitored, ZoneInfo(zone), rng)
    second_day = monitored[1] if len(monitored) > 1 else _FIRST
    set_up_left = episode.setup_completed and second_day < _FIRST
    reviewed = end is not None and rng.random() < 0.5
    return Person(
        id=number,
        columns=_columns(number, rng, zone, (city, state, postal_code)),
        episodes=(*_earlier(number, episode, rng), episode),
        facts=tuple(facts),
        billed=(("98975", second_day),) if set_up_left else (),
        approved=tuple(_device_charge(monitored, end)) if reviewed and end else (),
    )


def _columns(number: int, rng: Random, zone: str, place: tuple[str, str, str]) -> dict[str, Any]:
    family, given = rng.choice(_FAMILIES), rng.choice(_GIVEN)
    payer_id, payer, kind, _ = rng.choices(_PAYERS, [share for *_, share in _PAYERS])[0]
    city, state, postal_code = place
    return {
        "fhir_id": f"synthetic-{number}",
        "name": f"{given} {family}",
        "birth_date": date(1935 + rng.randrange(45), 1 + rng.randrange(12), 1 + rng.randrange(28)),
        "time_zone": zone,
        "demographics": {
            "family": family,
            "given": given,
            "gender": rng.choice(("female", "male")),
            "mrn": f"MRN{number:07d}",
            "address_line": f"{1 + rng.randrange(999)} Elm Street",
            "city": city,
            "state": state,
            "postal_code": postal_code,
        },
        "billing": {
            "coverage": {
                "member_id": beneficiary(number) if kind != _COMMERCIAL else f"SM{number:08d}",
                "payer_name": payer,
                "payer_id": payer_id,
                "kind": kind,
            },
            "diagnoses": rng.sample(_CONDITIONS, 1 + rng.randrange(3)),
        },
    }


def _monitored_dates(start: date, rng: Random) -> list[date]:
    """The distinct days with data, of every tier: none, one, 2-15 and 16-30 in 30 days."""
    length = 60 if start == _TWO_PERIODS else 30
    low, high = rng.choices(((0, 0), (1, 1), (2, 15), (16, 30)), (6, 4, 30, 60))[0]
    count = rng.randint(low, high) * length // 30
    return [start + timedelta(days=offset) for offset in sorted(rng.sample(range(length), count))]


def _device_charge(monitored: list[date], end: date) -> Iterator[tuple[str, date]]:
    """The device code of the period that a discharge on `end` cut short."""
    count = sum(end - _PERIOD <= day <= end for day in monitored)
    if count >= 2:
        yield "98977" if count >= 16 else "98985", end


def _earlier(number: int, episode: Episode, rng: Random) -> Iterator[Episode]:
    if rng.random() < 0.03:
        start = episode.start - timedelta(days=150)
        yield replace(
            episode,
            id=f"episode-{number}-earlier",
            start=start,
            end=start + timedelta(days=59),
            setup_completed=datetime.combine(start, time(15), UTC),
            plan_of_care=f"plan-{number}-earlier",
        )


def _facts(
    number: int,
    practitioner: Practitioner,
    monitored: list[date],
    zone: ZoneInfo,
    rng: Random,
) -> Iterator[Recorded]:
    for day in monitored:
        for session in range(2 if rng.random() < 0.1 else 1):
            yield _day(f"{number}-{day}-{session}", day, zone, rng)
    entries = list(_time(number, practitioner, rng))
    yield from entries
    if rng.random() < 0.93:
        yield from _confirmations(number, entries)
    for kind in rng.choices(_TALKS, (12, 6, 60, 22))[0]:
        day = _FIRST + timedelta(days=rng.randrange(31))
        at = datetime.combine(day, time(9 + rng.randrange(8), rng.randrange(60)), zone)
        seconds = 0 if kind == "message" else 60 * (2 + rng.randrange(10))
        talk = Interaction(
            f"talk-{number}-{kind}", at, kind, seconds, practitioner.npi, practitioner.kind
        )
        yield talk
    if entries and rng.random() < 0.08:
        wrong = rng.choice(entries)
        right = replace(wrong, id=f"{wrong.id}-right", seconds=max(60, wrong.seconds - 60))
        at = datetime.combine(_LAST, time(20), UTC)
        yield Correction(
            f"corr-{number}", wrong.id, wrong.author or "", "typed wrong", at, right, wrong.npi
        )
    if monitored and rng.random() < 0.03:
        wrong_id = f"day-{number}-{monitored[0]}-0"
        at = datetime.combine(_LAST, time(21), UTC)
        yield Correction(f"gone-{number}", wrong_id, "Terry Alvarez", "of another patient", at)


def _confirmations(number: int, entries: list[TimeEntry]) -> Iterator[Confirmation]:
    """Whoever's time the timer proposed signs it on the month's last day."""
    proposed = [entry for entry in entries if entry.source == "timer"]
    at = datetime.combine(_LAST, time(19), UTC)
    for author, npi, by in dict.fromkeys((e.author, e.npi, e.by) for e in proposed):
        own = tuple(e.id for e in proposed if (e.author, e.npi) == (author, npi))
        statement = "I did this work in the time shown."
        yield Confirmation(f"sign-{number}-{by}", own, author or "", by, at, statement, npi)


def _day(id: str, day: date, zone: ZoneInfo, rng: Random) -> MonitoredDay:
    captured = datetime.combine(day, time(7 + rng.randrange(14), rng.randrange(60)), zone)
    captured = captured.astimezone(UTC)
    reported = rng.random() < 0.2
    return MonitoredDay(
        id=f"day-{id}",
        local_date=day,
        captured_at=captured,
        received_at=captured + timedelta(seconds=30 + rng.randrange(600)),
        session_id=f"session-{id}",
        self_report=reported,
        kind="self_report" if reported else "session",
    )


def _time(number: int, practitioner: Practitioner, rng: Random) -> Iterator[TimeEntry]:
    """Minutes of every tier, by timer (at most five minutes each) and by hand."""
    low, high = rng.choices(((0, 0), (1, 9), (10, 19), (20, 39), (40, 75)), (8, 17, 25, 38, 12))[0]
    left_s = 60 * rng.randint(low, high)
    assisted = practitioner.kind == "pt" and rng.random() < 0.15
    place = 0
    while left_s > 0:
        by_hand = rng.random() < 0.4
        seconds = min(left_s, 60 * (5 + rng.randrange(10)) if by_hand else 60 + rng.randrange(241))
        day = _FIRST + timedelta(days=rng.randrange(31))
        assistant = assisted and rng.random() < 0.5
        entry = TimeEntry(
            id=f"time-{number}-{place}",
            local_date=day,
            seconds=seconds,
            by="pta" if assistant else practitioner.kind,
            activity="review: monitoring data and program",
            npi=None if assistant else practitioner.npi,
            supervised_by=practitioner.npi if assistant else None,
            author=f"Assistant of {practitioner.npi}" if assistant else practitioner.name,
            signed_at=datetime.combine(day, time(23), UTC) if by_hand else None,
        )
        if by_hand and rng.random() < 0.03:
            entry = replace(entry, activity="voicemail left for the patient")
        if not by_hand:
            local = datetime.combine(day, time(8 + rng.randrange(9), rng.randrange(60)))
            start = local.replace(tzinfo=_PRACTICE_ZONE).astimezone(UTC)
            end = start + timedelta(seconds=seconds)
            entry = replace(entry, start=start, end=end, source="timer")
        yield entry
        left_s -= seconds
        place += 1


# What the scrubber holds -------------------------------------------------------------------------

# Every so many patients one has a defect, each in turn.
_EACH_DEFECTIVE = 25


def _with(part: str, **changes: Any) -> Callable[[Person], Person]:
    """Changes of `demographics` or `billing`, or of the patient's own columns (part "")."""

    def change(person: Person) -> Person:
        columns = person.columns
        new = {part: {**columns[part], **changes}} if part else changes
        return replace(person, columns={**columns, **new})

    return change


def _coverage(**changes: Any) -> Callable[[Person], Person]:
    def change(person: Person) -> Person:
        coverage = {**person.columns["billing"]["coverage"], **changes}
        return _with("billing", coverage=coverage)(person)

    return change


def _episode(**changes: Any) -> Callable[[Person], Person]:
    def change(person: Person) -> Person:
        *earlier, episode = person.episodes
        return replace(person, episodes=(*earlier, replace(episode, **changes)))

    return change


DEFECTS: Mapping[str, Callable[[Person], Person]] = {
    "member id of no Medicare form": _coverage(member_id="12345", kind="1"),
    "no member id": _coverage(member_id=""),
    "no payer id": _coverage(payer_id=""),
    "postal code of four digits": _with("demographics", postal_code="6270"),
    "state in words": _with("demographics", state="Illinois"),
    "city longer than the file takes": _with("demographics", city="Springfield " * 4),
    "name without a Latin letter": _with("demographics", family="田中"),
    "birth date in the future": _with("", birth_date=date(2031, 1, 1)),
    "no diagnosis": _with("billing", diagnoses=[]),
    "diagnosis that is none": _with("billing", diagnoses=["M17.11", "knee"]),
    "point in the wrong place": _with("billing", diagnoses=["M171.1"]),
    "diagnosis named twice": _with("billing", diagnoses=["M17.11", "M17.11"]),
    "too many diagnoses": _with("billing", diagnoses=[f"M25.5{n:02d}" for n in range(13)]),
    "condition of another system": _with("billing", diagnoses=["E11.9"]),
    "device without a regulatory basis": _episode(
        device=Device("Homestretch", "musculoskeletal", version="0.1.0")
    ),
    "no attestation": _episode(no_other_monitoring_attested_at=None),
    "practitioner without taxonomy": _episode(practitioner_npi=_WITHOUT_TAXONOMY.npi),
    "practitioner with a wrong NPI": _episode(practitioner_npi=_WRONG_NPI.npi),
    "practitioner whom nobody knows": _episode(practitioner_npi=_npi(49_000_002)),
}


# Writing -----------------------------------------------------------------------------------------


def write_practitioners(db: Session, staff: Iterable[Practitioner]) -> None:
    rows = [
        {
            "fhir_user": f"Practitioner/{person.npi}",
            "name": person.name,
            "family": _FAMILIES[number % len(_FAMILIES)],
            "given": _GIVEN[number % len(_GIVEN)],
            "npi": person.npi,
            "taxonomy": person.taxonomy,
            "provider_kind": person.kind,
        }
        for number, person in enumerate(staff)
    ]
    insert_rows(db, PractitionerRow, rows)


def write_people(db: Session, persons: Iterable[Person]) -> int:
    """Writes them in bulk, without the use cases of real work; how many facts there are.

    Lines that left before left with the last export that is there.
    """
    exports = db.scalars(select(ClaimExportRow.id).order_by(ClaimExportRow.id.desc()))
    export_id = exports.first()
    stream, facts = iter(persons), 0
    while batch := list(islice(stream, _AT_ONCE)):
        rows = _rows(batch, export_id)
        facts += len(rows[LedgerFactRow])
        for kind, values in rows.items():
            insert_rows(db, kind, values)
    return facts


def write_practice(db: Session, patients: int, seed: int = 1) -> int:
    """A whole practice in the session's empty tenant; how many facts its ledgers hold."""
    write_practitioners(db, practitioners(patients))
    db.add(CounterRow(name="interchange", value=1))
    db.add(_september_export())
    db.flush()
    return write_people(db, people(patients, seed=seed))


def _september_export() -> ClaimExportRow:
    return ClaimExportRow(
        month="2026-09",
        format="837p",
        control_number=1,
        exported_at=datetime(2026, 10, 5, 15, tzinfo=UTC),
        sha256="0" * 64,
        content="the file of the month before, which nobody reads here",
        claim_count=0,
        total="0.00",
    )


def _rows(
    persons: list[Person], export_id: int | None
) -> dict[type[TenantOwned], list[dict[str, Any]]]:
    rows: dict[type[TenantOwned], list[dict[str, Any]]] = {
        kind: []
        for kind in (PatientRow, EpisodeRow, LedgerFactRow, ClaimLineRow, ChargeApprovalRow)
    }
    for person in persons:
        own = {"patient_id": person.id}
        episode = person.episodes[-1]
        seen = datetime.combine(episode.start, time(15), UTC)
        rows[PatientRow].append({"id": person.id, "seen_at": seen, **person.columns})
        for each in person.episodes:
            at = datetime.combine(each.start, time(15), UTC)
            document = to_json(each)
            rows[EpisodeRow].append(
                {
                    **own,
                    "id": each.id,
                    "document": document,
                    "recorded_at": at,
                    "updated_at": at,
                }
            )
        for fact in person.facts:
            rows[LedgerFactRow].append({**own, "episode_id": episode.id, **_fact(fact)})
        modifiers = [episode.therapy_plan] if episode.therapy_plan else []
        for number, (code, day) in enumerate(person.billed, start=1):
            claim_id = f"00001{person.id:05d}"
            line = {
                **own,
                "export_id": export_id,
                "episode_id": episode.id,
                "charge_key": f"{episode.id}:{code}:{day}:{'.'.join(modifiers)}",
                "code": code,
                "units": 1,
                "service_date": day,
                "claim_id": claim_id,
                "line_id": f"{claim_id}-{number}",
                "modifiers": modifiers,
            }
            rows[ClaimLineRow].append(line)
        for code, last in person.approved:
            approval = {
                **own,
                "charge_key": f"{episode.id}:{code}:{last}:{'.'.join(modifiers)}",
                "code": code,
                "last": last,
                "modifiers": ".".join(modifiers),
                "approved_by": 1,
                "approved_at": CLOSED_AT,
            }
            rows[ChargeApprovalRow].append(approval)
    return rows


def _fact(fact: Recorded) -> dict[str, Any]:
    if isinstance(fact, MonitoredDay):
        at = fact.received_at or datetime.combine(fact.local_date, time(15), UTC)
    elif isinstance(fact, TimeEntry):
        at = fact.end or fact.signed_at or datetime.combine(fact.local_date, time(22), UTC)
    else:
        at = fact.at
    entry = fact.replacement if isinstance(fact, Correction) else fact
    clocked = entry if isinstance(entry, TimeEntry) else None
    return {
        "id": fact.id,
        "kind": _KINDS[type(fact)],
        "document": to_json(fact),
        "recorded_at": at,
        "recorded_by": "synthetic",
        "npi": clocked and clocked.npi,
        "began_at": clocked and clocked.start,
        "ended_at": clocked and clocked.end,
    }
