"""Reading the people of a launch from the EHR and keeping what the service needs of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.context import Context
from app.store import PatientRow, PractitionerRow, Tenant, mark_stale
from fhir.client import FhirClient, FhirError
from fhir.meaning import Unreadable
from fhir.patient import (
    PractitionerIdentity,
    read_coverage,
    read_diagnoses,
    read_patient,
    read_practitioner,
)

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


class PersonUnknown(Exception):
    """The EHR did not give the person whom the launch names."""


def take_in_patient(
    context: Context, db: Session, tenant: Tenant, client: FhirClient, fhir_id: str
) -> PatientRow:
    """The patient's row, brought up to date from the EHR.

    Raises:
        PersonUnknown: the Patient can't be read or lacks what we can't do without.
    """
    try:
        banner = read_patient(client.read(f"Patient/{fhir_id}"))
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
    billing = {**row.billing, **_billing(client, fhir_id)}
    if billing != row.billing and row.id is not None:
        mark_stale(db, row.id)
    row.billing = billing
    db.flush()
    return row


def take_in_practitioner(db: Session, client: FhirClient, fhir_user: str) -> PractitionerRow:
    """The practitioner's row, brought up to date. Raises PersonUnknown."""
    try:
        resource = client.read(fhir_user)
        roles = _searched(client, "PractitionerRole", {"practitioner": fhir_user})
        identity = read_practitioner(resource, roles)
    except (FhirError, Unreadable) as error:
        raise PersonUnknown(f"The practitioner could not be read from the EHR: {error}") from None
    row = db.scalar(select(PractitionerRow).where(PractitionerRow.fhir_user == fhir_user))
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


def _billing(client: FhirClient, fhir_id: str) -> dict[str, Any]:
    """What claims need, as far as the granted scopes let it be read."""
    billing: dict[str, Any] = {}
    coverages = _searched(client, "Coverage", {"beneficiary": f"Patient/{fhir_id}"})
    for coverage in coverages:
        try:
            billing["coverage"] = asdict(read_coverage(coverage))
            break
        except Unreadable as error:
            log.warning("coverage_unreadable", why=str(error))
    conditions = _searched(client, "Condition", {"patient": fhir_id})
    if conditions:
        billing["diagnoses"] = list(read_diagnoses(conditions))
    return billing


def _searched(client: FhirClient, kind: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
    """Matches, or none where the scopes do not cover the type: then billing asks by hand."""
    try:
        return list(client.search(kind, parameters))
    except FhirError as error:
        if error.status in (401, 403, 404):
            return []
        raise
