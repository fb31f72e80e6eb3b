"""A few invented patients by what a test needs of them, written straight into the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy.orm import Session

from app.context import Context
from app.store import PatientRow, PractitionerRow, Tenant
from bench.billing_practice import Person, beneficiary, write_people
from rtm.episode import Consent, Device, Episode
from rtm.ledger import Fact, Interaction, MonitoredDay, TimeEntry

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
    persons = [_person(number, each) for number, each in enumerate(people, start=first_id)]
    write_people(db, persons)
    return [person.id for person in persons]


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


def _person(number: int, monitored: Monitored) -> Person:
    at = datetime.combine(monitored.start, time(15), UTC)
    episode = Episode(
        id=f"episode-{number}",
        start=monitored.start,
        end=monitored.ended,
        setup_completed=at,
        consent=Consent(at, "Terry Alvarez"),
        device=Device("Homestretch", "musculoskeletal", regulatory_basis="recorded for tests"),
        therapy_plan="GP",
        practitioner_npi=NPI,
        no_other_monitoring_attested_at=at,
    )
    family, given = monitored.name, "Synthetic"
    columns = {
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
                "member_id": beneficiary(number),
                "payer_name": "Sample Medicare MAC",
                "payer_id": "00000",
                "kind": "1",
            },
            "diagnoses": ["M17.11"],
        },
    }
    return Person(number, columns, (episode,), tuple(_facts(number, monitored)))


def _facts(number: int, person: Monitored) -> Iterator[Fact]:
    for n in range(person.days):
        yield MonitoredDay(f"day-{number}-{n}", person.start + timedelta(days=n))
    if person.minutes:
        day = person.start + timedelta(days=7)
        yield TimeEntry(f"time-{number}", day, person.minutes * 60, "pt", "review", npi=NPI)
    if person.talk:
        at = datetime.combine(person.start + timedelta(days=8), time(16), UTC)
        yield Interaction(f"talk-{number}", at, "phone", 300, NPI)
