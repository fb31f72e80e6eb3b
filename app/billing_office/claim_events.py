"""The events of claims at rest: recorded once, folded to a state, charges released by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, select
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
    in_parts,
    mark_all_stale,
    to_document,
)
from billing.claim_state import ClaimEvent, ClaimState, claim_state, objection, taken_on


class UnbillRefused(ValueError):
    """The claim can't be taken back; the message says why."""


class ReopenRefused(ValueError):
    """The claim can't be reopened; the message says why."""


class Left(NamedTuple):
    """The export with which a claim left."""

    export_id: int
    at: datetime
    control_number: int


class Change(NamedTuple):
    """A claim that corrects (7) or voids (8) an earlier one."""

    claim_id: str
    frequency: str
    replaces: str


def record_event(
    db: Session, event: ClaimEvent, *, at: datetime, by: str, file_id: int | None = None
) -> bool:
    """Stores `event` unless it is there already; False then."""
    return record_events(db, [event], at=at, by=by, file_id=file_id) == 1


def record_events(
    db: Session,
    events: Iterable[ClaimEvent],
    *,
    at: datetime,
    by: str,
    file_id: int | None = None,
) -> int:
    """Stores those of `events` that are not there already; how many."""
    new = {event.digest: event for event in events}
    for part in in_parts(list(new)):
        for digest in db.scalars(
            select(ClaimEventRow.digest).where(ClaimEventRow.digest.in_(part))
        ):
            del new[digest]
    db.add_all(
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
        for digest, event in new.items()
    )
    db.flush()
    return len(new)


def unbill(context: Context, tenant_id: str, claim_id: str, reason: str, by: str) -> int:
    """Takes a claim back by a person's decision; how many charges may be billed anew.

    Raises:
        UnbillRefused: no such claim, its state does not allow it, its charge message was sent and
            may have arrived, or a correction or void of it is under way; nothing is recorded then.
    """
    with context.database.begin(tenant_id) as db:
        now = context.now()
        message = db.scalar(
            select(ChargeMessageRow)
            .where(ChargeMessageRow.claim_id == claim_id, ChargeMessageRow.status == "waiting")
            .with_for_update()
        )
        event, why = _decision(db, tenant_id, claim_id, "unbilled", reason, by, now)
        why = why or under_way(db, claim_id, message)
        if why is not None:
            raise UnbillRefused(f"claim {claim_id}: {why}")
        if message is not None:
            message.status = "withdrawn"
        record_event(db, event, at=now, by=by)
        return settle(db, [claim_id], at=now, by=by)


def under_way(db: Session, claim_id: str, message: ChargeMessageRow | None) -> str | None:
    """What was sent of the claim and not answered yet, so that it can't be taken back now."""
    if message is not None and message.status == "waiting" and message.attempts:
        return "its charge message was sent and not answered; send it again first"
    if (pending := pending_change(db, claim_id)) is not None:
        return f"claim {pending.claim_id}, which corrects or voids it, is under way"
    return None


def reopen(context: Context, tenant_id: str, claim_id: str, reason: str, by: str) -> None:
    """Records that the payer was asked to look again at its decision: an appeal or a reopening.

    Raises:
        ReopenRefused: no such claim, nothing was decided yet, or no reason is given.
    """
    with context.database.begin(tenant_id) as db:
        now = context.now()
        event, why = _decision(db, tenant_id, claim_id, "reopened", reason, by, now)
        if why is None and not reason:
            why = "reopening needs a reason"
        if why is not None:
            raise ReopenRefused(f"claim {claim_id}: {why}")
        record_event(db, event, at=now, by=by)


def day_of_decision(db: Session, tenant_id: str, claim_id: str, now: datetime) -> date:
    """The practice's date, but no earlier than what the decision answers: a payer may date its
    payment ahead, and the claim's events are taken by their dates."""
    today = db.get_one(Tenant, tenant_id).local(now).date()
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
    for claim_id, left in left_with(db, wanted).items():
        on, source = left.at.date(), f"export {left.control_number}"
        events[claim_id] += [
            ClaimEvent(claim_id, "built", on, source),
            ClaimEvent(claim_id, "exported", on, source),
        ]
    for part in in_parts(wanted):
        rows = db.scalars(select(ClaimEventRow).where(ClaimEventRow.claim_id.in_(part)))
        for row in rows:
            events[row.claim_id].append(from_document(ClaimEvent, row.document))
    return events


