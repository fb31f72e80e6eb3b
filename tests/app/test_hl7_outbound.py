"""The outbound queue: stored first, sent unchanged until answered, one at a time, in order."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.hl7.acknowledgment import ACCEPTED, Verdict, acknowledgment
from app.hl7.header import read_header
from app.hl7.mdm import Document
from app.hl7.outbound import NoDestination, Outgoing, queue_message, send_due
from app.hl7.server import MllpServer, NotTaken, Peer
from app.hl7.tls import server_tls
from app.hl7.write_back import NoRecordNumber, queue_mdm, queue_oru
from app.store import Hl7OutboundRow, PatientRow, Tenant
from billing.hl7_dft import dft_p03
from tests.app.certificates import Authority
from tests.app.hl7_clinic import TENANT, Clinic
from tests.app.hl7_messages import SETTINGS
from tests.billing.sample import sample_claim
from tests.fhir.samples import measured_session

HOST = "127.0.0.1"


class Engine:
    """An interface engine on a real socket, which answers as told and remembers what came."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict | None] = []
        self.received: list[bytes] = []
        self.pause_s = 0.0

    def answer(self, content: bytes, _peer: Peer) -> bytes | None:
        self.received.append(content)
        time.sleep(self.pause_s)
        verdict = self.verdicts.pop(0) if self.verdicts else ACCEPTED
        if verdict is None:
            raise NotTaken("told to say nothing")
        return acknowledgment(
            read_header(content), verdict, control_id="E-1", now=datetime.now(UTC)
        )

    @property
    def control_ids(self) -> list[str]:
        return [read_header(content).control_id for content in self.received]


