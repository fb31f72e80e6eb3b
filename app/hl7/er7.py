"""HL7 v2's text form (ER7): segments, fields, repetitions, components; nothing is dropped.

Messages come from systems of many versions, with segments of their own (Z..); a parser that
checks against one version's grammar refuses or forgets what it does not know. This one only cuts,
by the delimiters that the message itself declares (HL7 v2.5.1 chapter 2, sections 2.5 to 2.7).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

NULL = '""'
"""What a sender writes to have a value deleted; an empty field says nothing."""

_SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ESCAPE_SIZE_MOST = 80


class NotEr7(ValueError):
    """The text can't be cut into segments; says why without quoting it."""


@dataclass(frozen=True)
class Delimiters:
    """MSH-1 and MSH-2, in that order. MSH-2 may be cut short: what it lacks is not used."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"


@dataclass(frozen=True)
class Repetition:
    """One value of a field that may repeat."""

    text: str
    delimiters: Delimiters

    @property
    def is_null(self) -> bool:
        return self.text == NULL

    def subcomponents(self, number: int) -> tuple[str, ...]:
        """Those of a component, unescaped, which counts from 1; one empty text where it is not."""
        components = self.text.split(self.delimiters.component)
        text = components[number - 1] if number <= len(components) else ""
        parts = _split(text, self.delimiters.subcomponent)
        return tuple(unescape(part, self.delimiters) for part in parts)

    def component(self, number: int) -> str:
        """Its first subcomponent: who wrote no more into it and who reads no more agree."""
        return self.subcomponents(number)[0]


@dataclass(frozen=True)
class Segment:
    """One line. Fields count from 1, as in the standard; MSH-1 is the field separator itself."""

    text: str
    delimiters: Delimiters

    @property
    def name(self) -> str:
        return self.text[:3]

    def field(self, number: int) -> str:
        """As sent, escapes and all; empty where the segment is shorter."""
        if self.name == "MSH":
            if number == 1:
                return self.delimiters.field
            number -= 1
        fields = self.text.split(self.delimiters.field)
        return fields[number] if number < len(fields) else ""

    def repetitions(self, number: int) -> tuple[Repetition, ...]:
        """Each repetition that says something."""
        return tuple(
            Repetition(text, self.delimiters)
            for text in _split(self.field(number), self.delimiters.repetition)
            if text
        )

    def value(self, number: int, component: int = 1) -> str:
        """A component of the first repetition; empty where there is none."""
        first = next(iter(self.repetitions(number)), None)
        return "" if first is None else first.component(component)


@dataclass(frozen=True)
class Message:
    segments: tuple[Segment, ...]

    def first(self, name: str) -> Segment | None:
        return next((segment for segment in self.segments if segment.name == name), None)


def _split(text: str, mark: str) -> list[str]:
    """`mark` is empty where the message declares none."""
    return text.split(mark) if mark else [text]


def cut(text: str) -> Message:
    """Segments end in CR; CR LF and LF are understood, for many senders write them.

    Raises:
        NotEr7: no MSH at the start, delimiters that can't be told apart, a line that is no
            segment, or control characters in the text.
    """
    delimiters = read_delimiters(text)
    if _CONTROL.search(text):
        raise NotEr7("the message holds control characters")
    lines = text.replace("\r\n", "\r").split("\r") if "\r" in text else text.split("\n")
    segments = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        line = line.lstrip("\n")
        is_segment = _SEGMENT_NAME.match(line) and line[3:4] in ("", delimiters.field)
        if not is_segment or (number > 1 and line.startswith("MSH")):
            raise NotEr7(f"line {number} is no segment")
        segments.append(Segment(line, delimiters))
    return Message(tuple(segments))


def read_delimiters(text: str) -> Delimiters:
    """Those of MSH-1 and MSH-2; the last ones may be left out. Raises NotEr7."""
    if not text.startswith("MSH"):
        raise NotEr7("the message does not begin with MSH")
    separator = text[3:4]
    marks = text[4:9].split(separator, 1)[0] if separator else ""
    found = separator + marks
    if len(found) < 2 or len(set(found)) < len(found) or not all(map(_may_delimit, found)):
        raise NotEr7("MSH-1 and MSH-2 name no usable delimiters")
    # Version 2.7 adds a truncation character (#) as a fifth of MSH-2; nothing here depends on it.
    return Delimiters(*found[:5], *[""] * (5 - len(found)))


def _may_delimit(mark: str) -> bool:
    return mark.isascii() and mark.isprintable() and not mark.isalnum() and not mark.isspace()


def unescape(text: str, marks: Delimiters = Delimiters()) -> str:
    """Sequences for delimiters, line breaks and hexadecimal ASCII become what they stand for.

    Highlighting is dropped, and what is no sequence stays as it is.
    """
    if not marks.escape or marks.escape not in text:
        return text
    plain = {
        "F": marks.field,
        "S": marks.component,
        "T": marks.subcomponent,
        "R": marks.repetition,
        "E": marks.escape,
        ".br": "\n",
        "H": "",
        "N": "",
    }
    pieces, position = [], 0
    while (start := text.find(marks.escape, position)) >= 0:
        end = text.find(marks.escape, start + 1)
        if end < 0:
            break
        code = text[start + 1 : end]
        meaning = plain.get(code, _from_hex(code))
        pieces.append(text[position:start])
        if meaning is None:
            # The second mark may begin the next sequence.
            pieces.append(text[start:end])
            position = end
        else:
            pieces.append(meaning)
            position = end + 1
    return "".join([*pieces, text[position:]])


def _from_hex(code: str) -> str | None:
    if not code.startswith("X") or len(code) > _ESCAPE_SIZE_MOST:
        return None
    try:
        decoded = bytes.fromhex(code[1:]).decode("ascii")
    except ValueError:
        return None
    return decoded if decoded.isprintable() else None


def escape(text: str, marks: Delimiters = Delimiters()) -> str:
    """`text` as a value among the delimiters: line breaks as .br, control characters as spaces."""
    sequences = {
        marks.escape: "E",
        marks.field: "F",
        marks.component: "S",
        marks.subcomponent: "T",
        marks.repetition: "R",
        "\n": ".br",
    }
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        f"{marks.escape}{sequences[letter]}{marks.escape}"
        if letter in sequences
        else " "
        if _CONTROL.match(letter)
        else letter
        for letter in lines
    )


_TIMESTAMP = re.compile(
    r"(?P<year>\d{4})(?P<month>\d{2})?(?P<day>\d{2})?"
    r"(?P<hour>\d{2})?(?P<minute>\d{2})?(?P<second>\d{2})?(\.\d{1,4})?"
    r"(?P<offset>[+-]\d{4})?",
    re.ASCII,
)


def read_day(text: str) -> date:
    """The day of a date or timestamp that is exact to the day. Raises ValueError."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None or found["day"] is None:
        raise ValueError("not a full HL7 date")
    return date(int(found["year"]), int(found["month"]), int(found["day"]))


def read_instant(text: str, zone: tzinfo) -> datetime:
    """A timestamp exact to the minute, in UTC; `zone` holds where it names no offset.

    Raises:
        ValueError: no timestamp, or less exact.
    """
    found = _TIMESTAMP.fullmatch(text)
    if found is None or found["minute"] is None:
        raise ValueError("not an HL7 timestamp to the minute")
    offset = found["offset"]
    if offset is not None:
        sign = -1 if offset[0] == "-" else 1
        span = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5]))
        zone = timezone(sign * span)
    day = read_day(text)
    second = int(found["second"] or 0)
    moment = datetime(
        day.year, day.month, day.day, int(found["hour"]), int(found["minute"]), second, tzinfo=zone
    )
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("an instant outside of the calendar") from None
