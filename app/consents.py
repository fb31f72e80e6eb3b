"""A patient's consent to monitoring as the EHR and readers of our API get it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.outbox import enqueue, is_wanted
from app.store import EpisodeRow, PatientRow, Tenant, from_document
from fhir.bundle import Resource
from fhir.consent import consent_resource
from rtm.episode import Episode


def queue_consent(db: Session, patient: PatientRow, episode: Episode, now: datetime) -> None:
    """Tells the EHR of the consent to `episode`, in the transaction that records it, if at all.

    A health system whose settings leave no way for consents (`write_back: {consent: []}`) keeps
    them itself.
    """
    practice = db.get_one(Tenant, patient.tenant_id).practice
    if episode.consent is not None and is_wanted(practice, "consent"):
        enqueue(
            db,
            kind="consent",
            subject=episode.id,
            patient_id=patient.id,
            idempotency_key=f"consent:{episode.id}",
            now=now,
        )


def consent_of(row: EpisodeRow, patient: PatientRow, tenant: Tenant) -> Resource:
    """The consent to the episode as it stands. Raises ValueError for an episode without one."""
    episode = from_document(Episode, row.document)
    if episode.consent is None:
        raise ValueError(f"episode {row.id} has no consent")
    return consent_resource(
        episode.consent,
        episode_id=episode.id,
        patient=f"Patient/{patient.fhir_id}",
        organization=tenant.name,
        start=episode.start,
        end=episode.end,
        status="active" if episode.end is None else "inactive",
    )
