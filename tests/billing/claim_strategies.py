"""Random claims that a scrubber would let through: hypothesis strategies."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from billing.account import Charge
from billing.claim import on_the_wire
from billing.claim_model import (
    Claim,
    ClaimLine,
    Dependent,
    Entity,
    Practitioner,
    ServiceFacility,
    Submitter,
)
from tests.billing.sample import sample_claim

GOOD = sample_claim()
SUBMITTER = Submitter("Prairie Billing", "PRAIRIEBILL", "Ana Lee", "555-555-0101")
FACILITY = ServiceFacility("Prairie Pool", "1999999935", GOOD.billing_provider.address)

# Two validators read every example: few examples, and a failing one is shown as it is, for
# shrinking it would take minutes.
by_validators = settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

_CODES = ("98975", "98977", "98979", "98980", "98981", "98985")
_DIAGNOSES = ("M17.11", "M17.12", "Z96.651", "M25.511", "M54.50", "S83.511D", "M75.101", "R26.2")


def names(most: int) -> st.SearchStrategy[str]:
    """Names of up to `most` letters with accents and signs, some of which ASCII can hold."""
    letters = st.characters(min_codepoint=0x20, max_codepoint=0x24F, exclude_categories=["Cc"])
    return (
        st.text(letters, max_size=most - 1)
        .map(lambda rest: "A" + rest)
        .filter(lambda name: len(on_the_wire(name)) <= most)
    )


@st.composite
def charges(draw: st.DrawFn) -> Charge:
    first = draw(st.dates(date(2026, 1, 1), date(2026, 11, 1)))
    return Charge(
        code=draw(st.sampled_from(_CODES)),
        units=draw(st.integers(1, 3)),
        modifiers=("GP", *draw(st.lists(st.sampled_from(["CQ", "KX", "59"]), unique=True))),
        first=first,
        last=first + timedelta(days=draw(st.integers(0, 29))),
        amount=Decimal(draw(st.integers(1, 9_999_999))) / 100,
        reasons=(),
        dated_by=draw(st.sampled_from(["last_day", "range"])),
    )


@st.composite
def claims(draw: st.DrawFn, entity: Entity = "private_practice", most_lines: int = 9) -> Claim:
    """Of one receiver; of several payers, billing providers and patients."""
    claim_id = f"C{draw(st.integers(0, 10**9))}"
    diagnoses = tuple(draw(st.lists(st.sampled_from(_DIAGNOSES), min_size=1, max_size=12)))
    pointers = st.lists(
        st.integers(1, len(diagnoses)), min_size=1, max_size=min(4, len(diagnoses)), unique=True
    ).map(tuple)
    found = draw(st.lists(charges(), min_size=1, max_size=most_lines))
    person = replace(GOOD.subscriber, family=draw(names(60)), given=draw(names(35)))
    frequency = draw(st.sampled_from(["1", "7", "8"]))
    return replace(
        GOOD,
        id=claim_id,
        billing_provider=replace(
            GOOD.billing_provider,
            name=draw(st.sampled_from(["Prairie Rehab Clinic", "Lake Réhab"])),
            entity=entity,
        ),
        rendering=draw(
            st.sampled_from([GOOD.rendering, Practitioner("Prairie", "", "1999999901")])
        ),
        payer=replace(
            GOOD.payer,
            payer_id=draw(st.sampled_from(["00000", "60054"])),
        ),
        subscriber=person,
        dependent=draw(
            st.none()
            | st.builds(
                Dependent,
                family=names(60),
                given=names(35),
                birth_date=st.dates(date(1940, 1, 1), date(2026, 1, 1)),
                gender=st.sampled_from(["female", "male"]),
                address=st.just(person.address),
                relationship=st.sampled_from(["spouse", "child", "other"]),
            )
        ),
        diagnoses=diagnoses,
        lines=tuple(
            ClaimLine(f"{claim_id}-{n}", charge, draw(pointers))
            for n, charge in enumerate(found, start=1)
        ),
        prior_authorization=draw(st.none() | st.just("AUTH-1")),
        frequency=frequency,
        payer_claim_number=None if frequency == "1" else "ICN 123",
        service_facility=draw(st.none() | st.just(FACILITY)),
    )
