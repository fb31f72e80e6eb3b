"""Faults of ours in background work: each is held to the one thing that it happened on.

What a job expects to go wrong it deals with itself. What nobody foresaw would end the task and
come back with every sweep, before everything behind it. So it is recorded, tried again with growing
pauses, and after a few times left to a person (`homestretch jobs`).
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

import structlog
from sqlalchemy import ColumnElement, delete, exists, or_, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.context import Context
from app.jobs.backoff import next_attempt
from app.store import JobFailureRow

log = structlog.get_logger(__name__)

T = TypeVar("T")

MOST_ATTEMPTS = 5
_FIRST_DELAY_S, _MOST_DELAY_S = 60.0, 3600.0


def isolated(
    context: Context, task: str, tenant_id: str, subject: str, work: Callable[[], T]
) -> T | None:
    """What `work` gives; None where it failed, now or before, and its time has not come.

    Raises OperationalError: that is the database, not the subject, and the task is tried again.
    """
    with context.database.begin(tenant_id) as db:
        failure = _failure(db, task, subject)
    if failure is not None and (
        failure.set_aside_at is not None or failure.next_attempt_at > context.now()
    ):
        return None
    try:
        done = work()
    except OperationalError:
        raise
    except Exception as error:
        _note(context, task, tenant_id, subject, error)
        return None
    if failure is not None:
        with context.database.begin(tenant_id) as db:
            db.execute(delete(JobFailureRow).where(JobFailureRow.id == failure.id))
    return done


def is_let(task: str, subject: InstrumentedAttribute[str], now: datetime) -> ColumnElement[bool]:
    """For a query: nothing that failed keeps `task` on `subject` waiting."""
    return ~exists().where(
        JobFailureRow.task == task,
        JobFailureRow.subject == subject,
        or_(JobFailureRow.set_aside_at.is_not(None), JobFailureRow.next_attempt_at > now),
    )


def our_error(error: Exception) -> str:
    """What happened and where, without what it happened to."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"our error: {type(error).__name__} at {frame.name}:{frame.lineno}"


def failures(db: Session) -> Sequence[JobFailureRow]:
    """The tenant's, the oldest first."""
    return db.scalars(select(JobFailureRow).order_by(JobFailureRow.id)).all()


def let_go(db: Session, failure_id: int | None = None) -> int:
    """Lets the next sweep try what failed again, one or all; how many that are."""
    again = [row for row in failures(db) if failure_id in (None, row.id)]
    for row in again:
        db.delete(row)
    return len(again)


def _failure(db: Session, task: str, subject: str) -> JobFailureRow | None:
    return db.scalar(
        select(JobFailureRow).where(JobFailureRow.task == task, JobFailureRow.subject == subject)
    )


def _note(context: Context, task: str, tenant_id: str, subject: str, error: Exception) -> None:
    now = context.now()
    with context.database.begin(tenant_id) as db:
        row = _failure(db, task, subject)
        if row is None:
            row = JobFailureRow(task=task, subject=subject, attempts=0, first_at=now)
            db.add(row)
        row.attempts += 1
        row.last_error = our_error(error)
        row.next_attempt_at = next_attempt(
            now, row.attempts, first_s=_FIRST_DELAY_S, most_s=_MOST_DELAY_S
        )
        if row.attempts >= MOST_ATTEMPTS:
            row.set_aside_at = now
    log.error(
        "job_failed",
        task=task,
        tenant=tenant_id,
        subject=subject,
        attempts=row.attempts,
        set_aside=row.set_aside_at is not None,
        why=row.last_error,
    )
