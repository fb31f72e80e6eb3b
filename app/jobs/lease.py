"""Leases: who works on a row says until when, and a worker that dies frees it so."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute


def is_free(
    leased_until: InstrumentedAttribute[datetime | None], now: datetime
) -> ColumnElement[bool]:
    """For a query: nobody works on the row, or not any more."""
    return or_(leased_until.is_(None), leased_until <= now)


def is_held(leased_until: datetime | None, now: datetime) -> bool:
    """Of a row that was read: somebody works on it."""
    return leased_until is not None and leased_until > now
