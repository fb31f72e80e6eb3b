"""Claims as FHIR: one transaction Bundle of Claim and ChargeItem that a server takes as it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from billing.claim_model import Claim, ClaimLine, Practitioner
from billing.entities import load_entities
from billing.rules import load_rules
from fhir.bundle import Resource, create_once, transaction, urn
from fhir.claim import (
    ChargeValues,
    ClaimValues,
    Performer,
    charge_item,
    claim_resource,
    coverage_resource,
)


def claims_bundle(claims: Sequence[tuple[Claim, str, str | None]], created: date) -> Resource:
    """Each claim with its charges, created once however often the Bundle is sent.

    `claims` come with the patient's id in the EHR, and the coverage's where the EHR gave one;
    without it the Bundle brings the coverage along.
    """
    entries: list[Resource] = []
    for claim, patient_id, coverage_id in claims:
        coverage = f"Coverage/{coverage_id}"
        if coverage_id is None:
            coverage = urn("homestretch", "coverage", claim.id)
            entries.append(
                create_once(
                    coverage_resource(
                        f"{claim.id}-coverage",
                        patient=f"Patient/{patient_id}",
                        member_id=claim.subscriber.member_id,
                        payer_id=claim.payer.payer_id,
                        payer_name=claim.payer.name,
                    ),
                    coverage,
                )
            )
        values = _values(claim, f"Patient/{patient_id}", coverage, created)
        entries.append(create_once(claim_resource(values), urn("homestretch", "claim", claim.id)))
        entries += [
            create_once(charge_item(values, charge), urn("homestretch", "charge", charge.id))
            for charge in values.charges
        ]
    return transaction(entries)


def _values(claim: Claim, patient: str, coverage: str, created: date) -> ClaimValues:
    provider = claim.billing_provider
    institutional = load_entities()[provider.entity].institutional
    return ClaimValues(
        id=claim.id,
        type="professional" if institutional is None else "institutional",
        created=created,
        patient=patient,
        coverage=coverage,
        provider=Performer(provider.npi, provider.name),
        payer_id=claim.payer.payer_id,
        payer_name=claim.payer.name,
        rendering=_performer(claim.rendering),
        referring=None if claim.referring is None else _performer(claim.referring),
        diagnoses=claim.diagnoses,
        charges=tuple(_charge(claim, line) for line in claim.lines),
        place_of_service=provider.place_of_service if institutional is None else None,
        frequency=claim.frequency,
        payer_claim_number=claim.payer_claim_number,
        prior_authorization=claim.prior_authorization,
    )


def _charge(claim: Claim, line: ClaimLine) -> ChargeValues:
    charge = line.charge
    rules = load_rules().on(charge.service_date)
    institutional = load_entities()[claim.billing_provider.entity].institutional
    return ChargeValues(
        id=line.id,
        code=charge.code,
        label=charge.code if rules is None else rules.codes[charge.code].label,
        modifiers=charge.modifiers,
        units=charge.units,
        amount=line.amount,
        first=charge.first,
        last=charge.last,
        dates=claim.dates_of(line),
        diagnoses=line.pointers,
        revenue_code=None
        if institutional is None
        else institutional.revenue_code(charge.code, charge.modifiers),
    )


def _performer(who: Practitioner) -> Performer:
    return Performer(who.npi, f"{who.given} {who.family}".strip())
