"""CMS's NCCI edits by quarter: pairs of codes (PTP) and most units (MUE), each with its source.

The date of service decides the quarter. A quarter that no file names is not loaded: the scrubber
says so and takes nothing from another quarter. A deployment loads CMS's own tables into a folder of
its own (`billing.edits.quarter_file`), which then go before the few entries shipped here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal, cast

from rtm.checked_yaml import checked_documents

Indicator = Literal["0", "1", "9"]

# The MUE adjudication indicator: the limit is of one claim line (1), or of one date of service by
# policy (2) or clinical data (3).
LineIndicator = Literal["1", "2", "3"]

_TABLES = frozenset({"medically_unlikely", "procedure_pairs"})


class InvalidEdits(ValueError):
    """A file breaks the schema or names a quarter twice; the message names file and place."""


@dataclass(frozen=True)
class MostUnits:
    """The most units of a code that one date of service takes, or one line where `indicator` is 1.

    `recalled` ones are not sourced.
    """

    most: int
    basis: Literal["sourced", "recalled"]
    source: str
    indicator: LineIndicator | None = None


@dataclass(frozen=True)
class ProcedurePair:
    """`column_two` is not paid beside `column_one` on one date of service.

    `indicator` 0: never; 1: a modifier may say that the services were distinct; 9: no longer
    applies. In force from `effective` to `deleted`, both included; None is the whole quarter.
    """

    column_one: str
    column_two: str
    indicator: Indicator
    effective: date | None = None
    deleted: date | None = None

    def in_force(self, day: date) -> bool:
        begun = self.effective is None or self.effective <= day
        return self.indicator != "9" and begun and (self.deleted is None or day <= self.deleted)


@dataclass(frozen=True)
class QuarterEdits:
    """What is loaded for one quarter; only complete tables speak for codes that they lack."""

    quarter: str
    units: Mapping[str, MostUnits]
    units_complete: bool
    pairs: tuple[ProcedurePair, ...]
    pairs_complete: bool


@dataclass(frozen=True)
class Edits:
    """Every loaded quarter, by its name, as in 2026Q4."""

    quarters: Mapping[str, QuarterEdits]

    def on(self, day: date) -> QuarterEdits | None:
        """The edits in force on `day`, or None where its quarter is not loaded."""
        return self.quarters.get(quarter_of(day))


def quarter_of(day: date) -> str:
    """The calendar quarter, as CMS names it: 2026Q4."""
    return f"{day.year}Q{(day.month - 1) // 3 + 1}"


@cache
def load_edits() -> Edits:
    """The edits shipped with this package. Raises InvalidEdits."""
    return read_edits(files(__package__))


def read_edits(folder: Traversable) -> Edits:
    """Every `*.yaml` of `folder`; a quarter's tables may be in two. Raises InvalidEdits."""
    quarters: dict[str, QuarterEdits] = {}
    seen: set[tuple[str, str]] = set()
    for name, document in checked_documents(folder, __package__, InvalidEdits):
        for quarter in document["quarters"]:
            for table in _TABLES & document.keys():
                if (quarter, table) in seen:
                    raise InvalidEdits(f"{name}: {quarter} is in another file too ({table})")
                seen.add((quarter, table))
            so_far = quarters.get(quarter, QuarterEdits(quarter, {}, False, (), False))
            quarters[quarter] = _with_tables(name, so_far, document)
    return Edits(quarters)


def merged(shipped: Edits, loaded: Edits) -> Edits:
    """`shipped` with what a deployment loaded: of one quarter, a complete loaded table wins."""
    quarters = dict(shipped.quarters)
    for quarter, ours in loaded.quarters.items():
        known = quarters.get(quarter, QuarterEdits(quarter, {}, False, (), False))
        if ours.units_complete:
            known = replace(known, units=ours.units, units_complete=True)
        if ours.pairs_complete:
            known = replace(known, pairs=ours.pairs, pairs_complete=True)
        quarters[quarter] = known
    return Edits(quarters)


def _with_tables(name: str, edits: QuarterEdits, document: dict[str, Any]) -> QuarterEdits:
    units, pairs = document.get("medically_unlikely"), document.get("procedure_pairs")
    if units is not None:
        edits = replace(
            edits,
            units={code: MostUnits(**entry) for code, entry in units["units"].items()},
            units_complete=units["complete"],
        )
    if pairs is not None:
        edits = replace(
            edits,
            pairs=tuple(_pair(name, pair) for pair in pairs["pairs"]),
            pairs_complete=pairs["complete"],
        )
    return edits


def _pair(name: str, entry: dict[str, str]) -> ProcedurePair:
    try:
        dates = {
            key: date.fromisoformat(entry[key]) for key in ("effective", "deleted") if key in entry
        }
    except ValueError as error:
        pair = f"{entry['column_one']}/{entry['column_two']}"
        raise InvalidEdits(f"{name}: {pair}: {error}") from None
    return ProcedurePair(
        entry["column_one"],
        entry["column_two"],
        cast(Indicator, entry["indicator"]),
        dates.get("effective"),
        dates.get("deleted"),
    )
