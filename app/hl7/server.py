"""An MLLP server that no sender can break or hold up: frames in, acknowledgments out.

It stands on `socketserver` rather than on hl7apy's MLLPServer, which takes one message a
connection, of any size, decodes it as UTF-8, and has no TLS (docs/decisions/0030).
"""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import structlog

from app.hl7.framing import FrameReader, FramingBroken, framed

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Limits:
    """What one sender may take of the server.

    A connection is cut when a message is larger than `message_bytes`, is not whole within
    `frame_s`, when no message was completed for `idle_s`, when an answer is not taken within
    `answer_s`, or when more than `stray_bytes` come between two frames. Connections over the
    numbers are closed unread. A peer that sends faster than `messages_per_s`, after a burst of
    that many seconds, gets its answers later: nothing of it is lost.
    """

    message_bytes: int = 1 << 20
    stray_bytes: int = 1024
    frame_s: float = 30.0
    idle_s: float = 600.0
    answer_s: float = 10.0
    handshake_s: float = 10.0
    connections: int = 64
    connections_per_peer: int = 16
    messages_per_s: float = 100.0
    burst_s: float = 5.0


@dataclass(frozen=True)
class Peer:
    """Who sends: the address, and the names in the client certificate if TLS asked for one."""

    address: str
    certified_names: frozenset[str] = frozenset()


class NotTaken(Exception):
    """A message could not be kept: the connection closes unanswered, and the sender tries again."""


Answer = Callable[[bytes, Peer], bytes | None]


@dataclass
class _Pace:
    """A peer's leaky bucket: each message takes `each_s`, and `full_at` says when all is paid."""

    each_s: float
    burst_s: float
    full_at: float = 0.0

    def wait_s(self) -> float:
        """How long the message that has just come must wait."""
        now = time.monotonic()
        self.full_at = max(now, self.full_at) + self.each_s
        return max(0.0, self.full_at - now - self.burst_s)


class MllpServer(ThreadingTCPServer):
    """Bound when made, not yet serving: run `serve_forever`, end it with `shutdown`.

    `answer` gets each message and gives the content of its acknowledgment, or None where none is
    due; it is called from a thread of each connection, one message after the other, and may raise
    NotTaken. Port 0 takes a free one. `server_close` returns when every message under way has its
    answer.
    """

    allow_reuse_address = True
    request_queue_size = 64
    block_on_close = True

    def __init__(
        self,
        host: str,
        port: int,
        answer: Answer,
        limits: Limits = Limits(),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answer = answer
        self.limits = limits
        self.tls = tls
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[socket.socket, str] = {}
        self._paces: dict[str, _Pace] = {}
        super().__init__((host, port), _Connection)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for one more connection from there."""
        address = str(client_address[0])
        with self._lock:
            of_peer = Counter(self._open.values())[address]
            if (
                len(self._open) >= self.limits.connections
                or of_peer >= self.limits.connections_per_peer
            ):
                log.warning("hl7_connection_refused", peer=address, rule="too many connections")
                return False
            self._open[request] = address
            return True

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
            self._forget_the_rested()
        super().shutdown_request(request)

    def server_close(self) -> None:
        self.stopping.set()
        with self._lock:
            waiting = list(self._open)
        for connection in waiting:
            try:
                # An SSLSocket's own shutdown would send the last answer in the clear.
                socket.socket.shutdown(connection, socket.SHUT_RD)
            except OSError:
                continue  # it has gone already
        super().server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """The handshake is left to the connection's own thread, for it may be slow."""
        connection, address = super().get_request()
        if self.tls is not None:
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Where it broke, and not the error's own words: they may hold a message's content."""
        error = sys.exc_info()[1]
        places = traceback.extract_tb(None if error is None else error.__traceback__)
        log.error(
            "hl7_connection_failed",
            peer=str(client_address[0]),
            error=type(error).__name__,
            at=[f"{place.filename}:{place.lineno}" for place in places[-3:]],
        )

    def wait_turn(self, address: str) -> None:
        """Returns when the peer may have its next message answered."""
        with self._lock:
            pace = self._paces.get(address)
            if pace is None:
                pace = _Pace(1 / self.limits.messages_per_s, self.limits.burst_s)
                self._paces[address] = pace
            wait_s = pace.wait_s()
        if wait_s:
            self.stopping.wait(wait_s)

    def _forget_the_rested(self) -> None:
        """Only those whose bucket is full again: else coming back would be a way round."""
        now = time.monotonic()
        self._paces = {
            address: pace
            for address, pace in self._paces.items()
            if address in self._open.values() or now - pace.full_at < 0
        }


class _Cut(Exception):
    """The rule by which a connection ends."""


class _Connection(BaseRequestHandler):
    server: MllpServer

    def handle(self) -> None:
        address = str(self.client_address[0])
        try:
            self._converse(self.request, self._peer(address))
        except (_Cut, FramingBroken, NotTaken) as error:
            log.warning("hl7_connection_cut", peer=address, rule=str(error))
        except ssl.SSLError as error:
            log.warning("hl7_connection_cut", peer=address, rule=f"TLS: {error.reason}")
        except OSError as error:
            log.warning("hl7_connection_cut", peer=address, rule=type(error).__name__)

    def _peer(self, address: str) -> Peer:
        if not isinstance(self.request, ssl.SSLSocket):
            return Peer(address)
        self.request.settimeout(self.server.limits.handshake_s)
        self.request.do_handshake()
        return Peer(address, _names(self.request.getpeercert()))

    def _converse(self, connection: socket.socket, peer: Peer) -> None:
        limits = self.server.limits
        reader = FrameReader(limits.message_bytes, limits.stray_bytes)
        deadline = time.monotonic() + limits.idle_s
        while not self.server.stopping.is_set():
            was_in_frame = reader.in_frame
            chunk = _receive(connection, deadline, was_in_frame)
            if not chunk:
                if was_in_frame:
                    raise _Cut("closed inside a frame")
                return
            completed = False
            for content in reader.feed(chunk):
                completed = True
                self._take(connection, peer, content)
            now = time.monotonic()
            if reader.in_frame and (completed or not was_in_frame):
                deadline = now + limits.frame_s
            elif completed:
                deadline = now + limits.idle_s

    def _take(self, connection: socket.socket, peer: Peer, content: bytes) -> None:
        self.server.wait_turn(peer.address)
        answer = self.server.answer(content, peer)
        if answer is not None:
            connection.settimeout(self.server.limits.answer_s)
            connection.sendall(framed(answer))


def _receive(connection: socket.socket, deadline: float, in_frame: bool) -> bytes:
    rule = "a frame was not whole in time" if in_frame else "idle too long"
    left = deadline - time.monotonic()
    if left <= 0:
        raise _Cut(rule)
    connection.settimeout(left)
    try:
        return connection.recv(65536)
    except TimeoutError:
        raise _Cut(rule) from None


def _names(certificate: Any) -> frozenset[str]:
    """Common name and DNS names of a verified client certificate; none without one."""
    if not certificate:
        return frozenset()
    subject = {
        value
        for part in certificate.get("subject", ())
        for key, value in part
        if key == "commonName"
    }
    alternatives = {value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"}
    return frozenset(subject | alternatives)
