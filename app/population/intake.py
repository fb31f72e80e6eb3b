"""Taking in one record of a population: whom it makes a candidate, and whom it must not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.chart_intake import ChartFacts, Outcome, keep_patient, patient_row
from app.store import PatientRow, Tenant
from fhir.patient import read_standing
from fhir.wire import Resource


class NotTaken(ValueError):
    """Why a record is not taken in; the text names nobody but by the number of a row of ours."""


def take_record(
    db: Session,
    tenant: Tenant,
    patient: Resource,
    facts: ChartFacts,
    as_of: datetime,
    note: Callable[[str], None],
) -> Outcome:
    """What became of the patient's row. `note` hears what a person should look at.

    Raises:
        NotTaken: a record that is over, or one that would make somebody twice.
        Unreadable: `patient` has a modifier that is not known.
    """
    standing = read_standing(patient)
    ours = patient_row(db, facts.banner.id)
    if ours is not None and ours.merged_into_id is not None:
        return "superseded"
    if standing.replaced_by is not None:
        return _follow(db, ours, standing.replaced_by)
    if ours is None and standing.deceased:
        raise NotTaken("the person has died")
    if ours is None and not standing.active:
        raise NotTaken("the record is not active")
    _refuse_a_second(db, facts)
    _refuse_where_merged(db, ours, facts)
    kept = keep_patient(db, tenant, facts, as_of)
    if standing.deceased:
        note(f"patient {kept.row.id} here has died, by the EHR")
    elif not standing.active:
        note(f"patient {kept.row.id} here is not active at the EHR any more")
    return kept.outcome


def _follow(db: Session, ours: PatientRow | None, replaced_by: str) -> Outcome:
    """A record that was merged into another; a patient of ours then goes by that one's id."""
    if ours is None:
        raise NotTaken("the record was merged into another")
    survivor_id = replaced_by.removeprefix("Patient/")
    survivor = patient_row(db, survivor_id)
    if survivor is not None:
        raise NotTaken(
            "the record was merged into another, and both are here: see "
            f"`homestretch patient merge {ours.id} --into {survivor.id}`"
        )
    ours.fhir_id = survivor_id
    db.flush()
    return "changed"


def _refuse_where_merged(db: Session, ours: PatientRow | None, facts: ChartFacts) -> None:
    """Raises NotTaken where the record stands for several patients of ours since a merge."""
    replaced = [other.removeprefix("Patient/") for other in facts.replaces]
    ids = db.scalars(
        select(PatientRow.id)
        .where(PatientRow.fhir_id.in_(replaced), PatientRow.merged_into_id.is_(None))
        .order_by(PatientRow.id)
    ).all()
    if ours is not None:
        ids = [*ids, ours.id]
    if len(ids) > 1:
        raise NotTaken(
            "records of several patients here were merged into it: see "
            f"`homestretch patient merge {ids[0]} --into {ids[-1]}`"
        )


def _refuse_a_second(db: Session, facts: ChartFacts) -> None:
    """Raises NotTaken where the record number is one that another patient of ours has."""
    if facts.banner.mrn is None:
        return
    known_as = [facts.banner.id, *(other.removeprefix("Patient/") for other in facts.replaces)]
    other = db.scalar(
        select(PatientRow.id)
        .where(PatientRow.mrn == facts.banner.mrn, PatientRow.fhir_id.not_in(known_as))
        .limit(1)
    )
    if other is not None:
        raise NotTaken(
            f"its record number is that of patient {other} here, who has another id at the EHR"
        )
