"""The MLLP server on real sockets: what it takes, and by which rules it cuts a connection."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.hl7.framing import framed
from app.hl7.server import Answer, Limits, MllpServer, NotTaken, Peer
from app.hl7.tls import TlsFilesUnusable, client_tls, server_tls
from tests.app.certificates import Authority

HOST = "127.0.0.1"
QUICK = Limits(
    message_bytes=2000, stray_bytes=64, frame_s=0.5, idle_s=0.5, answer_s=0.5, handshake_s=0.5
)


def echo(content: bytes, _peer: Peer) -> bytes:
    return b"took " + content


@contextmanager
def serving(
    answer: Answer = echo, limits: Limits = QUICK, tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    server = MllpServer(HOST, 0, answer, limits, tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def connect(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=5)


def read_all(connection: socket.socket) -> bytes:
    """Until the server closes."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass  # it closed with bytes of ours unread
    return received


def send_until_cut(connection: socket.socket, chunks: list[bytes], pause_s: float = 0) -> int:
    """How many of `chunks` went before the server closed."""
    for number, chunk in enumerate(chunks):
        try:
            connection.sendall(chunk)
        except ConnectionError:
            return number
        time.sleep(pause_s)
    return len(chunks)


def exchange(port: int, content: bytes) -> bytes:
    with connect(port) as connection:
        connection.sendall(framed(content))
        connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


def test_several_messages_on_one_connection_are_answered_in_order() -> None:
    with serving() as port, connect(port) as connection:
        connection.sendall(framed(b"one") + b"\n" + framed(b"two"))
        connection.sendall(framed(b"three"))
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b"".join(
            framed(b"took " + word) for word in (b"one", b"two", b"three")
        )


def test_no_answer_is_sent_where_none_is_due() -> None:
    with serving(lambda content, peer: None) as port:
        assert exchange(port, b"ACK") == b""


def test_what_was_not_taken_is_not_answered() -> None:
    def refuse(content: bytes, peer: Peer) -> bytes:
        raise NotTaken("the disk is full")

    with serving(refuse) as port:
        assert exchange(port, b"one") == b""


def test_an_error_of_ours_ends_one_connection_and_says_nothing_of_the_message(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def break_on_one(content: bytes, peer: Peer) -> bytes:
        if content == b"one":
            raise RuntimeError("Ada Okafor")
        return content

    with capture_logs() as entries, serving(break_on_one) as port:
        assert exchange(port, b"one") == b""
        assert exchange(port, b"two") == framed(b"two")
    said = str(entries) + "".join(capfd.readouterr())
    assert "RuntimeError" in said
    assert "Okafor" not in said


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"\x0b" + b"x" * 3000, "a message of more than 2000 bytes"),
        (b"\x0bMSH\x0b", "a frame begins inside a frame"),
        (b"\x0bMSH\x1cx", "FS is not followed by CR"),
        (b"x" * 100, "more than 64 bytes outside of frames"),
        (b"\x0bMSH|", "a frame was not whole in time"),
        (b"", "idle too long"),
        (b"xx", "idle too long"),
    ],
    ids=["huge", "nested", "no CR", "stray", "unfinished", "silent", "stray and silent"],
)
def test_who_breaks_a_rule_is_cut_and_the_rule_is_logged(data: bytes, rule: str) -> None:
    with capture_logs() as entries, serving() as port:
        with connect(port) as connection:
            connection.sendall(framed(b"before") + data)
            assert read_all(connection) == framed(b"took before")
        assert exchange(port, b"after") == framed(b"took after")
    assert rule in [entry.get("rule") for entry in entries]


@pytest.mark.parametrize("drip", [b"x", b"\x0b" + b"x" * 80], ids=["stray", "in a frame"])
def test_dripping_bytes_do_not_hold_a_connection(drip: bytes) -> None:
    with serving() as port, connect(port) as connection:
        started = time.monotonic()
        sent = send_until_cut(connection, [bytes([byte]) for byte in drip] * 80, pause_s=0.05)
        assert 0 < sent < 80
        assert time.monotonic() - started < 3


def test_a_frame_under_way_may_not_use_the_longer_idle_time() -> None:
    with serving(limits=replace(QUICK, idle_s=30)) as port, connect(port) as connection:
        connection.sendall(framed(b"one") + b"\x0b")
        started = time.monotonic()
        assert read_all(connection) == framed(b"took one")
        assert time.monotonic() - started < 3


def test_an_endless_frame_does_not_grow_the_process() -> None:
    with serving(limits=replace(QUICK, frame_s=10)) as port, connect(port) as connection:
        connection.sendall(b"\x0b")
        sent = send_until_cut(connection, [b"x" * 65536] * 3000)
        assert sent < 300  # what the sockets' own buffers took


