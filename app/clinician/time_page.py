"""Time and talks as the clinician's pages show them: lines, what waits, and each one's history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from app.clinician.forms import ACTIVITIES, INTERACTIONS, activity_key
from app.store import PractitionerRow
from app.time_book import Record, TimeBook
from rtm.ledger import Correction, Fact, FactHistory, Interaction, is_time_of, person_of
from rtm.time_lines import Act, TimeLine, acts

_DONE = {
    "recorded": "Recorded",
    "confirmed": "Confirmed",
    "corrected": "Corrected",
    "retracted": "Taken back",
}


@dataclass(frozen=True)
class Step:
    """One step of a fact's history, in words."""

    when: str
    who: str
    what: str
    reason: str


@dataclass(frozen=True)
class Row:
    """One line of time or one talk as shown. `tone` is good, wait or bad.

    `own` is whether who is signed in may correct it: it is theirs, and it stands.
    """

    id: str
    day: date
    clock: str
    length: str
    what: str
    by: str
    state: str
    tone: str
    own: bool
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Waiting:
    """A stretch to sign: its entries by id, and what was recorded."""

    entry_ids: tuple[str, ...]
    day: date
    clock: str
    seconds: int
    activity: str

    @property
    def length(self) -> str:
        return length_text(self.seconds)


@dataclass(frozen=True)
class TimePage:
    """`waiting` is who is signed in's own, `others` who else must sign; `months` newest first."""

    waiting: tuple[Waiting, ...]
    others: tuple[str, ...]
    months: tuple[tuple[str, tuple[Row, ...]], ...]

    @property
    def waiting_days(self) -> tuple[tuple[date, tuple[Waiting, ...]], ...]:
        """The oldest day first, as it was worked."""
        ordered = sorted(self.waiting, key=lambda stretch: (stretch.day, stretch.clock))
        return tuple(
            (day, tuple(found)) for day, found in groupby(ordered, key=lambda item: item.day)
        )


def time_page(
    book: TimeBook, me: PractitionerRow, practice: ZoneInfo, patient: ZoneInfo
) -> TimePage:
    """`practice` is the zone of the practice, `patient` the patient's own, for talks."""
    rows = [time_row(line, book, me, practice) for line in book.lines]
    rows += [talk_row(talk, book, me, practice, patient) for talk in book.talks]
    rows.sort(key=lambda row: row.day, reverse=True)
    months = groupby(rows, key=lambda row: f"{row.day:%B %Y}")
    return TimePage(
        waiting=own_waiting(book, me, practice),
        others=_others(book, me),
        months=tuple((month, tuple(found)) for month, found in months),
    )


def own_waiting(book: TimeBook, me: PractitionerRow, practice: ZoneInfo) -> tuple[Waiting, ...]:
    """The stretches that wait for the signature of `me`."""
    return tuple(
        Waiting(
            line.entry_ids, line.local_date, _clock(line, practice), line.seconds, line.activity
        )
        for line in book.lines
        if line.waits and _is_own(line, me)
    )


def time_row(line: TimeLine, book: TimeBook, me: PractitionerRow, practice: ZoneInfo) -> Row:
    state, tone = _state(line)
    seconds = line.seconds if line.standing else line.recorded_seconds
    return Row(
        id=line.id,
        day=line.local_date,
        clock=_clock(line, practice),
        length=length_text(seconds),
        what=activity_words(line.activity),
        by=person_of(line.shown[0]),
        state=state,
        tone=tone,
        own=bool(line.standing) and _is_own(line, me),
        steps=_time_steps(line, book.records, practice),
    )


def talk_row(
    history: FactHistory, book: TimeBook, me: PractitionerRow, practice: ZoneInfo, patient: ZoneInfo
) -> Row:
    talk = history.standing or history.first
    assert isinstance(talk, Interaction), "a history of a talk"
    local = talk.at.astimezone(patient)
    stands = history.standing is not None
    return Row(
        id=history.first.id,
        day=local.date(),
        clock=f"{local:%H:%M}",
        length=length_text(talk.seconds),
        what=INTERACTIONS.get(talk.kind, "Message"),
        by=book.records[history.first.id].by,
        state="Talk" if stands else "Taken back",
        tone="good" if stands else "bad",
        own=stands and book.talk_is_of(history, me),
        steps=_talk_steps(history, book.records[history.first.id], practice, patient),
    )


