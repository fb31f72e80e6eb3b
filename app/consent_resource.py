"""The consent to an episode as it stands, as FHIR."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from app.store import EpisodeRow, PatientRow, Tenant, from_document
from fhir.bundle import Resource
from fhir.consent import consent_resource
from rtm.consent import ConsentEvent, with_declarations
from rtm.episode import Episode, local_date


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
