"""HL7 v2 over MLLP on real sockets: a charge message there, its acknowledgment back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime

import pytest

from app.hl7.listener import Refused, listen
from app.hl7.mllp import MllpFailed, send
from app.hl7.resend import send_until_answered
from billing.hl7_dft import Routing, dft_p03
from tests.billing.sample import sample_claim

HOST = "127.0.0.1"
MESSAGE = dft_p03(
    sample_claim(),
    Routing("HOMESTRETCH", "PRAIRIE", "EHR", "PRAIRIE"),
    datetime(2026, 4, 1, 12, 0),
    patient_mrn="SYN-0001",
    control_id="HS-1",
)


@contextmanager
def receiver(take: Callable[[str], None]) -> Iterator[int]:
    server = listen(HOST, 0, take, timeout_s=2)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def answering(*chunks: bytes, pause_s: float = 0.0, hold_s: float = 0.0) -> Iterator[int]:
    """A receiver that reads the whole message and answers `chunks`, whatever they are."""
    with closing(socket.create_server((HOST, 0))) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                received = b""
                while not received.endswith(b"\x1c\r"):
                    received += connection.recv(65536)
                try:
                    for chunk in chunks:
                        connection.sendall(chunk)
                        time.sleep(pause_s)
                    time.sleep(hold_s)
                except OSError:
                    return  # the sender gave up, as some tests want

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def ack(code: str, control_id: str = "HS-1") -> bytes:
    segments = f"MSH|^~\\&|E|P|H|P|20260401||ACK|1|P|2.5.1\rMSA|{code}|{control_id}\r"
    return b"\x0b" + segments.encode() + b"\x1c\r"


def test_a_charge_message_arrives_byte_for_byte_and_is_accepted() -> None:
    taken: list[str] = []
    with receiver(taken.append) as port:
        answer = send(HOST, port, MESSAGE)
    assert (answer.code, answer.control_id, answer.accepted) == ("AA", "HS-1", True)
    assert taken == [MESSAGE]
    assert "Ñandú" in taken[0]


def test_what_the_receiver_refuses_comes_back_as_its_own_words() -> None:
    def refuse(message: str) -> None:
        raise Refused("the encounter is closed")

    with receiver(refuse) as port:
        answer = send(HOST, port, MESSAGE)
    assert (answer.code, answer.accepted) == ("AE", False)
    assert answer.text == "the encounter is closed"


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        (MESSAGE.replace("|CG|", "||", 1), "AE", "FT1_6"),
        (MESSAGE.replace("|20260331|", "|2026-03-31|", 1), "AE", "2026-03-31"),
        (MESSAGE + "ZZZ|lost\r", "AE", "ZZZ"),
        (MESSAGE.replace("DFT^P03^DFT_P03", "ADT^A01^ADT_A01"), "AR", "ADT^A01"),
    ],
    ids=["no transaction type", "dashed date", "unknown segment", "not a charge"],
)
def test_an_ill_formed_message_is_never_taken(message: str, code: str, text: str) -> None:
    taken: list[str] = []
    with receiver(taken.append) as port:
        answer = send(HOST, port, message)
    assert answer.code == code
    assert text in answer.text
    assert taken == []


def test_what_is_no_mllp_frame_gets_no_answer_and_harms_nobody() -> None:
    taken: list[str] = []
    with receiver(taken.append) as port:
        with socket.create_connection((HOST, port), timeout=5) as stranger:
            stranger.sendall(b"GET")
            assert stranger.recv(100) == b""
        assert send(HOST, port, MESSAGE).accepted
    assert taken == [MESSAGE]


def test_many_messages_at_once_each_get_their_own_acknowledgment() -> None:
    taken: list[str] = []
    answers: list[str] = []
    with receiver(taken.append) as port:

        def one(number: int) -> None:
            message = MESSAGE.replace("|HS-1|P|", f"|HS-{number}|P|")
            answers.append(send(HOST, port, message).control_id)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answers) == [f"HS-{number}" for number in range(8)]
    assert len(set(taken)) == 8


def test_nobody_listening_is_a_failure_that_names_the_place() -> None:
    with closing(socket.socket()) as unused:
        unused.bind((HOST, 0))  # bound but not listening: refused, and nobody else can take it
        port = unused.getsockname()[1]
        with pytest.raises(MllpFailed, match=rf"{HOST}:{port}.*refused"):
            send(HOST, port, MESSAGE, timeout_s=2)


def test_silence_times_out() -> None:
    with answering(hold_s=0.4) as port, pytest.raises(MllpFailed, match="timed out"):
        send(HOST, port, MESSAGE, timeout_s=0.2)


def test_a_trickle_does_not_outlast_the_timeout() -> None:
    bytes_one_by_one = [bytes([byte]) for byte in ack("AA")]
    started = time.monotonic()
    with answering(*bytes_one_by_one[:30], pause_s=0.05) as port:
        with pytest.raises(MllpFailed, match="timed out"):
            send(HOST, port, MESSAGE, timeout_s=0.3)
        assert time.monotonic() - started < 1.0


def test_an_acknowledgment_in_pieces_is_put_together() -> None:
    whole = ack("AA")
    with answering(whole[:1], whole[1:20], whole[20:-1], whole[-1:], pause_s=0.02) as port:
        assert send(HOST, port, MESSAGE).accepted


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
def test_every_refusing_code_is_not_accepted(code: str) -> None:
    with answering(ack(code)) as port:
        answer = send(HOST, port, MESSAGE)
    assert (answer.code, answer.accepted) == (code, False)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ack("AA")[:-2], "without a whole acknowledgment"),
        (b"", "without a whole acknowledgment"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no MLLP frame"),
        (b"\x0bhello\x1c\r", "not an acknowledgment"),
        (ack("OK"), "'OK' is unknown"),
        (ack("AA", "HS-2"), "for HS-2, not for HS-1"),
    ],
    ids=["cut off", "closed", "web server", "no HL7", "unknown code", "other message"],
)
def test_what_is_no_acknowledgment_of_ours_is_a_failure(answer: bytes, why: str) -> None:
    with answering(answer) as port, pytest.raises(MllpFailed, match=why):
        send(HOST, port, MESSAGE, timeout_s=5)


@pytest.mark.parametrize("message", ["", "PID|1\r", "MSH|^~\\&|a|b\r", MESSAGE + "\x1c\r"])
def test_what_can_not_be_matched_or_framed_is_not_sent(message: str) -> None:
    with pytest.raises(ValueError, match=r"MSH-10|frame"):
        send(HOST, 1, message)


def test_a_message_taken_before_is_answered_and_not_taken_again() -> None:
    taken: list[str] = []
    with receiver(taken.append) as port:
        answers = [send(HOST, port, MESSAGE).code for _ in range(3)]
    assert answers == ["AA", "AA", "AA"]
    assert taken == [MESSAGE]


def test_another_message_under_the_same_control_id_is_refused() -> None:
    taken: list[str] = []
    with receiver(taken.append) as port:
        send(HOST, port, MESSAGE)
        answer = send(HOST, port, MESSAGE.replace("21.71", "12.71"))
    assert answer.code == "AE"
    assert "taken under the control id HS-1" in answer.text
    assert taken == [MESSAGE]


def test_what_was_refused_may_be_sent_again() -> None:
    taken: list[str] = []

    def refuse_first(message: str) -> None:
        if not taken:
            taken.append("refused")
            raise Refused("the encounter is closed")
        taken.append(message)

    with receiver(refuse_first) as port:
        assert [send(HOST, port, MESSAGE).code for _ in range(2)] == ["AE", "AA"]


Spoil = Callable[[socket.socket, bytes], None]


@contextmanager
def spoiling(port: int, spoil: Spoil) -> Iterator[tuple[int, list[bytes]]]:
    """Stands before a receiver and hands everything on, but lets `spoil` answer the first time.

    Yields its port and what it was sent, message by message.
    """
    sent: list[bytes] = []
    stop = threading.Event()

    def serve(server: socket.socket) -> None:
        while not stop.is_set():
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(5)
                sent.append(_frame(connection))
                with socket.create_connection((HOST, port), timeout=5) as behind:
                    behind.sendall(sent[-1])
                    answer = _frame(behind)
                if len(sent) == 1:
                    spoil(connection, answer)
                else:
                    connection.sendall(answer)

    with closing(socket.create_server((HOST, 0))) as server:
        server.settimeout(0.05)
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        try:
            yield server.getsockname()[1], sent
        finally:
            stop.set()
            thread.join()


def _frame(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\x1c\r"):
        received += connection.recv(65536)
    return received


def _drop(connection: socket.socket, answer: bytes) -> None:
    """The acknowledgment is lost, and the connection with it."""


def _too_late(connection: socket.socket, answer: bytes) -> None:
    """It comes when the sender has given up waiting and closed."""
    assert connection.recv(1) == b""
    try:
        connection.sendall(answer)
    except OSError:
        return  # the sender has gone


def _for_another(connection: socket.socket, answer: bytes) -> None:
    connection.sendall(ack("AA", "HS-2"))


def _half_close(connection: socket.socket, answer: bytes) -> None:
    """The receiver closes its own direction and goes on listening."""
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(1) == b""


@pytest.mark.parametrize("spoil", [_drop, _too_late, _for_another, _half_close])
def test_without_an_answer_the_same_message_goes_again_and_has_one_effect(spoil: Spoil) -> None:
    taken: list[str] = []
    waits: list[float] = []
    with receiver(taken.append) as behind, spoiling(behind, spoil) as (port, sent):
        answer = send_until_answered(HOST, port, MESSAGE, timeout_s=2, sleep=waits.append)
    assert answer.accepted
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert taken == [MESSAGE]
    assert len(waits) == 1
    assert 0 <= waits[0] <= 1


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
def test_a_refusal_is_not_repeated(code: str) -> None:
    waits: list[float] = []
    with answering(ack(code)) as port:  # answers once: a second attempt would fail
        answer = send_until_answered(HOST, port, MESSAGE, sleep=waits.append)
    assert (answer.code, answer.accepted) == (code, False)
    assert waits == []


def test_a_refusal_in_an_err_segment_comes_back_in_words() -> None:
    err = b"ERR||FT1^1^7|103^Table value not found^HL70357|E|||no such code|Check FT1-7\r"
    with answering(ack("AE").replace(b"\x1c\r", err + b"\x1c\r")) as port:
        answer = send(HOST, port, MESSAGE)
    for words in ("FT1 1 7", "103 Table value not found", "no such code", "Check FT1-7"):
        assert words in answer.text


def test_sending_again_ends_and_waits_longer_each_time() -> None:
    waits: list[float] = []
    with closing(socket.socket()) as unused:
        unused.bind((HOST, 0))
        port = unused.getsockname()[1]
        with pytest.raises(MllpFailed, match="refused"):
            send_until_answered(HOST, port, MESSAGE, attempts=4, sleep=waits.append)
    assert len(waits) == 3
    assert all(0 <= wait <= most for wait, most in zip(waits, (1, 2, 4), strict=True))


def test_waits_are_random_so_that_senders_do_not_return_together() -> None:
    waits: list[float] = []
    with closing(socket.socket()) as unused:
        unused.bind((HOST, 0))
        port = unused.getsockname()[1]
        for _ in range(8):
            with pytest.raises(MllpFailed):
                send_until_answered(HOST, port, MESSAGE, attempts=2, sleep=waits.append)
    assert len(set(waits)) > 1


def test_what_can_not_be_matched_is_not_tried_again() -> None:
    waits: list[float] = []
    with pytest.raises(ValueError, match="MSH-10"):
        send_until_answered(HOST, 1, "PID|1\r", sleep=waits.append)
    assert waits == []
