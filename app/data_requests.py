"""What patients ask of their data: an export, or that it be deleted; and what became of it.

Nothing is deleted by this: a request is kept, the care team answers it, and both are facts. What
the law makes the health system keep can't go; that decision is a person's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.context import Context
from app.store import DataRequestRow, PatientRow, PractitionerRow

MOST_NOTE = 500


class DataRequestRefused(ValueError):
    """There is no such open request, or there is one already."""


@dataclass(frozen=True)
class Deletion:
    """A request for deletion and how it stands: open, withdrawn by the patient, or answered."""

    id: str
    patient_id: int
    asked_at: datetime
    reason: str
    ended_at: datetime | None = None
    answer: str | None = None
    answered_by: str | None = None

    @property
    def is_open(self) -> bool:
        return self.ended_at is None


def newest_deletion(db: Session, patient_id: int) -> Deletion | None:
    """The patient's newest request for deletion."""
    found = _deletions(db, [patient_id])
    return found[-1] if found else None


def ask_deletion(
    context: Context, tenant_id: str, patient_id: int, request_id: str, reason: str
) -> None:
    """Records the request; the same one sent again has no further effect.

    Raises:
        DataRequestRefused: another one is open, or the id was used for something else.
    """
    with context.database.begin(tenant_id) as db:
        _one_at_a_time(db, patient_id)
        earlier = db.get(DataRequestRow, request_id)
        if earlier is not None and (earlier.patient_id, earlier.kind) == (patient_id, "deletion"):
            return
        newest = newest_deletion(db, patient_id)
        if earlier is not None or (newest is not None and newest.is_open):
            raise DataRequestRefused("There is an open request already.")
        _add(context, db, patient_id, "deletion", note=reason, id_=request_id)


def withdraw_deletion(context: Context, tenant_id: str, patient_id: int) -> None:
    """The patient takes the open request back. Raises DataRequestRefused where none is open."""
    with context.database.begin(tenant_id) as db:
        _one_at_a_time(db, patient_id)
        _add(context, db, patient_id, "withdrawn", about=_open(db, patient_id).id)


def answer_deletion(
    context: Context, tenant_id: str, patient_id: int, practitioner_id: int, answer: str
) -> None:
    """The care team says what was done. Raises DataRequestRefused where none is open."""
    with context.database.begin(tenant_id) as db:
        _one_at_a_time(db, patient_id)
        about = _open(db, patient_id).id
        row = _add(context, db, patient_id, "answered", about=about, note=answer)
        row.practitioner_id = practitioner_id


def note_export(context: Context, db: Session, patient_id: int) -> None:
    """The patient took a copy of the data."""
    _add(context, db, patient_id, "export")


def open_deletions(context: Context, tenant_id: str) -> Iterator[str]:
    """A line for each open request of a health system, the oldest first; no names in it."""
    with context.database.begin(tenant_id) as db:
        ids = db.scalars(
            select(DataRequestRow.patient_id).where(DataRequestRow.kind == "deletion").distinct()
        ).all()
        fhir_ids = {id_: db.get_one(PatientRow, id_).fhir_id for id_ in ids}
        waiting = [each for each in _deletions(db, ids) if each.is_open]
    for each in waiting:
        yield f"{each.asked_at:%Y-%m-%d} Patient/{fhir_ids[each.patient_id]} request {each.id}"


def _deletions(db: Session, patient_ids: Sequence[int]) -> list[Deletion]:
    rows = db.execute(
        select(DataRequestRow, PractitionerRow.name)
        .outerjoin(PractitionerRow, PractitionerRow.id == DataRequestRow.practitioner_id)
        .where(DataRequestRow.patient_id.in_(patient_ids))
        .order_by(DataRequestRow.at, DataRequestRow.id)
    ).all()
    ends = {row.about: (row, name) for row, name in rows if row.about is not None}
    found = []
    for row, _ in rows:
        if row.kind != "deletion":
            continue
        end, by = ends.get(row.id, (None, None))
        answered = end is not None and end.kind == "answered"
        found.append(
            Deletion(
                row.id,
                row.patient_id,
                row.at,
                row.note,
                ended_at=None if end is None else end.at,
                answer=end.note if end is not None and answered else None,
                answered_by=by if answered else None,
            )
        )
    return found


def _open(db: Session, patient_id: int) -> Deletion:
    newest = newest_deletion(db, patient_id)
    if newest is None or not newest.is_open:
        raise DataRequestRefused("There is no open request.")
    return newest


def _one_at_a_time(db: Session, patient_id: int) -> None:
    db.scalars(select(PatientRow).where(PatientRow.id == patient_id).with_for_update()).one()


def _add(
    context: Context,
    db: Session,
    patient_id: int,
    kind: str,
    *,
    about: str | None = None,
    note: str = "",
    id_: str | None = None,
) -> DataRequestRow:
    row = DataRequestRow(
        id=id_ or str(uuid4()),
        patient_id=patient_id,
        kind=kind,
        about=about,
        note=note,
        at=context.now(),
    )
    db.add(row)
    return row
