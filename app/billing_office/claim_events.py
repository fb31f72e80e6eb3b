"""The events of claims at rest: recorded once, folded to a state, charges released by it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.context import Context
from app.store import (
    ClaimEventRow,
    ClaimExportRow,
    ClaimLineRow,
    Tenant,
    from_document,
    to_document,
)
from billing.claim_state import ClaimEvent, ClaimState, claim_state, objection


class UnbillRefused(ValueError):
    """The claim can't be taken back; the message says why."""


def record_event(
    db: Session, event: ClaimEvent, *, at: datetime, by: str, file_id: int | None = None
) -> bool:
    """Stores `event` unless it is there already; False then."""
    digest = event.digest
    if db.scalar(select(ClaimEventRow.id).where(ClaimEventRow.digest == digest)) is not None:
        return False
    db.add(
        ClaimEventRow(
            claim_id=event.claim_id,
            digest=digest,
            kind=event.kind,
            happened_on=event.on,
            document=to_document(event),
            file_id=file_id,
            recorded_at=at,
            recorded_by=by,
        )
    )
    db.flush()
    return True


def unbill(context: Context, tenant_id: str, claim_id: str, reason: str, by: str) -> int:
    """Takes a claim back by a person's decision; how many charges may be billed anew.

    Raises:
        UnbillRefused: no such claim, or its state does not allow it; nothing is recorded then.
    """
    with context.database.begin(tenant_id) as db:
        now = context.now()
        today = now.astimezone(ZoneInfo(db.get_one(Tenant, tenant_id).time_zone)).date()
        event = ClaimEvent(claim_id, "unbilled", today, by, reasons=(reason,) if reason else ())
        why = objection(read_state(db, claim_id), event)
        if why is not None:
            raise UnbillRefused(f"claim {claim_id}: {why}")
        record_event(db, event, at=now, by=by)
        return release_charges(db, claim_id, read_state(db, claim_id), now)


def read_state(db: Session, claim_id: str) -> ClaimState:
    """Where the claim stands by its export and all its events; one that never left is `none`."""
    return claim_state(read_events(db, [claim_id])[claim_id])


def read_events(db: Session, claim_ids: Iterable[str]) -> dict[str, list[ClaimEvent]]:
    """Each claim's events, with those two that its export's own row says: built and exported."""
    events = {claim_id: list(_export_events(db, claim_id)) for claim_id in claim_ids}
    for row in db.scalars(select(ClaimEventRow).where(ClaimEventRow.claim_id.in_(events))):
        events[row.claim_id].append(from_document(ClaimEvent, row.document))
    return events


def _export_events(db: Session, claim_id: str) -> tuple[ClaimEvent, ...]:
    """The export's own row says that a claim was built and left; it is kept as it was."""
    export = db.scalar(
        select(ClaimExportRow)
        .join(ClaimLineRow, ClaimLineRow.export_id == ClaimExportRow.id)
        .where(ClaimLineRow.claim_id == claim_id)
        .limit(1)
    )
    if export is None:
        return ()
    on, source = export.exported_at.date(), f"export {export.control_number}"
    return ClaimEvent(claim_id, "built", on, source), ClaimEvent(claim_id, "exported", on, source)


def release_charges(db: Session, claim_id: str, state: ClaimState, at: datetime) -> int:
    """Frees the claim's charges to be billed anew where `state` does; how many it freed."""
    if not state.releases_charges:
        return 0
    lines = db.scalars(
        select(ClaimLineRow).where(
            ClaimLineRow.claim_id == claim_id, ClaimLineRow.released_at.is_(None)
        )
    ).all()
    for line in lines:
        line.released_at = at
    db.flush()
    return len(lines)
