"""A health system with an HL7 v2 interface and one patient, and a clock that tests turn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select

from app.config import Settings
from app.context import open_context
from app.hl7.er7 import Message, cut
from app.hl7.inbound import Inbox
from app.hl7.process import process_waiting
from app.hl7.server import Peer
from app.store import (
    Hl7InboundRow,
    Hl7OutboundRow,
    Hl7StrayRow,
    PatientEventRow,
    PatientRow,
    Tenant,
)
from tests.app.hl7_messages import SETTINGS

NOW = datetime(2026, 4, 1, 17, 0, tzinfo=UTC)
PEER = Peer("10.0.0.7")
TENANT = "prairie"


class Clinic:
    """A health system with an HL7 interface and one patient, and a clock that tests turn."""

    def __init__(self, settings: Settings, migrate: Callable[[Engine], None] | None = None) -> None:
        self.now = NOW
        self.context = open_context(settings, lambda: self.now)
        if migrate is not None:
            migrate(self.context.database.engine)
        self.notified: list[str] = []
        self.add_tenant(TENANT, SETTINGS)
        self.inbox = Inbox(self.context, 2575, self.notified.append)
        self.patient_id = self.add_patient("SYN-0001")

    def add_tenant(self, tenant_id: str, hl7: dict[str, Any]) -> None:
        with self.context.database.begin(None) as db:
            db.add(
                Tenant(
                    id=tenant_id,
                    name=tenant_id,
                    iss=f"https://{tenant_id}.example/fhir",
                    clinician_client_id="a",
                    portal_client_id="b",
                    backend_client_id="c",
                    time_zone="America/Chicago",
                    hl7=hl7,
                )
            )

    def add_patient(self, mrn: str, tenant_id: str = TENANT, **demographics: str) -> int:
        known = {
            "family": "Okafor",
            "given": "Ada",
            "birth_date": "1958-02-14",
            "gender": "female",
            "phone": "555-0100",
            "language": "en",
            "mrn": mrn,
            **demographics,
        }
        with self.context.database.begin(tenant_id) as db:
            row = PatientRow(
                fhir_id=f"fhir-{mrn}",
                name=f"{known['given']} {known['family']}",
                birth_date=date.fromisoformat(known["birth_date"]),
                time_zone="America/Chicago",
                demographics=known,
                billing={},
                seen_at=NOW - timedelta(days=1),
            )
            db.add(row)
            db.flush()
            return row.id

    def take(self, message: str | bytes, peer: Peer = PEER) -> Message:
        """Receives one message; the acknowledgment, cut."""
        raw = message.encode() if isinstance(message, str) else message
        answer = self.inbox.take(raw, peer)
        assert answer is not None
        return cut(answer.decode())

    def process(self, *messages: str) -> list[Hl7InboundRow]:
        """Receives and acts on `messages`; every message so far."""
        for message in messages:
            self.take(message)
        process_waiting(self.context, TENANT)
        return self.messages()

    def messages(self, tenant_id: str = TENANT) -> list[Hl7InboundRow]:
        with self.context.database.begin(tenant_id) as db:
            return list(db.scalars(select(Hl7InboundRow).order_by(Hl7InboundRow.id)))

    def outbound(self) -> list[Hl7OutboundRow]:
        with self.context.database.begin(TENANT) as db:
            return list(db.scalars(select(Hl7OutboundRow).order_by(Hl7OutboundRow.id)))

    def strays(self) -> list[Hl7StrayRow]:
        with self.context.database.begin(None) as db:
            return list(db.scalars(select(Hl7StrayRow)))

    def patient(self, patient_id: int | None = None) -> PatientRow:
        with self.context.database.begin(TENANT) as db:
            return db.get_one(PatientRow, patient_id or self.patient_id)

    def events(self) -> list[PatientEventRow]:
        with self.context.database.begin(TENANT) as db:
            return list(db.scalars(select(PatientEventRow).order_by(PatientEventRow.id)))

    def set_hl7(self, **inbound: Any) -> None:
        with self.context.database.begin(None) as db:
            document = {"inbound": {**SETTINGS["inbound"], **inbound}}
            db.get_one(Tenant, TENANT).hl7 = document
        self.inbox = Inbox(self.context, 2575, self.notified.append)
