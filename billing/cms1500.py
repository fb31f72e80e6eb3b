"""CMS-1500 (02/12) data, a row a line, columns named by the form's item numbers.

The filled form itself is `billing.cms1500_page` as text and `billing.cms1500_pdf` as PDF.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from billing.claim import icd10_on_the_wire
from billing.claim_model import Claim, sex_letter

COLUMNS = (
    "claim_id",
    "1a_insured_id",
    "2_patient_name",
    "3_birth_date",
    "3_sex",
    "4_insured_name",
    "5_address",
    "6_relationship",
    "17_referring_name",
    "17b_referring_npi",
    "21_diagnoses",
    "22_resubmission_code",
    "22_original_reference",
    "23_prior_authorization",
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
    "32_facility_name",
    "32a_facility_npi",
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
    person, provider, referring = claim.patient, claim.billing_provider, claim.referring
    insured, facility, address = claim.subscriber, claim.service_facility, person.address
    return [
        {
            "claim_id": claim.id,
            "1a_insured_id": insured.member_id,
            "2_patient_name": f"{person.family}, {person.given}",
            "3_birth_date": f"{person.birth_date:%m%d%Y}",
            "3_sex": sex_letter(person.gender).replace("U", ""),
            "4_insured_name": f"{insured.family}, {insured.given}",
            "5_address": f"{address.line}, {address.city}, {address.state} {address.zip_digits}",
            "6_relationship": claim.dependent.relationship if claim.dependent else "self",
            "17_referring_name": f"DN {referring.given} {referring.family}" if referring else "",
            "17b_referring_npi": referring.npi if referring else "",
            "21_diagnoses": " ".join(icd10_on_the_wire(code) for code in claim.diagnoses),
            "22_resubmission_code": "" if claim.frequency == "1" else claim.frequency,
            "22_original_reference": claim.payer_claim_number or "",
            "23_prior_authorization": claim.prior_authorization or "",
            "24A_from": f"{claim.dates_of(line)[0]:%m%d%Y}",
            "24A_to": f"{claim.dates_of(line)[1]:%m%d%Y}",
            "24B_place_of_service": provider.place_of_service,
            "24D_code": line.charge.code,
            "24D_modifiers": " ".join(line.charge.modifiers),
            "24E_pointers": "".join("ABCDEFGHIJKL"[pointer - 1] for pointer in line.pointers),
            "24F_charge": f"{line.amount:.2f}",
            "24G_units": str(line.charge.units),
            "24J_rendering_npi": claim.rendering.npi,
            "25_tax_id": provider.tax_id,
            "28_total": f"{claim.total:.2f}",
            "32_facility_name": facility.name if facility else "",
            "32a_facility_npi": facility.npi if facility else "",
            "33_billing_name": provider.name,
            "33a_billing_npi": provider.npi,
        }
        for line in claim.lines
    ]