def test_who_does_not_take_the_answers_is_cut() -> None:
    def verbose(content: bytes, peer: Peer) -> bytes:
        return b"x" * 1_000_000

    with serving(verbose) as port, connect(port) as connection:
        connection.sendall(framed(b"x") * 60)
        time.sleep(1.5)
        assert len(read_all(connection)) < 60_000_000


def test_connections_over_the_number_are_closed_and_room_comes_back() -> None:
    limits = replace(QUICK, idle_s=30, connections_per_peer=2)
    with serving(limits=limits) as port:
        with connect(port) as first, connect(port) as second:
            for connection in (first, second):  # both are being served
                connection.sendall(framed(b"x"))
                assert connection.recv(100) == framed(b"took x")
            with connect(port) as third:
                assert read_all(third) == b""
        deadline = time.monotonic() + 5
        while exchange(port, b"again") != framed(b"took again"):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_fast_sender_waits_for_its_answers_and_loses_none() -> None:
    limits = replace(QUICK, messages_per_s=50, burst_s=0.2)
    with serving(limits=limits) as port, connect(port) as connection:
        started = time.monotonic()
        connection.sendall(framed(b"x") * 40)
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == framed(b"took x") * 40
        assert time.monotonic() - started > 0.5  # 40 messages, 10 at once, 50 a second


def test_the_pace_is_that_of_the_peer_not_of_a_connection() -> None:
    limits = replace(QUICK, messages_per_s=50, burst_s=0.2)
    with serving(limits=limits) as port:
        started = time.monotonic()
        for _ in range(40):
            assert exchange(port, b"x") == framed(b"took x")
        assert time.monotonic() - started > 0.5


def test_closing_waits_for_the_message_under_way() -> None:
    begun = threading.Event()

    def slowly(content: bytes, peer: Peer) -> bytes:
        begun.set()
        time.sleep(0.3)
        return content

    with serving(slowly) as port:
        connection = connect(port)
        connection.sendall(framed(b"one"))
        begun.wait(5)
    with connection:
        assert read_all(connection) == framed(b"one")


# TLS ---------------------------------------------------------------------------------------------


def test_over_tls_the_message_arrives_and_the_peer_is_known_by_its_certificate(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    ours, theirs = authority.issue("localhost"), authority.issue("engine.prairie.example")
    peers: list[Peer] = []

    def note(content: bytes, peer: Peer) -> bytes:
        peers.append(peer)
        return content

    with (
        serving(note, tls=server_tls(*ours, authority.certificate)) as port,
        client_tls(authority.certificate, *theirs).wrap_socket(
            connect(port), server_hostname="localhost"
        ) as connection,
    ):
        connection.sendall(framed(b"one"))
        assert connection.recv(100) == framed(b"one")
    assert peers[0].certified_names == {"engine.prairie.example"}


def exchange_over(context: ssl.SSLContext, port: int, content: bytes) -> bytes:
    """Raises ConnectionResetError where the server closes without an answer."""
    with context.wrap_socket(connect(port), server_hostname="localhost") as connection:
        connection.sendall(framed(content))
        if answer := connection.recv(100):
            return answer
        raise ConnectionResetError


def test_a_sender_without_a_certificate_of_the_authority_is_not_let_in(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    taken: list[bytes] = []

    def take(content: bytes, peer: Peer) -> bytes:
        taken.append(content)
        return content

    tls = server_tls(*authority.issue("localhost"), authority.certificate)
    with serving(take, tls=tls) as port:
        for files in ((None, None), stranger.issue("engine.prairie.example")):
            context = client_tls(authority.certificate, *files)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                exchange_over(context, port, b"one")
        with connect(port) as plain:
            plain.sendall(framed(b"one"))
            assert framed(b"one") not in read_all(plain)
    assert taken == []


def test_a_slow_handshake_holds_up_nobody(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = server_tls(*authority.issue("localhost"), None)
    with serving(tls=tls) as port, connect(port) as silent:
        started = time.monotonic()
        context = client_tls(authority.certificate, None, None)
        assert exchange_over(context, port, b"one") == framed(b"took one")
        assert read_all(silent) == b""
        assert time.monotonic() - started < 3


def test_certificate_files_that_can_not_be_used_are_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    _, other_key = authority.issue("other")
    (tmp_path / "empty.pem").write_text("")
    for files in (
        (tmp_path / "missing.pem", key, None),
        (certificate, other_key, None),
        (certificate, key, tmp_path / "empty.pem"),
    ):
        with pytest.raises(TlsFilesUnusable, match=r"\.pem"):
            server_tls(*files)
