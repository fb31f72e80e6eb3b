"""MSH: who sends what to whom, and in which letters it is written."""

from __future__ import annotations

from dataclasses import dataclass

from app.hl7.er7 import Delimiters, NotEr7, Segment, read_delimiters, unescape

# HL7 table 0211, and Python's names for them. UTF-16 and UTF-32 can't travel in MLLP frames.
CHARSETS = {
    "": "ascii",
    "ASCII": "ascii",
    "8859/1": "iso-8859-1",
    "8859/15": "iso-8859-15",
    "UNICODE UTF-8": "utf-8",
}

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Header:
    """The fields of MSH that decide what becomes of a message; each as sent, unescaped.

    `message_type` is MSH-9's first two components, e.g. ADT^A08. `charset` is MSH-18's first
    repetition: the alternatives after it need escapes that nobody was seen to send.
    """

    delimiters: Delimiters
    sending_application: str
    sending_facility: str
    receiving_application: str
    receiving_facility: str
    sent_at: str
    message_code: str
    trigger_event: str
    control_id: str
    processing_id: str
    version: str
    accept_acknowledgment: str
    application_acknowledgment: str
    charset: str

    @property
    def message_type(self) -> str:
        return f"{self.message_code}^{self.trigger_event}".rstrip("^")


def read_header(raw: bytes) -> Header:
    """Reads MSH alone, whatever the letters: all that is needed is ASCII in every charset here.

    Raises:
        NotEr7: no MSH with usable delimiters at the start.
    """
    start = raw.removeprefix(_BOM)
    line = min(start.split(b"\r", 1)[0], start.split(b"\n", 1)[0], key=len)
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        text = line.decode("iso-8859-1")
    delimiters = read_delimiters(text)
    msh = Segment(text, delimiters)
    return Header(
        delimiters,
        sending_application=msh.value(3),
        sending_facility=msh.value(4),
        receiving_application=msh.value(5),
        receiving_facility=msh.value(6),
        sent_at=msh.value(7),
        message_code=msh.value(9),
        trigger_event=msh.value(9, 2),
        control_id=unescape(msh.field(10), delimiters),
        processing_id=msh.value(11),
        version=msh.value(12),
        accept_acknowledgment=msh.value(15),
        application_acknowledgment=msh.value(16),
        charset=msh.value(18),
    )


def decode(raw: bytes, charset: str) -> str:
    """The text, by a key of CHARSETS. Raises NotEr7 where the bytes are of another charset."""
    try:
        return raw.removeprefix(_BOM).decode(CHARSETS[charset])
    except UnicodeDecodeError:
        raise NotEr7(f"the bytes are not {charset or 'ASCII, and MSH-18 names no other'}") from None
