"""Reading people from the EHR, at a launch or many at once, and keeping what we need of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.context import Context
from app.granted import partly
from app.person_token import open_token, person_client
from app.sign_in import SignIn
from app.store import (
    PatientEventRow,
    PatientRow,
    PractitionerRow,
    SignInRow,
    Tenant,
    mark_stale,
)
from fhir.client import FhirClient, FhirError
from fhir.meaning import Unreadable
from fhir.patient import (
    CoverageSummary,
    PatientBanner,
    PractitionerIdentity,
    read_coverage,
    read_diagnoses,
    read_patient,
    read_practitioner,
    read_standing,
)
from smart_launch.scopes import Grant, Level, parse_grant

log = structlog.get_logger(__name__)

# NUCC taxonomy prefixes to the ledger's provider kinds; the longest prefix decides.
_PROVIDER_KINDS = {
    "225100000X": "pt",
    "2251": "pt",
    "225200000X": "pta",
    "225X": "ot",
    "224Z": "ota",
    "235Z": "slp",
    "20": "physician",
    "363": "npp",
}

# What reading a patient again tells anew.
_OF_PATIENT = ("Patient", "Condition", "Coverage")


Outcome = Literal["created", "changed", "unchanged", "superseded"]


class PersonUnknown(Exception):
    """The EHR did not give the person whom the launch names."""


@dataclass
class LaunchReader:
    """The EHR as far as a token lets it be read, at `levels` of its scopes; `not_granted` gathers
    the rest."""

    client: FhirClient
    grant: Grant
    not_granted: list[str] = field(default_factory=list)
    levels: tuple[Level, ...] = ("user", "patient")

    def read(self, reference: str) -> dict[str, Any]:
        """Raises FhirError; Unreadable where the EHR gives another resource than asked."""
        resource = self.client.read(reference)
        if f"{resource.get('resourceType')}/{resource.get('id')}" != reference:
            raise Unreadable("another resource than was asked for")
        return resource

    def may(self, resource_type: str, permissions: str) -> bool:
        """Whether the scopes cover it; notes what they do not cover or only in part."""
        extent = self.grant.extent(resource_type, permissions, self.levels)
        if extent != "all":
            self._note(resource_type if extent == "none" else partly(resource_type))
        return extent != "none"

    def search(self, resource_type: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
        """Matches; none where the EHR does not let the type be read, which is noted."""
        if not self.may(resource_type, "s"):
            return []
        try:
            return list(self.client.search(resource_type, parameters))
        except FhirError as error:
            if error.status in (401, 403, 404):
                self._note(resource_type)
                return []
            raise

    def _note(self, item: str) -> None:
        if item not in self.not_granted:
            self.not_granted.append(item)


@dataclass(frozen=True)
class ChartFacts:
    """What the EHR says of a patient, as far as it could be read.

    `replaces` are the references of records that this one stands for since a merge. `coverages`
    and `diagnoses` are None where nothing was given: what is known stays.
    """

    banner: PatientBanner
    replaces: tuple[str, ...] = ()
    coverages: tuple[CoverageSummary, ...] | None = None
    diagnoses: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Kept:
    """The patient's row, and what became of it; `superseded` where something newer is known."""

    row: PatientRow
    outcome: Outcome


def take_in_patient(
    context: Context, db: Session, tenant: Tenant, reader: LaunchReader, fhir_id: str
) -> PatientRow:
    """The patient's row, brought up to date from the EHR.

    Raises:
        PersonUnknown: the Patient can't be read or lacks what we can't do without.
    """
    try:
        facts = read_chart(reader, reader.read(f"Patient/{fhir_id}"))
    except (FhirError, Unreadable) as error:
        raise PersonUnknown(f"The patient could not be read from the EHR: {error}") from None
    return keep_patient(db, tenant, facts, context.now()).row


def read_chart(reader: LaunchReader, patient: Mapping[str, Any]) -> ChartFacts:
    """What claims need besides `patient`, as far as the granted scopes let it be read.

    Raises Unreadable, FhirError.
    """
    banner, standing = read_patient(patient), read_standing(patient)
    coverages = readable_coverages(
        reader.search("Coverage", {"beneficiary": f"Patient/{banner.id}"})
    )
    conditions = reader.search("Condition", {"patient": banner.id})
    return ChartFacts(
        banner,
        standing.replaces,
        tuple(coverages) or None,
        read_diagnoses(conditions) if conditions else None,
    )


def keep_patient(db: Session, tenant: Tenant, facts: ChartFacts, as_of: datetime) -> Kept:
    """Writes what the EHR said at `as_of`, unless the chart was read or a message came later."""
    banner = facts.banner
    row = patient_row(db, banner.id) or _merged_row(db, facts)
    if row is not None and row.merged_into_id is not None:
        # A person merged it here; what the EHR still says of the record given up is not the person.
        while row.merged_into_id is not None:
            row = db.get_one(PatientRow, row.merged_into_id)
        return Kept(row, "superseded")
    is_new = row is None
    if row is None:
        row = PatientRow(fhir_id=banner.id, billing={})
        db.add(row)
    elif row.seen_at > as_of or _told_since(db, row, as_of):
        return Kept(row, "superseded")
    before = None if is_new else (row.fhir_id, row.demographics, row.billing)
    row.fhir_id = banner.id
    row.name, row.birth_date = banner.name, banner.birth_date
    row.time_zone = banner.time_zone or tenant.time_zone
    row.demographics = {**asdict(banner), "birth_date": banner.birth_date.isoformat()}
    row.seen_at = as_of
    billing = {**row.billing, **_billing(facts, as_of.astimezone(ZoneInfo(row.time_zone)).date())}
    if billing != row.billing and not is_new:
        mark_stale(db, row.id)
    row.billing = billing
    db.flush()
    if before is None:
        return Kept(row, "created")
    same = before == (row.fhir_id, row.demographics, row.billing)
    return Kept(row, "unchanged" if same else "changed")


