"""`$export` of patients or of a group (Bulk Data Access IG 2.0): kick-off, status, NDJSON files.

What is exported is fixed at the kick-off and kept in this process, for this is a server for one
developer. A status that is asked for the first time is never ready yet, so that clients learn to
wait.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, request

from smart_launch.sandbox.access import Grant
from smart_launch.sandbox.config import SandboxConfig
from smart_launch.sandbox.outcome import FhirProblem
from smart_launch.sandbox.store import FhirStore
from smart_launch.sandbox.versions import Resource

EXPORTED = ("Patient", "Condition", "Coverage", "Encounter")
_FORMATS = ("application/fhir+ndjson", "application/ndjson", "ndjson")
_PER_FILE = 1_000
_NDJSON = "application/fhir+ndjson"


@dataclass
class _Export:
    """`files` holds for each type its lines, cut into files; `asked` how often it was asked for."""

    url: str
    time: datetime
    files: dict[str, list[list[Resource]]]
    asked: int = 0


@dataclass
class _Exports:
    by_id: dict[str, _Export] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def get(self, id_: str) -> _Export:
        """Raises FhirProblem 404."""
        found = self.by_id.get(id_)
        if found is None:
            raise FhirProblem(404, "not-found", "there is no such export, or not any more")
        return found


def bulk_routes(api: Blueprint, config: SandboxConfig, store: FhirStore, grant_of: Any) -> None:
    """Adds the operation to `api`; `grant_of` gives the grant of the request's token."""
    exports = _Exports()

    @api.get("/Patient/$export")
    def _export_patients() -> Response:
        config.kind.check_export("Patient")
        return _begin(grant_of(), None)

    @api.get("/Group/<id_>/$export")
    def _export_group(id_: str) -> Response:
        config.kind.check_export("Group")
        grant = grant_of()
        group = store.read(_within(grant, "Group"), "Group", id_).resource
        entities = (member["entity"]["reference"] for member in group.get("member", ()))
        return _begin(grant, {entity.removeprefix("Patient/") for entity in entities})

    def _begin(grant: Grant, patients: set[str] | None) -> Response:
        types = _asked_types(grant)
        if "respond-async" not in request.headers.get("Prefer", ""):
            raise FhirProblem(400, "invalid", "an export needs Prefer: respond-async")
        if request.args.get("_outputFormat", _NDJSON) not in _FORMATS:
            raise FhirProblem(400, "not-supported", "only NDJSON is written here")
        now, since = datetime.now(UTC), _since()
        files = {name: _cut(store.current(name, patients, since)) for name in types}
        id_ = str(uuid4())
        with exports.lock:
            exports.by_id[id_] = _Export(request.url, now, files)
        location = f"{config.fhir_base}/export-status/{id_}"
        return Response(status=202, headers={"Content-Location": location})

    @api.get("/export-status/<id_>")
    def _status(id_: str) -> Response:
        grant_of()
        with exports.lock:
            export = exports.get(id_)
            export.asked += 1
        if export.asked == 1:
            return Response(status=202, headers={"Retry-After": "1", "X-Progress": "at work"})
        place = f"{config.fhir_base}/export-file/{id_}"
        manifest = {
            "transactionTime": export.time.isoformat(),
            "request": export.url,
            "requiresAccessToken": True,
            "output": [
                {"type": name, "url": f"{place}/{name}/{number}", "count": len(lines)}
                for name, files in export.files.items()
                for number, lines in enumerate(files)
            ],
            "error": [],
        }
        return Response(json.dumps(manifest), mimetype="application/json")

    @api.delete("/export-status/<id_>")
    def _forget(id_: str) -> Response:
        grant_of()
        with exports.lock:
            exports.get(id_)
            del exports.by_id[id_]
        return Response(status=202)

    @api.get("/export-file/<id_>/<name>/<int:number>")
    def _file(id_: str, name: str, number: int) -> Response:
        grant_of().require_system(name)
        with exports.lock:
            files = exports.get(id_).files.get(name, [])
        if number >= len(files):
            raise FhirProblem(404, "not-found", "the export has no such file")
        lines = (json.dumps(resource, separators=(",", ":")) + "\n" for resource in files[number])
        return Response("".join(lines), mimetype=_NDJSON)


def _asked_types(grant: Grant) -> list[str]:
    """Raises FhirProblem 400 or 403."""
    text = request.args.get("_type")
    types = text.split(",") if text else list(EXPORTED)
    for name in types:
        if name not in EXPORTED:
            raise FhirProblem(400, "not-supported", f"{name} is not exported here")
        grant.require_system(name)
    return types


def _since() -> datetime | None:
    text = request.args.get("_since")
    if text is None:
        return None
    try:
        since = datetime.fromisoformat(text)
    except ValueError:
        raise FhirProblem(400, "invalid", "_since is no instant") from None
    if since.tzinfo is None:
        raise FhirProblem(400, "invalid", "_since needs a time zone")
    return since


def _within(grant: Grant, name: str) -> Grant:
    """Whoever may export everybody may also say of which group."""
    grant.require_system("Patient")
    return Grant((*grant.scopes, ("system", name, "r")), None, None)


def _cut(resources: list[Resource]) -> list[list[Resource]]:
    return [resources[i : i + _PER_FILE] for i in range(0, len(resources), _PER_FILE)]
