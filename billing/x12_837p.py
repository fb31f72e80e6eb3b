"""The professional claim file: X12 837P, implementation guide 005010X222A1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from billing.claim import on_the_wire as _text
from billing.claim_model import Claim, ClaimLine
from billing.x12_envelope import (
    ClaimLoops,
    claim_loops,
    diagnoses,
    facility,
    money,
    note,
    person,
    references,
    write_interchange,
)
from billing.x12_envelope import Interchange as Interchange

VERSION = "005010X222A1"


def write_837p(claims: Sequence[Claim], interchange: Interchange) -> str:
    """One interchange to one receiver: a transaction set for each payer, in it the claims of
    each billing provider together.

    Raises:
        ValueError: no claims, several receivers, several billing providers without a submitter,
            a control number outside its range; or a claim without lines or diagnoses, with more
            lines or a longer note than the format takes, or one that corrects another claim
            without the payer's number of it.
    """
    return write_interchange([loops_837p(claim) for claim in claims], interchange)


def loops_837p(claim: Claim) -> ClaimLoops:
    """The claim as it stands in such a file. Raises ValueError as `write_837p` does for one."""
    return claim_loops(claim, VERSION, _claim)


def _claim(claim: Claim) -> Iterator[str]:
    place = f"{claim.billing_provider.place_of_service}:B:{claim.frequency}"
    yield f"CLM*{_text(claim.id)}*{money(claim.total)}***{place}*Y*A*Y*Y"
    yield from references(claim)
    yield from note(claim)
    yield "*".join(["HI", *diagnoses(claim)])
    if claim.referring is not None:
        yield person("DN", claim.referring)
    if claim.rendering.npi != claim.billing_provider.npi:
        yield person("82", claim.rendering)
        if claim.rendering.taxonomy:
            yield f"PRV*PE*PXC*{claim.rendering.taxonomy}"
    if claim.service_facility is not None:
        yield from facility("77", claim.service_facility)
    for number, line in enumerate(claim.lines, start=1):
        yield from _line(number, line, *claim.dates_of(line))


def _line(number: int, line: ClaimLine, first: date, last: date) -> Iterator[str]:
    charge = line.charge
    procedure = ":".join(["HC", charge.code, *charge.modifiers])
    pointers = ":".join(str(pointer) for pointer in line.pointers)
    yield f"LX*{number}"
    yield f"SV1*{procedure}*{money(line.amount)}*UN*{charge.units}***{pointers}"
    if first == last:
        yield f"DTP*472*D8*{last:%Y%m%d}"
    else:
        yield f"DTP*472*RD8*{first:%Y%m%d}-{last:%Y%m%d}"
    yield f"REF*6R*{_text(line.id)}"
    yield f"NTE*ADD*PERIOD {charge.first:%Y%m%d}-{charge.last:%Y%m%d}"
