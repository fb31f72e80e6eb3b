"""How often somebody may try a code or a password.

A try is written before it is looked at. So of many that come at the same time none is free, and
what is not there is counted like what is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select

from app.context import Context
from app.keyed_hash import keyed_hash
from app.store import AccessTryRow

Door = Literal["join", "sign_in"]


@dataclass(frozen=True)
class Limit:
    """At most so many tries in a row without success: of one subject, and from one address.

    After `subject_window` tries of a subject are forgotten, None is never; an address is held to
    `per_address` within `address_window`, whether they succeed or not.
    """

    per_subject: int
    subject_window: timedelta | None
    per_address: int
    address_window: timedelta


# A code dies; a password waits. A clinic's waiting room may have one address.
LIMITS: dict[Door, Limit] = {
    "join": Limit(5, None, 30, timedelta(hours=1)),
    "sign_in": Limit(5, timedelta(minutes=15), 60, timedelta(hours=1)),
}


@dataclass(frozen=True)
class Try:
    """One try; `allowed` is whether it may be looked at."""

    door: Door
    subject: str
    address: str
    allowed: bool


def begin_try(context: Context, door: Door, subject: str, address: str) -> Try:
    """Writes the try down, then says whether it is within the limits.

    `subject` is what is tried, as a keyed hash; `address` the network address, hashed here.
    """
    limit, now = LIMITS[door], context.now()
    hashed = keyed_hash(context, "address", address)
    with context.database.begin(None) as db:
        db.add(AccessTryRow(door=door, subject=subject, address=hashed, passed=False, at=now))
    # In a transaction of its own: whoever wrote before us is counted.
    with context.database.begin(None) as db:
        last_pass = db.scalar(
            select(func.max(AccessTryRow.id)).where(
                AccessTryRow.door == door, AccessTryRow.subject == subject, AccessTryRow.passed
            )
        )
        of_subject = select(func.count()).where(
            AccessTryRow.door == door,
            AccessTryRow.subject == subject,
            AccessTryRow.id > (last_pass or 0),
        )
        if limit.subject_window is not None:
            of_subject = of_subject.where(AccessTryRow.at > now - limit.subject_window)
        from_address = select(func.count()).where(
            AccessTryRow.door == door,
            AccessTryRow.address == hashed,
            ~AccessTryRow.passed,
            AccessTryRow.at > now - limit.address_window,
        )
        allowed = (db.scalar(of_subject) or 0) <= limit.per_subject and (
            db.scalar(from_address) or 0
        ) <= limit.per_address
    return Try(door, subject, hashed, allowed)


def note_pass(context: Context, attempt: Try) -> None:
    """The try succeeded: the subject's count begins anew."""
    with context.database.begin(None) as db:
        db.add(
            AccessTryRow(
                door=attempt.door,
                subject=attempt.subject,
                address=attempt.address,
                passed=True,
                at=context.now(),
            )
        )


def tried_out(context: Context, door: Door, subject: str) -> datetime | None:
    """When the subject's last allowed try was used up without success; None while it was not.

    For a door where tries are never forgotten.
    """
    with context.database.begin(None) as db:
        rows = db.scalars(
            select(AccessTryRow)
            .where(AccessTryRow.door == door, AccessTryRow.subject == subject)
            .order_by(AccessTryRow.id)
        ).all()
    since: list[datetime] = []
    for row in rows:
        if row.passed:
            since.clear()
        else:
            since.append(row.at)
    limit = LIMITS[door].per_subject
    return since[limit - 1] if len(since) >= limit else None
