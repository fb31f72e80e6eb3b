"""The HL7 v2 queues as those who run the service see them: counts, what waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.hl7.outbound import UNANSWERED
from app.store import ALL_TENANTS, Hl7InboundRow, Hl7OutboundRow, Hl7StrayRow

Direction = Literal["in", "out"]

# States in which nothing happens any more unless a person acts.
_IN_STUCK, _OUT_STUCK = ("set_aside",), ("refused", "failed")
_IN_REPLAYED = (*_IN_STUCK, "not_ours", "ignored", "superseded")


class NotFound(LookupError):
    """No such message, or none to which that can be done; says which."""


@dataclass(frozen=True)
class StuckMessage:
    """A message that waits for a person. `id` is what `replay` and `settle` take."""

    id: str
    tenant_id: str
    message_type: str
    control_id: str
    state: str
    since: datetime
    why: str


def counts(db: Session) -> dict[Direction, dict[str, int]]:
    """Messages with which something is still to happen, by state, of every health system together.

    The strays are among the received. What is done is not counted: a feed's are millions.
    """
    found: dict[Direction, dict[str, int]] = {"in": {}, "out": {}}
    tables: Sequence[tuple[Direction, Any, Sequence[str]]] = (
        ("in", Hl7InboundRow, ("waiting", "refused", *_IN_STUCK)),
        ("out", Hl7OutboundRow, (*UNANSWERED, *_OUT_STUCK)),
    )
    for direction, table, states in tables:
        query = (
            select(table.state, func.count(table.id))
            .where(table.state.in_(states))
            .group_by(table.state)
        )
        found[direction] = dict.fromkeys(states, 0)
        for state, count in db.execute(query, execution_options={ALL_TENANTS: True}):
            found[direction][state] = count
    found["in"]["stray"] = db.scalar(select(func.count(Hl7StrayRow.id))) or 0
    return found


def stuck_messages(db: Session, limit: int) -> list[StuckMessage]:
    """Those of every health system, the oldest first, at most `limit` of each direction."""
    everywhere = {ALL_TENANTS: True}
    received = db.scalars(
        select(Hl7InboundRow)
        .where(Hl7InboundRow.state.in_(_IN_STUCK))
        .order_by(Hl7InboundRow.id)
        .limit(limit),
        execution_options=everywhere,
    )
    sent = db.scalars(
        select(Hl7OutboundRow)
        .where(Hl7OutboundRow.state.in_(_OUT_STUCK))
        .order_by(Hl7OutboundRow.id)
        .limit(limit),
        execution_options=everywhere,
    )
    return [
        *(
            StuckMessage(
                f"in-{row.id}",
                row.tenant_id,
                row.message_type,
                row.control_id,
                row.state,
                row.received_at,
                row.reason or "",
            )
            for row in received
        ),
        *(
            StuckMessage(
                f"out-{row.id}",
                row.tenant_id,
                row.message_type,
                row.control_id,
                row.state,
                row.created_at,
                " ".join(filter(None, (row.ack_code, row.ack_text))) or row.last_error or "",
            )
            for row in sent
        ),
    ]


def replay(db: Session, message_id: str, now: datetime) -> str:
    """Lets a message have another go, after what was wrong was put right; its tenant.

    A received one is acted on again, a sent one goes again under its first MSH-10.

    Raises:
        NotFound: no such message, or none that waits for a person.
    """
    row = _row(db, message_id)
    if isinstance(row, Hl7InboundRow):
        _require(row.state in _IN_REPLAYED and row.content is not None, message_id, row.state)
        row.state, row.reason, row.processed_at, row.erase_at = "waiting", None, None, None
    else:
        _require(row.state in _OUT_STUCK, message_id, row.state)
        row.state, row.attempts, row.next_attempt_at = "waiting", 0, now
    return row.tenant_id


def settle(db: Session, message_id: str, reason: str, now: datetime) -> None:
    """Closes a received message that a person has dealt with otherwise, and says how.

    Raises:
        NotFound: no such message, or none that was set aside.
    """
    row = _row(db, message_id)
    if not isinstance(row, Hl7InboundRow):
        raise NotFound(f"{message_id}: only a received message can be settled")
    _require(row.state in _IN_STUCK, message_id, row.state)
    row.state, row.processed_at = "settled", now
    row.reason = f"{row.reason}; settled: {reason}"


def _require(condition: bool, message_id: str, state: str) -> None:
    if not condition:
        raise NotFound(f"{message_id} is {state.replace('_', ' ')}: nothing to do")


def _row(db: Session, message_id: str) -> Hl7InboundRow | Hl7OutboundRow:
    direction, _, number = message_id.partition("-")
    table: Any = {"in": Hl7InboundRow, "out": Hl7OutboundRow}.get(direction)
    if table is None or not number.isdecimal() or len(number) > 18:
        raise NotFound(f"{message_id!r} is no message: ids look like in-12 and out-7")
    row: Hl7InboundRow | Hl7OutboundRow | None = db.scalar(
        select(table).where(table.id == int(number)).with_for_update(),
        execution_options={ALL_TENANTS: True},
    )
    if row is None:
        raise NotFound(f"there is no message {message_id}")
    return row
