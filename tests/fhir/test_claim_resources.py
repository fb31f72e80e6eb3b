"""Claim and ChargeItem are valid R4 by a validator that is not ours, and say what was charged."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fhir.claim import (
    MODIFIER_EXTENSION,
    ChargeValues,
    ClaimValues,
    Performer,
    charge_item,
    claim_resource,
)
from tests.fhir.r4 import r4_issues

SETUP = ChargeValues(
    id="HS-1-1",
    code="98975",
    label="Set-up and patient teaching",
    modifiers=("GP",),
    units=1,
    amount=Decimal("21.71"),
    first=date(2026, 3, 2),
    last=date(2026, 3, 3),
    dates=(date(2026, 3, 3), date(2026, 3, 3)),
    diagnoses=(1, 2),
    evidence=("DocumentReference/d1", "Observation/o1"),
)
MANAGEMENT = replace(
    SETUP,
    id="HS-1-2",
    code="98981",
    modifiers=("GP", "CQ"),
    units=2,
    amount=Decimal("83.50"),
    dates=(date(2026, 3, 1), date(2026, 3, 31)),
    evidence=(),
)
CLAIM = ClaimValues(
    id="HS-1",
    type="professional",
    created=date(2026, 4, 1),
    patient="Patient/p1",
    coverage="Coverage/c1",
    provider=Performer("1999999901", "Prairie Rehab Clinic", "Organization/o1"),
    payer_id="00000",
    payer_name="Sample Medicare MAC",
    rendering=Performer("1999999919", "Terry Alvarez"),
    referring=Performer("1999999927", "Robin Chen"),
    diagnoses=("M17.11", "Z96.651"),
    charges=(SETUP, MANAGEMENT),
    place_of_service="11",
)
HOSPITAL = replace(
    CLAIM,
    type="institutional",
    place_of_service=None,
    charges=tuple(replace(charge, revenue_code="0420") for charge in CLAIM.charges),
)
CORRECTED = replace(
    CLAIM, frequency="7", payer_claim_number="ICN-1", prior_authorization="AUTH-1", referring=None
)
VOID = replace(CORRECTED, frequency="8")


def test_every_kind_of_claim_and_charge_is_valid_r4() -> None:
    resources = [
        resource
        for claim in (CLAIM, HOSPITAL, CORRECTED, VOID)
        for resource in (claim_resource(claim), *(charge_item(claim, c) for c in claim.charges))
    ]
    assert len(resources) == 12
    assert r4_issues(resources) == []


def test_the_validator_does_reject_a_broken_claim() -> None:
    claim = claim_resource(CLAIM)
    assert r4_issues([{k: v for k, v in claim.items() if k != "insurance"}]) != []
    assert r4_issues([claim | {"status": "sent"}]) != []
    charge = charge_item(CLAIM, SETUP)
    assert r4_issues([charge | {"modifier": ["GP"]}]) != []


def test_a_claim_says_what_the_837_says() -> None:
    claim = claim_resource(HOSPITAL)
    assert claim["type"]["coding"][0]["code"] == "institutional"
    assert claim["billablePeriod"] == {"start": "2026-03-01", "end": "2026-03-31"}
    assert claim["total"] == {"value": 105.21, "currency": "USD"}
    first, second = claim["item"]
    assert first["servicedDate"] == "2026-03-03"
    assert second["servicedPeriod"] == {"start": "2026-03-01", "end": "2026-03-31"}
    assert first["diagnosisSequence"] == [1, 2]
    assert [m["coding"][0]["code"] for m in second["modifier"]] == ["GP", "CQ"]
    assert second["quantity"] == {"value": 2}
    assert first["revenue"]["coding"][0]["code"] == "0420"
    assert [d["diagnosisCodeableConcept"]["coding"][0]["code"] for d in claim["diagnosis"]] == [
        "M17.11",
        "Z96.651",
    ]


def test_a_charge_says_what_the_ft1_says() -> None:
    charge = charge_item(CLAIM, SETUP)
    assert charge["identifier"][0]["value"] == "HS-1-1"
    assert charge["code"]["coding"][0]["code"] == "98975"
    assert charge["code"]["extension"] == [
        {
            "url": MODIFIER_EXTENSION,
            "valueCoding": {
                "system": "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
                "code": "GP",
            },
        }
    ]
    assert charge["occurrencePeriod"] == {"start": "2026-03-02", "end": "2026-03-03"}
    assert charge["performer"][0]["actor"]["identifier"]["value"] == "1999999919"
    assert charge["quantity"] == {"value": 1}
    assert [r["coding"][0]["code"] for r in charge["reason"]] == ["M17.11", "Z96.651"]
    assert [r["reference"] for r in charge["supportingInformation"]] == [
        "DocumentReference/d1",
        "Observation/o1",
    ]


def test_a_replacement_and_a_void_name_the_claim_before() -> None:
    for claim, status, charge_status in (
        (CORRECTED, "active", "billable"),
        (VOID, "cancelled", "entered-in-error"),
    ):
        resource = claim_resource(claim)
        assert resource["status"] == status
        assert resource["related"][0]["reference"]["value"] == "ICN-1"
        assert charge_item(claim, SETUP)["status"] == charge_status
    assert claim_resource(CORRECTED)["insurance"][0]["preAuthRef"] == ["AUTH-1"]


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        (replace(CLAIM, charges=()), "has no charges"),
        (replace(CLAIM, frequency="8"), "without the payer's number"),
    ],
)
def test_a_claim_that_can_not_be_written_is_refused(claim: ClaimValues, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        claim_resource(claim)


@st.composite
def charge_values(draw: st.DrawFn) -> ChargeValues:
    first = draw(st.dates(date(2026, 1, 1), date(2026, 11, 1)))
    last = first + timedelta(days=draw(st.integers(0, 29)))
    return replace(
        SETUP,
        id=str(draw(st.uuids())),
        modifiers=tuple(draw(st.lists(st.sampled_from(["GP", "CQ", "KX", "59"]), unique=True))),
        units=draw(st.integers(1, 9)),
        amount=Decimal(draw(st.integers(1, 9_999_999))) / 100,
        first=first,
        last=last,
        dates=draw(st.sampled_from([(first, last), (last, last)])),
    )


@settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(charges=st.lists(charge_values(), min_size=1, max_size=12))
def test_random_charges_are_valid_and_sum_up(charges: list[ChargeValues]) -> None:
    claim = replace(CLAIM, charges=tuple(charges))
    resource = claim_resource(claim)
    assert r4_issues([resource, *(charge_item(claim, charge) for charge in charges)]) == []
    total = sum(charge.amount for charge in charges)
    assert Decimal(str(resource["total"]["value"])) == total
    assert sum(Decimal(str(item["net"]["value"])) for item in resource["item"]) == total
