"""From patients' charges to claims, with what the tenant and the EHR know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import billing_entity, payer_profile
from app.billing_office.month import PatientMonth
from app.plan_of_care import read_certifications
from app.rtm_book import read_episodes
from app.store import ClaimLineRow, PatientRow, PractitionerRow, Tenant, among
from billing.claim import ScrubFinding, pointers_for
from billing.claim_model import (
    Address,
    BilledLine,
    BillingProvider,
    Claim,
    ClaimLine,
    Frequency,
    Payer,
    Practitioner,
    Subscriber,
)
from billing.entities import load_entities
from billing.payers import MEDICARE
from rtm.episode import Episode, local_date
from rtm.plan_of_care import Certification, certification_for

_COMMERCIAL_FILING = "CI"
_NEEDED_OF_A_PRACTICE = (
    "name",
    "npi",
    "tax_id",
    "taxonomy",
    "address",
    "contact_name",
    "contact_phone",
    "submitter_id",
    "clearinghouse",
)


@dataclass(frozen=True)
class ClaimBasis:
    """What several patients' claims are made from besides their charges, read at once.

    `provider` is None where the practice's record lacks what it needs. `episodes` and `billed` are
    by the patient's row id, `renderings` by NPI, `certifications` by episode.
    """

    practice: dict[str, Any]
    provider: BillingProvider | None
    episodes: Mapping[int, Sequence[Episode]]
    renderings: Mapping[str, PractitionerRow]
    billed: Mapping[int, tuple[BilledLine, ...]]
    certifications: Mapping[str, tuple[Certification, ...]]


def read_basis(
    db: Session,
    tenant: Tenant,
    patient_ids: Sequence[int],
    known: Mapping[int, Sequence[Episode]] | None = None,
) -> ClaimBasis:
    """In a few queries, however many patients. `known` are episodes that were read already.

    Raises:
        UnknownEntity: the practice's record names an entity that there is none of.
    """
    known = known or {}
    episodes = {**known, **read_episodes(db, [id_ for id_ in patient_ids if id_ not in known])}
    all_episodes = [episode for found in episodes.values() for episode in found]
    npis = {episode.practitioner_npi for episode in all_episodes if episode.practitioner_npi}
    practitioners = db.scalars(select(PractitionerRow).where(among(db, PractitionerRow.npi, npis)))
    recorded = read_certifications(db, [episode.id for episode in all_episodes])
    return ClaimBasis(
        practice=tenant.practice,
        provider=None if _lacks(tenant.practice) else _billing_provider(tenant.practice),
        episodes=episodes,
        renderings={row.npi: row for row in practitioners if row.npi is not None},
        billed=_billed(db, patient_ids),
        certifications={
            episode_id: tuple(record.certification for record in records)
            for episode_id, records in recorded.items()
        },
    )


def build_claim(
    basis: ClaimBasis,
    item: PatientMonth,
    claim_id: str,
    *,
    frequency: Frequency = "1",
    payer_claim_number: str | None = None,
) -> Claim | ScrubFinding:
    """The claim, or what is missing to make one."""
    patient, practice, provider = item.patient, basis.practice, basis.provider
    if provider is None:
        why = f"the health system's record lacks {_lacks(practice)[0]}"
        return ScrubFinding(claim_id, "practice", why)
    episode = next(e for e in basis.episodes[patient.id] if e.id == item.episode_id)
    rendering = basis.renderings.get(episode.practitioner_npi or "")
    if rendering is None:
        return ScrubFinding(claim_id, "rendering provider NPI", "the practitioner has no NPI")
    coverage = patient.billing.get("coverage") or {}
    diagnoses = tuple(patient.billing.get("diagnoses") or ())
    last_service = max(charge.service_date for charge in item.charges)
    certification = certification_for(basis.certifications.get(episode.id, ()), last_service)
    return Claim(
        id=claim_id,
        billing_provider=provider,
        rendering=Practitioner(
            rendering.family, rendering.given, rendering.npi or "", rendering.taxonomy
        ),
        referring=_referring(practice, certification),
        payer=_payer(patient, practice, provider),
        subscriber=_subscriber(patient),
        diagnoses=diagnoses,
        lines=tuple(
            ClaimLine(f"{claim_id}-{number}", charge, pointers_for(diagnoses))
            for number, charge in enumerate(item.charges, start=1)
        ),
        device=episode.device,
        frequency=frequency,
        payer_claim_number=payer_claim_number,
        coverage_start=_day(coverage.get("start")),
        coverage_end=_day(coverage.get("end")),
        plan_started_on=_plan_started_on(episode, certification),
        plan_certified_on=certification.certified_on if certification else None,
        no_other_monitoring_attested_on=_attested_on(episode, patient),
        already_billed=basis.billed.get(patient.id, ()),
    )


def _lacks(practice: dict[str, Any]) -> list[str]:
    return [key for key in _NEEDED_OF_A_PRACTICE if key not in practice]


def _payer(patient: PatientRow, practice: dict[str, Any], provider: BillingProvider) -> Payer:
    coverage = patient.billing.get("coverage") or {}
    medicare = payer_profile(patient, practice) == MEDICARE
    rule = load_entities()[provider.entity]
    payer_id = coverage.get("payer_id") or ""
    # Most practices have one clearinghouse; a payer of its own connection goes before it.
    receiver = practice.get("clearinghouses", {}).get(payer_id, practice["clearinghouse"])
    return Payer(
        name=coverage.get("payer_name") or "",
        payer_id=payer_id,
        filing_code=rule.medicare_filing if medicare else _COMMERCIAL_FILING,
        receiver_name=receiver["name"],
        receiver_id=receiver["id"],
    )


def _subscriber(patient: PatientRow) -> Subscriber:
    facts = patient.demographics
    coverage = patient.billing.get("coverage") or {}
    return Subscriber(
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
    )


def _plan_started_on(episode: Episode, certification: Certification | None) -> date | None:
    """The first treatment under the plan, as recorded with its certification.

    Without one it is taken to be the start of monitoring: this service sees no visit, and the plan
    was there by then, or nothing would bear a therapy modifier.
    """
    if episode.therapy_plan is None:
        return None
    return certification.plan_started_on if certification else episode.start


def _attested_on(episode: Episode, patient: PatientRow) -> date | None:
    at = episode.no_other_monitoring_attested_at
    return None if at is None else local_date(at, ZoneInfo(patient.time_zone))


def _billed(db: Session, patient_ids: Sequence[int]) -> dict[int, tuple[BilledLine, ...]]:
    """The patients' lines that left and stand, of every episode."""
    rows = db.scalars(
        select(ClaimLineRow)
        .where(among(db, ClaimLineRow.patient_id, patient_ids), ClaimLineRow.released_at.is_(None))
        .order_by(ClaimLineRow.id)
    )
    billed: dict[int, tuple[BilledLine, ...]] = {}
    for row in rows:
        line = BilledLine(row.claim_id, row.code, row.service_date, tuple(row.modifiers))
        billed[row.patient_id] = (*billed.get(row.patient_id, ()), line)
    return billed


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
        entity=billing_entity(practice),
    )


def _referring(
    practice: dict[str, Any], certification: Certification | None
) -> Practitioner | None:
    """Who certified the plan, else whom the practice names for all its plans."""
    if certification is not None:
        return Practitioner(certification.family, certification.given, certification.npi)
    referring = practice.get("certifying_practitioner")
    return None if referring is None else Practitioner(**referring)


def _day(value: str | None) -> date | None:
    return None if value is None else date.fromisoformat(value)
