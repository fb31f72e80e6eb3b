"""The FHIR R4 REST API of the sandbox."""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from smart_launch.sandbox.access import Grant
from smart_launch.sandbox.authorization import SmartAuthorization
from smart_launch.sandbox.bulk import bulk_routes
from smart_launch.sandbox.capability import capability_statement, smart_configuration
from smart_launch.sandbox.faults import fail_on_request
from smart_launch.sandbox.outcome import FhirProblem, fhir_json, operation_outcome
from smart_launch.sandbox.search import Criteria
from smart_launch.sandbox.store import FhirStore
from smart_launch.sandbox.validation import is_resource_type, validate
from smart_launch.sandbox.versions import Stored, read_etag

MOST_BYTES = 8 * 1024 * 1024
_MOST_PER_PAGE = 200

# SQLite's integers end here; no version or offset gets near.
_LARGEST = 2**63 - 1

_log = logging.getLogger(__name__)


def fhir_blueprint(authorization: SmartAuthorization, store: FhirStore) -> Blueprint:
    """The API under `/fhir`, as the profile has it; with `faults`, it can be made to fail."""
    api = Blueprint("fhir", __name__, url_prefix="/fhir")
    config = authorization.config
    profile = config.kind
    _answer_errors_as_outcomes(api)

    @api.before_request
    def _limit() -> None:
        request.max_content_length = MOST_BYTES

    if config.faults:
        fail_on_request(api, authorization)

    bulk_routes(api, config, store, lambda: _grant(authorization))

    @api.get("/metadata")
    def _metadata() -> Response:
        return fhir_json(capability_statement(config))

    @api.get("/.well-known/smart-configuration")
    def _smart_configuration() -> Response:
        return Response(json.dumps(smart_configuration(config)), mimetype="application/json")

    @api.post("")
    def _transaction() -> Response:
        grant = _grant(authorization)
        if not profile.transaction:
            raise FhirProblem(405, "not-supported", "transactions are not supported here")
        bundle = validate(_body(), "Bundle")
        if bundle.get("type") != "transaction":
            raise FhirProblem(400, "not-supported", "only transaction Bundles are supported here")
        return fhir_json(store.transaction(grant, bundle))

    @api.get("/<resource_type>")
    def _search(resource_type: str) -> Response:
        grant = _grant(authorization)
        _require_type(resource_type)
        parameters = tuple((k, v) for k, v in request.args.items(multi=True))
        profile.check_search(resource_type, {name.partition(":")[0] for name, _ in parameters})
        count = min(_whole_number("_count", 50, least=1), _MOST_PER_PAGE)
        offset = _whole_number("_offset", 0, least=0)
        page = store.search(grant, Criteria(resource_type, parameters), offset, count)
        base = f"{config.fhir_base}/{resource_type}"
        links = [{"relation": "self", "url": _search_url(base, parameters, offset)}]
        if offset + count < page.total:
            links.append({"relation": "next", "url": _search_url(base, parameters, offset + count)})
        entries = [
            {
                "fullUrl": f"{base}/{resource['id']}",
                "resource": resource,
                "search": {"mode": "match"},
            }
            for resource in page.resources
        ]
        return fhir_json(_bundle("searchset", entries, total=page.total, link=links))

    @api.post("/<resource_type>")
    def _create(resource_type: str) -> Response:
        grant = _grant(authorization)
        _require_type(resource_type)
        profile.check_create(resource_type)
        resource = validate(_body(), resource_type)
        condition = request.headers.get("If-None-Exist") if profile.conditional_create else None
        stored = store.create(grant, resource, condition)
        return _written(stored, config.fhir_base, with_resource=profile.answers_with_resource)

    @api.get("/<resource_type>/<id_>")
    def _read(resource_type: str, id_: str) -> Response:
        return _versioned(store.read(_grant(authorization), resource_type, id_))

    @api.get("/<resource_type>/<id_>/_history/<int:version>")
    def _vread(resource_type: str, id_: str, version: int) -> Response:
        grant = _grant(authorization)
        return _versioned(store.read(grant, resource_type, id_, min(version, _LARGEST)))

    @api.get("/<resource_type>/<id_>/_history")
    def _history(resource_type: str, id_: str) -> Response:
        versions = store.history(_grant(authorization), resource_type, id_)
        entries = [_history_entry(config.fhir_base, version) for version in versions]
        return fhir_json(_bundle("history", entries, total=len(entries)))

    @api.put("/<resource_type>/<id_>")
    def _update(resource_type: str, id_: str) -> Response:
        grant = _grant(authorization)
        _require_type(resource_type)
        profile.check_update(resource_type)
        resource = validate(_body(), resource_type)
        version = read_etag(request.headers.get("If-Match"))
        stored = store.update(grant, resource, id_, version)
        return _written(stored, config.fhir_base, with_resource=profile.answers_with_resource)

    @api.delete("/<resource_type>/<id_>")
    def _delete(resource_type: str, id_: str) -> Response:
        grant = _grant(authorization)
        profile.check_update(resource_type)
        version = read_etag(request.headers.get("If-Match"))
        deleted = store.delete(grant, resource_type, id_, version)
        return Response(status=204, headers={"ETag": f'W/"{deleted.version}"'})

    @api.route("/<path:path>", methods=["DELETE", "PATCH", "POST", "PUT", "GET"])
    def _unsupported(path: str) -> Response:
        raise FhirProblem(405, "not-supported", f"{request.method} is not supported there")

    return api


