"""Alerts to the care team: raised once for a cause, and acknowledged by a clinician."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.context import Context
from app.prescribing import current_program
from app.store import (
    AlertAcknowledgementRow,
    AlertRow,
    PractitionerRow,
    from_document,
    to_document,
)
from rtm.alerts import AlertFacts, AlertKind, load_alert_kinds


class AlertUnknown(LookupError):
    """This patient has no such alert."""


@dataclass(frozen=True)
class Acknowledgement:
    """Who took an alert over, when, and what was noted."""

    by: str
    at: datetime
    note: str | None


@dataclass(frozen=True)
class Alert:
    """One alert of a patient; `acknowledgement` is None while nobody has seen to it."""

    id: int
    kind: AlertKind
    facts: AlertFacts
    raised_at: datetime
    acknowledgement: Acknowledgement | None


def raise_alert(
    db: Session, patient_id: int, kind_id: str, facts: AlertFacts, now: datetime
) -> bool:
    """Whether this is new: a cause alerts once in each kind. The caller's transaction decides.

    The alert belongs to who signed the patient's newest program, until it is handed on.
    """
    kind = load_alert_kinds()[kind_id]
    earlier = select(AlertRow.id).where(AlertRow.kind == kind.id, AlertRow.cause == facts.cause)
    if db.scalar(earlier) is not None:
        return False
    current = current_program(db, patient_id)
    db.add(
        AlertRow(
            patient_id=patient_id,
            kind=kind.id,
            cause=facts.cause,
            facts=to_document(facts),
            raised_at=now,
            practitioner_id=None if current is None else current[0].signed_by,
        )
    )
    return True


def alerts_of(db: Session, patient_id: int) -> tuple[Alert, ...]:
    """Every alert of the patient, the newest first."""
    rows = db.execute(
        select(AlertRow, AlertAcknowledgementRow, PractitionerRow.name)
        .outerjoin(AlertAcknowledgementRow, AlertAcknowledgementRow.alert_id == AlertRow.id)
        .outerjoin(PractitionerRow, PractitionerRow.id == AlertAcknowledgementRow.acknowledged_by)
        .where(AlertRow.patient_id == patient_id)
        .order_by(AlertRow.raised_at.desc(), AlertRow.id.desc())
    )
    kinds = load_alert_kinds()
    return tuple(
        Alert(
            row.id,
            kinds[row.kind],
            from_document(AlertFacts, row.facts),
            row.raised_at,
            None if seen is None else Acknowledgement(name, seen.acknowledged_at, seen.note),
        )
        for row, seen, name in rows
    )


def blocking_alert(alerts: tuple[Alert, ...]) -> Alert | None:
    """The newest alert for which no new session may begin."""
    return next((a for a in alerts if a.kind.blocks_sessions and a.acknowledgement is None), None)


def acknowledge(
    context: Context,
    tenant_id: str,
    patient_id: int,
    alert_id: int,
    *,
    practitioner_id: int,
    note: str | None,
) -> AlertKind | None:
    """What kind it was, or None where somebody had acknowledged it before; what came first stays.

    Raises:
        AlertUnknown: the patient has no such alert.
    """
    try:
        with context.database.begin(tenant_id) as db:
            alert = db.scalar(
                select(AlertRow).where(AlertRow.id == alert_id, AlertRow.patient_id == patient_id)
            )
            if alert is None:
                raise AlertUnknown(f"this patient has no alert {alert_id}")
            if db.get(AlertAcknowledgementRow, alert_id) is not None:
                return None
            db.add(
                AlertAcknowledgementRow(
                    alert_id=alert_id,
                    acknowledged_by=practitioner_id,
                    acknowledged_at=context.now(),
                    note=note,
                )
            )
            return load_alert_kinds()[alert.kind]
    except IntegrityError:  # the other click of a double click was faster
        return None
