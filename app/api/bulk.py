"""Bulk exports: accepting, telling their state, cancelling (FHIR Bulk Data Access 2.0)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.api.access import Grant
from app.api.parameters import read_date
from app.api.problem import FhirProblem
from app.api.searching import Pairs
from app.context import Context
from app.store import BulkExportRow

UNDER_WAY = ("accepted", "running")

_MOST_UNDER_WAY = 3
_FORMATS = ("application/fhir+ndjson", "application/ndjson", "ndjson")


def accept_export(
    context: Context, grant: Grant, offered: Sequence[str], pairs: Pairs, url: str
) -> BulkExportRow:
    """Stores an export of the `offered` types to be made; `url` is the request as it was sent.

    Raises:
        FhirProblem: 400 for a parameter that is not supported, 403 for a type that `system/`
            scopes do not cover, 429 where the client has too many under way.
    """
    grant = grant.for_system()
    types, since = _parameters(grant, offered, pairs)
    with context.database.begin(grant.tenant_id) as db:
        own = BulkExportRow.client_id == grant.client_id
        under_way = db.scalar(
            select(func.count())
            .select_from(BulkExportRow)
            .where(own, BulkExportRow.status.in_(UNDER_WAY))
        )
        if (under_way or 0) >= _MOST_UNDER_WAY:
            raise FhirProblem(
                429,
                "throttled",
                f"{_MOST_UNDER_WAY} exports are under way; wait for one or cancel it.",
                {"Retry-After": "60"},
            )
        row = BulkExportRow(
            id=str(uuid4()),
            client_id=grant.client_id,
            request_url=url,
            types=list(types),
            since=since,
            created_at=context.now(),
            expires_at=context.now() + timedelta(hours=context.settings.export_hours),
        )
        db.add(row)
        return row


def own_export(db: Session, grant: Grant, id_: str, now: datetime) -> BulkExportRow:
    """Raises FhirProblem 403 without `system/` scopes, 404 for what is not the client's."""
    client = grant.for_system().client_id
    row = db.get(BulkExportRow, id_)
    if (
        row is None
        or row.tenant_id != grant.tenant_id
        or row.client_id != client
        or row.status == "cancelled"
        or row.expires_at <= now
    ):
        raise FhirProblem(404, "not-found", "There is no such export, or it has expired.")
    return row


def export_folder(context: Context, tenant_id: str, id_: str) -> Path:
    return context.settings.exports_dir / tenant_id / id_


def remove_files(context: Context, tenant_id: str, id_: str) -> None:
    folder = export_folder(context, tenant_id, id_)
    if folder.exists():
        shutil.rmtree(folder)


def _parameters(
    grant: Grant, offered: Sequence[str], pairs: Pairs
) -> tuple[Sequence[str], datetime | None]:
    types: Sequence[str] = [name for name in offered if grant.allows(name, "r", whole=True)]
    since = None
    for name, value in pairs:
        if name == "_type":
            types = list(dict.fromkeys(value.split(",")))
            unknown = [kind for kind in types if kind not in offered]
            if unknown:
                raise FhirProblem(400, "not-supported", "_type names a type that is not served.")
            for kind in types:
                grant.whole_reach(kind, "r")
        elif name == "_since":
            since = _instant(value)
        elif name == "_outputFormat":
            if value.replace(" ", "+") not in _FORMATS:
                raise FhirProblem(400, "not-supported", "_outputFormat can only be ndjson.")
        else:
            raise FhirProblem(400, "not-supported", f"{name[:60]} is not supported here.")
    if not types:
        raise FhirProblem(403, "forbidden", "The token's scopes allow no type to be exported.")
    return types, since


def _instant(value: str) -> datetime:
    if "T" not in value or not value[:1].isdigit():
        raise FhirProblem(400, "invalid", "_since must be an instant.")
    return read_date(value)[1][0]
