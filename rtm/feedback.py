"""What a patient says of an exercise after it: effort, difficulty, a note, why it was stopped.

The words of the scales are data in `feedback.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from rtm.checked_yaml import check_document, shipped_document

Difficulty = Literal["too_easy", "just_right", "too_hard"]

MOST_EFFORT = 10
# A note is read by somebody with two minutes, and typed on a phone.
LONGEST_NOTE = 500

_REASON = re.compile(r"[a-z][a-z_]{0,39}")


class InvalidScales(ValueError):
    """The data break the schema; the message names place and rule."""


@dataclass(frozen=True)
class Feedback:
    """Each is None where it was not asked for, or skipped.

    `effort` is perceived exertion from 0 (none) to 10 (the most the patient can do). `note` is
    for the care team, as typed. `stopped_reason` is why the patient broke off, an id of
    `rtm.safety`'s stop reasons when it was said.

    Raises:
        ValueError: a value off its scale, or a note that is empty or longer than `LONGEST_NOTE`.
    """

    effort: int | None = None
    difficulty: Difficulty | None = None
    note: str | None = None
    stopped_reason: str | None = None

    def __post_init__(self) -> None:
        if self.effort is not None and not 0 <= self.effort <= MOST_EFFORT:
            raise ValueError(f"effort must lie between 0 and {MOST_EFFORT}, got {self.effort}")
        if self.difficulty is not None and self.difficulty not in get_args(Difficulty):
            raise ValueError(f"difficulty must be one of {', '.join(get_args(Difficulty))}")
        if self.note is not None and not 0 < len(self.note) <= LONGEST_NOTE:
            raise ValueError(f"a note has 1 to {LONGEST_NOTE} characters, got {len(self.note)}")
        if self.stopped_reason is not None and not _REASON.fullmatch(self.stopped_reason):
            raise ValueError("stopped_reason must be an id in lower case")


NO_FEEDBACK = Feedback()


@dataclass(frozen=True)
class Choice:
    """One answer to choose; `text` is keyed by language."""

    id: str
    text: Mapping[str, str]


@dataclass(frozen=True)
class FeedbackScales:
    """`effort` are the words of the scale by value, not every value has one."""

    effort: Mapping[int, Mapping[str, str]]
    difficulties: tuple[Choice, ...]

    def difficulty_text(self, difficulty: Difficulty, language: str = "en") -> str:
        return next(one.text[language] for one in self.difficulties if one.id == difficulty)


@cache
def load_scales() -> FeedbackScales:
    """The scales shipped with this package. Raises InvalidScales."""
    return read_scales(shipped_document("feedback.yaml"))


def read_scales(document: Any) -> FeedbackScales:
    """Raises InvalidScales."""
    check_document(document, "feedback.schema.json", InvalidScales, "feedback: ")
    return FeedbackScales(
        effort={anchor["value"]: anchor["text"] for anchor in document["effort"]["anchors"]},
        difficulties=tuple(Choice(one["id"], one["text"]) for one in document["difficulties"]),
    )