@contextmanager
def running(engine: Engine, **options: Any) -> Iterator[int]:
    server = MllpServer(HOST, 0, engine.answer, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def port(engine: Engine) -> Iterator[int]:
    with running(engine) as port:
        yield port


def destination(port: int, **settings: Any) -> dict[str, Any]:
    """The engine as a health system's settings name it."""
    return {
        "name": "engine",
        "host": HOST,
        "port": port,
        "takes": ["ORU^R01", "MDM^T02"],
        "sending_application": "HOMESTRETCH",
        "sending_facility": "PRAIRIE",
        "receiving_application": "EHR",
        "receiving_facility": "PRAIRIE",
        "mrn_authority": "PRAIRIE",
        "timeout_s": 2,
        **settings,
    }


def connect(clinic: Clinic, port: int, **settings: Any) -> None:
    """Names the engine as the clinic's destination."""
    with clinic.context.database.begin(None) as db:
        db.get_one(Tenant, TENANT).hl7 = {
            **SETTINGS,
            "destinations": [destination(port, **settings)],
        }


def queue(clinic: Clinic, count: int = 1) -> None:
    for number in range(count):
        with clinic.context.database.begin(TENANT) as db:
            document = Document(f"doc-{number}", "Summary", clinic.now, None, text="22 days.")
            tenant, patient = db.get_one(Tenant, TENANT), db.get_one(PatientRow, clinic.patient_id)
            queue_mdm(db, tenant, patient, document, clinic.now)


def states(clinic: Clinic) -> list[str]:
    return [row.state for row in clinic.outbound()]


def test_a_session_is_queued_once_and_arrives_as_it_was_stored(
    clinic: Clinic, engine: Engine, port: int
) -> None:
    connect(clinic, port, processing_id="T")
    for _ in range(2):
        with clinic.context.database.begin(TENANT) as db:
            tenant, patient = db.get_one(Tenant, TENANT), db.get_one(PatientRow, clinic.patient_id)
            queue_oru(db, tenant, patient, measured_session(), "Shoulder abduction", clinic.now)
    send_due(clinic.context, TENANT, "engine")
    (row,) = clinic.outbound()
    assert engine.received == [row.content.encode()]
    assert "|T|2.5.1|" in row.content
    assert "|SYN-0001^^^PRAIRIE^MR|" in row.content
    assert (row.state, row.ack_code, row.attempts) == ("acknowledged", "AA", 1)
    assert (row.answered_at, row.leased_until) == (clinic.now, None)
    assert read_header(row.content.encode()).control_id == row.control_id
    assert len(row.control_id) == 20


def test_a_charge_message_takes_the_same_queue(clinic: Clinic, engine: Engine, port: int) -> None:
    connect(clinic, port, takes=["DFT^P03"])

    def write(outgoing: Outgoing) -> str:
        return dft_p03(
            sample_claim(),
            outgoing.destination.routing,
            outgoing.now,
            patient_mrn="SYN-0001",
            control_id=outgoing.control_id,
        )

    for _ in range(2):
        with clinic.context.database.begin(TENANT) as db:
            queue_message(
                db,
                db.get_one(Tenant, TENANT),
                "DFT^P03",
                subject="claim:HS-1",
                patient_id=clinic.patient_id,
                write=write,
                now=clinic.now,
            )
    send_due(clinic.context, TENANT, "engine")
    assert states(clinic) == ["acknowledged"]
    assert engine.received == [clinic.outbound()[0].content.encode()]


def test_what_was_rolled_back_is_never_sent(clinic: Clinic, engine: Engine, port: int) -> None:
    connect(clinic, port)
    with clinic.context.database.begin(TENANT) as db:
        tenant, patient = db.get_one(Tenant, TENANT), db.get_one(PatientRow, clinic.patient_id)
        queue_oru(db, tenant, patient, measured_session(), "Shoulder abduction", clinic.now)
        db.rollback()
    send_due(clinic.context, TENANT, "engine")
    assert engine.received == []


@pytest.mark.parametrize("code", ["AE", "AR"])
def test_a_refusal_is_kept_with_its_words_and_the_next_message_goes(
    clinic: Clinic, engine: Engine, port: int, code: str
) -> None:
    connect(clinic, port)
    queue(clinic, 2)
    engine.verdicts = [Verdict(code, "the patient is unknown")]  # type: ignore[arg-type]
    send_due(clinic.context, TENANT, "engine")
    refused, accepted = clinic.outbound()
    assert (refused.state, refused.ack_code) == ("refused", code)
    assert refused.ack_text is not None
    assert "the patient is unknown" in refused.ack_text
    assert accepted.state == "acknowledged"
    clinic.now += timedelta(days=1)
    send_due(clinic.context, TENANT, "engine")
    assert len(engine.received) == 2


def test_without_an_answer_the_same_message_goes_again_later_and_nothing_overtakes_it(
    clinic: Clinic, engine: Engine, port: int
) -> None:
    connect(clinic, port)
    queue(clinic, 2)
    engine.verdicts = [None]
    send_due(clinic.context, TENANT, "engine")
    assert states(clinic) == ["sent", "waiting"]
    send_due(clinic.context, TENANT, "engine")
    assert len(engine.received) == 1
    clinic.now += timedelta(seconds=6)
    send_due(clinic.context, TENANT, "engine")
    assert states(clinic) == ["acknowledged", "acknowledged"]
    first, second = (row.control_id for row in clinic.outbound())
    assert engine.control_ids == [first, first, second]
    assert engine.received[0] == engine.received[1]


def test_where_order_does_not_matter_others_overtake(
    clinic: Clinic, engine: Engine, port: int
) -> None:
    connect(clinic, port, in_order=False)
    queue(clinic, 2)
    engine.verdicts = [None]
    send_due(clinic.context, TENANT, "engine")
    send_due(clinic.context, TENANT, "engine")
    assert states(clinic) == ["sent", "acknowledged"]


def test_waits_double_with_chance_in_them_up_to_a_quarter_of_an_hour(
    clinic: Clinic, engine: Engine, port: int
) -> None:
    connect(clinic, port)
    queue(clinic)
    engine.verdicts = [None] * 11
    waits = []
    for _ in range(11):
        send_due(clinic.context, TENANT, "engine")
        (row,) = clinic.outbound()
        waits.append((row.next_attempt_at - clinic.now).total_seconds())
        clinic.now = row.next_attempt_at
    for number, wait in enumerate(waits):
        ceiling = min(900, 5 * 2**number)
        assert ceiling / 2 <= wait <= ceiling


def test_a_message_that_is_never_answered_is_set_aside_for_the_next(
    clinic: Clinic, engine: Engine, port: int
) -> None:
    connect(clinic, port)
    queue(clinic, 2)
    most = clinic.context.settings.outbox_max_attempts
    engine.verdicts = [None] * most
    for _ in range(most):
        send_due(clinic.context, TENANT, "engine")
        clinic.now += timedelta(hours=1)
    assert states(clinic) == ["failed", "acknowledged"]
    assert "closed the connection" in str(clinic.outbound()[0].last_error)


def test_a_receiver_that_is_down_fails_no_message_however_long(clinic: Clinic) -> None:
    with closing(socket.socket()) as unused:
        unused.bind((HOST, 0))
        connect(clinic, unused.getsockname()[1])
        queue(clinic, 2)
        for _ in range(clinic.context.settings.outbox_max_attempts + 3):
            send_due(clinic.context, TENANT, "engine")
            clinic.now += timedelta(hours=1)
        assert states(clinic) == ["waiting", "waiting"]
        assert "refused" in str(clinic.outbound()[0].last_error)


@pytest.mark.parametrize("in_order", [True, False])
def test_several_workers_never_send_one_message_at_once(
    clinic: Clinic, engine: Engine, port: int, in_order: bool
) -> None:
    connect(clinic, port, in_order=in_order)
    queue(clinic, 8)
    engine.pause_s = 0.02
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        send_due(clinic.context, TENANT, "engine")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states(clinic) == ["acknowledged"] * 8
    sent = [row.control_id for row in clinic.outbound()]
    assert sorted(engine.control_ids) == sorted(sent)
    if in_order:
        assert engine.control_ids == sent


def test_a_worker_that_died_frees_its_message(clinic: Clinic, engine: Engine, port: int) -> None:
    connect(clinic, port)
    queue(clinic)
    with clinic.context.database.begin(TENANT) as db:
        row = db.get_one(Hl7OutboundRow, clinic.outbound()[0].id)
        row.leased_until = clinic.now + timedelta(minutes=5)
    send_due(clinic.context, TENANT, "engine")
    assert engine.received == []
    clinic.now += timedelta(minutes=6)
    send_due(clinic.context, TENANT, "engine")
    assert states(clinic) == ["acknowledged"]


def test_messages_wait_for_a_destination_that_the_settings_name_no_more(
    clinic: Clinic, engine: Engine, port: int
) -> None:
    connect(clinic, port)
    queue(clinic)
    connect(clinic, port, name="another")
    send_due(clinic.context, TENANT, "engine")
    with clinic.context.database.begin(None) as db:
        db.get_one(Tenant, TENANT).hl7 = {"destinations": "damaged"}
    send_due(clinic.context, TENANT, "engine")
    assert (states(clinic), engine.received) == (["waiting"], [])


def test_what_can_not_be_framed_is_not_queued(clinic: Clinic, port: int) -> None:
    connect(clinic, port)
    with pytest.raises(ValueError, match="frame byte"), clinic.context.database.begin(TENANT) as db:
        queue_message(
            db,
            db.get_one(Tenant, TENANT),
            "MDM^T02",
            subject="document:1",
            patient_id=None,
            write=lambda _outgoing: "MSH|\x1c\r",
            now=clinic.now,
        )
    assert clinic.outbound() == []


def test_over_tls_only_the_receiver_that_we_believe_gets_the_message(
    clinic: Clinic, engine: Engine, tmp_path: Path
) -> None:
    authority, other = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    certificate, key = authority.issue("homestretch")
    tls = server_tls(*authority.issue("localhost"), authority.certificate)
    with running(engine, tls=tls) as port:
        files = {"certificate_file": str(certificate), "key_file": str(key), "tls": True}
        connect(clinic, port, host="localhost", ca_file=str(other.certificate), **files)
        queue(clinic)
        send_due(clinic.context, TENANT, "engine")
        assert (states(clinic), engine.received) == (["waiting"], [])
        assert "certificate" in str(clinic.outbound()[0].last_error).lower()
        connect(clinic, port, host="localhost", ca_file=str(authority.certificate), **files)
        clinic.now += timedelta(minutes=1)
        send_due(clinic.context, TENANT, "engine")
        assert states(clinic) == ["acknowledged"]


def test_certificate_files_that_are_gone_lose_no_message(clinic: Clinic, port: int) -> None:
    connect(clinic, port, tls=True, ca_file="/nowhere/ca.pem")
    queue(clinic)
    send_due(clinic.context, TENANT, "engine")
    (row,) = clinic.outbound()
    assert (row.state, row.last_error) == (
        "waiting",
        "/nowhere/ca.pem: No such file or directory",
    )


def test_without_a_destination_nothing_is_queued(clinic: Clinic, port: int) -> None:
    connect(clinic, port, takes=["ORU^R01"])
    with pytest.raises(NoDestination, match="prairie has no destination for MDM"):
        queue(clinic)
    assert clinic.outbound() == []


def test_a_patient_without_a_record_number_can_not_be_named(clinic: Clinic, port: int) -> None:
    connect(clinic, port)
    with clinic.context.database.begin(TENANT) as db:
        patient = db.get_one(PatientRow, clinic.patient_id)
        patient.demographics = {**patient.demographics, "mrn": None}
    with pytest.raises(NoRecordNumber, match="no medical record number"):
        queue(clinic)
    assert clinic.outbound() == []
