"""Messages between a patient and the care team: what one may say, threads, and what is unread.

A message is plain text and final: what was said is not changed. It is no interactive
communication in the sense of the RTM codes, which ask for a live talk (`rtm.ledger.Interaction`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Side = Literal["patient", "care_team"]
Problem = Literal["empty", "too_long", "not_text"]

MOST_CHARACTERS = 2000
MOST_SUBJECT_CHARACTERS = 80

# Direction overrides can make a text read otherwise than it was written (Unicode TR36, 2.5).
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class MessageRefused(ValueError):
    """The text can't be a message; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem: Problem = problem


@dataclass(frozen=True)
class Message:
    """One message. `sender` names who wrote it, for people; `read_at` is when the other side
    first opened it."""

    id: str
    thread_id: str
    side: Side
    sender: str
    text: str
    sent_at: datetime
    read_at: datetime | None = None


@dataclass(frozen=True)
class Thread:
    """Messages under one subject, the oldest first; there is always a first one."""

    id: str
    subject: str
    messages: tuple[Message, ...]

    @property
    def last(self) -> Message:
        return self.messages[-1]

    def unread_by(self, side: Side) -> int:
        """How many messages of the other side nobody of `side` has opened."""
        return sum(1 for message in self.messages if is_unread(message, side))


def is_unread(message: Message, side: Side) -> bool:
    return message.side != side and message.read_at is None


def tidy(text: str) -> str:
    """`text` with line ends of one kind, and no space around it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def checked_text(text: str, most_characters: int = MOST_CHARACTERS) -> str:
    """`text`, tidied. Raises MessageRefused: empty, too long, or with characters that no text has.

    Line ends and tabs are text, other control characters and direction overrides are not.
    """
    tidied = tidy(text)
    if not tidied:
        raise MessageRefused("empty")
    if len(tidied) > most_characters:
        raise MessageRefused("too_long")
    if any(_is_no_text(character) for character in tidied):
        raise MessageRefused("not_text")
    return tidied


def checked_subject(text: str) -> str:
    """A subject: one line. Raises MessageRefused."""
    return checked_text(" ".join(text.split()), MOST_SUBJECT_CHARACTERS)


def threads(subjects: dict[str, str], messages: Iterable[Message]) -> tuple[Thread, ...]:
    """The messages by thread, the thread with the newest message first.

    `subjects` by thread id. A message of a thread without subject raises KeyError.
    """
    by_thread: dict[str, list[Message]] = {}
    for message in sorted(messages, key=lambda one: (one.sent_at, one.id)):
        by_thread.setdefault(message.thread_id, []).append(message)
    found = [Thread(id_, subjects[id_], tuple(all_)) for id_, all_ in by_thread.items()]
    return tuple(sorted(found, key=lambda one: (one.last.sent_at, one.id), reverse=True))


def _is_no_text(character: str) -> bool:
    category = unicodedata.category(character)
    return (category in ("Cc", "Cs") and character not in "\n\t") or character in _OVERRIDES
