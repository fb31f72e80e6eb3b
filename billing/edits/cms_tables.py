"""CMS's quarterly NCCI tables for practitioners, as a health system downloads them: .txt or .csv.

Confirmed by several public readers of the real files (2026): the PTP table is tab-separated text
in up to four parts (ccipra-v…-f1 to -f4), a copyright line, a line "Column1/Column2 Edits", a
header over four lines that begins "Column 1", "Column 2", then seven columns: column 1 code,
column 2 code, "*" where the edit existed before 1996, effective date and deletion date as YYYYMMDD
("*" or nothing: none), modifier indicator 0, 1 or 9, rationale; deleted edits are in it. The MUE
table is CSV in Latin-1: a quoted copyright notice over several lines, a header ("HCPCS/ CPT Code",
"Practitioner Services MUE Values", "MUE Adjudication Indicator", "MUE Rationale"), and rows whose
indicator is 1, 2 or 3 and words. The files themselves could not be read here.

Recalled: a PTP part saved as CSV keeps its columns. Not settled by a source: whether an edit still
holds on its deletion date; house policy is the stricter reading, that it does.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, cast

from billing.edits import Indicator, LineIndicator

Kind = Literal["ptp", "mue"]

_CODE = re.compile(r"[0-9A-Z]{5}")
_HEADER_LINES = 40  # copyright and header stand within so many lines
_ELSEWHERE = {
    "outpatient hospital": "the outpatient hospital table",
    "facility": "the outpatient hospital table",
    "dme": "the DME supplier table",
}


class NotACmsTable(ValueError):
    """The file is not a practitioner table of CMS, or a row of it is broken; says which."""


@dataclass(frozen=True)
class PtpRow:
    """One edit: `column_two` is not paid beside `column_one` while it is in force."""

    column_one: str
    column_two: str
    effective: date
    deleted: date | None
    indicator: Indicator


@dataclass(frozen=True)
class MueRow:
    """The most units of a code. `indicator` 1: of one line, 2 and 3: of one date of service."""

    code: str
    most: int
    indicator: LineIndicator
    rationale: str


@dataclass(frozen=True)
class CmsTable:
    """One file as read. `rows` are those that were to be kept, of `row_count`.

    `first_code` and `last_code` are the ends of column 1, or of the MUE's codes; `newest` is the
    newest effective date, None for an MUE.
    """

    kind: Kind
    rows: tuple[PtpRow | MueRow, ...]
    row_count: int
    first_code: str
    last_code: str
    newest: date | None


def read_table(data: bytes, name: str, keep: Callable[[PtpRow | MueRow], bool]) -> CmsTable:
    """One file, each row checked and those that `keep` says kept: a table has millions.

    `name` is for messages, and for what it says of the file.

    Raises:
        NotACmsTable: no table of CMS's for practitioners, or a row that can't be read; the
            message is one line.
    """
    if "ccioph" in name.lower():
        raise NotACmsTable(f"{name}: the outpatient hospital table; the practitioner one is needed")
    lines = _lines(_text(data, name))
    try:
        kind = _header(lines, name)
        lines.header_read()
        rows: Iterator[PtpRow | MueRow] = (_ptp if kind == "ptp" else _mue)(lines, name)
        return _gathered(kind, rows, keep, name)
    except csv.Error as error:
        raise NotACmsTable(f"{name}: line {lines.number}: {error}") from None


def _gathered(
    kind: Kind, rows: Iterator[PtpRow | MueRow], keep: Callable[[PtpRow | MueRow], bool], name: str
) -> CmsTable:
    kept: list[PtpRow | MueRow] = []
    count = 0
    first, last, newest = "", "", None
    for row in rows:
        count += 1
        code = row.column_one if isinstance(row, PtpRow) else row.code
        first, last = min(first or code, code), max(last, code)
        if isinstance(row, PtpRow):
            newest = row.effective if newest is None else max(newest, row.effective)
        if keep(row):
            kept.append(row)
    if not count:
        raise NotACmsTable(f"{name}: has the header of a table and no row")
    return CmsTable(kind, tuple(kept), count, first, last, newest)


def _text(data: bytes, name: str) -> str:
    if data[:2] == b"PK" or b"\0" in data[:4096]:
        why = "a spreadsheet or archive; unpack it and give the .txt or .csv file"
        raise NotACmsTable(f"{name}: {why}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


class _Lines:
    """Rows of cells and where each stood, for messages. Tab-separated text knows no quotes."""

    def __init__(self, text: str, delimiter: str) -> None:
        self._rows = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=delimiter,
            quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
            strict=True,
        )
        self._header_read = False

    @property
    def number(self) -> int:
        """The last line that was read, from 1."""
        return self._rows.line_num

    def header_read(self) -> None:
        """From here on a row is one line: a stray quote must not swallow the rows after it."""
        self._header_read = True

    def __iter__(self) -> Iterator[list[str]]:
        before = self.number
        for row in self._rows:
            if self._header_read and self.number - before > 1:
                raise csv.Error("a row goes over several lines")
            before = self.number
            yield [" ".join(cell.split()) for cell in row]


def _lines(text: str) -> _Lines:
    start = text[:8192]
    return _Lines(text, "\t" if start.count("\t") > start.count(",") else ",")


def _header(lines: _Lines, name: str) -> Kind:
    """Reads up to the header and says whose it is."""
    for row in lines:
        first, second = [*(cell.lower() for cell in row), "", ""][:2]
        if (first, second) == ("column 1", "column 2"):
            return "ptp"
        if first.replace(" ", "") in ("hcpcs/cptcode", "cptcode", "hcpcscode"):
            return _mue_header(row, name)
        if lines.number > _HEADER_LINES:
            break
    raise NotACmsTable(f"{name}: no header of CMS's PTP or MUE table in it")


def _mue_header(row: Sequence[str], name: str) -> Kind:
    title = row[1].lower() if len(row) > 1 else ""
    for words, table in _ELSEWHERE.items():
        if words in title:
            raise NotACmsTable(f"{name}: {table}; the practitioner one is needed")
    if "practitioner" not in title or "mue" not in title:
        raise NotACmsTable(f"{name}: its second column is {title!r}, not practitioner MUE values")
    if len(row) < 3 or "adjudication" not in row[2].lower():
        raise NotACmsTable(f"{name}: its third column is not the MUE adjudication indicator")
    return "mue"


def _ptp(lines: _Lines, name: str) -> Iterator[PtpRow]:
    begun = False
    for row in lines:
        # The header goes on over further lines, which leave both code columns empty.
        if not any(row) or not (begun or any(row[:2])):
            continue
        begun = True
        place = f"{name}: line {lines.number}"
        if len(row) < 6:
            raise NotACmsTable(f"{place}: {len(row)} columns, and a PTP edit has seven")
        if row[5] not in ("0", "1", "9"):
            raise NotACmsTable(f"{place}: the modifier indicator {row[5]!r} is not 0, 1 or 9")
        effective = _date(row[3], place)
        deleted = None if row[4] in ("*", "") else _date(row[4], place)
        if deleted is not None and deleted < effective:
            raise NotACmsTable(f"{place}: deleted on {deleted}, before it took effect")
        yield PtpRow(
            _code(row[0], place),
            _code(row[1], place),
            effective,
            deleted,
            cast(Indicator, row[5]),
        )


def _mue(lines: _Lines, name: str) -> Iterator[MueRow]:
    seen: set[str] = set()
    for row in lines:
        if not any(row):
            continue
        place = f"{name}: line {lines.number}"
        if len(row) < 3:
            raise NotACmsTable(f"{place}: {len(row)} columns, and an MUE has four")
        code = _code(row[0], place)
        if code in seen:
            raise NotACmsTable(f"{place}: {code} is in the table twice")
        seen.add(code)
        if not re.fullmatch(r"\d{1,6}", row[1], re.ASCII):
            raise NotACmsTable(f"{place}: {row[1]!r} is not a number of units")
        if row[2][:1] not in ("1", "2", "3"):
            raise NotACmsTable(f"{place}: the adjudication indicator {row[2]!r} is not 1, 2 or 3")
        words = "; ".join(cell for cell in (row[2], *row[3:4]) if cell)
        yield MueRow(code, int(row[1]), cast(LineIndicator, row[2][0]), words)


def _code(text: str, place: str) -> str:
    if not _CODE.fullmatch(text):
        raise NotACmsTable(f"{place}: {text!r} is not a HCPCS or CPT code")
    return text


def _date(text: str, place: str) -> date:
    if re.fullmatch(r"\d{8}", text, re.ASCII):
        try:
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        except ValueError:
            pass  # no such day, as said below
    raise NotACmsTable(f"{place}: {text!r} is not a date of the form YYYYMMDD")
