"""CMS-1500 (02/12) data, a row a line, columns named by the form's item numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from billing.claim import Claim, icd10_on_the_wire

COLUMNS = (
    "claim_id",
    "1a_insured_id",
    "2_patient_name",
    "3_birth_date",
    "3_sex",
    "5_address",
    "17_referring_name",
    "17b_referring_npi",
    "21_diagnoses",
    "24A_from",
    "24A_to",
    "24B_place_of_service",
    "24D_code",
    "24D_modifiers",
    "24E_pointers",
    "24F_charge",
    "24G_units",
    "24J_rendering_npi",
    "25_tax_id",
    "28_total",
    "33_billing_name",
    "33a_billing_npi",
)


def cms1500_csv(claims: Sequence[Claim]) -> str:
    """RFC 4180 text with a header; dates as MMDDYYYY, diagnosis pointers as letters."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for claim in claims:
        writer.writerows(_rows(claim))
    return stream.getvalue()


def _rows(claim: Claim) -> list[dict[str, str]]:
    person, provider, referring = claim.subscriber, claim.billing_provider, claim.referring
    address = person.address
    return [
        {
            "claim_id": claim.id,
            "1a_insured_id": person.member_id,
            "2_patient_name": f"{person.family}, {person.given}",
            "3_birth_date": f"{person.birth_date:%m%d%Y}",
            "3_sex": {"female": "F", "male": "M"}.get(person.gender.lower(), ""),
            "5_address": f"{address.line}, {address.city}, {address.state} {address.zip_digits}",
            "17_referring_name": f"DN {referring.given} {referring.family}" if referring else "",
            "17b_referring_npi": referring.npi if referring else "",
            "21_diagnoses": " ".join(icd10_on_the_wire(code) for code in claim.diagnoses),
            "24A_from": f"{line.charge.service_date:%m%d%Y}",
            "24A_to": f"{line.charge.service_date:%m%d%Y}",
            "24B_place_of_service": provider.place_of_service,
            "24D_code": line.charge.code,
            "24D_modifiers": " ".join(line.charge.modifiers),
            "24E_pointers": "".join("ABCDEFGHIJKL"[pointer - 1] for pointer in line.pointers),
            "24F_charge": f"{line.amount:.2f}",
            "24G_units": str(line.charge.units),
            "24J_rendering_npi": claim.rendering.npi,
            "25_tax_id": provider.tax_id,
            "28_total": f"{claim.total:.2f}",
            "33_billing_name": provider.name,
            "33a_billing_npi": provider.npi,
        }
        for line in claim.lines
    ]
