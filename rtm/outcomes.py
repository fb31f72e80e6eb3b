"""Patient-reported outcome measures: what is asked, what was answered, and the score.

An instrument is data. Its items are whole numbers on a scale, and its score follows from them by
one of two rules; nothing is scored while an answer is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


class InvalidAnswers(ValueError):
    """Answers that the instrument does not have; the message names the item and its scale."""


@dataclass(frozen=True)
class Item:
    """One question; `text` is keyed by language, the scale goes from `least` to `most`."""

    id: str
    text: Mapping[str, str]
    least: int
    most: int


@dataclass(frozen=True)
class Instrument:
    """A questionnaire with its scoring rule. `source` is its publication.

    `better` says which way the patient is better off.
    """

    id: str
    version: str
    title: Mapping[str, str]
    items: tuple[Item, ...]
    scoring: Literal["sum", "mean"]
    better: Literal["higher", "lower"]
    source: str

    @property
    def score_bounds(self) -> tuple[float, float]:
        """The least and the highest score that there can be."""
        least = float(sum(item.least for item in self.items))
        most = float(sum(item.most for item in self.items))
        share = 1 if self.scoring == "sum" else len(self.items)
        return least / share, most / share

    def score(self, answers: Mapping[str, int]) -> float | None:
        """The score of `answers` by item id; None while one is missing.

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
        if set(answers) != set(by_id):
            return None
        total = float(sum(answers.values()))
        return total if self.scoring == "sum" else total / len(self.items)


@dataclass(frozen=True)
class OutcomeResponse:
    """One filled questionnaire. `answers` is by item id; a missing item was not answered."""

    id: str
    instrument_id: str
    instrument_version: str
    answered_at: datetime
    language: str
    answers: Mapping[str, int]

    def __post_init__(self) -> None:
        if self.answered_at.tzinfo is None:
            raise ValueError("answered_at must carry a time zone")
