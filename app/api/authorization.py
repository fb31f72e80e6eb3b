"""From the `Authorization` header to a grant at one health system."""

from __future__ import annotations

from sqlalchemy import select

from app.api.access import Grant, grant_of, practitioner_of
from app.api.problem import FhirProblem
from app.context import Context
from app.issuers import Issuers
from app.store import PractitionerRow, Tenant
from app.tenant_clients import TenantMisconfigured, registered_client
from smart_launch.access_token import (
    AccessTokenRefused,
    IssuerUnavailable,
    TokenFacts,
    read_access_token,
)

_RETRY_AFTER_S = "30"


def facade_base(context: Context, tenant_id: str) -> str:
    """The base URL of a health system's FHIR API here, which is the audience of its tokens."""
    return f"{context.settings.base_url}/fhir/{tenant_id}"


def authorize(context: Context, issuers: Issuers, tenant: Tenant, header: str | None) -> Grant:
    """The grant of the bearer token in `header`.

    Raises:
        FhirProblem: 401 without a valid token of this health system made for this API, 503
            where its authorization server can't be asked.
    """
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise _unauthorized("A bearer token of the health system is needed.", None)
    try:
        facts = _facts(context, issuers, tenant, token)
    except AccessTokenRefused as error:
        raise _unauthorized(str(error), "invalid_token") from None
    except (IssuerUnavailable, TenantMisconfigured) as error:
        raise FhirProblem(503, "transient", str(error), {"Retry-After": _RETRY_AFTER_S}) from None
    known = _knows(context, tenant.id, practitioner_of(facts))
    return grant_of(tenant.id, facts, knows_practitioner=known)


def _facts(context: Context, issuers: Issuers, tenant: Tenant, token: str) -> TokenFacts:
    client = registered_client(context, tenant, "backend")
    return read_access_token(
        token,
        issuers.configuration(tenant.iss, context.now()),
        audience=facade_base(context, tenant.id),
        client_id=client.client_id,
        client=client.authentication,
        now=context.now(),
        key_sets=issuers.key_sets,
    )


def _knows(context: Context, tenant_id: str, fhir_user: str | None) -> bool:
    """Whether this practitioner has been here: an account of the EHR alone opens no record."""
    if fhir_user is None:
        return False
    with context.database.begin(tenant_id) as db:
        own = PractitionerRow.fhir_user == fhir_user
        return db.scalar(select(PractitionerRow.id).where(own)) is not None


def _unauthorized(text: str, error: str | None) -> FhirProblem:
    challenge = 'Bearer realm="fhir"' + (f', error="{error}"' if error else "")
    return FhirProblem(401, "login", text, {"WWW-Authenticate": challenge})
