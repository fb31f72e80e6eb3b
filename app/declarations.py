"""The patient's own declarations about being monitored: kept, never changed, and heeded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.consents import queue_consent
from app.context import Context
from app.rtm_book import current_episode, read_consent_events
from app.store import ConsentEventRow, EpisodeRow, PatientRow, mark_stale, to_document
from rtm.consent import ConsentEvent, is_stopped

# Why something new is refused, for the patient.
STOPPED = _l(
    "You said no to monitoring, so we keep nothing new. You can say yes again in your settings."
)


class ConsentConflict(ValueError):
    """This id was used before for something else."""


def consent_events(db: Session, patient_id: int) -> Sequence[ConsentEvent]:
    """What the patient declared, the oldest first."""
    return read_consent_events(db, [patient_id]).get(patient_id, [])


def is_monitoring_stopped(db: Session, patient_id: int) -> bool:
    return is_stopped(current_episode(db, patient_id), consent_events(db, patient_id))


def declare(context: Context, tenant_id: str, patient_id: int, event: ConsentEvent) -> None:
    """Writes the patient's declaration down; the same one sent again has no further effect.

    Raises:
        ConsentConflict: the id was used by somebody else or for another declaration.
    """
    now = context.now()
    with context.database.begin(tenant_id) as db:
        # Two declarations of one patient at once stand one after the other.
        db.scalars(select(PatientRow).where(PatientRow.id == patient_id).with_for_update()).one()
        earlier = db.get(ConsentEventRow, event.id)
        if earlier is not None:
            if (earlier.patient_id, earlier.document["kind"]) != (patient_id, event.kind):
                raise ConsentConflict(f"The id {event.id} was used before.")
            return
        episode = current_episode(db, patient_id)
        db.add(
            ConsentEventRow(
                id=event.id,
                patient_id=patient_id,
                episode_id=None if episode is None else episode.id,
                document=to_document(event),
                at=event.at,
            )
        )
        if episode is not None:
            db.get_one(EpisodeRow, episode.id).updated_at = now
            mark_stale(db, patient_id)
            db.flush()
            patient = db.get_one(PatientRow, patient_id)
            queue_consent(db, patient, current_episode(db, patient_id) or episode, now, event.id)


def stopped_since(db: Session, patient_id: int) -> datetime | None:
    """Since when nothing new is recorded; None where monitoring is wanted or was never refused."""
    if not is_monitoring_stopped(db, patient_id):
        return None
    return consent_events(db, patient_id)[-1].at
