"""The formats in which claims leave: which one an entity may use, and the files of a batch."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from app.billing_office.fhir_claims import claims_bundle
from billing import claim_files
from billing.account import Entity
from billing.claim_model import Claim
from billing.cms1500 import cms1500_csv
from billing.entities import load_entities
from billing.hl7_dft import Routing, dft_p03
from billing.x12_envelope import ClaimLoops, Interchange

Format = Literal["837p", "837i", "cms1500", "cms1500-pdf", "dft", "fhir"]
# What may be asked for: 837 is whichever of the two the entity claims on.
ASKED: tuple[str, ...] = ("837", *get_args(Format))


@dataclass(frozen=True)
class FormatFacts:
    """What people call a format, the ending of its files, and their media type."""

    label: str
    suffix: str
    mimetype: str


FACTS: dict[Format, FormatFacts] = {
    "837p": FormatFacts("837P", "edi", "application/edi-x12"),
    "837i": FormatFacts("837I", "edi", "application/edi-x12"),
    "cms1500": FormatFacts("CMS-1500 rows", "csv", "text/csv"),
    "cms1500-pdf": FormatFacts("CMS-1500 forms", "pdf", "application/pdf"),
    "dft": FormatFacts("HL7 DFT", "hl7", "application/hl7-v2"),
    "fhir": FormatFacts("FHIR Claim and ChargeItem", "json", "application/fhir+json"),
}
_PROFESSIONAL: tuple[Format, ...] = ("837p", "cms1500", "cms1500-pdf")


class FormatRefused(ValueError):
    """The entity does not claim in that format; the message names the one it does."""


@dataclass(frozen=True)
class Outgoing:
    """A claim about to leave, and by what the EHR knows its patient and coverage."""

    claim: Claim
    patient_fhir_id: str
    patient_mrn: str
    coverage_fhir_id: str | None


@dataclass(frozen=True)
class ExportedFile:
    """One file. `receiver` is who it is for, where the format names one."""

    format: Format
    control_number: int
    receiver: str | None
    data: bytes
    claim_ids: tuple[str, ...]


def format_for(asked: str, entity: Entity) -> Format:
    """The format that `asked` means for `entity`.

    Raises:
        FormatRefused: an unknown format, or not one in which this entity claims.
    """
    own: Format = load_entities()[entity].format
    if asked == "837":
        return own
    if asked not in get_args(Format):
        raise FormatRefused(f"there is no format {asked}; there is {', '.join(ASKED)}")
    institutional = own == "837i"
    if (institutional and asked in _PROFESSIONAL) or (not institutional and asked == "837i"):
        kind = "institutional" if institutional else "professional"
        raise FormatRefused(
            f"{asked} is not for this health system: as a {entity.replace('_', ' ')} it bills "
            f"{kind} claims, whose format is {own}"
        )
    return asked  # type: ignore[return-value]  # checked above


def formats_of(entity: Entity) -> tuple[Format, ...]:
    """Every format in which `entity` may claim, its 837 first."""
    other: list[Format] = []
    for name in get_args(Format):
        try:
            other.append(format_for(name, entity))
        except FormatRefused:
            continue
    own = load_entities()[entity].format
    return (own, *(name for name in other if name != own))


# A claim as far as it can be written without those beside it: whole, or a part of an 837.
Written = ClaimLoops | str | Outgoing


def written(format_: Format, one: Outgoing, routing: Routing, created: datetime) -> Written:
    """What `files_of` needs of one claim.

    Raises:
        ValueError: the claim can't be written.
    """
    if format_ in ("837p", "837i"):
        return claim_files.loops_of(one.claim)
    return _charge_message(one, routing, created) if format_ == "dft" else one


# To whom a claim goes: files part by it. Empty where one file is for all.
Receiver = tuple[str, ...]


def receiver_of(one: Written) -> Receiver:
    return claim_files.receiver_of(one) if isinstance(one, ClaimLoops) else ()


def files_of(
    format_: Format, leaving: Mapping[str, Written], interchange: Interchange
) -> tuple[ExportedFile, ...]:
    """The files of `leaving`, by claim id, with consecutive control numbers from that of
    `interchange` on, in the order in which their receivers first occur.

    837 has one for each receiver; every other format is one file.

    Raises:
        ValueError: the control numbers run out.
    """
    if format_ in ("837p", "837i"):
        loops = [one for one in leaving.values() if isinstance(one, ClaimLoops)]
        return tuple(
            ExportedFile(
                file.format,
                file.control_number,
                file.receiver_id,
                file.content.encode(),
                file.claim_ids,
            )
            for file in claim_files.files_of(loops, interchange)
        )
    data = _single_file(format_, list(leaving.values()), interchange.created)
    return (ExportedFile(format_, interchange.control_number, None, data, tuple(leaving)),)


def _charge_message(one: Outgoing, routing: Routing, created: datetime) -> str:
    """The DFT^P03 of one claim; its claim id is MSH-10, which stays when it is sent again."""
    return dft_p03(
        one.claim, routing, created, patient_mrn=one.patient_mrn, control_id=one.claim.id
    )


def zipped(named: Sequence[tuple[str, bytes]]) -> bytes:
    """The files as one archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in named:
            archive.writestr(name, data)
    return stream.getvalue()


def _single_file(format_: Format, leaving: Sequence[Written], created: datetime) -> bytes:
    if format_ == "dft":
        return "\n".join(one for one in leaving if isinstance(one, str)).encode()
    whole = [one for one in leaving if isinstance(one, Outgoing)]
    claims = [one.claim for one in whole]
    if format_ == "cms1500":
        return cms1500_csv(claims).encode()
    if format_ == "cms1500-pdf":
        from billing.cms1500_pdf import cms1500_pdf  # fpdf takes a third of a second to import

        return cms1500_pdf(claims, created)
    bundle = claims_bundle(
        [(one.claim, one.patient_fhir_id, one.coverage_fhir_id) for one in whole],
        created.date(),
    )
    return (json.dumps(bundle, indent=2, ensure_ascii=False) + "\n").encode()
