"""The FHIR R4 API of what we hold: `/fhir/<health system>/…`."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, jsonify, request

from app.api import bulk_views, subscription_views
from app.api.answers import fhir_json, search_url, searchset, versioned
from app.api.authorization import facade_base
from app.api.blueprint import Asked, asked, facade, health_system, is_strict
from app.api.capability import capability_statement, smart_configuration
from app.api.fhir_openapi import fhir_openapi
from app.api.holdings import Holdings
from app.api.page_links import open_link, seal_link
from app.api.problem import FhirProblem
from app.api.registry import SERVED, ServedType
from app.api.searching import (
    Pairs,
    Position,
    Query,
    read_query,
    record_query,
    run,
)
from app.issuers import Issuers
from app.launch import health_systems
from app.sign_in import current_context
from smart_launch.access_token import IssuerUnavailable
from smart_launch.discovery import SmartConfiguration

__all__ = ["bulk_views", "facade", "subscription_views"]

PAGE = "_page"

_FORM = "application/x-www-form-urlencoded"


@facade.get("/metadata")
def health_system_list() -> Response:
    """The health systems that have a FHIR API here."""
    context = current_context()
    return jsonify(
        fhir_apis=[
            {"name": tenant.name, "url": facade_base(context, tenant.id)}
            for tenant in health_systems(context)
        ]
    )


@facade.get("/openapi.json")
def openapi() -> Response:
    return jsonify(fhir_openapi())


@facade.get("/<tenant_id>/metadata")
def metadata(tenant_id: str) -> Response:
    context = current_context()
    tenant = health_system(context, tenant_id)
    try:
        authorization = _authorization_server(tenant.iss)
    except IssuerUnavailable:
        authorization = None
    base = facade_base(context, tenant.id)
    return fhir_json(capability_statement(base, tenant.name, authorization))


@facade.get("/<tenant_id>/.well-known/smart-configuration")
def well_known(tenant_id: str) -> Response:
    tenant = health_system(current_context(), tenant_id)
    try:
        return jsonify(smart_configuration(_authorization_server(tenant.iss)))
    except IssuerUnavailable as error:
        raise FhirProblem(503, "transient", str(error), {"Retry-After": "30"}) from None


@facade.get("/<tenant_id>/<resource_type>")
def search(tenant_id: str, resource_type: str) -> Response:
    caller, served = asked(tenant_id), _served(resource_type)
    if PAGE in request.args:
        return _next_page(caller, served)
    return _search(caller, served, _pairs(request.args))


@facade.post("/<tenant_id>/<resource_type>/_search")
def search_by_post(tenant_id: str, resource_type: str) -> Response:
    """As GET, with the parameters in the body, so that no URL names a patient."""
    caller, served = asked(tenant_id), _served(resource_type)
    if request.mimetype != _FORM:
        raise FhirProblem(415, "not-supported", f"The content type must be {_FORM}.")
    return _search(caller, served, (*_pairs(request.args), *_pairs(request.form)))


@facade.get("/<tenant_id>/<resource_type>/<id_>")
def read(tenant_id: str, resource_type: str, id_: str) -> Response:
    caller, served = asked(tenant_id), _served(resource_type)
    reach = caller.grant.reach(served.name, "r")
    with caller.context.database.begin(caller.tenant.id) as db:
        held = Holdings(db, caller.tenant).read(served.name, id_, reach.patients)
    if held is None or not reach.covers(held.resource):
        raise _unknown(served)
    return versioned(held.resource)


@facade.get("/<tenant_id>/<resource_type>/<id_>/_history/<version>")
def read_version(tenant_id: str, resource_type: str, id_: str, version: str) -> Response:
    caller, served = asked(tenant_id), _served(resource_type)
    reach = caller.grant.reach(served.name, "r")
    with caller.context.database.begin(caller.tenant.id) as db:
        held = Holdings(db, caller.tenant).read_version(served.name, id_, version, reach.patients)
    if held is None or not reach.covers(held.resource):
        raise _unknown(served)
    return versioned(held.resource)


@facade.get("/<tenant_id>/Patient/<id_>/$everything")
def everything(tenant_id: str, id_: str) -> Response:
    """All that we hold of one patient, in pages."""
    caller = asked(tenant_id)
    url = f"{caller.base}/Patient/{id_}/$everything"
    pairs, start = _pairs(request.args), None
    if PAGE in request.args:
        pairs, start = open_link(caller.context, caller.tenant.id, url, request.args[PAGE])
    reach = caller.grant.reach("Patient", "r")
    query = record_query(caller.grant, id_, pairs, caller.base, strict=is_strict())
    with caller.context.database.begin(caller.tenant.id) as db:
        holdings = Holdings(db, caller.tenant)
        if holdings.read("Patient", id_, reach.patients) is None:
            raise _unknown(SERVED["Patient"])
        return fhir_json(_page(caller, holdings, query, url, start))


@facade.route(
    "/<tenant_id>", defaults={"path": ""}, methods=["DELETE", "GET", "PATCH", "POST", "PUT"]
)
@facade.route("/<tenant_id>/<path:path>", methods=["DELETE", "GET", "PATCH", "POST", "PUT"])
def unsupported(tenant_id: str, path: str) -> Response:
    asked(tenant_id)
    if request.method == "GET":
        raise FhirProblem(404, "not-found", "There is nothing at this address.")
    raise FhirProblem(405, "not-supported", f"{request.method} is not supported here.")


def _search(caller: Asked, served: ServedType, pairs: Pairs) -> Response:
    query = read_query(caller.grant, served, pairs, caller.base, strict=is_strict())
    with caller.context.database.begin(caller.tenant.id) as db:
        holdings = Holdings(db, caller.tenant)
        url = f"{caller.base}/{served.name}"
        return fhir_json(_page(caller, holdings, query, url, None))


def _next_page(caller: Asked, served: ServedType) -> Response:
    """Goes on where a page ended; what may be seen is what the token of now allows."""
    url = f"{caller.base}/{served.name}"
    pairs, start = open_link(caller.context, caller.tenant.id, url, request.args[PAGE])
    query = read_query(caller.grant, served, pairs, caller.base, strict=False)
    with caller.context.database.begin(caller.tenant.id) as db:
        return fhir_json(_page(caller, Holdings(db, caller.tenant), query, url, start))


def _page(
    caller: Asked, holdings: Holdings, query: Query, url: str, start: Position | None
) -> dict[str, Any]:
    page = run(holdings, caller.grant, query, caller.base, start)
    next_url = None
    if page.next is not None:
        sealed = seal_link(caller.context, caller.tenant.id, url, query.understood, page.next)
        next_url = search_url(url, ((PAGE, sealed),))
    pairs = query.understood if start is None else ((PAGE, request.args[PAGE]),)
    return searchset(page, caller.base, search_url(url, pairs), next_url)


def _served(resource_type: str) -> ServedType:
    served = SERVED.get(resource_type)
    if served is None:
        raise FhirProblem(404, "not-supported", "This resource type is not served here.")
    return served


def _unknown(served: ServedType) -> FhirProblem:
    return FhirProblem(404, "not-found", f"There is no such {served.name}, or not for this token.")


def _pairs(values: Any) -> Pairs:
    return tuple((name, value) for name, value in values.items(multi=True))


def _authorization_server(iss: str) -> SmartConfiguration:
    issuers: Issuers = current_app.extensions["homestretch_issuers"]
    return issuers.configuration(iss, current_context().now())
