"""One quarter's table of CMS as a file in the house's own schema, with what was left out of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from billing.edits import quarter_of
from billing.edits.cms_tables import CmsTable, Kind, MueRow, PtpRow
from billing.rules import Rules


class TableRefused(ValueError):
    """The files are no whole table of that quarter; the message says why."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a table: its name, its SHA-256, and what of it touches our codes."""

    name: str
    sha256: str
    table: CmsTable


@dataclass(frozen=True)
class QuarterTable:
    """A document for `schema.json`, how many entries it kept, and what somebody should know."""

    kind: Kind
    document: dict[str, Any]
    kept: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Families:
    """The codes that an edit must touch: RTM on either side, or both sides among ours and RPM's."""

    rtm: frozenset[str]
    all: frozenset[str]

    @classmethod
    def of(cls, rules: Rules) -> Families:
        """Those of every rule set: what may be billed here, and what excludes it."""
        rpm = {code for rule_set in rules.sets for code in rule_set.exclusive_services}
        return cls(rules.known_codes, rules.known_codes | rpm)

    def touch(self, row: PtpRow | MueRow) -> bool:
        """Whether a row says anything of a claim that leaves from here."""
        if isinstance(row, MueRow):
            return row.code in self.all
        one, two = row.column_one, row.column_two
        return one in self.rtm or two in self.rtm or (one in self.all and two in self.all)


def quarter_table(
    files: Sequence[SourceFile], quarter: str, families: Families, at: datetime
) -> QuarterTable:
    """The table of `quarter` from all of its files, read for what touches `families`.

    Raises:
        TableRefused: files of two kinds or of a later quarter, the same file twice, or parts that
            are not the whole table.
    """
    kinds = {file.table.kind for file in files}
    if len(kinds) != 1:
        raise TableRefused("the files are of both kinds; load PTP and MUE tables one after another")
    if len({file.sha256 for file in files}) < len(files):
        raise TableRefused("one file is given twice")
    kind = kinds.pop()
    loaded = {
        "kind": kind,
        "at": at.isoformat(timespec="seconds"),
        "files": [
            {"name": file.name, "sha256": file.sha256, "rows": file.table.row_count}
            for file in files
        ],
    }
    if kind == "ptp":
        return _ptp_table(files, quarter, families, loaded)
    return _mue_table(files, quarter, loaded)


def _ptp_table(
    files: Sequence[SourceFile], quarter: str, families: Families, loaded: dict[str, Any]
) -> QuarterTable:
    _check_parts(files, families)
    first, last = bounds(quarter)
    newest = max(file.table.newest or date.min for file in files)
    if newest > last:
        raise TableRefused(
            f"an edit takes effect on {newest}: the files are of {quarter_of(newest)} or later,"
            f" not of {quarter}"
        )
    # 9: deleted as of the day it took effect; such a pair never was.
    kept = [
        row
        for row in _rows(files)
        if isinstance(row, PtpRow)
        and row.indicator != "9"
        and row.effective <= last
        and (row.deleted is None or row.deleted >= first)
    ]
    warnings = []
    if newest < first:
        warnings.append(
            f"the newest edit took effect on {newest}: are these the files of {quarter}?"
        )
    if not kept:
        warnings.append("no edit in it touches an RTM code")
    document = {
        "quarters": [quarter],
        "loaded": loaded,
        "procedure_pairs": {
            "complete": True,
            "source": f"CMS practitioner PTP edits of {quarter}: {_names(files)}",
            "pairs": [
                {
                    "column_one": row.column_one,
                    "column_two": row.column_two,
                    "indicator": row.indicator,
                    "effective": row.effective.isoformat(),
                    **({} if row.deleted is None else {"deleted": row.deleted.isoformat()}),
                }
                for row in sorted(kept, key=lambda r: (r.column_one, r.column_two, r.effective))
            ],
        },
    }
    return QuarterTable("ptp", document, len(kept), tuple(warnings))


def _mue_table(files: Sequence[SourceFile], quarter: str, loaded: dict[str, Any]) -> QuarterTable:
    if len(files) > 1:
        raise TableRefused("the MUE table of a quarter is one file")
    bounds(quarter)
    rows = [row for row in _rows(files) if isinstance(row, MueRow)]
    kept = sorted(rows, key=lambda row: row.code)
    source = f"CMS practitioner MUE of {quarter}: {_names(files)}"
    warnings = () if kept else ("no RTM code has a published MUE in it",)
    document = {
        "quarters": [quarter],
        "loaded": loaded,
        "medically_unlikely": {
            "complete": True,
            "source": source,
            "units": {
                row.code: {
                    "most": row.most,
                    "basis": "sourced",
                    "indicator": row.indicator,
                    "source": f"CMS practitioner MUE of {quarter}, {row.rationale}",
                }
                for row in kept
            },
        },
    }
    return QuarterTable("mue", document, len(kept), warnings)


def _rows(files: Sequence[SourceFile]) -> Iterator[PtpRow | MueRow]:
    for file in files:
        yield from file.table.rows


def _check_parts(files: Sequence[SourceFile], families: Families) -> None:
    """Where the names count the parts (-f1, -f2, ...), none may be missing; and column 1 must go
    beyond our codes on both sides, as the parts divide the table by it."""
    first = min(file.table.first_code for file in files)
    last = max(file.table.last_code for file in files)
    if not first <= min(families.rtm) <= max(families.rtm) <= last:
        raise TableRefused(
            f"column 1 goes from {first} to {last}, which does not hold the RTM codes: give every"
            " part of the table"
        )
    numbers = sorted(
        int(found[1]) for file in files if (found := re.search(r"-f(\d{1,3})\b", file.name.lower()))
    )
    if numbers and numbers != list(range(1, len(numbers) + 1)):
        given = ", ".join(f"f{number}" for number in numbers)
        raise TableRefused(f"the parts given are {given}: give every part of the table, from f1 on")


def bounds(quarter: str) -> tuple[date, date]:
    """First and last day of a quarter such as 2026Q4.

    Raises:
        TableRefused: it is not of that form.
    """
    found = re.fullmatch(r"(20\d\d)Q([1-4])", quarter, re.ASCII)
    if found is None:
        raise TableRefused(f"{quarter!r} is not a quarter of the form 2026Q4")
    year, number = int(found[1]), int(found[2])
    first = date(year, 3 * number - 2, 1)
    after = date(year + number // 4, 3 * number % 12 + 1, 1)
    return first, after - timedelta(days=1)


def _names(files: Sequence[SourceFile]) -> str:
    return ", ".join(file.name for file in files)
