"""MLLP frames: VT, the message, FS CR (HL7 Transport Specification: MLLP, Release 1)."""

from __future__ import annotations

from collections.abc import Iterator

START, END = b"\x0b", b"\x1c\r"

_VT, _FS, _CR = START[0], END[0], END[1]


class FramingBroken(Exception):
    """What came can't be cut into frames any more; the text names the rule that was broken."""


def framed(content: bytes) -> bytes:
    """Raises ValueError where `content` holds a byte that only frames may hold."""
    if _VT in content or _FS in content:
        raise ValueError("the message holds an MLLP frame byte")
    return START + content + END


class FrameReader:
    """Cuts what arrives, in pieces of any size, into the contents of frames.

    Never holds more than `most_message_bytes` of a frame under way, and lets at most
    `most_stray_bytes` pass unread between two frames: some senders end theirs with a line feed.
    """

    def __init__(self, most_message_bytes: int, most_stray_bytes: int) -> None:
        self._most_message_bytes = most_message_bytes
        self._most_stray_bytes = most_stray_bytes
        self._content: bytearray | None = None
        self._stray_bytes = 0
        self._after_fs = False

    @property
    def in_frame(self) -> bool:
        return self._content is not None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The contents of the frames that `chunk` completes, in order.

        Raises:
            FramingBroken: after the frames before the fault; nothing can be fed from then on.
        """
        position = 0
        while position < len(chunk):
            if self._content is None:
                position = self._skip_to_start(chunk, position)
            elif self._after_fs:
                if chunk[position] != _CR:
                    raise FramingBroken("FS is not followed by CR")
                position += 1
                content, self._content = bytes(self._content), None
                self._after_fs, self._stray_bytes = False, 0
                yield content
            else:
                position = self._read_content(chunk, position, self._content)

    def _skip_to_start(self, chunk: bytes, position: int) -> int:
        start = chunk.find(_VT, position)
        end = len(chunk) if start < 0 else start
        self._stray_bytes += end - position
        if self._stray_bytes > self._most_stray_bytes:
            raise FramingBroken(f"more than {self._most_stray_bytes} bytes outside of frames")
        if start >= 0:
            self._content = bytearray()
        return end + 1

    def _read_content(self, chunk: bytes, position: int, content: bytearray) -> int:
        fs = chunk.find(_FS, position)
        end = len(chunk) if fs < 0 else fs
        if chunk.find(_VT, position, end) >= 0:
            raise FramingBroken("a frame begins inside a frame")
        if len(content) + end - position > self._most_message_bytes:
            raise FramingBroken(f"a message of more than {self._most_message_bytes} bytes")
        content += chunk[position:end]
        self._after_fs = fs >= 0
        return end + 1
