"""What clinicians decided about proposals for a patient's plan."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, event
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from app.store.base import Base, TenantOwned


class ProposalDecisionRow(TenantOwned, Base):
    """`proposal` is the document of `rtm.progression.Proposal` as it was shown, with its reasons.

    `digest` tells proposals of one program version apart (`app.proposals`). `decision` is accepted,
    edited or declined; `note` why it was declined.
    """

    __tablename__ = "proposal_decision"
    __table_args__ = (UniqueConstraint("program_row_id", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    program_row_id: Mapped[int] = mapped_column(ForeignKey("program.id"))
    digest: Mapped[str]
    proposal: Mapped[dict[str, Any]]
    decision: Mapped[str]
    note: Mapped[str]
    decided_by: Mapped[int] = mapped_column(ForeignKey("practitioner.id"))
    decided_at: Mapped[datetime]


class DecisionIsFinal(RuntimeError):
    """Somebody tried to change or delete a decision; a new program is decided about anew."""


@event.listens_for(ProposalDecisionRow, "before_update")
@event.listens_for(ProposalDecisionRow, "before_delete")
def _refuse(_mapper: Mapper[Any], _connection: Any, target: ProposalDecisionRow) -> None:
    raise DecisionIsFinal(f"decision {target.id} can't be changed")
