"""The events of claims at rest: recorded once, folded to a state, charges released by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.context import Context
from app.store import (
    ChargeMessageRow,
    ClaimEventRow,
    ClaimExportRow,
    ClaimLineRow,
    ClaimRow,
    Tenant,
    from_document,
    mark_stale,
    to_document,
)
from billing.claim_state import ClaimEvent, ClaimState, claim_state, objection, taken_on

_IN_ONE_QUERY = 500


class UnbillRefused(ValueError):
    """The claim can't be taken back; the message says why."""


class ReopenRefused(ValueError):
    """The claim can't be reopened; the message says why."""


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
        UnbillRefused: no such claim, or its state does not allow it, or its charge message was
            sent and may have arrived; nothing is recorded then.
    """
    with context.database.begin(tenant_id) as db:
        now = context.now()
        message = db.scalar(
            select(ChargeMessageRow)
            .where(ChargeMessageRow.claim_id == claim_id, ChargeMessageRow.status == "waiting")
            .with_for_update()
        )
        why = _objection(db, tenant_id, claim_id, "unbilled", reason, by, now)
        if why is None and message is not None and message.attempts:
            why = "its charge message was sent and not answered; send it again first"
        if why is not None:
            raise UnbillRefused(f"claim {claim_id}: {why}")
        if message is not None:
            message.status = "withdrawn"
        event = _decision(db, tenant_id, claim_id, "unbilled", reason, by, now)
        record_event(db, event, at=now, by=by)
        return settle(db, [claim_id], at=now, by=by)


def reopen(context: Context, tenant_id: str, claim_id: str, reason: str, by: str) -> None:
    """Records that the payer was asked to look again at its decision: an appeal or a reopening.

    Raises:
        ReopenRefused: no such claim, nothing was decided yet, or no reason is given.
    """
    with context.database.begin(tenant_id) as db:
        now = context.now()
        why = _objection(db, tenant_id, claim_id, "reopened", reason, by, now)
        if why is None and not reason:
            why = "reopening needs a reason"
        if why is not None:
            raise ReopenRefused(f"claim {claim_id}: {why}")
        event = _decision(db, tenant_id, claim_id, "reopened", reason, by, now)
        record_event(db, event, at=now, by=by)


def day_of_decision(db: Session, tenant_id: str, claim_id: str, now: datetime) -> date:
    """The practice's date, but no earlier than what the decision answers: a payer may date its
    payment ahead, and the claim's events are taken by their dates."""
    today = now.astimezone(ZoneInfo(db.get_one(Tenant, tenant_id).time_zone)).date()
    return max([today, *(event.on for event in read_events(db, [claim_id])[claim_id])])


def read_state(db: Session, claim_id: str) -> ClaimState:
    """Where the claim stands by its export and all its events; one that never left is `none`."""
    return read_states(db, [claim_id])[claim_id]


def read_states(db: Session, claim_ids: Iterable[str]) -> dict[str, ClaimState]:
    """As `read_state`, for many claims in a few queries."""
    return {id_: claim_state(events) for id_, events in read_events(db, claim_ids).items()}


def read_events(db: Session, claim_ids: Iterable[str]) -> dict[str, list[ClaimEvent]]:
    """Each claim's events, with those two that its export's own row says: built and exported."""
    wanted = list(dict.fromkeys(claim_ids))
    events: dict[str, list[ClaimEvent]] = {claim_id: [] for claim_id in wanted}
    for start in range(0, len(wanted), _IN_ONE_QUERY):
        part = wanted[start : start + _IN_ONE_QUERY]
        for claim_id, export in exports_of_claims(db, part).items():
            on, source = export.exported_at.date(), f"export {export.control_number}"
            events[claim_id] += [
                ClaimEvent(claim_id, "built", on, source),
                ClaimEvent(claim_id, "exported", on, source),
            ]
        rows = db.scalars(select(ClaimEventRow).where(ClaimEventRow.claim_id.in_(part)))
        for row in rows:
            events[row.claim_id].append(from_document(ClaimEvent, row.document))
    return events


def exports_of_claims(db: Session, claim_ids: Sequence[str]) -> dict[str, ClaimExportRow]:
    """The export with which each claim left; a claim that never left is not in it."""
    found: dict[str, ClaimExportRow] = {}
    for table in (ClaimLineRow, ClaimRow):
        rows = db.execute(
            select(table.claim_id, ClaimExportRow)
            .join(ClaimExportRow, ClaimExportRow.id == table.export_id)
            .where(table.claim_id.in_(claim_ids))
            .distinct()
        )
        found |= {claim_id: export for claim_id, export in rows}
    return found


def settle(db: Session, claim_ids: Iterable[str], *, at: datetime, by: str) -> int:
    """Makes the charges follow the states of these claims; how many may be billed anew.

    A correction or void that the payer has taken replaces or voids the claim before; one that was
    refused or taken back leaves that claim as it was.
    """
    released = 0
    for claim_id in claim_ids:
        own = db.scalar(select(ClaimRow).where(ClaimRow.claim_id == claim_id))
        events = read_events(db, [claim_id])[claim_id]
        freed = release_charges(db, claim_id, claim_state(events), at)
        if own is None or own.replaces is None:
            released += freed + _settle_reversed(db, claim_id, events, at=at, by=by)
            continue
        day = taken_on(events)
        if day is not None:
            released += _take_effect(db, own, day, at=at, by=by)
        elif freed:
            _restore_charges(db, own.replaces)
    return released


