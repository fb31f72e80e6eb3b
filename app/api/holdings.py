"""The record that we hold, as FHIR resources built from its rows.

Nothing is stored twice: a resource is built, when it is asked for, by the builders that also
write to the EHR. Its id begins with the key of the row that it comes from (`session-<uuid>`,
`program-<uuid>`, …), so that reading one finds the row. What only the EHR has, such as a
Practitioner, is referred to by its URL there.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from app.api.identity import as_ours, device_id, identified, key_of, software
from app.api.places import (
    AnySelect,
    Held,
    Narrowing,
    Order,
    Place,
    bounded,
    is_after,
    of_patients,
    ordered,
    placed,
    rank,
    subjects,
)
from app.api.registry import SERVED
from app.consents import consent_of
from app.outcomes import stored_response
from app.range_tests import change_since_last, stored_result
from app.rtm_book import read_consent_events
from app.store import (
    EpisodeRow,
    MessageReadRow,
    MessageRow,
    OutcomeResponseRow,
    PatientRow,
    PractitionerRow,
    ProgramRow,
    RangeTestRow,
    SessionRow,
    Tenant,
    from_document,
    previous_program,
)
from fhir.activity_definition import activity_definition
from fhir.bundle import Resource
from fhir.careplan import prescription_bundle
from fhir.communication import CareMessage, communication_resource
from fhir.device import SoftwareDevice, device_resource
from fhir.observation import session_bundle
from fhir.parties import Parties
from fhir.patient import PatientBanner
from fhir.patient_copy import patient_resource
from fhir.plan_definition import plan_definition
from fhir.questionnaire import questionnaire_resource
from fhir.questionnaire_response import outcome_bundle
from fhir.range_observation import range_bundle
from rtm.exercises import load_library
from rtm.instruments import load_measures
from rtm.program import Program
from rtm.protocols import load_protocols
from rtm.range_of_motion import load_movements
from rtm.session import Session as ExerciseSession

_ROWS_AT_ONCE = 100

# The day on which an exercise or protocol of the library last changed its meaning.
LIBRARY_CHANGED = datetime(2026, 11, 24, tzinfo=UTC)


@dataclass(frozen=True)
class Holdings:
    """The record of one health system in one database session of that tenant."""

    db: Session
    tenant: Tenant

    def read(self, resource_type: str, id_: str, patients: frozenset[str] | None) -> Held | None:
        """The current version, if a patient among `patients` has it."""
        narrowing = Narrowing(patients, frozenset({key_of(id_)}))
        for held in self.stream(resource_type, narrowing):
            if held.resource["id"] == id_:
                return held
        return None

    def read_version(
        self, resource_type: str, id_: str, version: str, patients: frozenset[str] | None
    ) -> Held | None:
        """A version that is kept, if a patient among `patients` has the resource."""
        narrowing = Narrowing(patients, frozenset({key_of(id_)}))
        served = SERVED[resource_type]
        rows = (
            self._programs(narrowing, every_version=True)
            if served.versions == "every"
            else (self.stream(resource_type, narrowing))
        )
        for held in rows:
            own = held.resource
            if (own["resourceType"], own["id"], own["meta"].get("versionId")) == (
                resource_type,
                id_,
                version,
            ):
                return held
        return None

    def stream(
        self,
        resource_type: str,
        narrowing: Narrowing,
        order: Order | None = None,
        after: Place | None = None,
    ) -> Iterator[Held]:
        """Every resource of the type that `narrowing` leaves, in order, after a place."""
        order = order or Order()
        sources = [source(self, narrowing, order, after) for source in _SOURCES[resource_type]]
        # A source keeps its own order, which the database decides; only its name counts between.
        merged = heapq.merge(
            *sources, key=lambda held: rank(held.place, order), reverse=order.descending
        )
        for held in merged:
            if held.resource["resourceType"] == resource_type and is_after(held, after, order):
                yield held

    def results(self, kind: str, subject: str) -> list[Resource]:
        """The Observations of one session, range test or outcome measure."""
        prefix = {"range_test": "range"}.get(kind, kind)
        narrowing = Narrowing(keys=frozenset({f"{prefix}-{subject}"}))
        return [held.resource for held in self.stream("Observation", narrowing)]

    # Sources: each gives the resources of its rows, of several types, in order -------------------

    def _patients(self, narrowing: Narrowing, order: Order, after: Place | None) -> Iterator[Held]:
        statement = select(PatientRow).where(
            *bounded(PatientRow.seen_at, narrowing.updated), PatientRow.merged_into_id.is_(None)
        )
        if narrowing.patients is not None:
            statement = statement.where(PatientRow.fhir_id.in_(narrowing.patients))
        if narrowing.keys is not None:
            statement = statement.where(PatientRow.fhir_id.in_(narrowing.keys))
        statement = ordered(
            statement, PatientRow.seen_at, PatientRow.fhir_id, "patient-", order, after
        )
        for row in self._scalars(statement):
            banner = from_document(PatientBanner, row.demographics)
            resource = {
                **patient_resource(banner, self.tenant.name),
                "meta": {"lastUpdated": row.seen_at.isoformat()},
            }
            yield Held(resource, Place(row.seen_at, f"patient-{row.fhir_id}", 0))

    def _programs(
        self,
        narrowing: Narrowing,
        order: Order | None = None,
        after: Place | None = None,
        *,
        every_version: bool = False,
    ) -> Iterator[Held]:
        """What each signed version holds that no later version replaces."""
        statement = (
            select(ProgramRow)
            .join(PatientRow, ProgramRow.patient_id == PatientRow.id)
            .where(*bounded(ProgramRow.signed_at, narrowing.updated), *of_patients(narrowing))
        )
        programs = narrowing.programs
        if narrowing.keys is not None:
            own = subjects(narrowing.keys, "program-")
            programs = own if programs is None else programs & own
        if programs is not None:
            statement = statement.where(ProgramRow.program_id.in_(programs))
        statement = ordered(
            statement,
            ProgramRow.signed_at,
            ProgramRow.id,
            "program-",
            order or Order(),
            after,
        )
        ids: dict[int, frozenset[str]] = {}

        def ids_of(version: ProgramRow) -> frozenset[str]:
            """Each version is asked by all before it."""
            if version.id not in ids:
                ids[version.id] = frozenset(r["id"] for r in self._program_resources(version))
            return ids[version.id]

        for row in self._scalars(statement):
            later = [] if every_version else self._later_versions(row)
            replaced = frozenset[str]().union(*map(ids_of, later))
            for number, resource in enumerate(self._program_resources(row)):
                if resource["id"] not in replaced:
                    yield Held(resource, Place(row.signed_at, f"program-{row.id}", number))

    def _sessions(self, narrowing: Narrowing, order: Order, after: Place | None) -> Iterator[Held]:
        instant = SessionRow.concluded_at if order.by == "_lastUpdated" else SessionRow.started_at
        statement: AnySelect = (
            select(SessionRow, PatientRow, ProgramRow)
            .join(PatientRow, SessionRow.patient_id == PatientRow.id)
            .join(ProgramRow, SessionRow.program_row_id == ProgramRow.id)
            .where(
                SessionRow.document.is_not(None),
                SessionRow.concluded_at.is_not(None),
                *bounded(SessionRow.concluded_at, narrowing.updated),
                *bounded(SessionRow.started_at, narrowing.begun),
                *of_patients(narrowing),
            )
        )
        if narrowing.keys is not None:
            statement = statement.where(SessionRow.id.in_(subjects(narrowing.keys, "session-")))
        if narrowing.programs is not None:
            statement = statement.where(ProgramRow.program_id.in_(narrowing.programs))
        statement = ordered(statement, instant, SessionRow.id, "session-", order, after)
        names = load_library().names()
        for row, patient, program in self._rows(statement):
            session = from_document(ExerciseSession, row.document)
            device = software(row.software_version)
            bundle = session_bundle(
                session,
                patient=f"Patient/{patient.fhir_id}",
                careplan=f"CarePlan/program-{program.program_id}",
                program_id=program.program_id,
                exercise_name=names[session.exercise_id],
                device=device,
                recorded=row.received_at,
            )
            at = row.concluded_at if order.by == "_lastUpdated" else row.started_at
            yield from self._results(bundle, f"session-{row.id}", device, row.concluded_at, at)

    def _range_tests(
        self, narrowing: Narrowing, order: Order, after: Place | None
    ) -> Iterator[Held]:
        by_update = order.by == "_lastUpdated"
        instant = RangeTestRow.concluded_at if by_update else RangeTestRow.measured_at
        statement: AnySelect = (
            select(RangeTestRow, PatientRow, ProgramRow)
            .join(PatientRow, RangeTestRow.patient_id == PatientRow.id)
            .outerjoin(ProgramRow, RangeTestRow.program_row_id == ProgramRow.id)
            .where(
                RangeTestRow.status == "measured",
                RangeTestRow.concluded_at.is_not(None),
                *bounded(RangeTestRow.concluded_at, narrowing.updated),
                *bounded(RangeTestRow.measured_at, narrowing.begun),
                *of_patients(narrowing),
            )
        )
        if narrowing.keys is not None:
            statement = statement.where(RangeTestRow.id.in_(subjects(narrowing.keys, "range-")))
        if narrowing.programs is not None:
            statement = statement.where(ProgramRow.program_id.in_(narrowing.programs))
        statement = ordered(statement, instant, RangeTestRow.id, "range-", order, after)
        for row, patient, program in self._rows(statement):
            result = stored_result(row)
            assert result is not None, "a measured test has a result"
            device = software(row.software_version)
            program_id = None if program is None else program.program_id
            bundle = range_bundle(
                row.id,
                result,
                load_movements()[row.movement_id],
                measured_at=row.measured_at,
                change=change_since_last(self.db, row),
                patient=f"Patient/{patient.fhir_id}",
                careplan=None if program_id is None else f"CarePlan/program-{program_id}",
                program_id=program_id,
                device=device,
                recorded=row.received_at,
            )
            at = row.concluded_at if by_update else row.measured_at
            yield from self._results(bundle, f"range-{row.id}", device, row.concluded_at, at)

    def _outcomes(self, narrowing: Narrowing, order: Order, after: Place | None) -> Iterator[Held]:
        instant = OutcomeResponseRow.answered_at
        statement: AnySelect = (
            select(OutcomeResponseRow, PatientRow, ProgramRow)
            .join(PatientRow, OutcomeResponseRow.patient_id == PatientRow.id)
            .join(ProgramRow, OutcomeResponseRow.program_row_id == ProgramRow.id)
            .where(
                *bounded(instant, narrowing.updated),
                *bounded(instant, narrowing.begun),
                *of_patients(narrowing),
            )
        )
        if narrowing.keys is not None:
            statement = statement.where(
                OutcomeResponseRow.id.in_(subjects(narrowing.keys, "outcome-"))
            )
        if narrowing.programs is not None:
            statement = statement.where(ProgramRow.program_id.in_(narrowing.programs))
        statement = ordered(statement, instant, OutcomeResponseRow.id, "outcome-", order, after)
        for row, patient, program in self._rows(statement):
            bundle = outcome_bundle(
                stored_response(row),
                load_measures()[row.instrument_id].instrument,
                patient=f"Patient/{patient.fhir_id}",
                careplan=f"CarePlan/program-{program.program_id}",
            )
            meta = {"versionId": "1", "lastUpdated": row.answered_at.isoformat()}
            key = f"outcome-{row.id}"
            for number, resource in enumerate(as_ours(bundle, key, {}, meta, self.tenant.iss)):
                yield Held(resource, Place(row.answered_at, key, number))

    def _episodes(self, narrowing: Narrowing, order: Order, after: Place | None) -> Iterator[Held]:
        """The consent to each episode."""
        statement: AnySelect = (
            select(EpisodeRow, PatientRow)
            .join(PatientRow, EpisodeRow.patient_id == PatientRow.id)
            .where(*bounded(EpisodeRow.updated_at, narrowing.updated), *of_patients(narrowing))
        )
        if narrowing.keys is not None:
            statement = statement.where(EpisodeRow.id.in_(subjects(narrowing.keys, "episode-")))
        statement = ordered(
            statement, EpisodeRow.updated_at, EpisodeRow.id, "episode-", order, after
        )
        for row, patient in self._rows(statement):
            events = read_consent_events(self.db, [patient.id]).get(patient.id, [])
            resource = consent_of(row, patient, self.tenant, events)
            if resource is None:
                continue
            key = f"episode-{row.id}"
            meta = {"lastUpdated": row.updated_at.isoformat()}
            yield Held(identified(resource, key, meta), Place(row.updated_at, key, 0))

    def _messages(self, narrowing: Narrowing, order: Order, after: Place | None) -> Iterator[Held]:
        """Each message; it changes once, when the other side first opens it."""
        first = aliased(MessageRow)
        read = (
            select(MessageReadRow.read_at)
            .where(
                MessageReadRow.message_id == MessageRow.id, MessageReadRow.side != MessageRow.side
            )
            .order_by(MessageReadRow.read_at, MessageReadRow.id)
            .limit(1)
        )
        read_at = read.scalar_subquery()
        reader = read.with_only_columns(MessageReadRow.practitioner_id).scalar_subquery()
        updated = func.coalesce(read_at, MessageRow.sent_at)
        statement: AnySelect = (
            select(MessageRow, PatientRow, first.subject, read_at, reader)
            .join(PatientRow, MessageRow.patient_id == PatientRow.id)
            .join(first, MessageRow.thread_id == first.id)
            .where(*bounded(updated, narrowing.updated), *of_patients(narrowing))
        )
        if narrowing.keys is not None:
            statement = statement.where(MessageRow.id.in_(subjects(narrowing.keys, "message-")))
        statement = ordered(statement, updated, MessageRow.id, "message-", order, after)
        for row, patient, topic, at, reader_id in self._rows(statement):
            own = f"Patient/{patient.fhir_id}"
            from_patient = row.side == "patient"
            opened_by = () if at is None else (self._practitioner(reader_id),)
            message = CareMessage(
                id=row.id,
                patient=own,
                sender=own if from_patient else self._practitioner(row.practitioner_id),
                recipients=opened_by if from_patient else (own,),
                sent_at=row.sent_at,
                text=row.text,
                topic=topic,
                in_reply_to=None if row.thread_id == row.id else row.thread_id,
                read_at=at,
            )
            key = f"message-{row.id}"
            meta = {"lastUpdated": (at or row.sent_at).isoformat()}
            resource = identified(communication_resource(message), key, meta)
            yield Held(resource, Place(at or row.sent_at, key, 0))

    def _practitioner(self, practitioner_id: int) -> str:
        """Their URL at the EHR."""
        return f"{self.tenant.iss}/{self.db.get_one(PractitionerRow, practitioner_id).fhir_user}"

    def _exercises(self, narrowing: Narrowing, order: Order, after: Place | None) -> Iterator[Held]:
        yield from _library(map(activity_definition, load_library()), narrowing, order, after)

    def _protocols(self, narrowing: Narrowing, order: Order, after: Place | None) -> Iterator[Held]:
        yield from _library(map(plan_definition, load_protocols()), narrowing, order, after)

    def _measures(self, narrowing: Narrowing, order: Order, after: Place | None) -> Iterator[Held]:
        """Those whose texts are ours to give out."""
        shown = (each.instrument for each in load_measures() if each.licence.texts_ship)
        yield from _library(map(questionnaire_resource, shown), narrowing, order, after)

    def _devices(self, narrowing: Narrowing, order: Order, after: Place | None) -> Iterator[Held]:
        """One for each version of the software that has measured anything of these patients."""
        first_used: dict[str, datetime] = {}
        in_reach: set[str] = set()
        for model in (SessionRow, RangeTestRow):
            statement: AnySelect = (
                select(model.software_version, func.min(model.concluded_at))
                .join(PatientRow, model.patient_id == PatientRow.id)
                .where(model.software_version.is_not(None), model.concluded_at.is_not(None))
                .group_by(model.software_version)
            )
            for version, at in self._rows(statement):
                first_used[version] = min(at, first_used.get(version, at))
            in_reach |= {v for v, _ in self._rows(statement.where(*of_patients(narrowing)))}
        held = []
        for version, at in first_used.items():
            id_ = device_id(software(version))
            meta = {"versionId": "1", "lastUpdated": at.isoformat()}
            resource = identified(device_resource(software(version)), id_, meta)
            place = Place(at, f"device-{id_}", 0)
            wanted = narrowing.keys is None or id_ in narrowing.keys
            if version in in_reach and wanted:
                held.append(Held(resource, place))
        yield from placed(held, order, after)

    # ---------------------------------------------------------------------------------------------

    def _scalars(self, statement: AnySelect) -> Iterator[Any]:
        return iter(self.db.scalars(statement.execution_options(yield_per=_ROWS_AT_ONCE)))

    def _rows(self, statement: AnySelect) -> Iterator[Any]:
        return iter(self.db.execute(statement.execution_options(yield_per=_ROWS_AT_ONCE)))

    def _later_versions(self, row: ProgramRow) -> list[ProgramRow]:
        return list(
            self.db.scalars(
                select(ProgramRow).where(
                    ProgramRow.program_id == row.program_id, ProgramRow.version > row.version
                )
            )
        )

    def _program_resources(self, row: ProgramRow) -> list[Resource]:
        patient = self.db.get_one(PatientRow, row.patient_id)
        signer = self.db.get_one(PractitionerRow, row.signed_by)
        earlier = previous_program(self.db, row)
        bundle = prescription_bundle(
            from_document(Program, row.document),
            Parties(f"Patient/{patient.fhir_id}", signer.fhir_user),
            load_library().names(),
            previous=None if earlier is None else from_document(Program, earlier.document),
        )
        meta = {"versionId": str(row.version), "lastUpdated": row.signed_at.isoformat()}
        return as_ours(bundle, f"program-{row.program_id}", {}, meta, self.tenant.iss)

    def _results(
        self,
        bundle: Resource,
        key: str,
        device: SoftwareDevice,
        updated: datetime,
        at: datetime,
    ) -> Iterator[Held]:
        meta = {"versionId": "1", "lastUpdated": updated.isoformat()}
        others = {"Device": device_id(device)}
        resources = as_ours(bundle, key, others, meta, self.tenant.iss)
        for number, resource in enumerate(resources):
            yield Held(resource, Place(at, key, number))


Source = Callable[[Holdings, Narrowing, Order, Place | None], Iterator[Held]]

_SOURCES: dict[str, tuple[Source, ...]] = {
    "Patient": (Holdings._patients,),
    "CarePlan": (Holdings._programs,),
    "ServiceRequest": (Holdings._programs,),
    "Goal": (Holdings._programs,),
    "Observation": (Holdings._outcomes, Holdings._range_tests, Holdings._sessions),
    "QuestionnaireResponse": (Holdings._outcomes,),
    "Provenance": (Holdings._range_tests, Holdings._sessions),
    "Consent": (Holdings._episodes,),
    "Communication": (Holdings._messages,),
    "Device": (Holdings._devices,),
    "ActivityDefinition": (Holdings._exercises,),
    "PlanDefinition": (Holdings._protocols,),
    "Questionnaire": (Holdings._measures,),
}


def _library(
    resources: Iterable[Resource], narrowing: Narrowing, order: Order, after: Place | None
) -> Iterator[Held]:
    """Definitions, which belong to no patient and change with a release."""
    meta = {"lastUpdated": LIBRARY_CHANGED.isoformat()}
    first, last = narrowing.updated
    out = (first and first > LIBRARY_CHANGED) or (last and last <= LIBRARY_CHANGED)
    held = [
        Held(
            identified(resource, resource["id"], meta),
            Place(LIBRARY_CHANGED, f"library-{resource['id']}", 0),
        )
        for resource in resources
        if not out and (narrowing.keys is None or resource["id"] in narrowing.keys)
    ]
    yield from placed(held, order, after)
