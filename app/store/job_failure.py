"""Background work that failed in a way that nobody foresaw."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base, TenantOwned


class JobFailureRow(TenantOwned, Base):
    """`task` on `subject` failed `attempts` times and waits until `next_attempt_at`; with
    `set_aside_at`, for a person. It is gone once the task succeeds. `last_error` holds no data."""

    __tablename__ = "job_failure"
    __table_args__ = (UniqueConstraint("tenant_id", "task", "subject"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    task: Mapped[str]
    subject: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str]
    first_at: Mapped[datetime]
    next_attempt_at: Mapped[datetime]
    set_aside_at: Mapped[datetime | None]
