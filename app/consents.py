"""A patient's consent to monitoring as the EHR and readers of our API get it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.outbox import enqueue, is_wanted
from app.store import EpisodeRow, PatientRow, Tenant, from_document
from fhir.bundle import Resource
from fhir.consent import consent_resource
from rtm.consent import ConsentEvent, with_declarations
from rtm.episode import Episode, local_date


def queue_consent(
    db: Session,
    patient: PatientRow,
    episode: Episode,
    now: datetime,
    declaration: str | None = None,
) -> None:
    """Tells the EHR of the consent to `episode`, in the transaction that records it, if at all.

    Of the consent with which it began, or as it stands after the patient's own `declaration`.

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
            idempotency_key=f"consent:{declaration or episode.id}",
            now=now,
        )


def consent_of(
    row: EpisodeRow, patient: PatientRow, tenant: Tenant, events: list[ConsentEvent]
) -> Resource | None:
    """Of the newest agreement, spoken or in the portal; None where nobody agreed to this episode.

    It is `inactive` once the episode ended or the patient withdrew it, and ends on that day.
    """
    episode = with_declarations(from_document(Episode, row.document), events)
    if episode.consent is None:
        return None
    newest = max((episode.consent, *episode.agreements), key=lambda consent: consent.at)
    withdrawn = next((gap.since for gap in episode.consent_gaps if gap.until is None), None)
    end = episode.end
    if withdrawn is not None and end is None:
        end = local_date(withdrawn, ZoneInfo(patient.time_zone))
    return consent_resource(
        newest,
        episode_id=episode.id,
        patient=f"Patient/{patient.fhir_id}",
        organization=tenant.name,
        start=episode.start,
        end=end,
        status="active" if end is None else "inactive",
    )