def left_with(db: Session, claim_ids: Iterable[str]) -> dict[str, Left]:
    """With which export each claim left; a claim that never left is not in it."""
    found: dict[str, Left] = {}
    for part in in_parts(list(claim_ids)):
        for table in (ClaimLineRow, ClaimRow):
            rows = db.execute(
                select(
                    table.claim_id,
                    ClaimExportRow.id,
                    ClaimExportRow.exported_at,
                    ClaimExportRow.control_number,
                )
                .join(ClaimExportRow, ClaimExportRow.id == table.export_id)
                .where(table.claim_id.in_(part))
                .distinct()
            )
            found |= {claim_id: Left(id_, at, number) for claim_id, id_, at, number in rows}
    return found


def settle(db: Session, claim_ids: Iterable[str], *, at: datetime, by: str) -> int:
    """Makes the charges follow the states of these claims; how many may be billed anew.

    A correction or void that the payer has taken replaces or voids the claim before; one that was
    refused or taken back leaves that claim as it was.
    """
    wanted = list(claim_ids)
    changes = _changes_among(db, wanted)
    released = 0
    for claim_id, events in read_events(db, wanted).items():
        freed = _release(db, claim_id, at) if claim_state(events).releases_charges else 0
        change = changes.get(claim_id)
        if change is None:
            released += freed + _settle_reversed(db, claim_id, events, at=at, by=by)
            continue
        day = taken_on(events)
        if day is not None:
            released += _take_effect(db, change, day, at=at, by=by)
        elif freed:
            _restore_charges(db, change.replaces)
    return released


def _changes_among(db: Session, claim_ids: Sequence[str]) -> dict[str, Change]:
    """Those of `claim_ids` that correct or void another claim."""
    found: dict[str, Change] = {}
    for part in in_parts(claim_ids):
        found |= {change.claim_id: change for change in _changes(db, ClaimRow.claim_id.in_(part))}
    return found


def _changes(db: Session, condition: ColumnElement[bool]) -> list[Change]:
    rows = db.execute(
        select(ClaimRow.claim_id, ClaimRow.frequency, ClaimRow.replaces)
        .where(condition, ClaimRow.replaces.is_not(None))
        .order_by(ClaimRow.id)
    )
    return [Change(claim_id, frequency, replaces or "") for claim_id, frequency, replaces in rows]


def _decision(
    db: Session,
    tenant_id: str,
    claim_id: str,
    kind: Literal["unbilled", "reopened"],
    reason: str,
    by: str,
    now: datetime,
) -> tuple[ClaimEvent, str | None]:
    """What the office decided as an event, and why it can't be if it can't."""
    on = day_of_decision(db, tenant_id, claim_id, now)
    event = ClaimEvent(claim_id, kind, on, by, reasons=(reason,) if reason else ())
    return event, objection(read_state(db, claim_id), event)


def _take_effect(db: Session, own: Change, day: date, *, at: datetime, by: str) -> int:
    """The payer has taken the correction or void `own`: the claim before is no more. How many
    charges may be billed anew."""
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


def pending_change(db: Session, claim_id: str) -> Change | None:
    """The correction or void of this claim that was sent and not refused, if there is one."""
    changes = _changes(db, ClaimRow.replaces == claim_id)
    states = read_states(db, [change.claim_id for change in changes])
    gone = ("rejected", "unbilled")
    return next((c for c in changes if states[c.claim_id].status not in gone), None)


def standing_lines(db: Session, claim_id: str) -> Sequence[ClaimLineRow]:
    """The claim's lines whose charges it holds: nothing else may bill them."""
    return db.scalars(
        select(ClaimLineRow).where(
            ClaimLineRow.claim_id == claim_id, ClaimLineRow.released_at.is_(None)
        )
    ).all()


def _release(db: Session, claim_id: str, at: datetime) -> int:
    """Frees the claim's charges to be billed anew; how many it freed."""
    lines = standing_lines(db, claim_id)
    for line in lines:
        line.released_at = at
    mark_all_stale(db, [line.patient_id for line in lines])
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
    mark_all_stale(db, [line.patient_id for line in lines])
    db.flush()


def known_claims(db: Session, claim_ids: Iterable[str]) -> set[str]:
    """Those of `claim_ids` that left from here."""
    return set(left_with(db, claim_ids))


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
