"""`homestretch reminders`: which channels are set up, and what became of the reminders."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from app.context import Context
from app.reminding.channels import MISSING, gateways
from app.store import ContactRow, ReminderRow
from rtm.reminders import CHANNELS


def reminder_lines(context: Context, tenant_id: str) -> Iterator[str]:
    """Each channel with the addresses that it reaches, counts by channel and state, and why some
    were not sent."""
    usable = gateways(context)
    with context.database.begin(tenant_id) as db:
        for channel in CHANNELS:
            reached = select(func.count()).where(
                ContactRow.channel == channel,
                ContactRow.verified_at.is_not(None),
                ContactRow.ended_at.is_(None),
            )
            state = "set up" if channel in usable else MISSING[channel]
            yield f"{channel:6} {db.scalar(reached) or 0:6} addresses, {state}"
        joined = ReminderRow.contact_id == ContactRow.id
        by_state = (ContactRow.channel, ReminderRow.status)
        counted = select(*by_state, func.count()).join(ContactRow, joined).group_by(*by_state)
        for name, status, count in db.execute(counted.order_by(*by_state)):
            yield f"{name:6} {count:6} {status}"
        reasons = (ContactRow.channel, ReminderRow.last_error)
        failed = select(*reasons, func.count()).join(ContactRow, joined).group_by(*reasons)
        for name, why, count in db.execute(failed.where(ReminderRow.status == "failed")):
            yield f"{name:6} {count:6} not sent: {why}"
