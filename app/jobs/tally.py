"""Keeping the worklist up to date: the month under way and the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import structlog
from sqlalchemy.exc import OperationalError

from app.billing_office.month import is_up_to_date, lock_out_of_date, neighbours, refresh
from app.context import Context
from app.jobs.failures import isolated
from app.store import Tenant

log = structlog.get_logger(__name__)

# Patients in one transaction: a second or so of work, so that nobody waits long for a lock.
_BATCH = 500


def _months(context: Context, tenant: Tenant) -> tuple[str, str]:
    """The practice's month under way, and the one before it, which is being billed."""
    month = f"{tenant.local(context.now()):%Y-%m}"
    return month, neighbours(month)[0]


def needs_tally(context: Context, tenant: Tenant) -> bool:
    """Whether any row of those months is missing or out of date."""
    today = tenant.local(context.now()).date()
    with context.database.begin(tenant.id) as db:
        return not all(is_up_to_date(db, month, today) for month in _months(context, tenant))


def _refreshed(
    context: Context, tenant_id: str, month: str, today: date, *, after: int
) -> Sequence[int]:
    """The patients who were taken. Where one can't be tallied, the others are, one by one."""
    try:
        with context.database.begin(tenant_id) as db:
            return refresh(db, month, today, context.now(), _BATCH, after=after)
    except OperationalError:
        raise
    except Exception:
        log.warning("tally_one_by_one", tenant=tenant_id, month=month)
    with context.database.begin(tenant_id) as db:
        ids = lock_out_of_date(db, month, today, at_most=_BATCH, after=after)
    for id_ in ids:

        def refresh_one(before: int = id_ - 1) -> None:
            with context.database.begin(tenant_id) as db:
                refresh(db, month, today, context.now(), 1, after=before)

        isolated(context, "homestretch.tally", tenant_id, f"{month}: patient {id_}", refresh_one)
    return ids


def tally_tenant(context: Context, tenant_id: str) -> int:
    """Tallies whatever is out of date; how many patient-months. Several may run at once."""
    with context.database.begin(None) as db:
        tenant = db.get_one(Tenant, tenant_id)
    today = tenant.local(context.now()).date()
    done = 0
    for month in _months(context, tenant):
        ids: Sequence[int] = (0,)
        while ids:
            ids = _refreshed(context, tenant_id, month, today, after=ids[-1])
            done += len(ids)
    if done:
        log.info("tallied", tenant=tenant_id, patient_months=done)
    return done
