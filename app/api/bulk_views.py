"""Bulk Data over HTTP: kick-off, status, files, cancelling."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import format_datetime

from flask import Response, jsonify, request, send_file

from app.api.answers import search_url
from app.api.blueprint import asked, facade, preferences
from app.api.bulk import UNDER_WAY, accept_export, export_folder, own_export, remove_files
from app.api.problem import FhirProblem
from app.api.registry import RECORD, SERVED
from app.jobs.queue import current_jobs

_POLL_AFTER_S = "5"


@facade.get("/<tenant_id>/$export")
def export(tenant_id: str) -> Response:
    """Everything, the library with it."""
    return _accept(tenant_id, "$export", tuple(SERVED))


@facade.get("/<tenant_id>/Patient/$export")
def export_patients(tenant_id: str) -> Response:
    """Everything about patients."""
    return _accept(tenant_id, "Patient/$export", RECORD)


def _accept(tenant_id: str, level: str, offered: Sequence[str]) -> Response:
    caller = asked(tenant_id)
    if "respond-async" not in preferences():
        raise FhirProblem(400, "required", "An export needs the header Prefer: respond-async.")
    pairs = tuple(request.args.items(multi=True))
    url = search_url(f"{caller.base}/{level}", pairs)
    row = accept_export(caller.context, caller.grant, offered, pairs, url)
    current_jobs().export(row.tenant_id, row.id)
    return Response(status=202, headers={"Content-Location": f"{caller.base}/$export/{row.id}"})


@facade.get("/<tenant_id>/$export/<export_id>")
def export_status(tenant_id: str, export_id: str) -> Response:
    """202 while it is made, then the manifest of its files."""
    caller = asked(tenant_id)
    with caller.context.database.begin(tenant_id) as db:
        row = own_export(db, caller.grant, export_id, caller.context.now())
    if row.status in UNDER_WAY:
        headers = {"X-Progress": row.progress, "Retry-After": _POLL_AFTER_S}
        return Response(status=202, headers=headers)
    if row.status != "complete" or row.transaction_time is None:
        raise FhirProblem(500, "exception", row.problem or "The export failed.")
    manifest = jsonify(
        transactionTime=row.transaction_time.isoformat(),
        request=row.request_url,
        requiresAccessToken=True,
        output=[
            {
                "type": file["type"],
                "url": f"{caller.base}/$export/{row.id}/{file['name']}",
                "count": file["count"],
            }
            for file in row.output
        ],
        error=[],
    )
    manifest.headers["Expires"] = format_datetime(row.expires_at, usegmt=True)
    return manifest


@facade.delete("/<tenant_id>/$export/<export_id>")
def cancel_export(tenant_id: str, export_id: str) -> Response:
    """Ends it if it is under way, and removes its files."""
    caller = asked(tenant_id)
    with caller.context.database.begin(tenant_id) as db:
        own_export(db, caller.grant, export_id, caller.context.now()).status = "cancelled"
    remove_files(caller.context, tenant_id, export_id)
    return Response(status=202)


@facade.get("/<tenant_id>/$export/<export_id>/<name>")
def export_file(tenant_id: str, export_id: str, name: str) -> Response:
    caller = asked(tenant_id)
    with caller.context.database.begin(tenant_id) as db:
        row = own_export(db, caller.grant, export_id, caller.context.now())
    file = next((file for file in row.output if file["name"] == name), None)
    if row.status != "complete" or file is None:
        raise FhirProblem(404, "not-found", "The export has no such file.")
    caller.grant.for_system().whole_reach(file["type"], "r")
    path = export_folder(caller.context, tenant_id, export_id) / file["name"]
    response = send_file(path.resolve(), mimetype="application/fhir+ndjson")
    response.headers["Cache-Control"] = "no-store"
    return response
