"""A small MLLP receiver of charges: for development, and to try an interface before it is live.

It speaks plain TCP. A site's interface engine stands where this does in production.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from uuid import uuid4

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Message
from hl7apy.exceptions import HL7apyException
from hl7apy.mllp import (
    AbstractErrorHandler,
    AbstractHandler,
    MLLPServer,
    UnsupportedMessageType,
)
from hl7apy.parser import parse_message

from app.hl7.mllp import END, START

CHARGES = "DFT^P03^DFT_P03"


class Refused(Exception):
    """A receiver's reason not to take a message: answered as AE with this text."""


def listen(
    host: str, port: int, take: Callable[[str], None], timeout_s: float = 10.0
) -> MLLPServer:
    """A bound server, not yet serving: run its `serve_forever`, end it with `shutdown`.

    Each charge message (DFT^P03) that holds under strict validation goes to `take`, from a
    thread of its own connection, one at a time. The answer is AA; AE where the message is
    ill-formed or `take` raises `Refused`; AR for any other message type. A message that was taken
    before, by sender and MSH-10, is answered AA and not taken again; AE if it has changed since.
    What is no HL7 frame gets no answer: the connection closes. Port 0 takes a free one.
    """
    handlers = {CHARGES: (_Charges, _Once(take)), "ERR": (_Unfit,)}
    return MLLPServer(host, port, handlers, timeout_s)


class _Once:
    """Hands each message on once; remembers the last ones, which is as long as a sender repeats."""

    _MOST = 10_000

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._taken: OrderedDict[tuple[str, ...], str] = OrderedDict()
        self._lock = Lock()

    def __call__(self, message: str) -> None:
        """Raises Refused as `take` does, or for another message under a control id taken before."""
        fields = message.split("\r", 1)[0].split("|")
        key = (*fields[2:4], fields[9])
        with self._lock:
            if key in self._taken:
                if self._taken[key] != message:
                    raise Refused(f"another message was taken under the control id {fields[9]}")
                return
            self._take(message)
            self._taken[key] = message
            if len(self._taken) > self._MOST:
                self._taken.popitem(last=False)


class _Charges(AbstractHandler):  # type: ignore[misc]  # hl7apy has no types
    def __init__(self, message: str, take: Callable[[str], None]) -> None:
        super().__init__(message)
        self.take = take

    def reply(self) -> str:
        text = self.incoming_message
        try:
            parsed = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
            parsed.validate()
            _same_segments(text, parsed)
            self.take(text)
        except (HL7apyException, ValueError, Refused) as error:
            return acknowledge(text, "AE", str(error))
        return acknowledge(text, "AA", "")


class _Unfit(AbstractErrorHandler):  # type: ignore[misc]  # hl7apy has no types
    def reply(self) -> str:
        code = "AR" if isinstance(self.exc, UnsupportedMessageType) else "AE"
        return acknowledge(self.incoming_message, code, str(self.exc))


def _same_segments(text: str, parsed: Message) -> None:
    """hl7apy drops a segment that it does not know, and still calls the message valid."""
    sent = [line[:3] for line in text.split("\r") if line]
    understood = [line[:3] for line in parsed.to_er7().split("\r") if line]
    if sent != understood:
        lost = next((name for name in sent if name not in understood), "a segment out of place")
        raise Refused(f"not understood: {lost}")


def acknowledge(message: str, code: str, text: str) -> str:
    """The framed ACK of `message`, with its sender as receiver; an unreadable one gets blanks."""
    sent = [*message.split("\r", 1)[0].split("|"), *[""] * 12][:12]
    reply = Message("ACK", version="2.5.1")
    for field, value in (
        ("msh_3", sent[4]),
        ("msh_4", sent[5]),
        ("msh_5", sent[2]),
        ("msh_6", sent[3]),
        ("msh_7", f"{datetime.now(UTC):%Y%m%d%H%M%S}+0000"),
        ("msh_9", "ACK"),
        ("msh_10", uuid4().hex[:20]),
        ("msh_11", sent[10] or "P"),
    ):
        setattr(reply.msh, field, value)
    reply.msa.msa_1 = code
    reply.msa.msa_2 = sent[9]
    if text:
        reply.msa.msa_3 = " ".join(text.replace("|", " ").split())[:80]
    return START.decode() + str(reply.to_er7()).rstrip("\r") + "\r" + END.decode()
