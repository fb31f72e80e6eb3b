"""Which reminders are due to a patient: each at most once a day, and never in quiet hours.

Times are the patient's wall clock. Where the clock is set forward over a wish's time, the reminder
is due when the clock has passed it; where an hour comes twice, it is sent once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from rtm.program import Program

Kind = Literal["exercises", "message"]
Channel = Literal["email", "sms", "push"]
Language = Literal["en", "es"]

KINDS: tuple[Kind, ...] = get_args(Kind)
CHANNELS: tuple[Channel, ...] = get_args(Channel)


def kind_of(name: str) -> Kind:
    """Raises ValueError for a name that is no kind."""
    return KINDS[KINDS.index(name)]


@dataclass(frozen=True)
class Wishes:
    """What the patient wants: which reminders, from which time of day that of the exercises, and
    the hours in which none may come. Equal ends are no quiet hours."""

    kinds: frozenset[Kind] = frozenset(KINDS)
    exercises_at: time = time(16)
    quiet_from: time = time(21)
    quiet_until: time = time(8)
    language: Language = "en"

    def is_quiet(self, clock: time) -> bool:
        if self.quiet_from <= self.quiet_until:
            return self.quiet_from <= clock < self.quiet_until
        return clock >= self.quiet_from or clock < self.quiet_until


@dataclass(frozen=True)
class Situation:
    """What reminders are about: the program, which of its exercises were done on which day, and
    when the newest message that the patient has not opened was sent."""

    time_zone: str
    program: Program | None
    done: frozenset[tuple[date, str]]
    unread_sent_at: datetime | None

    def is_to_do(self, day: date) -> bool:
        """Whether an exercise of `day` was not done yet."""
        due = () if self.program is None else self.program.due_on(day)
        return any((day, line.exercise_id) not in self.done for line in due)


@dataclass(frozen=True)
class Reminder:
    """`day` is the patient's own date. Kind and day are its key: no second one has both."""

    kind: Kind
    day: date


@dataclass(frozen=True)
class Planned:
    """A reminder that was planned, at `at`; None if it was not sent after all."""

    reminder: Reminder
    at: datetime | None


class Standing(Enum):
    """Whether a reminder may be sent now, later on its day, or not any more."""

    NOW = "now"
    LATER = "later"
    NEVER = "never"


def due(
    wishes: Wishes, situation: Situation, planned: Collection[Planned], now: datetime
) -> tuple[Reminder, ...]:
    """What is to be sent now to one address, beside what was `planned` for it before.

    An unopened message is told of once: again only when a newer one has come, and at most once a
    day.
    """
    today = now.astimezone(ZoneInfo(situation.time_zone)).date()
    taken = {one.reminder for one in planned}
    told = max(
        (one.at for one in planned if one.reminder.kind == "message" and one.at is not None),
        default=None,
    )
    found = []
    for kind in KINDS:
        reminder = Reminder(kind, today)
        if reminder in taken or standing(reminder, wishes, situation, now) is not Standing.NOW:
            continue
        sent_at = situation.unread_sent_at
        if kind == "message" and told is not None and sent_at is not None and sent_at <= told:
            continue
        found.append(reminder)
    return tuple(found)


def standing(reminder: Reminder, wishes: Wishes, situation: Situation, now: datetime) -> Standing:
    """Whether `reminder` may be sent at `now`.

    NEVER when its day is over, it is not wished for, or what it is about is done.
    """
    local = now.astimezone(ZoneInfo(situation.time_zone))
    if reminder.day != local.date() or reminder.kind not in wishes.kinds:
        return Standing.NEVER
    if reminder.kind == "message":
        wanted = situation.unread_sent_at is not None
        begun = True
    else:
        wanted = situation.is_to_do(reminder.day)
        begun = local.time() >= wishes.exercises_at
    if not wanted:
        return Standing.NEVER
    return Standing.NOW if begun and not wishes.is_quiet(local.time()) else Standing.LATER
