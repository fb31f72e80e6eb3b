"""Safety answers, alerts to the care team, and who has seen them: facts, never edited."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, ScalarSelect, UniqueConstraint, event, func, select
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from app.store.base import Base, TenantOwned


class SafetyScreenRow(TenantOwned, Base):
    """One time that a patient answered the questions, as the document of `rtm.safety.Screen`.

    `id` is made with the page. `language` is the one that the questions were shown in.
    """

    __tablename__ = "safety_screen"

    id: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    program_row_id: Mapped[int] = mapped_column(ForeignKey("program.id"))
    document: Mapped[dict[str, Any]]
    language: Mapped[str]
    answered_at: Mapped[datetime]


class AlertRow(TenantOwned, Base):
    """Something that the care team must see. `facts` is the document of `rtm.alerts.AlertFacts`.

    `kind` is an id of `rtm.alerts`; one `cause` alerts once in each kind. `practitioner_id` is
    whose it is until it is handed on (`AlertStepRow`).
    """

    __tablename__ = "alert"
    __table_args__ = (UniqueConstraint("tenant_id", "kind", "cause"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    kind: Mapped[str]
    cause: Mapped[str]
    facts: Mapped[dict[str, Any]]
    raised_at: Mapped[datetime]
    practitioner_id: Mapped[int | None] = mapped_column(ForeignKey("practitioner.id"), index=True)


class AlertStepRow(TenantOwned, Base):
    """That a clinician put an alert off, `until`, or handed it on, `to_practitioner_id`.

    `step` is `snoozed` or `handed_on`; of each the newest row counts.
    """

    __tablename__ = "alert_step"

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id"), index=True)
    step: Mapped[str]
    until: Mapped[datetime | None]
    to_practitioner_id: Mapped[int | None] = mapped_column(
        ForeignKey("practitioner.id"), index=True
    )
    note: Mapped[str | None]
    made_by: Mapped[int] = mapped_column(ForeignKey("practitioner.id"))
    made_at: Mapped[datetime]


def newest_alert_step(step: str) -> ScalarSelect[int]:
    """In a query over alerts: the id of an alert's newest row of that `step`."""
    return (
        select(func.max(AlertStepRow.id))
        .where(AlertStepRow.alert_id == AlertRow.id, AlertStepRow.step == step)
        .correlate(AlertRow)
        .scalar_subquery()
    )


class AlertAcknowledgementRow(TenantOwned, Base):
    """That a clinician has seen an alert and taken it over; the first one counts."""

    __tablename__ = "alert_acknowledgement"

    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id"), primary_key=True)
    acknowledged_by: Mapped[int] = mapped_column(ForeignKey("practitioner.id"))
    acknowledged_at: Mapped[datetime]
    note: Mapped[str | None]


class SafetyFactIsFinal(RuntimeError):
    """Somebody tried to change or delete an answer, an alert, a step or an acknowledgement."""


for _kind in (SafetyScreenRow, AlertRow, AlertStepRow, AlertAcknowledgementRow):

    @event.listens_for(_kind, "before_update")
    @event.listens_for(_kind, "before_delete")
    def _refuse(_mapper: Mapper[Any], _connection: Any, target: Any) -> None:
        raise SafetyFactIsFinal(f"a row of {target.__tablename__} can't be changed")
