"""Claims of any entity to the files that carry them: one for each format and receiver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from billing.claim_model import Claim
from billing.entities import ClaimFormat, load_entities
from billing.x12_837i import write_837i
from billing.x12_837p import write_837p
from billing.x12_envelope import LARGEST_CONTROL_NUMBER, Interchange

_WRITERS = {"837p": write_837p, "837i": write_837i}


@dataclass(frozen=True)
class ClaimFile:
    """One interchange and the claims in it, in the order in which they were given."""

    format: ClaimFormat
    receiver_id: str
    control_number: int
    claims: tuple[Claim, ...]
    content: str


def claim_format(claim: Claim) -> ClaimFormat:
    """The format in which the billing provider's kind of entity claims."""
    return load_entities()[claim.billing_provider.entity].format


def write_claim_files(claims: Sequence[Claim], first: Interchange) -> tuple[ClaimFile, ...]:
    """The files, in the order in which format and receiver first occur.

    They take consecutive control numbers from `first.control_number` on; the caller must not use
    any of them again.

    Raises:
        ValueError: no claims, the control numbers run out, or a claim can't be written.
    """
    if not claims:
        raise ValueError("a file needs at least one claim")
    groups: dict[tuple[ClaimFormat, str, str], list[Claim]] = {}
    for claim in claims:
        key = (claim_format(claim), claim.payer.receiver_id, claim.payer.receiver_name)
        groups.setdefault(key, []).append(claim)
    if first.control_number + len(groups) - 1 > LARGEST_CONTROL_NUMBER:
        raise ValueError(f"the control numbers run out after {LARGEST_CONTROL_NUMBER}")
    files = []
    for number, ((format_, receiver_id, _), theirs) in enumerate(
        groups.items(), start=first.control_number
    ):
        content = _WRITERS[format_](theirs, replace(first, control_number=number))
        files.append(ClaimFile(format_, receiver_id, number, tuple(theirs), content))
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
