"""What became of the records of a population that were read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_MOST_LISTED = 1_000


@dataclass
class Summary:
    """`outcomes` counts by what became of a patient's row (`app.chart_intake.Kept`), `refused` by
    reason.

    `listed` are the first of those that were refused, each with its reference, or the place of a
    line that can't be read, and why. `problems` are for a person to look at. `incomplete` where a
    part of the export could not be read.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    listed: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    incomplete: bool = False

    @property
    def read(self) -> int:
        return self.outcomes.total() + self.refused.total()

    def refuse(self, what: str, why: str) -> None:
        self.refused[why] += 1
        if len(self.listed) < _MOST_LISTED:
            self.listed.append((what, why))

    def note(self, problem: str) -> None:
        if problem not in self.problems and len(self.problems) < _MOST_LISTED:
            self.problems.append(problem)

    def gap(self, problem: str) -> None:
        """A problem for which something is missing."""
        self.note(problem)
        self.incomplete = True

    def columns(self) -> dict[str, Any]:
        """As `PopulationReadRow` keeps it."""
        return {
            "counts": {
                "outcomes": dict(self.outcomes),
                "refused": dict(self.refused),
                "incomplete": self.incomplete,
            },
            "refused": [list(each) for each in self.listed],
            "problems": list(self.problems),
        }

    @classmethod
    def of(cls, counts: dict[str, Any], refused: list[Any], problems: list[Any]) -> Summary:
        """The inverse of `columns`."""
        return cls(
            Counter(counts.get("outcomes", {})),
            Counter(counts.get("refused", {})),
            [(what, why) for what, why in refused],
            list(problems),
            bool(counts.get("incomplete")),
        )
