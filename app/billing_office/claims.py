"""From a patient's charges to a claim, with what the tenant and the EHR know."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import payer_profile
from app.billing_office.month import PatientMonth
from app.rtm_book import current_episode
from app.store import ClaimLineRow, PatientRow, PractitionerRow, Tenant
from billing.claim import ScrubFinding, pointers_for
from billing.claim_model import (
    Address,
    BilledLine,
    BillingProvider,
    Claim,
    ClaimLine,
    Payer,
    Practitioner,
    Subscriber,
)
from billing.payers import MEDICARE
from rtm.episode import Episode, local_date

_MEDICARE_FILING, _COMMERCIAL_FILING = "MB", "CI"


def build_claim(
    db: Session, tenant: Tenant, item: PatientMonth, claim_id: str
) -> Claim | ScrubFinding:
    """The claim, or what is missing to make one."""
    patient, practice = item.patient, tenant.practice
    missing = [
        key for key in ("name", "npi", "tax_id", "taxonomy", "address") if key not in practice
    ]
    if missing:
        return ScrubFinding(claim_id, "practice", f"the health system's record lacks {missing[0]}")
    episode = current_episode(db, patient.id)
    assert episode is not None, "charges come from an episode"
    rendering = db.scalar(
        select(PractitionerRow).where(PractitionerRow.npi == (episode.practitioner_npi or ""))
    )
    if rendering is None:
        return ScrubFinding(claim_id, "rendering provider NPI", "the practitioner has no NPI")
    coverage = patient.billing.get("coverage") or {}
    facts = patient.demographics
    diagnoses = tuple(patient.billing.get("diagnoses") or ())
    medicare = payer_profile(patient, practice) == MEDICARE
    return Claim(
        id=claim_id,
        billing_provider=_billing_provider(practice),
        rendering=Practitioner(
            rendering.family, rendering.given, rendering.npi or "", rendering.taxonomy
        ),
        referring=_referring(practice),
        payer=Payer(
            name=coverage.get("payer_name") or "",
            payer_id=coverage.get("payer_id") or "",
            filing_code=_MEDICARE_FILING if medicare else _COMMERCIAL_FILING,
            receiver_name=practice["clearinghouse"]["name"],
            receiver_id=practice["clearinghouse"]["id"],
        ),
        subscriber=Subscriber(
            family=facts["family"],
            given=facts["given"],
            member_id=coverage.get("member_id") or "",
            birth_date=patient.birth_date,
            gender=facts["gender"],
            address=Address(
                facts.get("address_line") or "",
                facts.get("city") or "",
                facts.get("state") or "",
                facts.get("postal_code") or "",
            ),
        ),
        diagnoses=diagnoses,
        lines=tuple(
            ClaimLine(f"{claim_id}-{number}", charge, pointers_for(diagnoses))
            for number, charge in enumerate(item.charges, start=1)
        ),
        device=episode.device,
        no_other_monitoring_attested_on=_attested_on(episode, patient),
        already_billed=_already_billed(db, patient),
    )


def _attested_on(episode: Episode, patient: PatientRow) -> date | None:
    at = episode.no_other_monitoring_attested_at
    return None if at is None else local_date(at, ZoneInfo(patient.time_zone))


def _already_billed(db: Session, patient: PatientRow) -> tuple[BilledLine, ...]:
    """The patient's lines that left and stand, of every episode."""
    rows = db.scalars(
        select(ClaimLineRow).where(
            ClaimLineRow.patient_id == patient.id, ClaimLineRow.released_at.is_(None)
        )
    )
    return tuple(
        BilledLine(row.claim_id, row.code, row.service_date, tuple(row.modifiers)) for row in rows
    )


def _billing_provider(practice: dict[str, Any]) -> BillingProvider:
    return BillingProvider(
        name=practice["name"],
        npi=practice["npi"],
        tax_id=practice["tax_id"],
        taxonomy=practice["taxonomy"],
        address=Address(**practice["address"]),
        contact_name=practice["contact_name"],
        contact_phone=practice["contact_phone"],
        submitter_id=practice["submitter_id"],
        place_of_service=practice.get("place_of_service", "11"),
    )


def _referring(practice: dict[str, Any]) -> Practitioner | None:
    referring = practice.get("certifying_practitioner")
    return None if referring is None else Practitioner(**referring)
