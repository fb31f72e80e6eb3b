"""What the two claim files share: envelope, submitter, billing provider, subscriber, patient.

ISA, GS and one transaction set (ST) for each payer, so that a rejected set holds up one payer's
claims only; loops 2000A to 2010CA of X12 005010X222A1 and 005010X223A2, which are the same here.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from pyx12.segment import Segment
from pyx12.x12file import X12Writer

from billing.claim import icd10_on_the_wire
from billing.claim import on_the_wire as _text
from billing.claim_model import (
    BillingProvider,
    Claim,
    Dependent,
    Payer,
    Practitioner,
    ServiceFacility,
    Submitter,
    Subscriber,
    sex_letter,
)

LARGEST_CONTROL_NUMBER = 999_999_999

# The implementation guides recommend at most 5,000 claims in a transaction set (1.3.2).
MOST_CLAIMS_IN_SET = 5_000

# A professional claim has at most 50 service lines, an institutional one 999 (2400 LX).
MOST_LINES = {"005010X222A1": 50, "005010X223A2": 999}

# NTE02 takes 80 characters.
LONGEST_NOTE = 80

_RELATIONSHIPS = {"spouse": "01", "child": "19", "other": "G8"}


@dataclass(frozen=True)
class Interchange:
    """The envelope. `control_number` (1–999,999,999) never repeats for a sender.

    `created` is local to the sender; `production` False marks a test file (ISA15 T).
    `submitter` may be left out where all claims are of one practice, which then sends them itself.
    """

    control_number: int
    created: datetime
    production: bool = False
    submitter: Submitter | None = None


def write_interchange(
    claims: Sequence[Claim],
    interchange: Interchange,
    version: str,
    write_claim: Callable[[Claim], Iterator[str]],
) -> str:
    """One interchange to one receiver; `write_claim` yields the segments from CLM on.

    Raises:
        ValueError: no claims, several receivers, several billing providers without a submitter,
            a control number outside its range, or a claim that the format can't hold.
    """
    if not 1 <= interchange.control_number <= LARGEST_CONTROL_NUMBER:
        raise ValueError(f"interchange control number {interchange.control_number} is out of range")
    if not claims:
        raise ValueError("a file needs at least one claim")
    if len({(claim.payer.receiver_id, claim.payer.receiver_name) for claim in claims}) != 1:
        raise ValueError("a file goes to one receiver, and these claims have several")
    submitter = interchange.submitter or _own_submitter(claims)
    for claim in claims:
        _refuse_unwritable(claim, version)
    stream = io.StringIO()
    with X12Writer(stream, seg_term="~", ele_term="*", subele_term=":", eol="\n") as writer:
        for segment in _segments(claims, interchange, submitter, version, write_claim):
            writer.Write(Segment(segment, "~", "*", ":"))
    return stream.getvalue()


def person(role: str, who: Practitioner) -> str:
    """NM1 of a practitioner with NPI."""
    return f"NM1*{role}*1*{_text(who.family)}*{_text(who.given)}****XX*{who.npi}"


def facility(role: str, where: ServiceFacility) -> Iterator[str]:
    """NM1, N3 and N4 of a service facility location."""
    yield f"NM1*{role}*2*{_text(where.name)}*****XX*{where.npi}"
    yield f"N3*{_text(where.address.line)}"
    yield n4(where.address.city, where.address.state, where.address.zip_digits)


def references(claim: Claim) -> Iterator[str]:
    """The claim's prior authorisation and, of a replacement or void, the payer's own number."""
    if claim.prior_authorization:
        yield f"REF*G1*{_text(claim.prior_authorization)}"
    if claim.payer_claim_number:
        yield f"REF*F8*{_text(claim.payer_claim_number)}"


def note(claim: Claim) -> Iterator[str]:
    """The claim's note, if it has one."""
    if claim.note:
        yield f"NTE*ADD*{_text(claim.note)}"


def diagnoses(claim: Claim) -> tuple[str, ...]:
    """As composites, the principal one first."""
    primary, *other = (icd10_on_the_wire(code) for code in claim.diagnoses)
    return (f"ABK:{primary}", *(f"ABF:{code}" for code in other))


def n4(city: str, state: str, zip_digits: str) -> str:
    return f"N4*{_text(city)}*{_text(state)}*{zip_digits}"


def money(amount: Decimal) -> str:
    """Without trailing zeros or point, as X12 R elements are written."""
    digits = f"{amount:.2f}".rstrip("0").rstrip(".")
    return digits or "0"


def _own_submitter(claims: Sequence[Claim]) -> Submitter:
    submitters = {claim.billing_provider.as_submitter for claim in claims}
    if len(submitters) != 1:
        raise ValueError("the claims of several billing providers need a named submitter")
    return submitters.pop()


