"""CMS's NCCI edits by quarter: pairs of codes (PTP) and most units (MUE), each with its source.

The date of service decides the quarter. A quarter that no file names is not loaded: the scrubber
says so and takes nothing from another quarter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal

from billing.checked_yaml import checked_documents

Indicator = Literal["0", "1", "9"]


class InvalidEdits(ValueError):
    """A file breaks the schema or names a quarter twice; the message names file and place."""


@dataclass(frozen=True)
class MostUnits:
    """The most units of a code that one date of service takes; `recalled` ones are not sourced."""

    most: int
    basis: Literal["sourced", "recalled"]
    source: str


@dataclass(frozen=True)
class ProcedurePair:
    """`column_two` is not paid beside `column_one` on one date of service.

    `indicator` 0: never; 1: a modifier may say that the services were distinct; 9: no longer
    applies.
    """

    column_one: str
    column_two: str
    indicator: Indicator


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
    """Every `*.yaml` of `folder`. Raises InvalidEdits."""
    quarters: dict[str, QuarterEdits] = {}
    for name, document in checked_documents(folder, __package__, InvalidEdits):
        for quarter in document["quarters"]:
            if quarter in quarters:
                raise InvalidEdits(f"{name}: {quarter} is in another file too")
            quarters[quarter] = _quarter(quarter, document)
    return Edits(quarters)


def _quarter(quarter: str, document: dict[str, Any]) -> QuarterEdits:
    units, pairs = document["medically_unlikely"], document["procedure_pairs"]
    return QuarterEdits(
        quarter=quarter,
        units={code: MostUnits(**entry) for code, entry in units["units"].items()},
        units_complete=units["complete"],
        pairs=tuple(ProcedurePair(**pair) for pair in pairs["pairs"]),
        pairs_complete=pairs["complete"],
    )
