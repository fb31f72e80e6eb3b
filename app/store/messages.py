"""Messages between patients and their care team, append-only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, event
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from app.store.base import Base, TenantOwned


class MessageRow(TenantOwned, Base):
    """One message. Its `id` was made with the page that it was written on.

    `thread_id` is the id of the thread's first message, which alone has a `subject`. `side` is who
    wrote it: `patient`, or `care_team` and then `practitioner_id` says who.
    """

    __tablename__ = "message"

    id: Mapped[str] = mapped_column(primary_key=True)
    thread_id: Mapped[str] = mapped_column(index=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    side: Mapped[str]
    practitioner_id: Mapped[int | None] = mapped_column(ForeignKey("practitioner.id"))
    subject: Mapped[str | None]
    text: Mapped[str]
    sent_at: Mapped[datetime] = mapped_column(index=True)


class MessageReadRow(TenantOwned, Base):
    """That a reader opened a message for the first time; `practitioner_id` is 0 of a patient."""

    __tablename__ = "message_read"
    __table_args__ = (UniqueConstraint("message_id", "practitioner_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(ForeignKey("message.id"), index=True)
    side: Mapped[str]
    practitioner_id: Mapped[int]
    read_at: Mapped[datetime] = mapped_column(index=True)


class MessageIsFinal(RuntimeError):
    """Somebody tried to change or delete a message or when it was read; send a further one."""


@event.listens_for(MessageRow, "before_update")
@event.listens_for(MessageRow, "before_delete")
@event.listens_for(MessageReadRow, "before_update")
@event.listens_for(MessageReadRow, "before_delete")
def _refuse(_mapper: Mapper[Any], _connection: Any, target: MessageRow | MessageReadRow) -> None:
    raise MessageIsFinal(f"{type(target).__name__} {target.id} can't be changed")
