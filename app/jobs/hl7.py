"""HL7 v2 work that is due: messages to act on, messages to send."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.hl7.outbound import UNANSWERED
from app.store import ALL_TENANTS, Hl7InboundRow, Hl7OutboundRow


def tenants_to_process(db: Session) -> list[str]:
    """Health systems with received messages that nobody has acted on yet."""
    query = select(Hl7InboundRow.tenant_id).where(Hl7InboundRow.state == "waiting").distinct()
    return list(db.scalars(query, execution_options={ALL_TENANTS: True}))


def destinations_to_send(db: Session, now: datetime) -> list[tuple[str, str]]:
    """Health systems and their receivers for which a message is due."""
    query = (
        select(Hl7OutboundRow.tenant_id, Hl7OutboundRow.destination)
        .where(Hl7OutboundRow.state.in_(UNANSWERED), Hl7OutboundRow.next_attempt_at <= now)
        .distinct()
    )
    rows = db.execute(query, execution_options={ALL_TENANTS: True})
    return [(tenant_id, destination) for tenant_id, destination in rows]
