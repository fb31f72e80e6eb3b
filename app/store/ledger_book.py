"""The RTM ledger at rest: episodes and append-only facts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, Index, event
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from app.store.base import Base, TenantOwned

# Nobody works longer than this on one patient without a break.
LONGEST_ENTRY = timedelta(hours=8)


def _as_recorded(context: Any) -> datetime:
    at: datetime = context.get_current_parameters()["recorded_at"]
    return at


class EpisodeRow(TenantOwned, Base):
    """An RTM episode of care, as the document of `rtm.episode.Episode` when it began.

    `updated_at` is when the patient last changed the consent to it (`ConsentEventRow`).
    """

    __tablename__ = "episode"

    id: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    document: Mapped[dict[str, Any]]
    recorded_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(default=_as_recorded)


class LedgerFactRow(TenantOwned, Base):
    """One fact of `rtm.ledger`; a correction is a further row, never an edit.

    `npi`, `began_at` and `ended_at` repeat those of a time entry with clock times, also of one
    that a correction put in place, so that the same minute logged for two patients is found. No
    entry is longer than `LONGEST_ENTRY`.
    """

    __tablename__ = "ledger_fact"
    __table_args__ = (Index("ix_ledger_fact_busy", "tenant_id", "npi", "began_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    episode_id: Mapped[str] = mapped_column(ForeignKey("episode.id"), index=True)
    kind: Mapped[str]
    document: Mapped[dict[str, Any]]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str]
    npi: Mapped[str | None]
    began_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class EntryTooLong(RuntimeError):
    """A time entry longer than any person works on end."""


@event.listens_for(LedgerFactRow, "before_insert")
def _refuse_too_long(_mapper: Mapper[Any], _connection: Any, target: LedgerFactRow) -> None:
    began, ended = target.began_at, target.ended_at
    if began is not None and ended is not None and ended - began > LONGEST_ENTRY:
        raise EntryTooLong(f"time entry {target.id} takes longer than {LONGEST_ENTRY}")


class FactIsFinal(RuntimeError):
    """Somebody tried to change or delete a ledger fact; record a correction instead."""


@event.listens_for(LedgerFactRow, "before_update")
@event.listens_for(LedgerFactRow, "before_delete")
def _refuse(_mapper: Mapper[Any], _connection: Any, target: LedgerFactRow) -> None:
    raise FactIsFinal(f"ledger fact {target.id} can't be changed; record a correction")