def _answer_errors_as_outcomes(api: Blueprint) -> None:
    @api.errorhandler(FhirProblem)
    def _problem(problem: FhirProblem) -> Response:
        response = fhir_json(operation_outcome(problem.issues), problem.status)
        if problem.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @api.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        code = "too-long" if error.code == 413 else "processing"
        outcome = operation_outcome([(code, str(error.description), ())])
        return fhir_json(outcome, error.code or 500)

    @api.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        _log.exception("a FHIR request failed")
        return fhir_json(operation_outcome([("exception", "the server failed", ())]), 500)


def _grant(authorization: SmartAuthorization) -> Grant:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    grant = authorization.grant_of(token) if scheme.lower() == "bearer" else None
    if grant is None:
        raise FhirProblem(401, "login", "a valid bearer token is needed")
    return grant


def _require_type(name: str) -> None:
    if not is_resource_type(name):
        raise FhirProblem(404, "not-supported", f"{name} is not an R4 resource type")


def _whole_number(name: str, default: int, *, least: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isdecimal() or not least <= int(text) <= _LARGEST:
        raise FhirProblem(400, "invalid", f"{name} must be a whole number from {least}")
    return int(text)


def _body() -> Any:
    if (request.content_length or 0) > MOST_BYTES:
        raise FhirProblem(413, "too-long", f"a request may have {MOST_BYTES} bytes")
    if request.mimetype not in ("application/fhir+json", "application/json"):
        raise FhirProblem(415, "not-supported", "the content type must be application/fhir+json")
    try:
        return json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise FhirProblem(400, "structure", "the body is not JSON") from None


def _search_url(base: str, parameters: tuple[tuple[str, str], ...], offset: int) -> str:
    kept = [(name, value) for name, value in parameters if name != "_offset"]
    query = urlencode([*kept, ("_offset", str(offset))] if offset else kept)
    return f"{base}?{query}" if query else base


def _bundle(kind: str, entries: list[dict[str, Any]], **elements: Any) -> dict[str, Any]:
    """FHIR's JSON has no empty arrays: without entries, no `entry`."""
    entry = {"entry": entries} if entries else {}
    return {"resourceType": "Bundle", "type": kind, **elements, **entry}


def _history_entry(base: str, version: Stored) -> dict[str, Any]:
    deleted = version.document is None
    method = "DELETE" if deleted else "POST" if version.created else "PUT"
    return {
        "fullUrl": f"{base}/{version.reference}",
        **({} if deleted else {"resource": version.document}),
        "request": {
            "method": method,
            "url": version.resource_type if method == "POST" else version.reference,
        },
        "response": {
            "status": "204" if deleted else "201" if version.created else "200",
            "etag": f'W/"{version.version}"',
            "lastModified": version.updated.isoformat(),
        },
    }


def _versioned(stored: Stored) -> Response:
    response = fhir_json(stored.resource)
    response.headers["ETag"] = f'W/"{stored.version}"'
    response.last_modified = stored.updated
    return response


def _written(stored: Stored, base: str, *, with_resource: bool) -> Response:
    response = _versioned(stored)
    if not with_resource:
        response.set_data(b"")
    response.status_code = 201 if stored.created else 200
    response.headers["Location"] = f"{base}/{stored.reference}/_history/{stored.version}"
    return response
