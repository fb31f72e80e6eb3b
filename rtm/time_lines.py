"""Time entries as a person reads them: one line for a stretch of work, not for each heartbeat.

The chart's timer records a short entry each half minute. A line gathers those of one person that
follow each other and were signed in one act; it is what is shown, signed, shortened and corrected.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Literal

from rtm.ledger import (
    Confirmation,
    Correction,
    FactHistory,
    Signature,
    TimeEntry,
    seconds_of,
    without_overlap,
)

# A longer pause between two entries begins a new line.
LONGEST_PAUSE = timedelta(seconds=60)


@dataclass(frozen=True)
class TimeLine:
    """One or more time entries that belong together, each with its history."""

    histories: tuple[FactHistory, ...]

    @cached_property
    def standing(self) -> tuple[TimeEntry, ...]:
        """The entries as they stand; empty where all were retracted."""
        found = (history.standing for history in self.histories)
        return tuple(entry for entry in found if isinstance(entry, TimeEntry))

    @cached_property
    def recorded(self) -> tuple[TimeEntry, ...]:
        """The entries as they were first recorded."""
        return tuple(h.first for h in self.histories if isinstance(h.first, TimeEntry))

    @property
    def id(self) -> str:
        """That of its first entry, as first recorded."""
        return self.histories[0].first.id

    @property
    def entry_ids(self) -> tuple[str, ...]:
        return tuple(entry.id for entry in self.standing)

    @property
    def waits(self) -> bool:
        """Whether it stands and is not signed."""
        return bool(self.standing) and self.signature is None

    @property
    def signature(self) -> Signature | None:
        """The newest under any of its entries; None as long as one of them is unsigned."""
        signed = [h.signature for h in self.histories if h.standing is not None]
        known = [signature for signature in signed if signature is not None]
        if len(known) < len(signed) or not known:
            return None
        oldest = datetime.min.replace(tzinfo=UTC)
        return max(known, key=lambda signature: signature.at or oldest)

    @property
    def shown(self) -> tuple[TimeEntry, ...]:
        """The entries as they stand, or as they were recorded where none does."""
        return self.standing or self.recorded

    @property
    def local_date(self) -> date:
        return self.shown[0].local_date

    @property
    def start(self) -> datetime | None:
        return min((e.start for e in self.shown if e.start), default=None)

    @property
    def end(self) -> datetime | None:
        return max((e.end for e in self.shown if e.end), default=None)

    @property
    def activity(self) -> str:
        """What it was spent on; more than one thing is joined."""
        return "; ".join(dict.fromkeys(entry.activity for entry in self.shown))

    @cached_property
    def seconds(self) -> int:
        """Of what stands, each moment once; 0 where it was retracted."""
        return seconds_of(without_overlap(self.standing))

    @cached_property
    def recorded_seconds(self) -> int:
        return seconds_of(without_overlap(self.recorded))


def time_lines(histories: Iterable[FactHistory]) -> tuple[TimeLine, ...]:
    """The lines of every time entry, the newest day first, within it in the order of time."""
    groups: dict[tuple[object, ...], list[FactHistory]] = {}
    lines: list[TimeLine] = []
    for history in histories:
        entry = history.first
        if not isinstance(entry, TimeEntry):
            continue
        if entry.start is None or entry.end is None:
            lines.append(TimeLine((history,)))
            continue
        # What is signed, left out or shortened in one act bears one time.
        first_act = history.steps[0].at if history.steps else None
        groups.setdefault((entry.npi, entry.author, entry.by, first_act), []).append(history)
    for group in groups.values():
        lines += _without_pauses(group)
    midnight = datetime.min.replace(tzinfo=UTC)
    lines.sort(key=lambda line: (line.start or midnight, line.id))
    return tuple(sorted(lines, key=lambda line: line.local_date, reverse=True))


def _without_pauses(group: Sequence[FactHistory]) -> list[TimeLine]:
    runs: list[list[FactHistory]] = []
    until = datetime.max.replace(tzinfo=UTC)
    for history in sorted(group, key=lambda h: _span(h)):
        start, end = _span(history)
        if runs and start <= until + LONGEST_PAUSE and _same_day(runs[-1][0], history):
            runs[-1].append(history)
            until = max(until, end)
        else:
            runs.append([history])
            until = end
    return [TimeLine(tuple(run)) for run in runs]


def _span(history: FactHistory) -> tuple[datetime, datetime]:
    entry = history.first
    assert isinstance(entry, TimeEntry), "only time entries are grouped"
    assert entry.start is not None, "only those with clock times are grouped"
    assert entry.end is not None, "only those with clock times are grouped"
    return entry.start.astimezone(UTC), entry.end.astimezone(UTC)


def _same_day(one: FactHistory, other: FactHistory) -> bool:
    """A line belongs to one date, and thereby to one month."""
    dates = {h.first.local_date for h in (one, other) if isinstance(h.first, TimeEntry)}
    return len(dates) == 1


def shortened(
    entries: Sequence[TimeEntry], seconds: int
) -> tuple[tuple[TimeEntry, TimeEntry | None], ...]:
    """What changes so that of `entries` with clock times their first `seconds` are left.

    Pairs of an entry and what takes its place (None: nothing). The replacement keeps the entry's
    id; who records it gives it a new one. The clock times are taken as filled, as the timer's are.
    Raises ValueError unless that is shorter than they are.
    """
    if not 0 < seconds < seconds_of(without_overlap(entries)):
        raise ValueError("shortening leaves more than nothing and less than there was")
    until = _reached(entries, timedelta(seconds=seconds))
    changes: list[tuple[TimeEntry, TimeEntry | None]] = []
    for entry in entries:
        assert entry.start is not None, "an entry with clock times"
        assert entry.end is not None, "an entry with clock times"
        if entry.end <= until:
            continue
        if entry.start >= until:
            changes.append((entry, None))
            continue
        # An entry has at least a second; the total is cut down to whole ones.
        end = max(until, entry.start + timedelta(seconds=1))
        left_s = int((end - entry.start).total_seconds())
        changes.append((entry, replace(entry, end=end, seconds=min(entry.seconds, left_s))))
    return tuple(changes)


def _reached(entries: Sequence[TimeEntry], length: timedelta) -> datetime:
    """The instant at which `length` of the entries' own time had passed."""
    done = timedelta(0)
    until: datetime | None = None
    spans = sorted((e.start, e.end) for e in entries if e.start is not None and e.end is not None)
    for start, end in spans:
        begins = start if until is None else max(start, until)
        if end <= begins:
            continue
        if done + (end - begins) >= length:
            return begins + (length - done)
        done += end - begins
        until = end
    raise ValueError("the entries are shorter than that")


