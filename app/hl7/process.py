"""Acting on received messages, one after the other in the order of their arrival.

A health system's messages are worked on by one worker at a time, each in a transaction of its own:
so whatever concerns one patient keeps its order, a merge included. A message that can't be acted
on is set aside with its reason, and the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.context import Context
from app.hl7.adt import KINDS, AdtEvent, AdtSubjects, Demographics, read_event, read_subjects
from app.hl7.er7 import NotEr7, cut
from app.hl7.header import decode, read_header
from app.hl7.settings import Inbound, InvalidHl7Settings, hl7_settings
from app.hl7.siu import STATUSES, Appointment, read_siu, read_visitor
from app.hl7.unusable import Unusable
from app.jobs.failures import our_error
from app.store import (
    ALL_TENANTS,
    Hl7InboundRow,
    Hl7StrayRow,
    PatientEventRow,
    PatientRow,
    Tenant,
    VisitRow,
    mark_stale,
)

log = structlog.get_logger(__name__)

# Long enough to find out who sends here and why; the sender was told that it was refused.
STRAYS_KEPT = timedelta(days=30)

Outcome = Literal["applied", "not_ours", "ignored", "superseded"]


def process_waiting(context: Context, tenant_id: str) -> int:
    """Works on what waits for `tenant_id`, to the last; how many messages that were.

    Several may run at once: who comes second finds the message locked, then done, and leaves.
    Where the settings take no messages, or are damaged, they go on waiting.
    """
    with context.database.begin(None) as db:
        tenant = db.get_one(Tenant, tenant_id)
    try:
        settings = hl7_settings(tenant).inbound
    except InvalidHl7Settings as error:
        log.error("hl7_settings_damaged", tenant=tenant_id, why=str(error))
        return 0
    if settings is None:
        return 0
    count = 0
    while _process_next(context, tenant, settings):
        count += 1
    return count


def _process_next(context: Context, tenant: Tenant, settings: Inbound) -> bool:
    with context.database.begin(tenant.id) as db:
        row = db.scalar(
            select(Hl7InboundRow)
            .where(Hl7InboundRow.state == "waiting")
            .order_by(Hl7InboundRow.id)
            .limit(1)
            .with_for_update()
        )
        if row is None:
            return False
        try:
            with db.begin_nested():
                state: str = _act(context, db, row, tenant, settings)
            reason = None
        except (NotEr7, Unusable) as error:
            state, reason = "set_aside", str(error)
        except OperationalError:
            raise  # the database, not the message: it is tried again
        except Exception as error:
            # A message that nobody foresaw must not hold up every other one.
            state, reason = "set_aside", our_error(error)
            log.error("hl7_message_failed", message=row.id, error=type(error).__name__)
        now = context.now()
        row.state, row.reason, row.processed_at, row.erase_at = state, reason, now, None
        if state == "not_ours":
            row.erase_at = now + timedelta(days=settings.not_ours_kept_days)
    log.info("hl7_processed", message=row.id, tenant=tenant.id, state=state, why=reason)
    return True


def _act(
    context: Context, db: Session, row: Hl7InboundRow, tenant: Tenant, settings: Inbound
) -> Outcome:
    if row.content is None:
        raise Unusable("the text of the message was erased")
    header, zone = read_header(row.content), ZoneInfo(tenant.time_zone)
    message = cut(decode(row.content, header.charset or settings.undeclared_charset))
    kind, event = header.message_code, header.trigger_event
    work = _Work(context, db, row)
    if kind == "ADT" and event in KINDS:
        subjects = read_subjects(message, event, settings.mrn_authority)
        return work.adt(subjects, lambda: read_event(message, zone))
    if kind == "SIU" and event in STATUSES:
        visitor = read_visitor(message, settings.mrn_authority)
        return work.siu(visitor, lambda: read_siu(message, event, zone))
    return "ignored"


class _Work:
    """One message in its transaction. What it says is read only once it is of a patient of ours:
    a feed names everybody in the hospital, and nobody here is to look at oddities about others."""

    def __init__(self, context: Context, db: Session, row: Hl7InboundRow) -> None:
        self._context = context
        self._db = db
        self._row = row

    def adt(self, subjects: AdtSubjects, read: Callable[[], AdtEvent]) -> Outcome:
        """Patients whom we do not know stay unknown."""
        if subjects.kind == "merge":
            return self._merge(subjects, read)
        patient = self._patient(subjects.mrns)
        if patient is None:
            return "not_ours"
        event = read()
        if subjects.kind in ("admission", "discharge"):
            self._record(patient, subjects.kind, event, {"visit_number": event.visit_number})
        # A discharge tells of the stay; its PID is often as old as the admission.
        if subjects.kind == "discharge":
            return "applied"
        changed = self._describe(patient, event)
        return "applied" if changed or subjects.kind == "admission" else "superseded"

    def siu(self, mrns: tuple[str, ...], read: Callable[[], Appointment]) -> Outcome:
        patient = self._patient(mrns)
        if patient is None:
            return "not_ours"
        appointment = read()
        visit = self._db.scalar(
            select(VisitRow).where(VisitRow.appointment_id == appointment.id).with_for_update()
        )
        if visit is not None and visit.message_id > self._row.id:
            return "superseded"
        if visit is None:
            visit = VisitRow(appointment_id=appointment.id)
            self._db.add(visit)
        visit.patient_id, visit.message_id = patient.id, self._row.id
        visit.starts_at, visit.ends_at = appointment.starts_at, appointment.ends_at
        visit.status = appointment.status
        document = {
            "appointment_id": appointment.id,
            "status": appointment.status,
            "starts_at": appointment.starts_at.isoformat(),
            "ends_at": None if appointment.ends_at is None else appointment.ends_at.isoformat(),
        }
        self._db.add(
            PatientEventRow(
                patient_id=patient.id,
                message_id=self._row.id,
                kind="visit",
                occurred_at=None,
                document=document,
                recorded_at=self._context.now(),
            )
        )
        self._db.flush()
        return "applied"

    def _merge(self, subjects: AdtSubjects, read: Callable[[], AdtEvent]) -> Outcome:
        """PID-3 survives, MRG-1 is given up (v2.5.1 section 3.3.40).

        Where only one of the two is ours, its row carries the surviving number from now on, and
        nothing recorded for it moves. Where both are, which facts belong together is a clinical
        and a billing question: it waits for a person, and nothing changes.
        """
        survivor, given_up = self._patient(subjects.mrns), self._patient(subjects.given_up)
        patient = survivor or given_up
        if patient is None:
            return "not_ours"
        if not subjects.mrns or not subjects.given_up:
            raise Unusable("a merge of which only one number is of our authority")
        if survivor is not None and given_up is not None:
            if survivor is given_up:
                raise Unusable("a merge of a number into itself")
            raise Unusable(
                "both patients of the merge are in care here; nothing was changed: "
                f"decide on patients {given_up.id} (given up) and {survivor.id} (surviving), with "
                f"`homestretch patient merge {given_up.id} --into {survivor.id}` and `homestretch "
                f"hl7 replay in-{self._row.id}`, or `hl7 settle`"
            )
        if len(subjects.mrns) > 1:
            raise Unusable("a merge into several record numbers")
        (mrn,) = subjects.mrns
        event = read()
        numbers = {"surviving_mrn": mrn, "given_up_mrn": ", ".join(subjects.given_up)}
        self._record(patient, "merge", event, numbers)
        if given_up is not None:
            self._set_demographics(given_up, {**given_up.demographics, "mrn": mrn})
        self._describe(patient, event)
        return "applied"

    def _describe(self, patient: PatientRow, event: AdtEvent) -> bool:
        """Brings the patient's demographics up to date, unless something newer is known.

        Raises:
            Unusable: the name and the date of birth are both another's.
        """
        if patient.seen_at > self._row.received_at or self._later_one_applied(patient):
            return False
        said = event.demographics
        if _is_another(patient, said):
            raise Unusable(
                f"family name and birth date both differ from those of patient {patient.id}, "
                "who has this number"
            )
        birth_date = said.birth_date or patient.birth_date
        demographics = {
            **patient.demographics,
            **said.changes,
            "birth_date": birth_date.isoformat(),
        }
        changed = sorted(
            name for name, value in demographics.items() if patient.demographics.get(name) != value
        )
        self._record(patient, "demographics", event, {"changed": changed, **_document(said)})
        if changed:
            self._set_demographics(patient, demographics)
        return True

    def _set_demographics(self, patient: PatientRow, demographics: dict[str, object]) -> None:
        patient.demographics = demographics
        patient.birth_date = date.fromisoformat(str(demographics["birth_date"]))
        given, family = demographics.get("given") or "", demographics.get("family") or ""
        patient.name = f"{given} {family}".strip() or patient.name
        mark_stale(self._db, patient.id)
        self._db.flush()

    def _later_one_applied(self, patient: PatientRow) -> bool:
        """A message that was set aside and is replayed must not undo what came after it."""
        newest = self._db.scalar(
            select(func.max(PatientEventRow.message_id)).where(
                PatientEventRow.patient_id == patient.id, PatientEventRow.kind == "demographics"
            )
        )
        return newest is not None and newest > self._row.id

    def _patient(self, mrns: tuple[str, ...]) -> PatientRow | None:
        """Raises Unusable where it is not certain who is meant."""
        if not mrns:
            return None
        found: Sequence[PatientRow] = self._db.scalars(
            select(PatientRow).where(PatientRow.mrn.in_(mrns)).with_for_update()
        ).all()
        if len(found) > 1:
            rows = ", ".join(str(patient.id) for patient in found)
            raise Unusable(f"patients {rows} share the record numbers of one person")
        return found[0] if found else None

    def _record(
        self, patient: PatientRow, kind: str, event: AdtEvent, document: Mapping[str, object]
    ) -> None:
        self._db.add(
            PatientEventRow(
                patient_id=patient.id,
                message_id=self._row.id,
                kind=kind,
                occurred_at=event.occurred_at,
                document=dict(document),
                recorded_at=self._context.now(),
            )
        )
        self._db.flush()


def _document(said: Demographics) -> dict[str, object]:
    born = None if said.birth_date is None else said.birth_date.isoformat()
    return {**asdict(said), "birth_date": born}


def _is_another(patient: PatientRow, said: Demographics) -> bool:
    family = said.changes.get("family")
    return (
        family is not None
        and family.casefold() != str(patient.demographics.get("family", "")).casefold()
        and said.birth_date is not None
        and said.birth_date != patient.birth_date
    )


def erase_due(context: Context) -> None:
    """Erases what no patient of ours is in: the texts about others, and frames of no sender known.

    That a message about somebody else came, and when, stays known; old strays go altogether.
    """
    now = context.now()
    with context.database.begin(None) as db:
        db.execute(
            update(Hl7InboundRow)
            .where(Hl7InboundRow.erase_at <= now)
            .values(content=None, erase_at=None)
            .execution_options(synchronize_session=False, **{ALL_TENANTS: True})
        )
        db.execute(
            delete(Hl7StrayRow)
            .where(Hl7StrayRow.received_at <= now - STRAYS_KEPT)
            .execution_options(synchronize_session=False)
        )
