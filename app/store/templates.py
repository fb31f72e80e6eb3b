"""What clinicians keep for the programs to come: saved templates and favourite exercises."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.store.base import Base, TenantOwned


class ProgramTemplateRow(TenantOwned, Base):
    """A program without a patient, as the document of `rtm.program.Program`.

    Every clinician of the health system may begin with it. It is not changed: saving again makes
    another one, and `retired_at` takes one from the list.
    """

    __tablename__ = "program_template"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    document: Mapped[dict[str, Any]]
    made_by: Mapped[int] = mapped_column(ForeignKey("practitioner.id"))
    made_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class FavouriteExerciseRow(TenantOwned, Base):
    """An exercise that this clinician wants to find first."""

    __tablename__ = "favourite_exercise"
    __table_args__ = (UniqueConstraint("practitioner_id", "exercise_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    practitioner_id: Mapped[int] = mapped_column(ForeignKey("practitioner.id"))
    exercise_id: Mapped[str]
