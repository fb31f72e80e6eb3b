"""Reading the people of a launch from the EHR and keeping what the service needs of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.context import Context
from app.granted import partly
from app.person_token import open_token, person_client
from app.sign_in import SignIn
from app.store import PatientRow, PractitionerRow, SignInRow, Tenant, mark_stale
from fhir.client import FhirClient, FhirError
from fhir.meaning import Unreadable
from fhir.patient import (
    CoverageSummary,
    PractitionerIdentity,
    read_coverage,
    read_diagnoses,
    read_patient,
    read_practitioner,
)
from smart_launch.scopes import Grant, parse_grant

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


class PersonUnknown(Exception):
    """The EHR did not give the person whom the launch names."""


@dataclass
class LaunchReader:
    """The EHR as far as a launch's token lets it be read; `not_granted` gathers the rest."""

    client: FhirClient
    grant: Grant
    not_granted: list[str] = field(default_factory=list)

    def read(self, reference: str) -> dict[str, Any]:
        """Raises FhirError; Unreadable where the EHR gives another resource than asked."""
        resource = self.client.read(reference)
        if f"{resource.get('resourceType')}/{resource.get('id')}" != reference:
            raise Unreadable("another resource than was asked for")
        return resource

    def may(self, resource_type: str, permissions: str) -> bool:
        """Whether the scopes cover it; notes what they do not cover or only in part."""
        extent = self.grant.extent(resource_type, permissions)
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


def take_in_patient(
    context: Context, db: Session, tenant: Tenant, reader: LaunchReader, fhir_id: str
) -> PatientRow:
    """The patient's row, brought up to date from the EHR.

    Raises:
        PersonUnknown: the Patient can't be read or lacks what we can't do without.
    """
    try:
        banner = read_patient(reader.read(f"Patient/{fhir_id}"))
    except (FhirError, Unreadable) as error:
        raise PersonUnknown(f"The patient could not be read from the EHR: {error}") from None
    row = db.scalar(select(PatientRow).where(PatientRow.fhir_id == fhir_id))
    if row is None:
        row = PatientRow(fhir_id=fhir_id, billing={})
        db.add(row)
    row.name, row.birth_date = banner.name, banner.birth_date
    row.time_zone = banner.time_zone or tenant.time_zone
    row.demographics = {**asdict(banner), "birth_date": banner.birth_date.isoformat()}
    row.seen_at = context.now()
    today = context.now().astimezone(ZoneInfo(row.time_zone)).date()
    billing = {**row.billing, **_billing(reader, fhir_id, today)}
    if billing != row.billing and row.id is not None:
        mark_stale(db, row.id)
    row.billing = billing
    db.flush()
    return row


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


def _billing(reader: LaunchReader, fhir_id: str, today: date) -> dict[str, Any]:
    """What claims need, as far as the granted scopes let it be read."""
    billing: dict[str, Any] = {}
    coverages = _readable(reader.search("Coverage", {"beneficiary": f"Patient/{fhir_id}"}))
    if coverages:
        coverage = coverage_to_bill(coverages, today)
        billing["coverage"] = asdict(coverage) | {
            "start": coverage.start and coverage.start.isoformat(),
            "end": coverage.end and coverage.end.isoformat(),
        }
    conditions = reader.search("Condition", {"patient": fhir_id})
    if conditions:
        billing["diagnoses"] = list(read_diagnoses(conditions))
    return billing


def _readable(coverages: Sequence[dict[str, Any]]) -> list[CoverageSummary]:
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
