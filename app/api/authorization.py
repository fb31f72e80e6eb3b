"""From the `Authorization` header to a grant at one health system."""

from __future__ import annotations

from sqlalchemy import select

from app.api.access import Grant, grant_from_claims, practitioner_of
from app.api.issuers import Issuers
from app.api.problem import FhirProblem
from app.context import Context
from app.store import PractitionerRow, Tenant
from smart_launch.access_token import (
    AccessTokenRefused,
    IssuerUnavailable,
    introspect,
    is_jwt,
)
from smart_launch.client_authentication import KeyClient

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
        claims = _claims(context, issuers, tenant, token)
    except AccessTokenRefused as error:
        raise _unauthorized(str(error), "invalid_token") from None
    except IssuerUnavailable as error:
        raise FhirProblem(503, "transient", str(error), {"Retry-After": _RETRY_AFTER_S}) from None
    return grant_from_claims(
        tenant.id, claims, knows_practitioner=_knows(context, tenant.id, practitioner_of(claims))
    )


def _claims(context: Context, issuers: Issuers, tenant: Tenant, token: str) -> dict[str, object]:
    audience, now = facade_base(context, tenant.id), context.now()
    if is_jwt(token):
        return issuers.verify(tenant.iss, token, audience, now)
    configuration = issuers.configuration(tenant.iss, now)
    if configuration.introspection_endpoint is None:
        raise AccessTokenRefused("The token is no JWT, and the issuer offers no introspection.")
    return introspect(
        token,
        configuration.introspection_endpoint,
        token_endpoint=configuration.token_endpoint,
        issuer=configuration.issuer,
        audience=audience,
        client_id=tenant.backend_client_id,
        client=KeyClient(context.keys.backend_key),
        now=now,
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
