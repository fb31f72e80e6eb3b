"""A patient's whole record as one Bundle, for the patient: what `$everything` gives in pages."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.api.access import Grant, Permission
from app.api.answers import searchset
from app.api.authorization import facade_base
from app.api.holdings import Holdings
from app.api.searching import Page, every, record_query
from app.context import Context
from app.store import Tenant


def patient_record(context: Context, db: Session, tenant: Tenant, fhir_id: str) -> dict[str, Any]:
    """Everything of the patient that the FHIR API serves, as a searchset Bundle without pages.

    The patient's sign-in stands for a token that reads the own record and nothing else.
    """
    own = Permission("patient", "*", frozenset("r"), fhir_id)
    grant = Grant(tenant.id, "portal", (own,))
    base = facade_base(context, tenant.id)
    holdings = Holdings(db, tenant)
    query = record_query(grant, fhir_id, (), base, strict=True)
    found = tuple(held for leg in query.legs for held in every(holdings, leg, base))
    page = Page(matches=found, included=(), next=None, total=len(found))
    return searchset(page, base, f"{base}/Patient/{fhir_id}/$everything", None)
