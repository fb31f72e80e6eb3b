"""The professional claim file: X12 837P, implementation guide 005010X222A1."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from pyx12.segment import Segment
from pyx12.x12file import X12Writer

from billing.claim import Claim, ClaimLine, Payer, Practitioner, icd10_on_the_wire
from billing.claim import on_the_wire as _text

VERSION = "005010X222A1"


@dataclass(frozen=True)
class Interchange:
    """The envelope. `control_number` (1–999,999,999) never repeats for a sender.

    `created` is local to the sender; `production` False marks a test file (ISA15 T).
    """

    control_number: int
    created: datetime
    production: bool = False


def write_837p(claims: Sequence[Claim], interchange: Interchange) -> str:
    """One interchange with one transaction set; claims of one billing provider and receiver.

    Raises:
        ValueError: no claims, or claims of several billing providers or receivers; or a control
            number outside its range.
    """
    if not 1 <= interchange.control_number <= 999_999_999:
        raise ValueError(f"interchange control number {interchange.control_number} is out of range")
    providers = {claim.billing_provider for claim in claims}
    receivers = {(claim.payer.receiver_id, claim.payer.receiver_name) for claim in claims}
    if len(providers) != 1 or len(receivers) != 1:
        raise ValueError("a file holds the claims of one billing provider to one receiver")
    stream = io.StringIO()
    with X12Writer(stream, seg_term="~", ele_term="*", subele_term=":", eol="\n") as writer:
        for segment in _segments(claims, interchange):
            writer.Write(Segment(segment, "~", "*", ":"))
    return stream.getvalue()


def _segments(claims: Sequence[Claim], interchange: Interchange) -> Iterator[str]:
    provider, payer = claims[0].billing_provider, claims[0].payer
    number = f"{interchange.control_number:09d}"
    day, time = f"{interchange.created:%Y%m%d}", f"{interchange.created:%H%M}"
    usage = "P" if interchange.production else "T"
    sender, receiver = _text(provider.submitter_id), _text(payer.receiver_id)
    yield (
        f"ISA*00*{'':10}*00*{'':10}*ZZ*{sender:15.15}*ZZ*{receiver:15.15}*{day[2:]}*{time}"
        f"*^*00501*{number}*0*{usage}*:"
    )
    yield f"GS*HC*{sender}*{receiver}*{day}*{time}*{interchange.control_number}*X*{VERSION}"
    yield f"ST*837*0001*{VERSION}"
    yield f"BHT*0019*00*{number}*{day}*{time}*CH"
    yield f"NM1*41*2*{_text(provider.name)}*****46*{sender}"
    yield f"PER*IC*{_text(provider.contact_name)}*TE*{_digits(provider.contact_phone)}"
    yield f"NM1*40*2*{_text(payer.receiver_name)}*****46*{receiver}"
    yield "HL*1**20*1"
    yield f"PRV*BI*PXC*{provider.taxonomy}"
    yield f"NM1*85*2*{_text(provider.name)}*****XX*{provider.npi}"
    yield f"N3*{_text(provider.address.line)}"
    yield _n4(provider.address.city, provider.address.state, provider.address.zip_digits)
    yield f"REF*EI*{provider.tax_id}"
    for place, claim in enumerate(claims, start=2):
        yield from _subscriber(claim, place)
        yield from _claim(claim)


def _subscriber(claim: Claim, hierarchy: int) -> Iterator[str]:
    person, payer = claim.subscriber, claim.payer
    yield f"HL*{hierarchy}*1*22*0"
    yield f"SBR*P*18*******{payer.filing_code}"
    yield f"NM1*IL*1*{_text(person.family)}*{_text(person.given)}****MI*{_text(person.member_id)}"
    yield f"N3*{_text(person.address.line)}"
    yield _n4(person.address.city, person.address.state, person.address.zip_digits)
    yield f"DMG*D8*{person.birth_date:%Y%m%d}*{_gender(person.gender)}"
    yield _payer(payer)


def _claim(claim: Claim) -> Iterator[str]:
    place = claim.billing_provider.place_of_service
    yield f"CLM*{_text(claim.id)}*{_money(claim.total)}***{place}:B:1*Y*A*Y*Y"
    if claim.prior_authorization:
        yield f"REF*G1*{_text(claim.prior_authorization)}"
    primary, *other = (icd10_on_the_wire(code) for code in claim.diagnoses)
    yield "*".join(["HI", f"ABK:{primary}", *(f"ABF:{code}" for code in other)])
    if claim.referring is not None:
        yield _person("DN", claim.referring)
    if claim.rendering.npi != claim.billing_provider.npi:
        yield _person("82", claim.rendering)
        yield f"PRV*PE*PXC*{claim.rendering.taxonomy}"
    for number, line in enumerate(claim.lines, start=1):
        yield from _line(number, line)


def _line(number: int, line: ClaimLine) -> Iterator[str]:
    charge = line.charge
    procedure = ":".join(["HC", charge.code, *charge.modifiers])
    pointers = ":".join(str(pointer) for pointer in line.pointers)
    yield f"LX*{number}"
    yield f"SV1*{procedure}*{_money(line.amount)}*UN*{charge.units}***{pointers}"
    yield f"DTP*472*D8*{charge.service_date:%Y%m%d}"
    yield f"REF*6R*{_text(line.id)}"
    yield f"NTE*ADD*{_text(_period_note(charge.first, charge.last))}"


def _period_note(first: date, last: date) -> str:
    return f"PERIOD {first:%Y%m%d}-{last:%Y%m%d}"


def _payer(payer: Payer) -> str:
    return f"NM1*PR*2*{_text(payer.name)}*****PI*{_text(payer.payer_id)}"


def _person(role: str, person: Practitioner) -> str:
    return f"NM1*{role}*1*{_text(person.family)}*{_text(person.given)}****XX*{person.npi}"


def _n4(city: str, state: str, zip_digits: str) -> str:
    return f"N4*{_text(city)}*{_text(state)}*{zip_digits}"


def _gender(gender: str) -> str:
    return {"female": "F", "male": "M"}.get(gender.lower(), "U")


def _money(amount: Decimal) -> str:
    """Without trailing zeros or point, as X12 R elements are written."""
    text = f"{amount:.2f}".rstrip("0").rstrip(".")
    return text or "0"


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)
