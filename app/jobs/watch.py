"""Holding the rules of alerts against every patient with a program, about once an hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog
from sqlalchemy import ColumnElement, and_, exists, or_, select, update

from app.context import Context
from app.jobs.failures import isolated
from app.store import PatientRow, ProgramRow, Tenant
from app.watching import watch_patient

log = structlog.get_logger(__name__)

WATCH = "homestretch.watch"
_EVERY = timedelta(hours=1)
_BATCH = 200


def needs_watch(context: Context, tenant: Tenant) -> bool:
    """Whether any patient was not looked at for an hour."""
    with context.database.begin(tenant.id) as db:
        return db.scalar(select(PatientRow.id).where(_is_due(context)).limit(1)) is not None


def watch_tenant(context: Context, tenant_id: str) -> int:
    """Looks at everybody who is due; how many alerts are new. Several may run at once."""
    raised, after = 0, 0
    while ids := _take(context, tenant_id, after):
        for id_ in ids:
            subject = f"patient {id_}"
            found = isolated(
                context,
                WATCH,
                tenant_id,
                subject,
                lambda patient_id=id_: watch_patient(context, tenant_id, patient_id),  # type: ignore[misc]
            )
            raised += found or 0
        after = ids[-1]
    if raised:
        log.info("watched", tenant=tenant_id, alerts=raised)
    return raised


def _take(context: Context, tenant_id: str, after: int) -> Sequence[int]:
    """The next patients, marked as looked at: one who can't be read waits for the next hour."""
    with context.database.begin(tenant_id) as db:
        due = (
            select(PatientRow.id)
            .where(_is_due(context), PatientRow.id > after)
            .order_by(PatientRow.id)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
        )
        ids = db.scalars(due).all()
        marked = update(PatientRow).where(PatientRow.id.in_(ids))
        db.execute(marked.values(watched_at=context.now()))
        return ids


def _is_due(context: Context) -> ColumnElement[bool]:
    return and_(
        PatientRow.merged_into_id.is_(None),
        or_(PatientRow.watched_at.is_(None), PatientRow.watched_at <= context.now() - _EVERY),
        exists().where(ProgramRow.patient_id == PatientRow.id),
    )
