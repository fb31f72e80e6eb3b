"""Certifications of the therapy plan at rest: facts of the ledger, each with author and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.rtm_book import current_episode, record_fact
from app.store import LedgerFactRow, PatientRow, among, from_document
from billing.claim import is_npi
from rtm.plan_of_care import Certification

_KIND = "certification"


class CertificationRefused(ValueError):
    """What was given is no certification; the message says why."""


@dataclass(frozen=True)
class RecordedCertification:
    """A certification with who recorded it, and when."""

    certification: Certification
    recorded_by: str
    recorded_at: datetime


def record_certification(
    db: Session,
    patient: PatientRow,
    *,
    certified_on: date,
    plan_started_on: date,
    family: str,
    given: str,
    npi: str,
    corrects: str | None,
    reason: str,
    today: date,
    by: str,
    now: datetime,
) -> Certification:
    """Records who certified the plan of the patient's newest episode, or corrects such a record.

    Raises:
        CertificationRefused: no episode, no therapy plan, a date in the future or in the wrong
            order, no name, a wrong NPI, or a correction of nothing or without a reason.
    """
    episode = current_episode(db, patient.id)
    if episode is None or episode.therapy_plan is None:
        raise CertificationRefused("The patient is not monitored under a therapy plan of care.")
    if certified_on > today:
        raise CertificationRefused("The certification can't be dated in the future.")
    if plan_started_on > today:
        raise CertificationRefused("The first treatment under the plan can't be in the future.")
    if not family.strip():
        raise CertificationRefused("Name the practitioner who certified the plan.")
    if not is_npi(npi):
        raise CertificationRefused(f"{npi or 'Nothing'} is not a valid NPI; look it up in NPPES.")
    known = {r.certification.id for r in read_certifications(db, [episode.id]).get(episode.id, ())}
    if corrects is not None and corrects not in known:
        raise CertificationRefused("The certification to correct is not one of this plan.")
    if corrects is not None and not reason.strip():
        raise CertificationRefused("Say why the earlier record was wrong.")
    fact = Certification(
        id=f"certification:{uuid4()}",
        certified_on=certified_on,
        plan_started_on=plan_started_on,
        family=family.strip(),
        given=given.strip(),
        npi=npi,
        corrects=corrects,
        reason=reason.strip(),
    )
    record_fact(db, patient.id, episode.id, fact, by, now)
    return fact


def read_certifications(
    db: Session, episode_ids: Sequence[str]
) -> dict[str, list[RecordedCertification]]:
    """Every certification of those episodes that have any, in the order of recording."""
    rows = db.scalars(
        select(LedgerFactRow)
        .where(among(db, LedgerFactRow.episode_id, episode_ids), LedgerFactRow.kind == _KIND)
        .order_by(LedgerFactRow.recorded_at, LedgerFactRow.id)
    )
    found: dict[str, list[RecordedCertification]] = {}
    for row in rows:
        found.setdefault(row.episode_id, []).append(
            RecordedCertification(
                from_document(Certification, row.document), row.recorded_by, row.recorded_at
            )
        )
    return found