What = Literal["recorded", "confirmed", "corrected", "retracted"]


@dataclass(frozen=True)
class Act:
    """What was done to a line, by whom and why, and how it stood afterwards.

    The first is the record itself, of which the facts do not say when it was made. `activity` is
    empty and `local_date` None where nothing stood.
    """

    what: What
    author: str | None
    at: datetime | None
    reason: str
    seconds: int
    activity: str
    local_date: date | None


def acts(line: TimeLine) -> tuple[Act, ...]:
    """The history of a line, the record first; what was done in one instant is one act."""
    current: dict[str, TimeEntry | None] = {entry.id: entry for entry in line.recorded}
    first = line.recorded[0]
    done = [_act("recorded", first.author, first.signed_at, "", current.values())]
    steps = [(h.first.id, step) for h in line.histories for step in h.steps]
    kinds: tuple[tuple[type, What], ...] = ((Correction, "corrected"), (Confirmation, "confirmed"))
    for at in sorted({step.at for _, step in steps}):
        for kind, what in kinds:
            found = [(i, step) for i, step in steps if step.at == at and isinstance(step, kind)]
            for root, step in found:
                current[root] = _after(current[root], step)
            if found:
                _, step = found[0]
                reason = step.reason if isinstance(step, Correction) else ""
                left = [entry for entry in current.values() if entry is not None]
                done.append(_act(what if left else "retracted", step.author, at, reason, left))
    return tuple(done)


def _after(entry: TimeEntry | None, step: Correction | Confirmation) -> TimeEntry | None:
    if isinstance(step, Correction):
        return step.replacement if isinstance(step.replacement, TimeEntry) else None
    return None if entry is None else replace(entry, activity=step.activity or entry.activity)


def _act(
    what: What,
    author: str | None,
    at: datetime | None,
    reason: str,
    entries: Iterable[TimeEntry | None],
) -> Act:
    standing = [entry for entry in entries if entry is not None]
    return Act(
        what=what,
        author=author,
        at=at,
        reason=reason,
        seconds=seconds_of(without_overlap(standing)),
        activity="; ".join(dict.fromkeys(entry.activity for entry in standing)),
        local_date=standing[0].local_date if standing else None,
    )
