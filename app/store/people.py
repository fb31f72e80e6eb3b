"""Patients and practitioners as the EHR described them at the last launch."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, validates

from app.store.base import Base, TenantOwned


class PatientRow(TenantOwned, Base):
    """`demographics` is the document of the value read from FHIR; `billing` what claims need.

    `mrn` repeats that of `demographics`, so that a message finds its patient. `language` is the one
    that the patient chose for the portal, if any. A row with `merged_into_id` was given up for that
    one, which has all that was recorded; it keeps only the id by which the EHR knew it
    (`PatientMergeRow`). `watched_at` is when the rules of alerts last looked at the patient.
    """

    __tablename__ = "patient"
    __table_args__ = (
        UniqueConstraint("tenant_id", "fhir_id"),
        Index("ix_patient_mrn", "tenant_id", "mrn"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    fhir_id: Mapped[str]
    name: Mapped[str]
    birth_date: Mapped[date]
    time_zone: Mapped[str]
    demographics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    billing: Mapped[dict[str, Any]] = mapped_column(default=dict)
    seen_at: Mapped[datetime]
    mrn: Mapped[str | None]
    language: Mapped[str | None]
    merged_into_id: Mapped[int | None]
    watched_at: Mapped[datetime | None]

    @validates("demographics")
    def _repeat_mrn(self, _key: str, demographics: dict[str, Any]) -> dict[str, Any]:
        self.mrn = demographics.get("mrn")
        return demographics


class PatientMergeRow(TenantOwned, Base):
    """That a person put two patients together, and which rows moved by it: never changed.

    `moved` gives for each table the ids of the rows that belonged to the one given up.
    """

    __tablename__ = "patient_merge"

    id: Mapped[int] = mapped_column(primary_key=True)
    given_up_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    surviving_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    given_up_mrn: Mapped[str | None]
    moved: Mapped[dict[str, Any]]
    reason: Mapped[str]
    merged_by: Mapped[str]
    merged_at: Mapped[datetime]


class PractitionerRow(TenantOwned, Base):
    """`provider_kind` is the ledger's: physician, npp, pt, ot, slp, pta, ota, clinical_staff."""

    __tablename__ = "practitioner"
    __table_args__ = (UniqueConstraint("tenant_id", "fhir_user"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    fhir_user: Mapped[str]
    name: Mapped[str]
    family: Mapped[str]
    given: Mapped[str]
    npi: Mapped[str | None]
    taxonomy: Mapped[str | None]
    provider_kind: Mapped[str]