def _refuse_unwritable(claim: Claim, version: str) -> None:
    """Raises ValueError for what no file can say; all else is the scrubber's matter."""
    if not claim.lines:
        raise ValueError(f"claim {claim.id} has no lines")
    if len(claim.lines) > MOST_LINES[version]:
        raise ValueError(f"claim {claim.id} has more than {MOST_LINES[version]} lines")
    if not claim.diagnoses:
        raise ValueError(f"claim {claim.id} has no diagnosis")
    if claim.frequency != "1" and not claim.payer_claim_number:
        raise ValueError(f"claim {claim.id} corrects a claim without the payer's number of it")
    if claim.note and len(_text(claim.note)) > LONGEST_NOTE:
        raise ValueError(f"the note of claim {claim.id} is longer than {LONGEST_NOTE} characters")


def _segments(
    claims: Sequence[Claim],
    interchange: Interchange,
    submitter: Submitter,
    version: str,
    write_claim: Callable[[Claim], Iterator[str]],
) -> Iterator[str]:
    payer = claims[0].payer
    number = f"{interchange.control_number:09d}"
    day, time = f"{interchange.created:%Y%m%d}", f"{interchange.created:%H%M}"
    usage = "P" if interchange.production else "T"
    sender, receiver = _text(submitter.id), _text(payer.receiver_id)
    yield (
        f"ISA*00*{'':10}*00*{'':10}*ZZ*{sender:15.15}*ZZ*{receiver:15.15}*{day[2:]}*{time}"
        f"*^*00501*{number}*0*{usage}*:"
    )
    yield f"GS*HC*{sender}*{receiver}*{day}*{time}*{interchange.control_number}*X*{version}"
    for place, batch in enumerate(_sets(claims), start=1):
        batch_id = number if place == 1 else f"{number}-{place}"
        yield f"ST*837*{place:04d}*{version}"
        yield f"BHT*0019*00*{batch_id}*{day}*{time}*CH"
        yield f"NM1*41*2*{_text(submitter.name)}*****46*{sender}"
        yield f"PER*IC*{_text(submitter.contact_name)}*TE*{_digits(submitter.contact_phone)}"
        yield f"NM1*40*2*{_text(payer.receiver_name)}*****46*{receiver}"
        yield from _hierarchy(batch, write_claim)
        yield "SE"  # the writer counts the set's segments and fills the trailer in


def _sets(claims: Sequence[Claim]) -> Iterator[Sequence[Claim]]:
    """The claims by payer, in the order in which payers first occur."""
    by_payer: dict[tuple[str, str], list[Claim]] = {}
    for claim in claims:
        by_payer.setdefault((claim.payer.payer_id, claim.payer.name), []).append(claim)
    for batch in by_payer.values():
        for start in range(0, len(batch), MOST_CLAIMS_IN_SET):
            yield batch[start : start + MOST_CLAIMS_IN_SET]


def _hierarchy(
    claims: Sequence[Claim], write_claim: Callable[[Claim], Iterator[str]]
) -> Iterator[str]:
    first_seen = {provider: None for provider in (claim.billing_provider for claim in claims)}
    order = list(first_seen)
    level = 0
    by_provider = sorted(claims, key=lambda claim: order.index(claim.billing_provider))
    for provider, theirs in groupby(by_provider, key=lambda claim: claim.billing_provider):
        level = parent = level + 1
        yield f"HL*{level}**20*1"
        yield from _billing_provider(provider)
        for claim in theirs:
            level = insured = level + 1
            yield f"HL*{level}*{parent}*22*{0 if claim.dependent is None else 1}"
            yield from _subscriber(claim.subscriber, claim.payer, is_patient=not claim.dependent)
            if claim.dependent is not None:
                level += 1
                yield f"HL*{level}*{insured}*23*0"
                yield from _dependent(claim.dependent)
            yield from write_claim(claim)


def _billing_provider(provider: BillingProvider) -> Iterator[str]:
    yield f"PRV*BI*PXC*{provider.taxonomy}"
    yield f"NM1*85*2*{_text(provider.name)}*****XX*{provider.npi}"
    yield f"N3*{_text(provider.address.line)}"
    yield n4(provider.address.city, provider.address.state, provider.address.zip_digits)
    yield f"REF*EI*{provider.tax_id}"


def _subscriber(insured: Subscriber, payer: Payer, *, is_patient: bool) -> Iterator[str]:
    yield f"SBR*P*{'18' if is_patient else ''}*******{payer.filing_code}"
    name = f"{_text(insured.family)}*{_text(insured.given)}"
    yield f"NM1*IL*1*{name}****MI*{_text(insured.member_id)}"
    if is_patient:
        yield from _demographics(insured)
    yield f"NM1*PR*2*{_text(payer.name)}*****PI*{_text(payer.payer_id)}"


def _dependent(patient: Dependent) -> Iterator[str]:
    yield f"PAT*{_RELATIONSHIPS[patient.relationship]}"
    yield f"NM1*QC*1*{_text(patient.family)}*{_text(patient.given)}".rstrip("*")
    yield from _demographics(patient)


def _demographics(who: Subscriber | Dependent) -> Iterator[str]:
    yield f"N3*{_text(who.address.line)}"
    yield n4(who.address.city, who.address.state, who.address.zip_digits)
    yield f"DMG*D8*{who.birth_date:%Y%m%d}*{sex_letter(who.gender)}"


def _digits(value: str) -> str:
    return re.sub(r"\D", "", value)
