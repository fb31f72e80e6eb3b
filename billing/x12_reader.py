"""X12 files as they come back: interchanges, transaction sets and their segments, damaged or not.

Whole transaction sets are kept, a broken one is named and left out: half a remittance says wrong
things about money, and the sender can send it again.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise, takewhile

from pyx12.errors import X12Error
from pyx12.segment import Segment
from pyx12.x12file import X12Reader

# Faults of pyx12's reader that make a transaction set untrustworthy: its trailer is missing (2),
# names another set (3), or counts other segments than came (4). X12 element 718 (IK502).
_UNTRUSTWORTHY = frozenset({"2", "3", "4"})


class InvalidX12(ValueError):
    """Not an X12 file, or an element that can't be read; the message says which."""


@dataclass(frozen=True)
class FileFinding:
    """What is wrong in a file that could be read. `where` names the place in the sender's terms."""

    where: str
    why: str


@dataclass(frozen=True)
class TransactionSet:
    """One ST to SE, complete. `segments` include neither; `created` is the group's date (GS04)."""

    kind: str
    control_number: str
    version: str
    group_number: str
    interchange_number: str
    created: date
    segments: tuple[Segment, ...]

    @property
    def where(self) -> str:
        return f"interchange {self.interchange_number}, {self.kind} {self.control_number}"


@dataclass(frozen=True)
class X12File:
    """What could be read. `interchange_acknowledgements` are the TA1 segments, with the date."""

    sets: tuple[TransactionSet, ...]
    interchange_acknowledgements: tuple[tuple[date, Segment], ...]
    findings: tuple[FileFinding, ...]


def read_x12(content: bytes) -> X12File:
    """Every complete transaction set of every interchange in `content`.

    Raises:
        InvalidX12: `content` does not begin with a readable interchange header.
    """
    # X12's extended character set is at most Latin-1, and no element read here needs more.
    text = content.removeprefix(codecs.BOM_UTF8).decode("latin-1").lstrip()
    try:
        reader = X12Reader(io.StringIO(text, newline=""))
    except X12Error as error:
        raise InvalidX12(f"not an X12 file: {error}") from None
    return _Reading(reader).run()


def value(segment: Segment, place: str) -> str:
    """The element (`02`) or component (`01-2`) at `place`; empty where there is none."""
    found = segment.get_value(place)
    return "" if found is None else str(found)


def needed(segment: Segment, place: str) -> str:
    """As `value`. Raises InvalidX12 where it is empty."""
    found = value(segment, place)
    if not found:
        raise InvalidX12(f"{segment.get_seg_id()}{place} is empty")
    return found


def money(segment: Segment, place: str) -> Decimal:
    """An amount; empty is zero, as X12 leaves out what is nothing. Raises InvalidX12."""
    text = value(segment, place) or "0"
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise InvalidX12(f"{segment.get_seg_id()}{place}: {text!r} is not an amount")
    return amount


def day(segment: Segment, place: str) -> date:
    """A date written CCYYMMDD. Raises InvalidX12."""
    text = value(segment, place)
    try:
        return datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        raise InvalidX12(f"{segment.get_seg_id()}{place}: {text!r} is not a date") from None


def blocks(segments: Sequence[Segment], name: str) -> Iterator[Sequence[Segment]]:
    """`segments` cut at each `name`; what stands before the first is in no block."""
    starts = [place for place, segment in enumerate(segments) if segment.get_seg_id() == name]
    for start, end in pairwise([*starts, len(segments)]):
        yield segments[start:end]


def before(segments: Sequence[Segment], name: str) -> Sequence[Segment]:
    """`segments` up to the first `name`, or all."""
    return list(takewhile(lambda segment: segment.get_seg_id() != name, segments))


class _Reading:
    """One pass over a file."""

    def __init__(self, reader: X12Reader) -> None:
        self._reader = reader
        self._sets: list[TransactionSet] = []
        self._acknowledgements: list[tuple[date, Segment]] = []
        self._findings: list[FileFinding] = []
        self._open: list[Segment] = []
        self._interchange: Segment | None = None
        self._group: Segment | None = None

    def run(self) -> X12File:
        for segment in self._segments():
            try:
                self._take(segment)
            except InvalidX12 as error:
                self._find(str(error))
                self._open = []
        self._reader.cleanup()
        self._report_reader_faults()
        if rest := self._reader.raw.buffer.strip():
            self._find(f"the file breaks off in a segment: {rest[:40]!r}")
        return X12File(tuple(self._sets), tuple(self._acknowledgements), tuple(self._findings))

    def _segments(self) -> Iterator[Segment]:
        """The reader's segments, up to where it can't go on."""
        try:
            yield from self._reader
        except (X12Error, IndexError) as error:
            # IndexError: pyx12 4.0 meets a trailer whose header is not there.
            why = str(error) if isinstance(error, X12Error) else "a trailer without its header"
            self._find(f"segment {self._reader.get_cur_line() + 1}: {why}; the rest is not read")

    def _take(self, segment: Segment) -> None:
        name = segment.get_seg_id()
        if name == "ISA":
            self._interchange, self._group = segment, None
        elif name == "TA1":
            assert self._interchange is not None, "the reader begins at ISA"
            stamp = f"20{value(self._interchange, '09')}"
            try:
                created = datetime.strptime(stamp, "%Y%m%d").date()
            except ValueError:
                raise InvalidX12(f"ISA09: {stamp[2:]!r} is not a date") from None
            self._acknowledgements.append((created, segment))
        elif name == "GS":
            self._group = segment
        elif name == "ST":
            self._open = [segment]
        elif name == "SE":
            self._close()
        elif self._open:
            self._open.append(segment)
        elif not segment.is_seg_id_valid():
            self._find(f"{str(segment)[:20]!r} is no segment; are the separators all the same?")

    def _close(self) -> None:
        faults = self._report_reader_faults()
        if self._open and self._group is not None and not faults & _UNTRUSTWORTHY:
            head, *segments = self._open
            assert self._interchange is not None, "the reader begins at ISA"
            self._sets.append(
                TransactionSet(
                    kind=value(head, "01"),
                    control_number=value(head, "02"),
                    version=value(head, "03") or value(self._group, "08"),
                    group_number=value(self._group, "06"),
                    interchange_number=value(self._interchange, "13"),
                    created=day(self._group, "04"),
                    segments=tuple(segments),
                )
            )
        else:
            self._find("a transaction set is damaged and left out")
        self._open = []

    def _report_reader_faults(self) -> set[str]:
        """Turns what pyx12 found since the last call into findings; returns the set's own codes."""
        faults = self._reader.pop_errors()
        for _, _, message, _, _ in faults:
            self._find(str(message))
        return {str(code) for level, code, *_ in faults if level == "st"}

    def _find(self, why: str) -> None:
        number = "" if self._interchange is None else value(self._interchange, "13")
        where = f"interchange {number}"
        if self._open:
            head = self._open[0]
            where += f", {value(head, '01')} {value(head, '02')}"
        self._findings.append(FileFinding(where, why))
