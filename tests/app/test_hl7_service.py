"""The HL7 v2 interface as a whole: the listener, the workers, the command line, PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from sqlalchemy import select

from app.cli import main
from app.config import Settings
from app.demo import walk
from app.demo.browser import wait_for
from app.hl7.inbound import Inbox
from app.hl7.listening import Listener
from app.hl7.mdm import Document
from app.hl7.mllp import send
from app.hl7.outbound import send_due
from app.hl7.process import process_waiting
from app.hl7.server import Limits
from app.hl7.settings import read_settings
from app.hl7.tls import client_tls
from app.hl7.write_back import queue_mdm
from app.store import Hl7OutboundRow, PatientRow, Tenant
from app.store.upgrade import upgrade
from tests.app.certificates import Authority
from tests.app.hl7_clinic import PEER, TENANT, Clinic
from tests.app.hl7_messages import SETTINGS, adt, merge, pid
from tests.app.test_hl7_outbound import Engine, connect, queue, running
from tests.conftest import World
from tests.packaging.processes import ROOT

HOST = "127.0.0.1"


@contextmanager
def listening(clinic: Clinic) -> Iterator[int]:
    listener = Listener(clinic.context, HOST, 0, Limits(), None)
    listener.start()
    try:
        yield listener.port
    finally:
        listener.stop()


# The listener and the workers --------------------------------------------------------------------


def test_the_running_service_acts_on_what_the_listener_took_and_sends_what_is_queued(
    world: World,
) -> None:
    walk.launch_chart(world.places, "ada-okafor")
    context, engine = world.context, Engine()
    with running(engine) as engine_port:
        destination = {
            "name": "engine",
            "host": HOST,
            "port": engine_port,
            "takes": ["MDM^T02"],
            "sending_application": "HOMESTRETCH",
            "sending_facility": "PRAIRIE",
            "receiving_application": "EHR",
            "receiving_facility": "PRAIRIE",
        }
        with context.database.begin(None) as db:
            tenant = db.get_one(Tenant, world.tenant_id)
            tenant.hl7 = {**SETTINGS, "destinations": [destination]}
        listener = Listener(context, HOST, 0, Limits(), None)
        listener.start()
        try:
            moved = pid(born="19520314", phone="555-0177^^PH")
            assert send(HOST, listener.port, adt("A08", "C-1", pid_=moved)).accepted
        finally:
            listener.stop()

        def patient() -> PatientRow:
            with context.database.begin(world.tenant_id) as db:
                return db.scalars(select(PatientRow)).one()

        wait_for("the new phone", lambda: patient().demographics["phone"] == "555-0177", 30)
        with context.database.begin(world.tenant_id) as db:
            document = Document("d-1", "Summary", context.now(), None, text="22 days.")
            queue_mdm(db, db.get_one(Tenant, world.tenant_id), patient(), document, context.now())
        wait_for("the document", lambda: engine.received, 30)

    def counts() -> Any:
        answer = requests.get(f"{world.places.app}/operations/hl7", timeout=5)
        assert answer.status_code == 200
        return answer.json()

    nothing_left = {
        "in": {"waiting": 0, "refused": 0, "set_aside": 0, "stray": 0},
        "out": {"waiting": 0, "sent": 0, "refused": 0, "failed": 0},
    }
    wait_for("empty queues", lambda: counts() == nothing_left, 10)
    Inbox(context, 2575, lambda _tenant: None).take(b"hello", PEER)
    assert counts()["in"]["stray"] == 1


def test_a_broker_that_is_away_delays_no_acknowledgment(
    make_world: Callable[..., World],
) -> None:
    world = make_world(worker=False, broker_url="redis://127.0.0.1:1/0")
    with world.context.database.begin(None) as db:
        db.get_one(Tenant, world.tenant_id).hl7 = SETTINGS
    listener = Listener(world.context, HOST, 0, Limits(), None)
    listener.start()
    try:
        for number in range(3):
            assert send(HOST, listener.port, adt("A08", f"C-{number}"), timeout_s=2).accepted
    finally:
        listener.stop()


def test_the_listener_answers_while_a_connection_is_held_open(clinic: Clinic) -> None:
    with listening(clinic) as port, socket.create_connection((HOST, port)) as held:
        held.sendall(b"\x0bMSH|")
        assert send(HOST, port, adt("A08", "C-1")).accepted


# PostgreSQL --------------------------------------------------------------------------------------


@pytest.fixture
def large_clinic(tmp_path: Path, postgresql: str) -> Iterator[Clinic]:
    settings = Settings(data_dir=tmp_path, database_url=postgresql)
    clinic = Clinic(settings, migrate=upgrade)
    yield clinic
    clinic.context.database.engine.dispose()


def test_on_postgresql_messages_are_stored_once_and_acted_on_once(large_clinic: Clinic) -> None:
    messages = [adt("A03", f"C-{number}") for number in range(30)]
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        for message in messages:
            large_clinic.take(message)
            process_waiting(large_clinic.context, TENANT)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = large_clinic.messages()
    assert sorted(row.control_id for row in rows) == sorted(f"C-{n}" for n in range(30))
    assert {row.state for row in rows} == {"applied"}
    assert sorted(event.message_id for event in large_clinic.events()) == [row.id for row in rows]


@pytest.mark.parametrize(
    "message",
    [
        adt("A08", "C" * 9000),
        adt("A08", "C-1").replace("EPIC", "E" * 9000),
        adt("A08", "C-1\x00").replace("EPIC", "E\x00"),
        adt("A08", "C-1", pid_=pid(name="\ufffe^Ada")),
        "MSH|^~\\&|\x00",
    ],
    ids=["long id", "long name", "NUL", "noncharacter", "stray NUL"],
)
def test_on_postgresql_nothing_that_is_sent_makes_storing_fail(
    large_clinic: Clinic, message: str
) -> None:
    assert large_clinic.inbox.take(message.encode(), PEER) is not None
    kept = [*large_clinic.messages(), *large_clinic.strays()]
    assert [row.content for row in kept] == [message.encode()]
    process_waiting(large_clinic.context, TENANT)


@pytest.mark.parametrize("in_order", [True, False])
def test_on_postgresql_workers_never_send_one_message_at_once(
    large_clinic: Clinic, in_order: bool
) -> None:
    engine = Engine()
    engine.pause_s = 0.01
    with running(engine) as port:
        connect(large_clinic, port, in_order=in_order)
        queue(large_clinic, 12)
        together = threading.Barrier(4)

        def work() -> None:
            together.wait()
            send_due(large_clinic.context, TENANT, "engine")

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    sent = [row.control_id for row in large_clinic.outbound()]
    assert sorted(engine.control_ids) == sorted(sent)
    if in_order:
        assert engine.control_ids == sent


# The command line --------------------------------------------------------------------------------


def homestretch(clinic: Clinic, *arguments: str) -> Result:
    environment = {"HOMESTRETCH_DATA_DIR": str(clinic.context.settings.data_dir)}
    return CliRunner().invoke(main, arguments, env=environment)


def test_the_queue_counts_and_lists_what_waits_for_a_person(clinic: Clinic) -> None:
    clinic.add_patient("SYN-0002")
    clinic.process(adt("A08", "C-1"), merge("C-2", "SYN-0002", "SYN-0001"))
    clinic.take(b"nonsense")
    done = homestretch(clinic, "hl7", "queue")
    received, to_send, stuck = done.output.splitlines()
    assert received == "received: 0 waiting, 0 refused, 1 set aside, 1 stray"
    assert to_send == "to send: 0 waiting, 0 sent, 0 refused, 0 failed"
    assert stuck.startswith("in-2  prairie  ADT^A40  C-2  2026-04-01 17:00Z  set aside: both")
    document = json.loads(homestretch(clinic, "hl7", "queue", "--json").output)
    assert document["counts"]["in"] == {"waiting": 0, "refused": 0, "set_aside": 1, "stray": 1}
    assert [message["id"] for message in document["stuck"]] == ["in-2"]


def test_a_message_that_was_not_ours_is_acted_on_when_it_is_replayed(clinic: Clinic) -> None:
    """As after an authority was named wrongly."""
    clinic.set_hl7(mrn_authority=["WRONG"])
    clinic.process(adt("A08", "C-1", pid_=pid(phone="555-0123^^PH")), adt("A08", "C-2"))
    assert [row.state for row in clinic.messages()] == ["not_ours", "not_ours"]
    clinic.set_hl7(mrn_authority=["PRAIRIE"])
    assert homestretch(clinic, "hl7", "replay", "in-1").exit_code == 0
    assert [row.state for row in clinic.process()] == ["applied", "not_ours"]
    assert clinic.patient().demographics["phone"] == "555-0123"
    assert clinic.messages()[0].erase_at is None


def test_a_replayed_message_does_not_undo_a_later_one(clinic: Clinic) -> None:
    rows = clinic.process(
        adt("A08", "C-1", pid_=pid(name="Smith^Jo", born="19900101")),
        adt("A08", "C-2", pid_=pid(name="Smith^Ada", born="19580214")),
        adt("A08", "C-3", pid_=pid(name="Smith^Ada", born="19900101")),
    )
    assert [row.state for row in rows] == ["set_aside", "applied", "applied"]
    homestretch(clinic, "hl7", "replay", "in-1")
    assert clinic.process()[0].state == "superseded"
    assert clinic.patient().name == "Ada Smith"


def test_a_refused_message_goes_again_under_its_first_control_id(clinic: Clinic) -> None:
    engine = Engine()
    with running(engine) as port:
        connect(clinic, port)
        queue(clinic)
        with clinic.context.database.begin(TENANT) as db:
            db.get_one(Hl7OutboundRow, 1).state = "refused"
        assert homestretch(clinic, "hl7", "replay", "out-1").exit_code == 0
        clinic.now += timedelta(days=1000)  # the command reads the real clock
        send_due(clinic.context, TENANT, "engine")
    assert engine.control_ids == [clinic.outbound()[0].control_id]
    assert clinic.outbound()[0].state == "acknowledged"


def test_a_message_that_a_person_dealt_with_is_settled_with_the_reason(clinic: Clinic) -> None:
    clinic.process(adt("A08", "C-1", pid_=pid(sex="X")))
    assert homestretch(clinic, "hl7", "settle", "in-1", "--reason", "asked them").exit_code == 0
    (row,) = clinic.messages()
    assert row.state == "settled"
    assert row.reason == "PID-8 is not in table 0001; settled: asked them"
    assert homestretch(clinic, "hl7", "replay", "in-1").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["hl7", "replay", "in-99"], "there is no message in-99"),
        (["hl7", "replay", "nonsense"], "ids look like in-12"),
        (["hl7", "replay", "in-1"], "in-1 is applied: nothing to do"),
        (["hl7", "settle", "in-1", "--reason", " "], "must say what was done"),
        (["hl7", "settle", "out-1", "--reason", "x"], "there is no message out-1"),
        (["hl7", "settings", "missing.json"], "No such file"),
        (["hl7-listen", "--tls-cert", "x.pem"], "go together"),
        (["hl7-listen", "--tls-cert", "x.pem", "--tls-key", "y.pem"], "x.pem, y.pem: No such"),
        (["hl7-listen", "--idle-s", "0"], "more than 0"),
    ],
)
def test_errors_are_one_line(clinic: Clinic, arguments: list[str], why: str) -> None:
    clinic.process(adt("A08", "C-1"))
    done = homestretch(clinic, *arguments)
    assert done.exit_code == 2
    assert why in done.output
    assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"inbound": {"mrn_authority": ["A"]}}, "name ports or sending_facilities"),
        ({"inbound": {"ports": [1], "mrn_authority": []}}, "inbound.mrn_authority"),
        ({"outbound": {}}, "outbound: Extra inputs"),
        ({"destinations": [{"name": "a"}]}, "destinations.0.host: Field required"),
        ([], "hl7: Input should be"),
    ],
)
def test_settings_that_can_not_be_are_refused_with_their_place(
    clinic: Clinic, tmp_path: Path, document: Any, why: str
) -> None:
    file = tmp_path / "hl7.json"
    file.write_text(json.dumps(document))
    done = homestretch(clinic, "hl7", "settings", str(file))
    assert done.exit_code == 2
    assert why in done.output


def test_the_settings_in_the_documentation_are_valid() -> None:
    example = (ROOT / "docs/hl7.md").read_text("utf-8").split("```json")[1].split("```")[0]
    settings = read_settings(json.loads(example))
    assert settings.destination_for("ORU^R01") is not None


def test_settings_are_stored_and_printed(clinic: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "hl7.json"
    document = {"inbound": {"ports": [2576], "mrn_authority": ["PRAIRIE"]}}
    file.write_text(json.dumps(document))
    homestretch(clinic, "hl7", "settings", str(file))
    assert json.loads(homestretch(clinic, "hl7", "settings").output) == document


def test_a_port_that_is_taken_is_one_line(clinic: Clinic) -> None:
    with listening(clinic) as port:
        done = homestretch(clinic, "hl7-listen", "--port", str(port))
    assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
    assert "in use" in done.output


def test_the_listener_of_the_command_line_serves_tls_and_stops_when_told(
    clinic: Clinic, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("localhost")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "app.cli", "hl7-listen", "--port", "0"),
            *("--tls-cert", str(certificate), "--tls-key", str(key)),
            *("--client-ca", str(authority.certificate)),
        ],
        cwd=ROOT,
        env={**os.environ, "HOMESTRETCH_DATA_DIR": str(clinic.context.settings.data_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith(f"listening on {HOST}:")
        port = int(said.split(":")[1].split()[0])
        tls = client_tls(authority.certificate, *authority.issue("engine"))
        assert send("localhost", port, adt("A08", "C-1"), tls=tls).accepted
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert [row.state for row in clinic.messages()] == ["waiting"]
