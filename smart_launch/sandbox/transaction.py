"""Transaction Bundles: all entries or none, with references between them resolved (R4, 3.1.0.11).

POST and PUT only, with `ifNoneExist`, `ifMatch` and conditional update; GET, DELETE and PATCH
within a transaction are refused.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy.orm import Session

from smart_launch.sandbox.access import Grant
from smart_launch.sandbox.database import ResourceVersion
from smart_launch.sandbox.outcome import FhirProblem
from smart_launch.sandbox.validation import is_resource_type, references, validate
from smart_launch.sandbox.versions import (
    Resource,
    Stored,
    check_references,
    matching_one,
    read_etag,
    replace,
    stored,
)


@dataclass(frozen=True)
class _Plan:
    """What an entry will do to `resource`, which gets this `id`.

    `condition` is its `ifNoneExist`; `existing` what the condition found, then left as it is.
    """

    resource: Resource
    id: str
    full_url: str | None
    condition: str | None = None
    existing: ResourceVersion | None = None
    if_match: int | None = None

    @property
    def reference(self) -> str:
        return f"{self.resource['resourceType']}/{self.id}"


def run_transaction(db: Session, grant: Grant, bundle: Resource) -> Resource:
    """The response Bundle; the caller commits, or rolls back on FhirProblem."""
    plans = [_plan(db, grant, entry) for entry in bundle.get("entry", ())]
    _refuse_overlaps(plans)
    known = {plan.full_url: plan.reference for plan in plans if plan.full_url}
    for plan in plans:
        for reference in references(plan.resource):
            target = reference["reference"]
            reference["reference"] = known.get(target) or _found(db, grant, target)
    done = [_carry_out(db, grant, plan) for plan in plans]
    written = [one.resource for one, plan in zip(done, plans, strict=True) if not plan.existing]
    check_references(db, written)
    return {
        "resourceType": "Bundle",
        "type": "transaction-response",
        **({"entry": [_response(one) for one in done]} if done else {}),
    }


def _plan(db: Session, grant: Grant, entry: Resource) -> _Plan:
    request = entry.get("request", {})
    method, url = request.get("method"), urlsplit(str(request.get("url", "")))
    path = url.path.split("/")
    if method not in ("POST", "PUT"):
        raise FhirProblem(400, "not-supported", f"{method} is not supported in a transaction here")
    resource = copy.deepcopy(validate(entry.get("resource"), path[0]))
    own_type, full_url = resource["resourceType"], entry.get("fullUrl")
    if method == "POST" and len(path) == 1 and not url.query:
        condition = request.get("ifNoneExist")
        existing = matching_one(db, grant, own_type, condition)
        id_ = existing.id if existing else str(uuid4())
        return _Plan({**resource, "id": id_}, id_, full_url, condition, existing)
    if method == "PUT" and len(path) == 2 and not url.query:
        return _Plan(resource, path[1], full_url, if_match=read_etag(request.get("ifMatch")))
    if method == "PUT" and len(path) == 1 and url.query:
        found = matching_one(db, grant, own_type, url.query)
        id_ = found.id if found else str(uuid4())
        return _Plan({**resource, "id": id_}, id_, full_url)
    raise FhirProblem(400, "invalid", f"{method} {request.get('url')} has no meaning here")


def _refuse_overlaps(plans: Sequence[_Plan]) -> None:
    """R4: the entries of a transaction must not be about the same resource."""
    for what, seen in (
        ("fullUrl", [plan.full_url for plan in plans if plan.full_url]),
        ("resource", [plan.reference for plan in plans]),
        (
            "ifNoneExist",
            [
                f"{plan.resource['resourceType']}?{plan.condition}"
                for plan in plans
                if plan.condition
            ],
        ),
    ):
        twice = {item for item in seen if seen.count(item) > 1}
        if twice:
            raise FhirProblem(400, "duplicate", f"{what} {twice.pop()} appears twice")


def _found(db: Session, grant: Grant, target: str) -> str:
    """A conditional reference (`Patient?identifier=…`) as what it finds; others unchanged."""
    resource_type, mark, query = target.partition("?")
    if not mark or not is_resource_type(resource_type):
        return target
    row = matching_one(db, grant, resource_type, query)
    if row is None:
        raise FhirProblem(412, "not-found", f"{target} matches nothing")
    return f"{resource_type}/{row.id}"


def _carry_out(db: Session, grant: Grant, plan: _Plan) -> Stored:
    if plan.existing is not None:
        return stored(plan.existing)
    return replace(db, grant, plan.resource, plan.id, plan.if_match)


def _response(done: Stored) -> dict[str, Any]:
    return {
        "response": {
            "status": "201 Created" if done.created else "200 OK",
            "location": f"{done.reference}/_history/{done.version}",
            "etag": f'W/"{done.version}"',
            "lastModified": done.updated.isoformat(),
        }
    }
