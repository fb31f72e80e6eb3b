"""Sending HL7 v2 messages over MLLP and reading their acknowledgment."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass

from hl7apy.core import Message
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message

from app.hl7.er7 import unescape
from app.hl7.framing import END, START, framed

# HL7 table 0008, original and enhanced mode: accepted, error in the content, rejected.
_ACCEPTED, _REFUSED = ("AA", "CA"), ("AE", "AR", "CE", "CR")

# An acknowledgment is a few hundred bytes; more is not one.
_MOST_BYTES = 1 << 20


class MllpFailed(Exception):
    """No acknowledgment came: refused, timed out, or cut off. Sending again is safe: MSH-10."""


class MllpUnreachable(MllpFailed):
    """Nothing was sent: nobody listens there, or TLS does not believe who does."""


@dataclass(frozen=True)
class Acknowledgment:
    """`code` is MSA-1 (AA accepted, AE error, AR rejected).

    `text` is what the receiver says: MSA-3, and the user messages and diagnostics of its ERR
    segments.
    """

    code: str
    control_id: str
    text: str

    @property
    def accepted(self) -> bool:
        return self.code in _ACCEPTED


def send(
    host: str,
    port: int,
    message: str,
    timeout_s: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> Acknowledgment:
    """Sends one message and waits at most `timeout_s` in all for its acknowledgment.

    Raises:
        MllpUnreachable: the receiver can't be reached, or is not whom `tls` believes.
        MllpFailed: it closes early, or answers something else.
        ValueError: `message` has no MSH-10 to match an answer by, or holds MLLP frame bytes.
    """
    control_id = _control_id(message)
    content = framed(message.encode())
    deadline = time.monotonic() + timeout_s
    try:
        with _connected(host, port, timeout_s, tls) as connection:
            connection.sendall(content)
            answer = _read_frame(connection, deadline)
    except MllpUnreachable:
        raise
    except (OSError, MllpFailed) as error:
        raise MllpFailed(f"{host}:{port}: {error or type(error).__name__}") from None
    return _acknowledgment(answer, control_id)


def _connected(host: str, port: int, timeout_s: float, tls: ssl.SSLContext | None) -> socket.socket:
    """Raises MllpUnreachable."""
    connection = None
    try:
        connection = socket.create_connection((host, port), timeout=timeout_s)
        return connection if tls is None else tls.wrap_socket(connection, server_hostname=host)
    except OSError as error:
        if connection is not None:
            connection.close()
        raise MllpUnreachable(f"{host}:{port}: {error or type(error).__name__}") from None


def _control_id(message: str) -> str:
    fields = message.split("\r", 1)[0].split("|")
    if fields[0] != "MSH" or len(fields) < 10 or not fields[9]:
        raise ValueError("the message has no MSH-10")
    return fields[9]


def _read_frame(connection: socket.socket, deadline: float) -> str:
    received = bytearray()
    while not received.endswith(END):
        left = deadline - time.monotonic()
        if left <= 0:
            raise MllpFailed("timed out before the acknowledgment was whole")
        connection.settimeout(left)
        chunk = connection.recv(4096)
        if not chunk:
            raise MllpFailed("closed the connection without a whole acknowledgment")
        received += chunk
        if not received.startswith(START):
            raise MllpFailed("the answer is no MLLP frame")
        if len(received) > _MOST_BYTES:
            raise MllpFailed("the answer is too large to be an acknowledgment")
    return received.removeprefix(START).removesuffix(END).decode("utf-8", "replace")


def _texts(message: Message) -> list[str]:
    """MSA-3, then of each ERR the place (ERR-2), the error (ERR-3) and what else it says (7, 8)."""
    found = [message.msa.msa_3.to_er7()] if message.msa.msa_3 else []
    for error in (child for child in message.children if child.name == "ERR"):
        fields = (error.err_2, error.err_3, error.err_7, error.err_8)
        found.append(" ".join(field.to_er7().replace("^", " ") for field in fields if field))
    return [text for text in found if text]


def _acknowledgment(answer: str, sent_id: str) -> Acknowledgment:
    try:
        message = parse_message(answer)
        msa = message.msa
        code, control_id = msa.msa_1.to_er7(), msa.msa_2.to_er7()
        text = "; ".join(_texts(message))
    except (HL7apyException, AttributeError, IndexError) as error:
        raise MllpFailed(f"the answer is not an acknowledgment: {type(error).__name__}") from None
    if code not in (*_ACCEPTED, *_REFUSED):
        raise MllpFailed(f"the acknowledgment code {code!r} is unknown")
    if control_id != sent_id:
        raise MllpFailed(f"the acknowledgment is for {control_id}, not for {sent_id}")
    return Acknowledgment(code, control_id, unescape(text))
