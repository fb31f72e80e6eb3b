"""Sending the charge messages that wait for an answer, whoever queued them."""

from __future__ import annotations

import structlog

from app.billing_office.charge_messages import (
    NoInterface,
    deliver_charges,
    interface_of,
    messages_due,
)
from app.context import Context
from app.store import Tenant

log = structlog.get_logger(__name__)


def charges_due(context: Context, tenant: Tenant) -> bool:
    """Whether this health system has an interface engine, and a message whose time has come."""
    try:
        interface_of(tenant.practice)
    except NoInterface:
        return False
    with context.database.begin(tenant.id) as db:
        return messages_due(db, context.now())


def send_charges(context: Context, tenant_id: str) -> None:
    """Sends what waits; what stays unanswered comes again with a later sweep."""
    done = deliver_charges(context, tenant_id)
    log.info(
        "charges_sent",
        tenant=tenant_id,
        accepted=done.accepted,
        refused=len(done.refused),
        unanswered=done.unanswered,
    )
