"""How far a population was read, kept so that a reading that stopped goes on where it stopped."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.context import Context
from app.store import PopulationReadRow, Tenant

# Longer than the longest pause between two signs of life; a process that dies frees it so.
_LEASE = timedelta(minutes=10)


class PopulationRefused(ValueError):
    """The reading can't be begun, or not be brought to an end; the message says why."""


class State:
    """The row of one reading, leased to us until `release`. With `dry_run` nothing is stored."""

    def __init__(
        self, context: Context, tenant_id: str, row: PopulationReadRow, *, dry_run: bool
    ) -> None:
        self._context, self._tenant_id = context, tenant_id
        self.row, self.dry_run = row, dry_run

    @property
    def address(self) -> dict[str, Any]:
        """`status_url` of the export once it was begun, `manifest` once the EHR gave it."""
        return self._context.vault.open(self.row.sealed) if self.row.sealed else {}

    def keep_address(self, address: dict[str, Any], **values: Any) -> None:
        self.store(sealed=self._context.vault.seal(address), **values)

    def store(self, **values: Any) -> None:
        """Writes `values`, and keeps the lease."""
        if self.dry_run:
            self._set(values)
            return
        with self._context.database.begin(self._tenant_id) as db:
            self.write(db, **values)

    def write(self, db: Session, **values: Any) -> None:
        """As `store`, in the caller's transaction."""
        values = {"leased_until": self._context.now() + _LEASE, **values}
        self._set(values)
        db.execute(
            update(PopulationReadRow)
            .where(PopulationReadRow.id == self.row.id)
            .values(**values)
            .execution_options(synchronize_session=False)
        )

    def lock(self, db: Session) -> None:
        """Before savepoints: those of SQLite hold within a transaction only."""
        mine = select(PopulationReadRow.id).where(PopulationReadRow.id == self.row.id)
        db.scalar(mine.with_for_update())

    def release(self) -> None:
        """Whoever comes next need not wait for the lease."""
        self.store(leased_until=None)

    def _set(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(self.row, name, value)


def claim(
    context: Context,
    tenant_id: str,
    group_id: str | None,
    since: datetime | None,
    *,
    anew: bool,
    dry_run: bool,
) -> State:
    """The reading of this population that is under way, else a new one.

    `anew` gives up the one under way. A dry run is always new.

    Raises:
        PopulationRefused: another process is at it.
    """
    now = context.now()
    row = PopulationReadRow(
        group_id=group_id,
        since=since,
        status="running",
        sealed=b"",
        lines_done={},
        counts={},
        refused=[],
        problems=[],
        started_at=now,
    )
    if dry_run:
        return State(context, tenant_id, row, dry_run=True)
    with context.database.begin(tenant_id) as db:
        # Whoever looks for it holds the tenant's row, so that two at once don't both begin.
        db.scalar(select(Tenant.id).where(Tenant.id == tenant_id).with_for_update())
        known = db.scalar(
            select(PopulationReadRow).where(
                PopulationReadRow.status == "running",
                PopulationReadRow.group_id.is_not_distinct_from(group_id),
                PopulationReadRow.since.is_not_distinct_from(since),
            )
        )
        if known is not None and known.leased_until is not None and known.leased_until > now:
            raise PopulationRefused(
                "another process is reading this population; if that one died, it is free at "
                f"{known.leased_until:%H:%M} UTC"
            )
        if known is not None and anew:
            known.status, known.sealed, known.finished_at = "failed", b"", now
            known = None
        if known is None:
            db.add(row)
        else:
            row = known
        row.leased_until = now + _LEASE
        db.flush()
    return State(context, tenant_id, row, dry_run=False)


def last_complete(context: Context, tenant_id: str, group_id: str | None) -> datetime | None:
    """How current the last reading was that came to its end; None where there was none."""
    with context.database.begin(tenant_id) as db:
        return db.scalar(
            select(PopulationReadRow.transaction_time)
            .where(
                PopulationReadRow.group_id.is_not_distinct_from(group_id),
                PopulationReadRow.status == "complete",
            )
            .order_by(PopulationReadRow.id.desc())
            .limit(1)
        )