def length_text(seconds: int) -> str:
    """Minutes and seconds."""
    return f"{seconds // 60}:{seconds % 60:02}"


def activity_words(activity: str) -> str:
    """The chosen activity in words, with the note that was made to it."""
    key, _, note = activity.partition(":")
    if key not in ACTIVITIES:
        return activity
    label, note = ACTIVITIES[activity_key(activity)], note.strip()
    return label if not note or note == label.lower() else f"{label}: {note}"


def _is_own(line: TimeLine, me: PractitionerRow) -> bool:
    return all(is_time_of(entry, me.npi, me.name) for entry in line.shown)


def _others(book: TimeBook, me: PractitionerRow) -> tuple[str, ...]:
    """Whose signature else is waited for, and for how long a time."""
    waiting: dict[str, int] = {}
    for line in book.lines:
        if line.waits and not _is_own(line, me):
            person = person_of(line.shown[0])
            waiting[person] = waiting.get(person, 0) + line.seconds
    return tuple(f"{length_text(seconds)} by {person}" for person, seconds in waiting.items())


def _state(line: TimeLine) -> tuple[str, str]:
    if not line.standing:
        return "Taken back", "bad"
    if line.signature is None:
        return "Not confirmed", "wait"
    words = {"logged": "Signed", "confirmed": "Confirmed", "corrected": "Corrected"}
    return words[line.signature.act], "good"


def _clock(line: TimeLine, practice: ZoneInfo) -> str:
    if line.start is None or line.end is None:
        return "by hand"
    return f"{line.start.astimezone(practice):%H:%M}–{line.end.astimezone(practice):%H:%M}"


def _time_steps(
    line: TimeLine, records: Mapping[str, Record], practice: ZoneInfo
) -> tuple[Step, ...]:
    """What was done, and how the line stood after it where that was a change."""
    steps = []
    before: Act | None = None
    for act in acts(line):
        record = records[line.histories[-1].first.id]  # a timer's newest heartbeat
        steps.append(
            Step(
                when=_when(act.at or record.at, practice),
                who=act.author or record.by,
                what=f"{_DONE[act.what]}: {_as_it_stood(act, before)}",
                reason=act.reason,
            )
        )
        before = act
    return tuple(steps)


def _as_it_stood(act: Act, before: Act | None) -> str:
    if act.local_date is None:
        return "nothing counts"
    parts = [length_text(act.seconds)]
    if before is None or before.activity != act.activity:
        parts.append(activity_words(act.activity))
    if before is None or before.local_date != act.local_date:
        parts.append(f"{act.local_date}")
    if before is not None and act.what != "confirmed" and before.seconds != act.seconds:
        parts[0] = f"{length_text(before.seconds)} → {length_text(act.seconds)}"
    return ", ".join(parts)


def _talk_steps(
    history: FactHistory, record: Record, practice: ZoneInfo, patient: ZoneInfo
) -> tuple[Step, ...]:
    steps = [
        Step(_when(record.at, practice), record.by, _talk("Recorded", history.first, patient), "")
    ]
    for step in history.steps:
        if isinstance(step, Correction):
            what = "Taken back" if step.replacement is None else "Corrected"
            words = _talk(what, step.replacement, patient)
            steps.append(Step(_when(step.at, practice), step.author, words, step.reason))
    return tuple(steps)


def _talk(what: str, talk: Fact | None, patient: ZoneInfo) -> str:
    if not isinstance(talk, Interaction):
        return f"{what}: nothing counts"
    kind = INTERACTIONS.get(talk.kind, "Message")
    local = talk.at.astimezone(patient)
    return f"{what}: {kind}, {local:%Y-%m-%d %H:%M}, {length_text(talk.seconds)}"


def _when(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
