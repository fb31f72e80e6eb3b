"""Claims of any entity to the files that carry them: one for each format and receiver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from billing.claim_model import Claim
from billing.entities import ClaimFormat, load_entities
from billing.x12_837i import VERSION as VERSION_837I
from billing.x12_837i import loops_837i
from billing.x12_837p import VERSION as VERSION_837P
from billing.x12_837p import loops_837p
from billing.x12_envelope import (
    LARGEST_CONTROL_NUMBER,
    ClaimLoops,
    Interchange,
    write_interchange,
)

_LOOPS = {"837p": loops_837p, "837i": loops_837i}
_FORMATS: dict[str, ClaimFormat] = {VERSION_837P: "837p", VERSION_837I: "837i"}


@dataclass(frozen=True)
class ClaimFile:
    """One interchange and the ids of the claims in it, in the order in which they were given."""

    format: ClaimFormat
    receiver_id: str
    control_number: int
    claim_ids: tuple[str, ...]
    content: str


def claim_format(claim: Claim) -> ClaimFormat:
    """The format in which the billing provider's kind of entity claims."""
    return load_entities()[claim.billing_provider.entity].format


def loops_of(claim: Claim) -> ClaimLoops:
    """The claim as it stands in a file of its format. Raises ValueError where it can't."""
    return _LOOPS[claim_format(claim)](claim)


def write_claim_files(claims: Sequence[Claim], first: Interchange) -> tuple[ClaimFile, ...]:
    """`files_of` claims that are not written yet. Raises ValueError besides for one that can't
    be."""
    return files_of([loops_of(claim) for claim in claims], first)


def receiver_of(claim: ClaimLoops) -> tuple[str, str, str]:
    """What parts claims into files: format and receiver."""
    return claim.version, claim.payer.receiver_id, claim.payer.receiver_name


def files_of(claims: Sequence[ClaimLoops], first: Interchange) -> tuple[ClaimFile, ...]:
    """The files, in the order in which format and receiver first occur.

    They take consecutive control numbers from `first.control_number` on; the caller must not use
    any of them again.

    Raises:
        ValueError: no claims, or the control numbers run out.
    """
    if not claims:
        raise ValueError("a file needs at least one claim")
    groups: dict[tuple[str, str, str], list[ClaimLoops]] = {}
    for claim in claims:
        groups.setdefault(receiver_of(claim), []).append(claim)
    if first.control_number + len(groups) - 1 > LARGEST_CONTROL_NUMBER:
        raise ValueError(f"the control numbers run out after {LARGEST_CONTROL_NUMBER}")
    files = []
    for number, ((version, receiver_id, _), theirs) in enumerate(
        groups.items(), start=first.control_number
    ):
        content = write_interchange(theirs, replace(first, control_number=number))
        ids = tuple(claim.claim_id for claim in theirs)
        files.append(ClaimFile(_FORMATS[version], receiver_id, number, ids, content))
    return tuple(files)


def sets_of_claims(content: str) -> dict[str, str]:
    """The transaction set (ST02) in which each claim (CLM01) stands in a file of ours, by claim id.

    A 999 answers sets, and a file has one for each payer.
    """
    sets: dict[str, str] = {}
    number = ""
    for segment in content.replace("\n", "").split("~"):
        elements = segment.split("*")
        if elements[0] == "ST":
            number = elements[2]
        elif elements[0] == "CLM":
            sets[elements[1]] = number
    return sets
