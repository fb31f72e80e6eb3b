"""The blueprint of the FHIR API, its errors, and who asks it.

Every request names a health system in its path, and carries a token of that health system. An
error is an OperationOutcome, whatever went wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException

from app.api.access import Grant
from app.api.answers import problem_answer, require_json_wanted
from app.api.authorization import authorize, facade_base
from app.api.problem import FhirProblem
from app.context import Context
from app.issuers import Issuers
from app.sign_in import current_context
from app.store import Tenant

MOST_BODY_BYTES = 256 * 1024

facade = Blueprint("facade", __name__, url_prefix="/fhir")

log = structlog.get_logger(__name__)

_CODES = {400: "invalid", 404: "not-found", 405: "not-supported", 413: "too-long"}


@dataclass(frozen=True)
class Asked:
    """A request of an authorized client at one health system."""

    context: Context
    tenant: Tenant
    grant: Grant

    @property
    def base(self) -> str:
        return facade_base(self.context, self.tenant.id)


def asked(tenant_id: str) -> Asked:
    """Who asks. Raises FhirProblem 401, 404 or 503."""
    context = current_context()
    tenant = health_system(context, tenant_id)
    issuers: Issuers = current_app.extensions["homestretch_issuers"]
    grant = authorize(context, issuers, tenant, request.headers.get("Authorization"))
    structlog.contextvars.bind_contextvars(tenant=tenant.id, client=grant.client_id)
    return Asked(context, tenant, grant)


def health_system(context: Context, tenant_id: str) -> Tenant:
    """Raises FhirProblem 404."""
    with context.database.begin(None) as db:
        tenant = db.get(Tenant, tenant_id)
    if tenant is None:
        raise FhirProblem(404, "not-found", "There is no such health system here.")
    return tenant


def preferences() -> frozenset[str]:
    """The preferences of the `Prefer` header, such as `handling=strict`."""
    return frozenset(
        part.strip().lower()
        for header in request.headers.getlist("Prefer")
        for part in header.replace(";", ",").split(",")
    )


def is_strict() -> bool:
    return "handling=strict" in preferences()


def json_body() -> dict[str, Any]:
    """The request's JSON object. Raises FhirProblem 400 or 415."""
    if request.mimetype not in ("application/fhir+json", "application/json"):
        raise FhirProblem(415, "not-supported", "The content type must be application/fhir+json.")
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise FhirProblem(400, "structure", "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise FhirProblem(400, "structure", "The body is not a FHIR resource.")
    return body


@facade.before_request
def _before() -> None:
    request.max_content_length = MOST_BODY_BYTES
    if request.endpoint != "facade.export_file":
        require_json_wanted()


@facade.errorhandler(FhirProblem)
def _problem(problem: FhirProblem) -> Response:
    return problem_answer(problem)


@facade.errorhandler(HTTPException)
def _http(error: HTTPException) -> Response:
    status = error.code or 500
    text = error.description or error.name
    return problem_answer(FhirProblem(status, _CODES.get(status, "processing"), text))


@facade.errorhandler(Exception)
def _unexpected(error: Exception) -> Response:
    log.exception("fhir_request_failed", endpoint=request.endpoint, method=request.method)
    return problem_answer(FhirProblem(500, "exception", "The server failed; this was recorded."))
