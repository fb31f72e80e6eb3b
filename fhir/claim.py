"""A claim and its charges as Claim and ChargeItem, from plain values.

ChargeItem is the FHIR form of an FT1 (identifier FT1-2, code FT1-7), Claim that of an 837. R4 gives
a ChargeItem no place for modifiers: they stand in our `charge-modifier` extension on its code.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from fhir import codes
from fhir.bundle import Resource
from fhir.codes import identifier

CPT = "http://www.ama-assn.org/go/cpt"
HCPCS_MODIFIER = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
REVENUE = "https://www.nubc.org/CodeSystem/RevenueCodes"
CLAIM_TYPE = "http://terminology.hl7.org/CodeSystem/claim-type"
PRIORITY = "http://terminology.hl7.org/CodeSystem/processpriority"
DIAGNOSIS_TYPE = "http://terminology.hl7.org/CodeSystem/ex-diagnosistype"
CARE_TEAM_ROLE = "http://terminology.hl7.org/CodeSystem/claimcareteamrole"
RELATED_CLAIM = "http://terminology.hl7.org/CodeSystem/ex-relatedclaimrelationship"
PLACE_OF_SERVICE = (
    "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"
)

CLAIM_ID = f"{codes.BASE}/identifier/claim"
CHARGE_ID = f"{codes.BASE}/identifier/charge"
COVERAGE_ID = f"{codes.BASE}/identifier/coverage"
PAYER_CLAIM_NUMBER = f"{codes.BASE}/identifier/payer-claim-number"
MODIFIER_EXTENSION = f"{codes.BASE}/StructureDefinition/charge-modifier"


@dataclass(frozen=True)
class Performer:
    """A practitioner by NPI, and by reference where the EHR has one."""

    npi: str
    name: str
    reference: str | None = None


@dataclass(frozen=True)
class ChargeValues:
    """One charge. `id` is FT1-2 and REF*6R; `amount` is for all `units`, in US dollars.

    `first`-`last` is the period charged for, `dates` what the claim prints; `diagnoses` count
    from 1; `evidence` are references to what supports the charge.
    """

    id: str
    code: str
    label: str
    modifiers: tuple[str, ...]
    units: int
    amount: Decimal
    first: date
    last: date
    dates: tuple[date, date]
    diagnoses: tuple[int, ...]
    evidence: tuple[str, ...] = ()
    revenue_code: str | None = None


@dataclass(frozen=True)
class ClaimValues:
    """One claim. `patient` and `coverage` are references; `frequency` is CLM05-3.

    `payer_claim_number` names the claim that a replacement (7) or void (8) is about.
    """

    id: str
    type: Literal["professional", "institutional"]
    created: date
    patient: str
    coverage: str
    provider: Performer
    payer_id: str
    payer_name: str
    rendering: Performer
    referring: Performer | None
    diagnoses: tuple[str, ...]
    charges: tuple[ChargeValues, ...]
    place_of_service: str | None = None
    frequency: Literal["1", "7", "8"] = "1"
    payer_claim_number: str | None = None
    prior_authorization: str | None = None


def claim_resource(claim: ClaimValues) -> Resource:
    """The Claim; cancelled where it is a void.

    Raises:
        ValueError: no charges, or a replacement or void without the payer's number.
    """
    if not claim.charges:
        raise ValueError(f"claim {claim.id} has no charges")
    if claim.frequency != "1" and not claim.payer_claim_number:
        raise ValueError(f"claim {claim.id} corrects a claim without the payer's number of it")
    resource: Resource = {
        "resourceType": "Claim",
        "identifier": [identifier(CLAIM_ID, claim.id)],
        "status": "cancelled" if claim.frequency == "8" else "active",
        "type": _concept(CLAIM_TYPE, claim.type),
        "use": "claim",
        "patient": {"reference": claim.patient},
        "billablePeriod": {
            "start": min(charge.dates[0] for charge in claim.charges).isoformat(),
            "end": max(charge.dates[1] for charge in claim.charges).isoformat(),
        },
        "created": claim.created.isoformat(),
        "insurer": {"identifier": {"value": claim.payer_id}, "display": claim.payer_name},
        "provider": _actor(claim.provider, "Organization"),
        "priority": _concept(PRIORITY, "normal"),
        "careTeam": _care_team(claim),
        "diagnosis": [
            {
                "sequence": number,
                "diagnosisCodeableConcept": _concept(codes.ICD10CM, code),
                **({"type": [_concept(DIAGNOSIS_TYPE, "principal")]} if number == 1 else {}),
            }
            for number, code in enumerate(claim.diagnoses, start=1)
        ],
        "insurance": [_insurance(claim)],
        "item": [_item(claim, n, charge) for n, charge in enumerate(claim.charges, start=1)],
        "total": _money(sum((charge.amount for charge in claim.charges), Decimal(0))),
    }
    if claim.payer_claim_number:
        resource["related"] = [
            {
                "relationship": _concept(RELATED_CLAIM, "prior"),
                "reference": identifier(PAYER_CLAIM_NUMBER, claim.payer_claim_number),
            }
        ]
    return resource


def charge_item(claim: ClaimValues, charge: ChargeValues) -> Resource:
    """One charge of `claim` as ChargeItem; entered in error where the claim is a void."""
    code: dict[str, Any] = _concept(CPT, charge.code)
    code["text"] = charge.label
    if charge.modifiers:
        code["extension"] = [
            {
                "url": MODIFIER_EXTENSION,
                "valueCoding": {"system": HCPCS_MODIFIER, "code": modifier},
            }
            for modifier in charge.modifiers
        ]
    resource: Resource = {
        "resourceType": "ChargeItem",
        "identifier": [identifier(CHARGE_ID, charge.id)],
        "status": "entered-in-error" if claim.frequency == "8" else "billable",
        "code": code,
        "subject": {"reference": claim.patient},
        "occurrencePeriod": {"start": charge.first.isoformat(), "end": charge.last.isoformat()},
        "performer": [{"actor": _actor(claim.rendering, "Practitioner")}],
        "performingOrganization": _actor(claim.provider, "Organization"),
        "quantity": {"value": charge.units},
        "priceOverride": _money(charge.amount),
        "enteredDate": claim.created.isoformat(),
        "reason": [_concept(codes.ICD10CM, claim.diagnoses[n - 1]) for n in charge.diagnoses],
    }
    if charge.evidence:
        resource["supportingInformation"] = [{"reference": r} for r in charge.evidence]
    return resource


def coverage_resource(
    id_: str, *, patient: str, member_id: str, payer_id: str, payer_name: str
) -> Resource:
    """The insurance that a Claim names, for a server that has given no Coverage of its own."""
    return {
        "resourceType": "Coverage",
        "identifier": [identifier(COVERAGE_ID, id_)],
        "status": "active",
        "subscriberId": member_id,
        "beneficiary": {"reference": patient},
        "payor": [{"identifier": {"value": payer_id}, "display": payer_name}],
    }


def _care_team(claim: ClaimValues) -> list[dict[str, Any]]:
    team = [("primary", claim.rendering)]
    if claim.referring is not None:
        team.append(("other", claim.referring))
    return [
        {
            "sequence": number,
            "provider": _actor(who, "Practitioner"),
            "role": _concept(CARE_TEAM_ROLE, role),
        }
        for number, (role, who) in enumerate(team, start=1)
    ]


def _insurance(claim: ClaimValues) -> dict[str, Any]:
    insurance: dict[str, Any] = {
        "sequence": 1,
        "focal": True,
        "coverage": {"reference": claim.coverage},
    }
    if claim.prior_authorization:
        insurance["preAuthRef"] = [claim.prior_authorization]
    return insurance


def _item(claim: ClaimValues, number: int, charge: ChargeValues) -> dict[str, Any]:
    first, last = charge.dates
    item: dict[str, Any] = {
        "sequence": number,
        "careTeamSequence": [1],
        "diagnosisSequence": list(charge.diagnoses),
        "productOrService": _concept(CPT, charge.code),
        "quantity": {"value": charge.units},
        "net": _money(charge.amount),
    }
    if charge.modifiers:
        item["modifier"] = [_concept(HCPCS_MODIFIER, modifier) for modifier in charge.modifiers]
    if first == last:
        item["servicedDate"] = last.isoformat()
    else:
        item["servicedPeriod"] = {"start": first.isoformat(), "end": last.isoformat()}
    if charge.revenue_code:
        item["revenue"] = _concept(REVENUE, charge.revenue_code)
    if claim.place_of_service:
        item["locationCodeableConcept"] = _concept(PLACE_OF_SERVICE, claim.place_of_service)
    return item


def _actor(who: Performer, type_: str) -> dict[str, Any]:
    """By NPI, which a reader can match even where the reference means nothing to it."""
    actor: dict[str, Any] = {
        "type": type_,
        "identifier": identifier(codes.NPI, who.npi),
        "display": who.name,
    }
    if who.reference:
        actor["reference"] = who.reference
    return actor


def _concept(system: str, code: str) -> dict[str, Any]:
    """Without a display: those of CPT and NUBC are not ours to give."""
    return {"coding": [{"system": system, "code": code}]}


def _money(amount: Decimal) -> dict[str, Any]:
    return {"value": float(amount), "currency": "USD"}
