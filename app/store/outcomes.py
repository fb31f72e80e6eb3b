"""Outcome measures as patients answered them, and answers that are not finished."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, event
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from app.store.base import Base, TenantOwned


class OutcomeIsFinal(RuntimeError):
    """An answered questionnaire was to be changed: a bug in the caller."""


class OutcomeResponseRow(TenantOwned, Base):
    """One filled questionnaire with its score; never changed.

    `answers` and `names` are by item id, as in `rtm.outcomes.OutcomeResponse`.
    """

    __tablename__ = "outcome_response"

    id: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    program_row_id: Mapped[int] = mapped_column(ForeignKey("program.id"))
    instrument_id: Mapped[str]
    instrument_version: Mapped[str]
    language: Mapped[str]
    answers: Mapped[dict[str, Any]]
    names: Mapped[dict[str, Any]]
    score: Mapped[float | None]
    answered_at: Mapped[datetime] = mapped_column(index=True)


class OutcomeDraftRow(TenantOwned, Base):
    """Answers so far of a questionnaire that the patient left; gone once it is sent.

    `response_id` is the id that the response will have.
    """

    __tablename__ = "outcome_draft"
    __table_args__ = (UniqueConstraint("patient_id", "instrument_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"))
    instrument_id: Mapped[str]
    response_id: Mapped[str]
    answers: Mapped[dict[str, Any]]
    names: Mapped[dict[str, Any]]
    saved_at: Mapped[datetime]


@event.listens_for(OutcomeResponseRow, "before_update")
@event.listens_for(OutcomeResponseRow, "before_delete")
def _refuse(mapper: Mapper[Any], connection: Any, row: OutcomeResponseRow) -> None:
    raise OutcomeIsFinal(f"outcome response {row.id} is final")
