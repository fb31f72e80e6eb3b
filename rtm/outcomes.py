"""Patient-reported outcome measures: what is asked, what was answered, and the score.

An instrument is data. Its items are whole numbers on a scale, and its score follows from them: the
sum or the mean, then a factor and an offset, or a published table of interval scores. Where fewer
answers than its publication allows are there, nothing is scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


class InvalidAnswers(ValueError):
    """Answers that the instrument does not have; the message names the item and its scale."""


@dataclass(frozen=True)
class Item:
    """One question; `text` is keyed by language, the scale goes from `least` to `most`.

    Of a `named` item the patient says what it is about, as with an activity of one's own.
    """

    id: str
    text: Mapping[str, str]
    least: int
    most: int
    named: bool = False


@dataclass(frozen=True)
class Instrument:
    """A questionnaire with its scoring rule. `source` is its publication.

    `better` says which way the patient is better off. The score is `offset` + `factor` × the sum
    or mean; a `conversion` gives it for each sum instead, the first for the least. At least
    `fewest` answers are needed, None: all; only a mean can be taken of fewer.
    """

    id: str
    version: str
    title: Mapping[str, str]
    items: tuple[Item, ...]
    scoring: Literal["sum", "mean"]
    better: Literal["higher", "lower"]
    source: str
    fewest: int | None = None
    factor: float = 1.0
    offset: float = 0.0
    conversion: tuple[float, ...] = ()

    @property
    def score_bounds(self) -> tuple[float, float]:
        """The least and the highest score that there can be."""
        least, most = sum(item.least for item in self.items), sum(item.most for item in self.items)
        ends = (self._scored(least, len(self.items)), self._scored(most, len(self.items)))
        return min(ends), max(ends)

    def score(self, answers: Mapping[str, int]) -> float | None:
        """The score of `answers` by item id; None while too many are missing.

        Raises:
            InvalidAnswers: an unknown item, or a value off its scale.
        """
        by_id = {item.id: item for item in self.items}
        for item_id, value in answers.items():
            if item_id not in by_id:
                raise InvalidAnswers(f"{self.id} has no item {item_id!r}")
            item = by_id[item_id]
            if not item.least <= value <= item.most:
                raise InvalidAnswers(
                    f"{item_id} must lie between {item.least} and {item.most}, got {value}"
                )
        if len(answers) < (self.fewest or len(self.items)):
            return None
        return self._scored(sum(answers.values()), len(answers))

    def _scored(self, total: int, count: int) -> float:
        if self.conversion:
            return self.conversion[total - sum(item.least for item in self.items)]
        return self.offset + self.factor * (total if self.scoring == "sum" else total / count)


@dataclass(frozen=True)
class OutcomeResponse:
    """One filled questionnaire. `answers` is by item id; a missing item was not answered.

    `names` is what the patient said that the `named` items are about, by item id.
    """

    id: str
    instrument_id: str
    instrument_version: str
    answered_at: datetime
    language: str
    answers: Mapping[str, int]
    names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.answered_at.tzinfo is None:
            raise ValueError("answered_at must carry a time zone")
