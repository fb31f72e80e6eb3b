"""`homestretch outbox`: what is on its way to the EHR, how, and what waits for a person."""

from __future__ import annotations

from collections.abc import Iterator

from app.context import Context
from app.outbox import set_aside, tally_outbox, try_again


def outbox_lines(context: Context, tenant_id: str) -> Iterator[str]:
    """Counts by kind, way and state, then each message that was set aside, with its reason."""
    with context.database.begin(tenant_id) as db:
        for group in tally_outbox(db):
            way = group.way or "way not chosen"
            yield f"{group.kind:14} {way:16} {group.status:10} {group.count:6}"
        for row in set_aside(db):
            why = row.last_error or "no reason recorded"
            yield f"set aside: {row.id} {row.kind} after {row.attempts} attempts: {why}"


def retry_all(context: Context, tenant_id: str, only: int | None) -> int:
    """Puts back one message that was set aside, or all; how many. Workers find them."""
    with context.database.begin(tenant_id) as db:
        ids = [row.id for row in set_aside(db) if only in (None, row.id)]
        return try_again(db, ids, context.now())
