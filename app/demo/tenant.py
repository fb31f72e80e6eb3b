"""The demonstration's health system, registered with the sandbox EHR."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from app.context import Context
from app.store import Tenant

TENANT_ID = "prairie"


def register(context: Context, iss: str) -> None:
    """Adds the tenant if it is not there. Its practice data are invented."""
    with context.database.begin(None) as db:
        tenant = db.get(Tenant, TENANT_ID)
        if tenant is None:
            db.add(
                Tenant(
                    id=TENANT_ID,
                    name="Prairie Rehab Clinic (sandbox)",
                    iss=iss,
                    clinician_client_id="homestretch-clinician",
                    portal_client_id="homestretch-patient",
                    backend_client_id="homestretch-backend",
                    time_zone="America/Chicago",
                    billing_fhir_users=["Practitioner/jordan-biller"],
                    practice=_practice(),
                    frame_ancestors=[_origin(iss)],
                )
            )
        else:
            tenant.iss, tenant.frame_ancestors = iss, [_origin(iss)]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _practice() -> dict[str, Any]:
    return {
        "name": "Prairie Rehab Clinic",
        "npi": "1999999901",
        "tax_id": "123456789",
        "taxonomy": "261QP2000X",
        "address": {
            "line": "100 Main Street",
            "city": "Springfield",
            "state": "IL",
            "postal_code": "62701-0001",
        },
        "contact_name": "Billing Office",
        "contact_phone": "555-555-0100",
        "care_team_phone": "555-555-0111",
        "submitter_id": "PRAIRIEREHAB",
        "clearinghouse": {"name": "Sample Clearinghouse", "id": "CLEARHOUSE"},
        "certifying_practitioner": {"family": "Chen", "given": "Robin", "npi": "1999999927"},
        "device_regulatory_basis": "demonstration only: no regulatory basis is claimed",
        "production": False,
    }
