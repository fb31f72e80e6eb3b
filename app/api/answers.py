"""FHIR answers over HTTP: resources, Bundles, and what their headers say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from app.api.places import Held
from app.api.problem import FhirProblem, operation_outcome
from app.api.searching import Page, Pairs

FHIR_JSON = "application/fhir+json"
_READABLE = (FHIR_JSON, "application/json", "text/json")
_FORMATS = ("json", *_READABLE)


def require_json_wanted() -> None:
    """Raises FhirProblem 406 for a request that takes no JSON."""
    wanted = request.args.get("_format")
    if wanted is not None:
        # A "+" that was not escaped has become a space.
        if wanted.partition(";")[0].strip().replace(" ", "+") not in _FORMATS:
            raise FhirProblem(406, "not-supported", "Only JSON (application/fhir+json) is given.")
        return
    accepted = request.accept_mimetypes
    if accepted and not any(accepted[name] > 0 for name in _READABLE):
        raise FhirProblem(406, "not-supported", "Only JSON (application/fhir+json) is given.")


def fhir_json(resource: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(resource), status, mimetype=FHIR_JSON)


def problem_answer(problem: FhirProblem) -> Response:
    response = fhir_json(operation_outcome(problem.code, problem.text), problem.status)
    response.headers.update(problem.headers)
    return response


def versioned(resource: dict[str, Any]) -> Response:
    """The resource with ETag and Last-Modified; 304 where the client has it already."""
    response = fhir_json(resource)
    meta = resource["meta"]
    version = meta.get("versionId") or hashlib.sha256(response.get_data()).hexdigest()[:16]
    response.set_etag(version, weak=True)
    response.last_modified = datetime.fromisoformat(meta["lastUpdated"])
    if request.if_none_match.contains_weak(version):
        response = Response(status=304, headers=_kept(response))
    return response


def _kept(response: Response) -> dict[str, str]:
    return {name: response.headers[name] for name in ("ETag", "Last-Modified")}


def searchset(page: Page, base: str, self_url: str, next_url: str | None) -> dict[str, Any]:
    """A searchset Bundle of one page."""
    entries = [
        *(_entry(held, base, "match") for held in page.matches),
        *(_entry(held, base, "include") for held in page.included),
    ]
    if page.warning is not None:
        outcome = operation_outcome("incomplete", page.warning, "warning")
        entries.append({"resource": outcome, "search": {"mode": "outcome"}})
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if page.total is not None:
        bundle["total"] = page.total
    bundle["link"] = [{"relation": "self", "url": self_url}]
    if next_url is not None:
        bundle["link"].append({"relation": "next", "url": next_url})
    if entries:
        bundle["entry"] = entries
    return bundle


def search_url(url: str, pairs: Sequence[tuple[str, str]] | Pairs) -> str:
    return f"{url}?{urlencode(pairs)}" if pairs else url


def _entry(held: Held, base: str, mode: str) -> dict[str, Any]:
    return {
        "fullUrl": f"{base}/{held.reference}",
        "resource": held.resource,
        "search": {"mode": mode},
    }
