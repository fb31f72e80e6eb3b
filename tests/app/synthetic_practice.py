"""A practice with many invented patients, written straight into the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.context import Context
from app.store import (
    EpisodeRow,
    LedgerFactRow,
    PatientRow,
    PractitionerRow,
    Tenant,
    to_document,
)
from rtm.episode import Consent, Device, Episode
from rtm.ledger import Interaction, MonitoredDay, TimeEntry

NPI = "1999999919"


@dataclass(frozen=True)
class Monitored:
    """One patient's 30 days from `start`: days with data, minutes of a PT, and a live talk.

    `ended` ends the episode on that day, so that its charges want a review.
    """

    name: str
    start: date
    days: int
    minutes: int = 0
    talk: bool = False
    ended: date | None = None


def write_practice(
    db: Session, tenant_id: str, people: Sequence[Monitored], first_id: int = 1000
) -> list[int]:
    """The row ids of the patients, in the order of `people`."""
    patients, episodes, facts = [], [], []
    for number, person in enumerate(people, start=first_id):
        at = datetime.combine(person.start, time(15), UTC)
        episode = Episode(
            id=f"episode-{number}",
            start=person.start,
            end=person.ended,
            setup_completed=at,
            consent=Consent(at, "Terry Alvarez"),
            device=Device("Homestretch", "musculoskeletal", regulatory_basis="recorded for tests"),
            therapy_plan="GP",
            practitioner_npi=NPI,
            no_other_monitoring_attested_at=at,
        )
        patients.append(_patient(number, person, tenant_id, at))
        episodes.append(
            {
                "id": episode.id,
                "patient_id": number,
                "tenant_id": tenant_id,
                "document": to_document(episode),
                "recorded_at": at,
            }
        )
        facts += [
            {
                "id": fact.id,
                "patient_id": number,
                "episode_id": episode.id,
                "tenant_id": tenant_id,
                "kind": kind,
                "document": to_document(fact),
                "recorded_at": at,
                "recorded_by": "synthetic",
            }
            for kind, fact in _facts(number, person)
        ]
    db.execute(insert(PatientRow), patients)
    db.execute(insert(EpisodeRow), episodes)
    db.execute(insert(LedgerFactRow), facts)
    return [row["id"] for row in patients]


def write_therapist(db: Session) -> None:
    """The practitioner of record of every patient of `write_practice`."""
    db.add(
        PractitionerRow(
            fhir_user="Practitioner/terry-alvarez",
            name="Terry Alvarez",
            family="Alvarez",
            given="Terry",
            npi=NPI,
            taxonomy="225100000X",
            provider_kind="pt",
        )
    )


def change_practice(context: Context, tenant_id: str, **changes: object) -> None:
    """The health system's record with `changes`."""
    with context.database.begin(None) as db:
        tenant = db.get_one(Tenant, tenant_id)
        tenant.practice = {**tenant.practice, **changes}


def change_coverage(context: Context, tenant_id: str, patient_id: int, **changes: object) -> None:
    """The patient's insurance with `changes`."""
    with context.database.begin(tenant_id) as db:
        patient = db.get_one(PatientRow, patient_id)
        coverage = {**patient.billing["coverage"], **changes}
        patient.billing = {**patient.billing, "coverage": coverage}


def _patient(number: int, person: Monitored, tenant_id: str, at: datetime) -> dict[str, object]:
    family, given = f"{person.name}", "Synthetic"
    return {
        "id": number,
        "tenant_id": tenant_id,
        "fhir_id": f"synthetic-{number}",
        "name": f"{given} {family}",
        "birth_date": date(1950, 1, 1),
        "time_zone": "America/Chicago",
        "demographics": {
            "family": family,
            "given": given,
            "gender": "female",
            "address_line": "1 Elm Street",
            "city": "Springfield",
            "state": "IL",
            "postal_code": "62702",
        },
        "billing": {
            "coverage": {
                "member_id": _beneficiary(number),
                "payer_name": "Sample Medicare MAC",
                "payer_id": "00000",
                "kind": "1",
            },
            "diagnoses": ["M17.11"],
        },
        "seen_at": at,
    }


def _beneficiary(number: int) -> str:
    """An invented number of the form of a Medicare Beneficiary Identifier."""
    letters = "ACDEFGHJKMNPQRTUVWXY"
    a, b, c, d = f"{number % 10_000:04d}"
    return f"9{letters[number // 10_000 % 20]}A{a}AA{b}AA{c}{d}"


def _facts(
    number: int, person: Monitored
) -> list[tuple[str, MonitoredDay | TimeEntry | Interaction]]:
    facts: list[tuple[str, MonitoredDay | TimeEntry | Interaction]] = [
        ("monitored_day", MonitoredDay(f"day-{number}-{n}", person.start + timedelta(days=n)))
        for n in range(person.days)
    ]
    if person.minutes:
        day = person.start + timedelta(days=7)
        entry = TimeEntry(f"time-{number}", day, person.minutes * 60, "pt", "review", npi=NPI)
        facts.append(("time_entry", entry))
    if person.talk:
        at = datetime.combine(person.start + timedelta(days=8), time(16), UTC)
        facts.append(("interaction", Interaction(f"talk-{number}", at, "phone", 300, NPI)))
    return facts