def patient_row(db: Session, fhir_id: str) -> PatientRow | None:
    return db.scalar(select(PatientRow).where(PatientRow.fhir_id == fhir_id))


def _merged_row(db: Session, facts: ChartFacts) -> PatientRow | None:
    """The row under a record that this one replaced since: a merge makes nobody twice.

    None where several are ours: which of them goes on is for a person to say.
    """
    ids = [other.removeprefix("Patient/") for other in facts.replaces]
    unmerged = PatientRow.fhir_id.in_(ids), PatientRow.merged_into_id.is_(None)
    found = db.scalars(select(PatientRow).where(*unmerged)).all() if ids else ()
    return found[0] if len(found) == 1 else None


def _told_since(db: Session, row: PatientRow, as_of: datetime) -> bool:
    """Whether a message (ADT) changed the patient after the EHR said this."""
    told = select(PatientEventRow.id).where(
        PatientEventRow.patient_id == row.id,
        PatientEventRow.kind == "demographics",
        PatientEventRow.recorded_at > as_of,
    )
    return db.scalar(told.limit(1)) is not None


def read_patient_again(context: Context, sign_in: SignIn, patient_id: int) -> tuple[str, ...]:
    """Brings the patient up to date with the sign-in's own token; what is still not granted.

    Raises:
        PersonUnknown, FhirError: as `take_in_patient`.
        LaunchRefused: the sign-in at the EHR has ended.
    """
    with context.database.begin(sign_in.tenant_id) as db:
        tenant = db.get_one(Tenant, sign_in.tenant_id)
        fhir_id = db.get_one(PatientRow, patient_id).fhir_id
        granted = open_token(context, db.get_one(SignInRow, sign_in.id))
    reader = LaunchReader(person_client(context, tenant, sign_in.id), parse_grant(granted.scope))
    with context.database.begin(sign_in.tenant_id) as db:
        take_in_patient(context, db, tenant, reader, fhir_id)
        row = db.get_one(SignInRow, sign_in.id)
        others = [item for item in row.not_granted if item.partition(":")[0] not in _OF_PATIENT]
        row.not_granted = [*reader.not_granted, *others]
    return tuple(reader.not_granted)


def take_in_practitioner(
    db: Session, reader: LaunchReader, fhir_user: str, name: str | None
) -> PractitionerRow:
    """The practitioner's row, brought up to date.

    Where the EHR does not let the Practitioner be read, a known row stays as it is, and a new
    one has `name`, the id_token's, without NPI. Raises PersonUnknown.
    """
    row = db.scalar(select(PractitionerRow).where(PractitionerRow.fhir_user == fhir_user))
    if not reader.may("Practitioner", "r"):
        return row or _named_only(db, fhir_user, name)
    try:
        resource = reader.read(fhir_user)
        roles = reader.search("PractitionerRole", {"practitioner": fhir_user})
        identity = read_practitioner(resource, roles)
    except (FhirError, Unreadable) as error:
        raise PersonUnknown(f"The practitioner could not be read from the EHR: {error}") from None
    if row is None:
        row = PractitionerRow(fhir_user=fhir_user)
        db.add(row)
    row.name, row.npi = identity.name, identity.npi
    row.family, row.given, row.taxonomy = identity.family, identity.given, identity.taxonomy
    row.provider_kind = provider_kind(identity)
    db.flush()
    return row


def provider_kind(identity: PractitionerIdentity) -> str:
    """The ledger's kind for a NUCC taxonomy; clinical staff where the EHR gives none."""
    taxonomy = identity.taxonomy or ""
    matches = [prefix for prefix in _PROVIDER_KINDS if taxonomy.startswith(prefix)]
    return _PROVIDER_KINDS[max(matches, key=len)] if matches else "clinical_staff"


def _named_only(db: Session, fhir_user: str, name: str | None) -> PractitionerRow:
    known_as = name or fhir_user
    row = PractitionerRow(
        fhir_user=fhir_user,
        name=known_as,
        family=known_as,
        given="",
        provider_kind="clinical_staff",
    )
    db.add(row)
    db.flush()
    return row


def _billing(facts: ChartFacts, today: date) -> dict[str, Any]:
    billing: dict[str, Any] = {}
    if facts.coverages:
        coverage = coverage_to_bill(facts.coverages, today)
        billing["coverage"] = asdict(coverage) | {
            "start": coverage.start and coverage.start.isoformat(),
            "end": coverage.end and coverage.end.isoformat(),
        }
    if facts.diagnoses is not None:
        billing["diagnoses"] = list(facts.diagnoses)
    return billing


def readable_coverages(coverages: Iterable[Mapping[str, Any]]) -> list[CoverageSummary]:
    read = []
    for coverage in coverages:
        try:
            read.append(read_coverage(coverage))
        except Unreadable as error:
            log.warning("coverage_unreadable", why=str(error))
    return read


def coverage_to_bill(coverages: Sequence[CoverageSummary], today: date) -> CoverageSummary:
    """The first that is in force; where none is, the first, and its dates tell the scrubber."""
    return next((coverage for coverage in coverages if coverage.covers(today)), coverages[0])
