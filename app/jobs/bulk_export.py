"""Making a bulk export: one NDJSON file a type, written in the background."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import structlog
from sqlalchemy import select, update
from sqlalchemy.engine import CursorResult

from app.api.access import Reach
from app.api.authorization import facade_base
from app.api.bulk import export_folder, remove_files
from app.api.holdings import Holdings
from app.api.registry import SERVED
from app.api.searching import Leg, every, updated_since
from app.context import Context
from app.jobs.lease import is_held
from app.store import ALL_TENANTS, BulkExportRow, Tenant

log = structlog.get_logger(__name__)

# Renewed while it is worked on; a worker that dies frees the export so.
LEASE = timedelta(minutes=5)
_TOLD_EVERY = 500

# A result is dated a moment before it is committed. The export says that it is this much older
# than it is, so that the next one, from then on, gives such a result rather than misses it.
_OVERLAP = timedelta(seconds=30)

_EXPIRED_AT_ONCE = 50


class _Cancelled(Exception):
    """The client no longer wants it."""


def make_export(context: Context, tenant_id: str, export_id: str) -> None:
    """Makes an export that is accepted, or whose worker died; else does nothing."""
    row = _claim(context, tenant_id, export_id)
    if row is None:
        return
    started = context.now()
    try:
        output = _write_files(context, row)
        with context.database.begin(tenant_id) as db:
            done = db.execute(
                update(BulkExportRow)
                .where(BulkExportRow.id == export_id, BulkExportRow.status == "running")
                .values(
                    status="complete",
                    output=output,
                    transaction_time=started - _OVERLAP,
                    leased_until=None,
                )
            )
            assert isinstance(done, CursorResult)
            if done.rowcount != 1:
                raise _Cancelled
    except _Cancelled:
        remove_files(context, tenant_id, export_id)
        log.info("export_cancelled", export=export_id)
        return
    except Exception:
        log.exception("export_failed", export=export_id)
        remove_files(context, tenant_id, export_id)
        with context.database.begin(tenant_id) as db:
            failed = db.get_one(BulkExportRow, export_id)
            failed.status, failed.leased_until = "failed", None
            failed.problem = "The export failed; this was recorded. Please start it again."
        return
    log.info("exported", export=export_id, resources=sum(file["count"] for file in output))


def remove_expired(context: Context) -> None:
    """Removes the exports, with their files, whose time is over or that were cancelled."""
    with context.database.begin(None) as db:
        rows = db.execute(
            select(BulkExportRow.tenant_id, BulkExportRow.id)
            .where(BulkExportRow.expires_at <= context.now())
            .limit(_EXPIRED_AT_ONCE),
            execution_options={ALL_TENANTS: True},
        ).all()
    for tenant_id, export_id in rows:
        remove_files(context, tenant_id, export_id)
        with context.database.begin(tenant_id) as db:
            row = db.get(BulkExportRow, export_id)
            if row is not None:
                db.delete(row)


def _claim(context: Context, tenant_id: str, export_id: str) -> BulkExportRow | None:
    now = context.now()
    with context.database.begin(tenant_id) as db:
        row = db.get(BulkExportRow, export_id, with_for_update=True)
        if row is None or row.status not in ("accepted", "running"):
            return None
        if is_held(row.leased_until, now):
            return None
        row.status, row.leased_until = "running", now + LEASE
        return row


def _write_files(context: Context, row: BulkExportRow) -> list[dict[str, Any]]:
    folder = export_folder(context, row.tenant_id, row.id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    base = facade_base(context, row.tenant_id)
    output = []
    with context.database.begin(row.tenant_id) as db:
        holdings = Holdings(db, db.get_one(Tenant, row.tenant_id))
        for name in row.types:
            leg = _leg(name, row.since, base)
            count = 0
            with _durable(folder / f"{name}.ndjson") as file:
                for held in every(holdings, leg, base):
                    if count % _TOLD_EVERY == 0:
                        _tell(context, row, f"{name}: {count}")
                    file.write(json.dumps(held.resource, separators=(",", ":")) + "\n")
                    count += 1
            if count:
                output.append({"type": name, "name": f"{name}.ndjson", "count": count})
    return output


def _leg(name: str, since: datetime | None, base: str) -> Leg:
    served = SERVED[name]
    bound = [] if since is None else [updated_since(served, since.isoformat(), base)]
    return Leg(served, tuple(bound), Reach(None))


@contextmanager
def _durable(path: Path) -> Iterator[TextIO]:
    with path.open("w", encoding="utf-8") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _tell(context: Context, row: BulkExportRow, progress: str) -> None:
    """Notes the progress and keeps the lease. Raises _Cancelled."""
    with context.database.begin(row.tenant_id) as db:
        told = db.execute(
            update(BulkExportRow)
            .where(BulkExportRow.id == row.id, BulkExportRow.status == "running")
            .values(progress=progress, leased_until=context.now() + LEASE)
        )
        assert isinstance(told, CursorResult)
        if told.rowcount != 1:
            raise _Cancelled
