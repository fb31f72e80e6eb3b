"""The institutional claim file: X12 837I, implementation guide 005010X223A2.

For hospital outpatient departments, rehabilitation agencies, CORFs, FQHCs and RHCs; what differs
between them is data (billing/entities.yaml). Occurrence, value and condition codes are left out:
whether a contractor asks for the dates of the therapy plan on RTM claims was not established.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from billing.claim import on_the_wire as _text
from billing.claim_model import Claim, ClaimLine, Practitioner
from billing.entities import Institutional, load_entities
from billing.x12_envelope import (
    ClaimLoops,
    Interchange,
    claim_loops,
    diagnoses,
    facility,
    money,
    note,
    person,
    references,
    write_interchange,
)

VERSION = "005010X223A2"

# CL1, which the guide requires of every institutional claim: type of visit 3 (elective: RTM is
# planned), point of origin 1 (from home) and patient status 01 (NUBC FL14, 15 and 17). House
# choice: contractors differ on 01 or 30 for outpatients whose treatment goes on.
_CL1 = "CL1*3*1*01"

_THERAPY = ("GP", "GO", "GN")


def write_837i(claims: Sequence[Claim], interchange: Interchange) -> str:
    """One interchange to one receiver: a transaction set for each payer, in it the claims of
    each billing provider together. Type of bill and revenue codes follow the provider's entity.

    Raises:
        ValueError: as `write_837p`; or a billing provider that bills professional claims, a line
            without a known revenue code, or therapy without the clinician who certified the plan.
    """
    return write_interchange([loops_837i(claim) for claim in claims], interchange)


def loops_837i(claim: Claim) -> ClaimLoops:
    """The claim as it stands in such a file. Raises ValueError as `write_837i` does for one."""
    return claim_loops(claim, VERSION, _claim)


def institutional(claim: Claim) -> Institutional:
    """How the claim's billing provider bills. Raises ValueError if on professional claims."""
    entity = claim.billing_provider.entity
    rule = load_entities()[entity].institutional
    if rule is None:
        raise ValueError(f"claim {claim.id}: {entity} bills professional claims")
    return rule


def attending(claim: Claim) -> Practitioner:
    """Who attends in the sense of FL76 and NM1*71.

    For therapy that is the physician or practitioner who certified the plan of care, never the
    therapist (Medicare Claims Processing Manual ch. 5; apta.org 2023-07-11); outside a therapy
    plan it is who rendered the service.

    Raises:
        ValueError: therapy without a certifying clinician.
    """
    therapy = any(set(_THERAPY) & set(line.charge.modifiers) for line in claim.lines)
    if not therapy:
        return claim.rendering
    if claim.referring is None:
        raise ValueError(f"claim {claim.id} names nobody who certified the plan of care")
    return claim.referring


def _claim(claim: Claim) -> Iterator[str]:
    rule, physician = institutional(claim), attending(claim)
    place = f"{rule.type_of_bill}:A:{claim.frequency}"
    dates = [claim.dates_of(line) for line in claim.lines]
    first, last = min(start for start, _ in dates), max(end for _, end in dates)
    yield f"CLM*{_text(claim.id)}*{money(claim.total)}***{place}**A*Y*Y"
    yield f"DTP*434*RD8*{first:%Y%m%d}-{last:%Y%m%d}"
    yield _CL1
    yield from references(claim)
    yield from note(claim)
    principal, *other = diagnoses(claim)
    yield f"HI*{principal}"
    if other:
        yield "*".join(["HI", *other])
    yield person("71", physician)
    if physician.taxonomy:
        yield f"PRV*AT*PXC*{physician.taxonomy}"
    if rule.rendering and claim.rendering.npi != physician.npi:
        yield person("82", claim.rendering)
    if claim.service_facility is not None:
        yield from facility("77", claim.service_facility)
    if claim.referring is not None and claim.referring.npi != physician.npi:
        yield person("DN", claim.referring)
    for number, (line, (_, day)) in enumerate(zip(claim.lines, dates, strict=True), start=1):
        yield from _line(number, line, rule, day)


def _line(number: int, line: ClaimLine, rule: Institutional, day: date) -> Iterator[str]:
    """A line bears a single date even where the payer takes a range: outpatient lines are paid
    by their date of service, and of two validators one takes no range here."""
    charge = line.charge
    revenue = rule.revenue_code(charge.code, charge.modifiers)
    procedure = ":".join(["HC", charge.code, *charge.modifiers])
    yield f"LX*{number}"
    yield f"SV2*{revenue}*{procedure}*{money(line.amount)}*UN*{charge.units}"
    yield f"DTP*472*D8*{day:%Y%m%d}"
    yield f"REF*6R*{_text(line.id)}"
