"""What the two claim files share: envelope, submitter, billing provider, subscriber, patient.

ISA, GS and one transaction set (ST) for each payer, so that a rejected set holds up one payer's
claims only; loops 2000A to 2010CA of X12 005010X222A1 and 005010X223A2, which are the same here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

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


@dataclass(frozen=True)
class ClaimLoops:
    """One claim as text, ready to stand at any place of a file of `version`.

    `insured` are the segments of loop 2000B after its HL, and `dependent` those of loop 2000C; the
    claim ends the last of them.
    """

    claim_id: str
    version: str
    provider: BillingProvider
    payer: Payer
    insured: str
    dependent: str | None = None


def claim_loops(
    claim: Claim, version: str, write_claim: Callable[[Claim], Iterator[str]]
) -> ClaimLoops:
    """The claim as text; `write_claim` yields the segments from CLM on.

    Raises:
        ValueError: the format can't hold the claim.
    """
    _refuse_unwritable(claim, version)
    patient = claim.dependent
    insured = _text_of(_subscriber(claim.subscriber, claim.payer, is_patient=patient is None))
    own = _text_of(write_claim(claim))
    if patient is None:
        return ClaimLoops(claim.id, version, claim.billing_provider, claim.payer, insured + own)
    dependent = _text_of(_dependent(patient)) + own
    return ClaimLoops(claim.id, version, claim.billing_provider, claim.payer, insured, dependent)


def write_interchange(claims: Sequence[ClaimLoops], interchange: Interchange) -> str:
    """One interchange to one receiver.

    Raises:
        ValueError: no claims, several versions or receivers, several billing providers without a
            submitter, or a control number outside its range.
    """
    if not 1 <= interchange.control_number <= LARGEST_CONTROL_NUMBER:
        raise ValueError(f"interchange control number {interchange.control_number} is out of range")
    if not claims:
        raise ValueError("a file needs at least one claim")
    if len({(claim.payer.receiver_id, claim.payer.receiver_name) for claim in claims}) != 1:
        raise ValueError("a file goes to one receiver, and these claims have several")
    if len({claim.version for claim in claims}) != 1:
        raise ValueError("a file is of one version, and these claims have several")
    return "".join(_parts(claims, interchange, interchange.submitter or _own_submitter(claims)))


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


def _text_of(segments: Iterable[str]) -> str:
    """Each segment on its own line; empty elements at its end are left out."""
    return "".join([f"{segment.rstrip('*')}~\n" for segment in segments])


def _own_submitter(claims: Sequence[ClaimLoops]) -> Submitter:
    submitters = {provider.as_submitter for provider in _providers(claims)}
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


def _parts(
    claims: Sequence[ClaimLoops], interchange: Interchange, submitter: Submitter
) -> Iterator[str]:
    payer, version = claims[0].payer, claims[0].version
    control_number = interchange.control_number
    number = f"{control_number:09d}"
    day, time = f"{interchange.created:%Y%m%d}", f"{interchange.created:%H%M}"
    usage = "P" if interchange.production else "T"
    sender, receiver = _text(submitter.id), _text(payer.receiver_id)
    yield _text_of(
        (
            f"ISA*00*{'':10}*00*{'':10}*ZZ*{sender:15.15}*ZZ*{receiver:15.15}*{day[2:]}*{time}"
            f"*^*00501*{number}*0*{usage}*:",
            f"GS*HC*{sender}*{receiver}*{day}*{time}*{control_number}*X*{version}",
        )
    )
    place = 0
    for place, batch in enumerate(_sets(claims), start=1):
        batch_id = number if place == 1 else f"{number}-{place}"
        head = _text_of(
            (
                f"ST*837*{place:04d}*{version}",
                f"BHT*0019*00*{batch_id}*{day}*{time}*CH",
                f"NM1*41*2*{_text(submitter.name)}*****46*{sender}",
                f"PER*IC*{_text(submitter.contact_name)}*TE*{_digits(submitter.contact_phone)}",
                f"NM1*40*2*{_text(payer.receiver_name)}*****46*{receiver}",
            )
        )
        body = "".join(_hierarchy(batch))
        yield head
        yield body
        # SE01 counts the segments of the set, ST and SE included.
        count = head.count("~") + body.count("~") + 1
        yield _text_of((f"SE*{count}*{place:04d}",))
    yield _text_of((f"GE*{place}*{control_number}", f"IEA*1*{number}"))


def _sets(claims: Sequence[ClaimLoops]) -> Iterator[Sequence[ClaimLoops]]:
    """The claims by payer, in the order in which payers first occur."""
    by_payer: dict[tuple[str, str], list[ClaimLoops]] = {}
    for claim in claims:
        by_payer.setdefault((claim.payer.payer_id, claim.payer.name), []).append(claim)
    for batch in by_payer.values():
        for start in range(0, len(batch), MOST_CLAIMS_IN_SET):
            yield batch[start : start + MOST_CLAIMS_IN_SET]


def _hierarchy(claims: Sequence[ClaimLoops]) -> Iterator[str]:
    level = 0
    for provider, theirs in _providers(claims).items():
        level = parent = level + 1
        yield f"HL*{level}**20*1~\n"
        yield _text_of(_billing_provider(provider))
        for claim in theirs:
            level = insured = level + 1
            yield f"HL*{level}*{parent}*22*{0 if claim.dependent is None else 1}~\n"
            yield claim.insured
            if claim.dependent is not None:
                level += 1
                yield f"HL*{level}*{insured}*23*0~\n"
                yield claim.dependent


def _providers(claims: Sequence[ClaimLoops]) -> dict[BillingProvider, list[ClaimLoops]]:
    """The claims by billing provider, in the order in which providers first occur."""
    by_provider: dict[BillingProvider, list[ClaimLoops]] = {}
    for claim in claims:
        by_provider.setdefault(claim.provider, []).append(claim)
    return by_provider


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