def release_charges(db: Session, claim_id: str, state: ClaimState, at: datetime) -> int:
    """Frees the claim's charges to be billed anew where `state` does; how many it freed."""
    return _release(db, claim_id, at) if state.releases_charges else 0


def _objection(
    db: Session,
    tenant_id: str,
    claim_id: str,
    kind: Literal["unbilled", "reopened"],
    reason: str,
    by: str,
    now: datetime,
) -> str | None:
    event = _decision(db, tenant_id, claim_id, kind, reason, by, now)
    return objection(read_state(db, claim_id), event)


def _decision(
    db: Session,
    tenant_id: str,
    claim_id: str,
    kind: Literal["unbilled", "reopened"],
    reason: str,
    by: str,
    now: datetime,
) -> ClaimEvent:
    on = day_of_decision(db, tenant_id, claim_id, now)
    return ClaimEvent(claim_id, kind, on, by, reasons=(reason,) if reason else ())


def _take_effect(db: Session, own: ClaimRow, day: date, *, at: datetime, by: str) -> int:
    """The payer has taken the correction or void `own`: the claim before is no more. How many
    charges may be billed anew."""
    assert own.replaces is not None, "the caller looked"
    void = own.frequency == "8"
    before = read_events(db, [own.replaces])[own.replaces]
    event = ClaimEvent(
        claim_id=own.replaces,
        kind="voided" if void else "replaced",
        on=max([day, *(event.on for event in before)]),
        source=f"claim {own.claim_id}",
    )
    if objection(claim_state(before), event) is not None:
        return 0
    record_event(db, event, at=at, by=by)
    freed = _release(db, own.replaces, at)
    return freed if void else 0  # a replaced claim's charges stand on its correction


def _settle_reversed(
    db: Session, claim_id: str, events: Sequence[ClaimEvent], *, at: datetime, by: str
) -> int:
    """A payer that takes back its payment while our void is under way has taken the void, though
    it may answer it with nothing else."""
    if claim_state(events).status != "reversed":
        return 0
    void = pending_change(db, claim_id)
    if void is None or void.frequency != "8":
        return 0
    day = max(event.on for event in events if event.kind == "reversed")
    return _take_effect(db, void, day, at=at, by=by)


def pending_change(db: Session, claim_id: str) -> ClaimRow | None:
    """The correction or void of this claim that was sent and not refused, if there is one."""
    rows = db.scalars(select(ClaimRow).where(ClaimRow.replaces == claim_id)).all()
    states = read_states(db, [row.claim_id for row in rows])
    gone = ("rejected", "unbilled")
    return next((row for row in rows if states[row.claim_id].status not in gone), None)


def _release(db: Session, claim_id: str, at: datetime) -> int:
    lines = db.scalars(
        select(ClaimLineRow).where(
            ClaimLineRow.claim_id == claim_id, ClaimLineRow.released_at.is_(None)
        )
    ).all()
    for line in lines:
        line.released_at = at
    for patient_id in {line.patient_id for line in lines}:
        mark_stale(db, patient_id)
    db.flush()
    return len(lines)


def _restore_charges(db: Session, claim_id: str) -> None:
    """The charges that a refused correction had taken over stand on the claim before again."""
    state = read_state(db, claim_id)
    if state.releases_charges or state.status == "replaced":
        return
    lines = db.scalars(select(ClaimLineRow).where(ClaimLineRow.claim_id == claim_id)).all()
    for line in lines:
        line.released_at = None
        mark_stale(db, line.patient_id)
    db.flush()


def known_claims(db: Session, claim_ids: Iterable[str]) -> set[str]:
    """Those of `claim_ids` that left from here."""
    return set(exports_of_claims(db, list(claim_ids)))


def claims_of_export(db: Session, export: ClaimExportRow) -> list[str]:
    """The claims of one file, in the order in which they were written."""
    kept = db.scalars(
        select(ClaimRow.claim_id).where(ClaimRow.export_id == export.id).order_by(ClaimRow.id)
    )
    lines = db.scalars(
        select(ClaimLineRow.claim_id)
        .where(ClaimLineRow.export_id == export.id)
        .order_by(ClaimLineRow.id)
    )
    return list(dict.fromkeys([*kept, *lines]))


def line_ids(db: Session, claim_id: str) -> set[str]:
    """The ids under which the claim's lines left; a void keeps its lines in the claim alone."""
    own = set(db.scalars(select(ClaimLineRow.line_id).where(ClaimLineRow.claim_id == claim_id)))
    document = db.scalar(select(ClaimRow.document).where(ClaimRow.claim_id == claim_id))
    return own | {line["id"] for line in (document or {}).get("lines", ())}
