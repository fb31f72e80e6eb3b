"""A small MLLP receiver of charges: for development, and to try an interface before it is live.

It speaks plain TCP. A site's interface engine stands where this does in production.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from uuid import uuid4

from app.hl7.acknowledgment import ACCEPTED, Verdict, acknowledgment
from app.hl7.er7 import NotEr7
from app.hl7.header import decode, read_header
from app.hl7.server import Limits, MllpServer, Peer
from app.hl7.writing import NotValid, require_valid

CHARGES = "DFT^P03"


class Refused(Exception):
    """A receiver's reason not to take a message: answered as AE with this text."""


def listen(
    host: str, port: int, take: Callable[[str], None], timeout_s: float = 10.0
) -> MllpServer:
    """A bound server, not yet serving: run its `serve_forever`, end it with `shutdown`.

    Each charge message (DFT^P03) that holds under strict validation goes to `take`, from a
    thread of its own connection, one at a time. The answer is AA; AE where the message is
    ill-formed or `take` raises `Refused`; AR for any other message type. A message that was taken
    before, by sender and MSH-10, is answered AA and not taken again; AE if it has changed since.
    A connection on which nothing was sent for `timeout_s` closes. Port 0 takes a free one.
    """
    once = _Once(take)

    def answer(content: bytes, _peer: Peer) -> bytes | None:
        header, verdict = None, ACCEPTED
        try:
            header = read_header(content)
            text = decode(content, "UNICODE UTF-8")
            if header.message_type != CHARGES:
                verdict = Verdict("AR", f"Unsupported message type {header.message_type}")
            else:
                require_valid(text)
                once(text)
        except (NotEr7, NotValid, Refused) as error:
            verdict = Verdict("AE", " ".join(str(error).replace("|", " ").split()))
        return acknowledgment(header, verdict, control_id=uuid4().hex[:20], now=datetime.now(UTC))

    return MllpServer(host, port, answer, Limits(frame_s=timeout_s, idle_s=timeout_s))


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
