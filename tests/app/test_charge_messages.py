"""Charges over MLLP on real sockets: each sent until it is answered, and charged once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.billing_office.charge_messages import (
    Delivered,
    NoInterface,
    deliver_charges,
    queue_charges,
)
from app.billing_office.claim_events import UnbillRefused, read_events, read_state, unbill
from app.billing_office.export import ExportRefused
from app.billing_office.history import claim_history
from app.context import Context
from app.demo.history import history_month
from app.demo.tenant import TENANT_ID
from app.hl7.acknowledgment import ACCEPTED, acknowledgment
from app.hl7.framing import END, START
from app.hl7.header import read_header
from app.hl7.listener import Refused, listen
from app.jobs.send_charges import charges_due, send_charges
from app.store import ChargeMessageRow, ClaimLineRow, Tenant
from tests.app.synthetic_practice import change_practice, write_practice, write_therapist
from tests.app.test_exports import MONTH, NOW, command, person, practice_at
from tests.app.test_worklist_pages import biller
from tests.conftest import World, free_port

HOST = "127.0.0.1"


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    """A practice with three billable patients."""
    opened = practice_at(tmp_path / "data")
    with opened.database.begin(TENANT_ID) as db:
        write_practice(db, TENANT_ID, [person(name) for name in ("A", "B", "C")])
    yield opened
    opened.database.engine.dispose()


def has_interface(context: Context, port: int) -> None:
    setting = {"host": HOST, "port": port, "timeout_s": 2, "sending_facility": "PRAIRIE"}
    change_practice(context, TENANT_ID, dft=setting)


@contextmanager
def engine(take: Callable[[str], None], port: int = 0) -> Iterator[int]:
    """A listening interface engine that validates strictly and compares the segments."""
    server = listen(HOST, port, take, timeout_s=2)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def dying_after(messages: int, taken: list[str]) -> Iterator[int]:
    """Answers so many messages; then it takes one more, dies before its ACK, and is gone."""

    def serve() -> None:
        for number in range(messages + 1):
            connection, _ = server.accept()
            with connection:
                received = b""
                while not received.endswith(END):
                    received += connection.recv(65536)
                text = received.decode().strip("\x0b\x1c\r") + "\r"
                taken.append(text)
                if number < messages:
                    header = read_header(text.encode())
                    ack = acknowledgment(header, ACCEPTED, control_id=str(number), now=NOW)
                    assert ack is not None
                    connection.sendall(START + ack + END)
        server.close()

    server = socket.create_server((HOST, 0))
    with closing(server):
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def deliver(context: Context) -> Delivered:
    return deliver_charges(context, TENANT_ID, sleep=lambda _: None)


def messages(context: Context) -> list[ChargeMessageRow]:
    with context.database.begin(TENANT_ID) as db:
        return list(db.scalars(select(ChargeMessageRow).order_by(ChargeMessageRow.id)))


def statuses(context: Context) -> list[str]:
    with context.database.begin(TENANT_ID) as db:
        ids = db.scalars(select(ChargeMessageRow.claim_id).order_by(ChargeMessageRow.id)).all()
        return [read_state(db, claim_id).status for claim_id in ids]


def control_id(message: str) -> str:
    return message.split("\r", 1)[0].split("|")[9]


def test_each_message_is_accepted_and_its_claim_says_so(context: Context) -> None:
    taken: list[str] = []
    with engine(taken.append) as port:
        has_interface(context, port)
        queued = queue_charges(context, TENANT_ID, MONTH)
        done = deliver(context)
    assert (queued.claim_count, done) == (3, Delivered(3, (), 0, 0, None))
    assert statuses(context) == ["accepted"] * 3
    kept = messages(context)
    assert taken == [message.content for message in kept]
    assert [control_id(text) for text in taken] == [message.control_id for message in kept]
    assert all("|HOMESTRETCH|PRAIRIE|EHR|prairie|" in text for text in taken)
    with context.database.begin(TENANT_ID) as db:
        events = read_events(db, [kept[0].claim_id])[kept[0].claim_id]
    assert events[-1].source == f"ACK {kept[0].control_id}"


def test_nothing_is_charged_a_second_time(context: Context) -> None:
    taken: list[str] = []
    with engine(taken.append) as port:
        has_interface(context, port)
        for _ in range(2):
            queue_charges(context, TENANT_ID, MONTH)
            deliver(context)
    assert len(taken) == 3
    assert queue_charges(context, TENANT_ID, MONTH).claim_count == 0


def test_an_engine_that_is_not_up_yet_gets_the_same_messages_when_it_is(context: Context) -> None:
    taken: list[str] = []
    port = free_port()
    has_interface(context, port)
    queue_charges(context, TENANT_ID, MONTH)
    first = [message.content for message in messages(context)]
    done = deliver(context)
    assert (done.accepted, done.unanswered) == (0, 3)
    assert "refused" in (done.failure or "")
    assert statuses(context) == ["exported"] * 3
    with engine(taken.append, port):
        assert deliver(context) == Delivered(3, (), 0, 0, None)
    assert taken == first


def test_an_engine_that_comes_up_between_attempts_is_served_in_the_same_run(
    context: Context,
) -> None:
    taken: list[str] = []
    port = free_port()
    has_interface(context, port)
    queue_charges(context, TENANT_ID, MONTH)
    with_engine = engine(taken.append, port)
    waits: list[float] = []

    def start_on_first(seconds: float) -> None:
        if not waits:
            with_engine.__enter__()
        waits.append(seconds)

    try:
        done = deliver_charges(context, TENANT_ID, sleep=start_on_first)
    finally:
        with_engine.__exit__(None, None, None)
    assert (done.accepted, len(waits), len(taken)) == (3, 1, 3)


def test_one_that_is_refused_says_why_and_its_charges_may_leave_again(context: Context) -> None:
    taken: list[str] = []
    refusals: list[str] = []

    def take(message: str) -> None:
        if "B^Synthetic" in message and not refusals:
            refusals.append(control_id(message))
            raise Refused("the encounter is closed")
        taken.append(message)

    with engine(take) as port:
        has_interface(context, port)
        queue_charges(context, TENANT_ID, MONTH)
        done = deliver(context)
        assert (done.accepted, done.unanswered) == (2, 0)
        assert done.refused == (f"{refusals[0]}: AE the encounter is closed",)
        assert sorted(statuses(context)) == ["accepted", "accepted", "rejected"]
        with context.database.begin(TENANT_ID) as db:
            assert read_state(db, refusals[0]).reasons == ("AE: the encounter is closed",)
        again = queue_charges(context, TENANT_ID, MONTH)
        assert (again.claim_count, deliver(context).accepted) == (1, 1)
    assert refusals[0] not in [control_id(text) for text in taken]
    assert len(taken) == 3


def test_an_engine_that_dies_before_its_answer_is_told_again_under_the_same_control_id(
    context: Context,
) -> None:
    before: list[str] = []
    with dying_after(1, before) as port:
        has_interface(context, port)
        queue_charges(context, TENANT_ID, MONTH)
        done = deliver(context)
    assert (done.accepted, done.unanswered, len(before)) == (1, 2, 2)
    assert statuses(context) == ["accepted", "exported", "exported"]
    after: list[str] = []
    with engine(after.append, port):
        assert deliver(context).accepted == 2
    assert after[0] == before[1], "the message that was lost, byte for byte"
    assert len({control_id(text) for text in (*before, *after)}) == 3


def test_an_answer_that_was_lost_on_our_side_is_asked_for_again(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    with engine(taken.append) as port:
        has_interface(context, port)
        queue_charges(context, TENANT_ID, MONTH)

        class Died(BaseException):
            """The process ends between the answer and its record."""

        def die(*_: object) -> None:
            raise Died

        with monkeypatch.context() as patched:
            patched.setattr("app.billing_office.charge_messages._record_answer", die)
            with pytest.raises(Died):
                deliver(context)
        assert statuses(context) == ["exported"] * 3
        soon = deliver(context)
        assert (soon.accepted, soon.elsewhere) == (2, 1), "its lease has not run out"
        later = replace(context, now=lambda: NOW + timedelta(minutes=6))
        assert deliver(later) == Delivered(1, (), 0, 0, None)
    assert statuses(context) == ["accepted"] * 3
    assert len(taken) == 3, "the engine knew the repeated message by its control id"


def test_two_senders_at_once_send_each_message_once(context: Context) -> None:
    sent: list[str] = []
    with engine(sent.append) as port:
        has_interface(context, port)
        queue_charges(context, TENANT_ID, MONTH)
        done: list[Delivered] = []
        threads = [threading.Thread(target=lambda: done.append(deliver(context))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(one.accepted for one in done) == 3
    assert [message.attempts for message in messages(context)] == [1, 1, 1]


# Taking back, settings, the worker ----------------------------------------------------------------


def test_a_message_that_was_never_sent_is_withdrawn_with_its_claim(context: Context) -> None:
    taken: list[str] = []
    with engine(taken.append) as port:
        has_interface(context, port)
        queue_charges(context, TENANT_ID, MONTH)
        first = messages(context)[0]
        assert unbill(context, TENANT_ID, first.claim_id, "the wrong month", "a test") == 3
        assert deliver(context).accepted == 2
    assert first.control_id not in [control_id(text) for text in taken]


def test_a_message_that_may_have_arrived_is_not_taken_back(context: Context) -> None:
    has_interface(context, free_port())
    queue_charges(context, TENANT_ID, MONTH)
    deliver(context)
    claim_id = messages(context)[0].claim_id
    with pytest.raises(UnbillRefused, match="was sent and not answered"):
        unbill(context, TENANT_ID, claim_id, "the wrong month", "a test")
    with context.database.begin(TENANT_ID) as db:
        offered = {action.name: action.why_not for action in claim_history(db, claim_id).actions}
    assert "was sent and not answered" in str(offered["unbill"])


@pytest.mark.parametrize(
    "setting", [None, {}, {"host": HOST}, {"host": HOST, "port": "2575"}, {"host": "", "port": 1}]
)
def test_without_an_interface_engine_nothing_leaves(context: Context, setting: object) -> None:
    change_practice(context, TENANT_ID, dft=setting)
    with pytest.raises(NoInterface, match="no dft setting with the host and port"):
        queue_charges(context, TENANT_ID, MONTH)
    with context.database.begin(TENANT_ID) as db:
        assert db.scalars(select(ClaimLineRow)).all() == []


def test_a_bad_month_is_refused(context: Context) -> None:
    has_interface(context, free_port())
    with pytest.raises(ExportRefused, match="not a month"):
        queue_charges(context, TENANT_ID, "October")


def test_the_worker_sends_what_waits_and_waits_longer_each_time(context: Context) -> None:
    port = free_port()
    has_interface(context, port)
    with context.database.begin(None) as db:
        tenant = db.get_one(Tenant, TENANT_ID)
    assert not charges_due(context, tenant)
    queue_charges(context, TENANT_ID, MONTH)
    assert charges_due(context, tenant)
    deliver(context)
    waiting = [message.next_attempt_at for message in messages(context)[:2]]
    assert all(timedelta(seconds=30) <= at - NOW <= timedelta(seconds=60) for at in waiting)
    later = replace(context, now=lambda: NOW + timedelta(minutes=2))
    taken: list[str] = []
    with engine(taken.append, port):
        assert charges_due(later, tenant)
        send_charges(later, TENANT_ID)
    assert len(taken) == 3
    assert not charges_due(later, tenant)


# The command and the page -------------------------------------------------------------------------


def test_the_command_sends_says_how_it_went_and_sends_again(tmp_path: Path) -> None:
    last = history_month(datetime.now(UTC).date())[1]
    context = practice_at(tmp_path / "data", now=datetime.now(UTC))
    with context.database.begin(TENANT_ID) as db:
        write_practice(db, TENANT_ID, [person("A", last - timedelta(days=29))])
    send = ("claims", "send-dft", "--month", f"{last:%Y-%m}")
    refused = command(*send, folder=tmp_path)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "no dft setting" in refused.stderr
    taken: list[str] = []
    with engine(taken.append) as port:
        has_interface(context, port)
        done = command(*send, folder=tmp_path)
        assert done.returncode == 0
        assert "; 1 accepted, 0 refused, 0 not acknowledged" in done.stdout
        again = command("claims", "resend-dft", folder=tmp_path)
        assert again.stdout.startswith("no new claims; 0 accepted")
    assert len(taken) == 1
    context.database.engine.dispose()


def test_the_page_queues_and_a_worker_sends(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False)
    context = replace(world.context, now=lambda: NOW)
    world.app.extensions["homestretch"] = context
    world = replace(world, context=context)
    with context.database.begin(TENANT_ID) as db:
        write_therapist(db)
        write_practice(db, TENANT_ID, [person("A")])
    browser = biller(world)
    url = f"{world.places.app}/office/month/{MONTH}"
    assert "Send charges to the EHR" not in browser.get(url).text
    taken: list[str] = []
    with engine(taken.append) as port:
        has_interface(context, port)
        page = browser.get(url)
        assert f'formaction="/office/month/{MONTH}/send-dft"' in page.text
        token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
        answer = browser.post(f"{url}/send-dft", {"csrf_token": token})
        assert "1 new claims" in answer.text
        assert "1 charge message is not acknowledged yet" in answer.text
        send_charges(context, TENANT_ID)
    assert len(taken) == 1
    assert "not acknowledged yet" not in browser.get(url).text
