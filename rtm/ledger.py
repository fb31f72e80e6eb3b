"""The RTM ledger: append-only facts, and what they add up to.

A correction never edits a fact: it is a new fact that names the old one, its author and a
reason. Whatever is counted is counted afresh from the facts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

ProviderKind = Literal["physician", "npp", "pt", "ot", "slp", "pta", "ota", "clinical_staff"]
InteractionKind = Literal["phone", "video", "in_person", "message"]

# What came on a monitored day: an exercise session, a report by the patient, a scored outcome
# measure, a message, or nothing but a log-in.
DataKind = Literal["session", "self_report", "prom", "message", "log_in"]

# House policy, as no source defines a day of data: a session, or a scored or self-reported
# response to therapy. An organisation may choose otherwise, but a log-in alone is never data.
DAY_OF_DATA: frozenset[DataKind] = frozenset({"session", "self_report", "prom"})
NEVER_DATA: frozenset[DataKind] = frozenset({"log_in"})


@dataclass(frozen=True)
class MonitoredDay:
    """A day, in the patient's own time zone, on which data came.

    `captured_at` is when it was measured or reported, `received_at` when it reached us. A fact
    recorded before `kind` existed has none; `data_kind` reads it from `self_report`.
    """

    id: str
    local_date: date
    captured_at: datetime | None = None
    received_at: datetime | None = None
    session_id: str | None = None
    self_report: bool = False
    kind: DataKind | None = None

    @property
    def data_kind(self) -> DataKind:
        """What kind of data came, also for facts that recorded only `self_report`."""
        return self.kind or ("self_report" if self.self_report else "session")


@dataclass(frozen=True)
class TimeEntry:
    """Care management time of one person on the practice's `local_date`.

    With `start` and `end`, overlaps with other entries can be told and are counted once.
    `seconds` may be less than lies between the two (a timer that stood idle), never more counts.
    `supervised_by` is the NPI under whom an assistant or staff worked; without it, the
    practitioner of record.
    """

    id: str
    local_date: date
    seconds: int
    by: ProviderKind
    activity: str
    start: datetime | None = None
    end: datetime | None = None
    npi: str | None = None
    source: Literal["timer", "manual"] = "manual"
    supervised_by: str | None = None


@dataclass(frozen=True)
class Interaction:
    """A contact with patient or caregiver. Only a live one (not `message`) is interactive.

    `by` is the kind of provider who held it, None where that was not recorded.
    """

    id: str
    at: datetime
    kind: InteractionKind
    seconds: int = 0
    npi: str | None = None
    by: ProviderKind | None = None

    @property
    def is_live(self) -> bool:
        """Real-time contact. Whether in person counts is a payer's rule, not decided here."""
        return self.kind != "message"


@dataclass(frozen=True)
class Correction:
    """Replaces the fact `corrects` by `replacement`, or retracts it where that is None.

    What is itself a replacement is corrected by its own id, or by that of the first fact.
    """

    id: str
    corrects: str
    author: str
    reason: str
    at: datetime
    replacement: MonitoredDay | TimeEntry | Interaction | None = None


Fact = MonitoredDay | TimeEntry | Interaction


@dataclass(frozen=True)
class FactProblem:
    """A fact that can't be counted, and why; the rest of the ledger stands."""

    fact_id: str
    why: str


@dataclass(frozen=True)
class Ledger:
    """Facts in the order in which they were recorded."""

    days: tuple[MonitoredDay, ...] = ()
    time: tuple[TimeEntry, ...] = ()
    interactions: tuple[Interaction, ...] = ()
    corrections: tuple[Correction, ...] = ()

    def facts(self) -> tuple[Fact, ...]:
        """The facts that stand after every correction, in the order of the first record."""
        return _standing(self)[0]


@dataclass(frozen=True)
class FactHistory:
    """A fact as first recorded, the corrections that changed it, in order, and what stands."""

    original: Fact
    corrections: tuple[Correction, ...]
    standing: Fact | None


def histories(ledger: Ledger) -> tuple[tuple[FactHistory, ...], tuple[FactProblem, ...]]:
    """What became of each fact, in the order of the first record.

    The problems name the facts and corrections that can't be told apart or applied.
    """
    problems: list[FactProblem] = []
    found: dict[str, FactHistory] = {}
    recorded: list[Fact] = [*ledger.days, *ledger.time, *ledger.interactions]
    for fact in recorded:
        if fact.id in found:
            problems.append(FactProblem(fact.id, "a second fact bears this id"))
            continue
        found[fact.id] = FactHistory(fact, (), fact)
    first_id = {fact_id: fact_id for fact_id in found}
    for correction in _in_order(ledger.corrections, problems):
        root = first_id.get(correction.corrects)
        so_far = None if root is None else found[root]
        why = _misfit(so_far, correction)
        if root is None or so_far is None or why:
            problems.append(FactProblem(correction.id, why))
            continue
        replacement = correction.replacement
        applied = (*so_far.corrections, correction)
        found[root] = FactHistory(so_far.original, applied, replacement)
        if replacement is not None:
            first_id[replacement.id] = root
    return tuple(found.values()), tuple(problems)


def _standing(ledger: Ledger) -> tuple[tuple[Fact, ...], tuple[FactProblem, ...]]:
    """The standing facts, and the facts and corrections that can't be told apart or applied."""
    found, problems = histories(ledger)
    return tuple(fact.standing for fact in found if fact.standing is not None), problems


def _in_order(corrections: Sequence[Correction], problems: list[FactProblem]) -> list[Correction]:
    """By the time of correcting; one without a time zone has no place and is a problem."""
    aware = [correction for correction in corrections if correction.at.tzinfo is not None]
    for correction in corrections:
        if correction.at.tzinfo is None:
            problems.append(FactProblem(correction.id, "the correction's time has no time zone"))
    return sorted(aware, key=lambda correction: (correction.at, correction.id))


def _misfit(so_far: FactHistory | None, correction: Correction) -> str:
    """Why `correction` can't be applied, or nothing."""
    if so_far is None:
        return f"corrects {correction.corrects}, which is not in the ledger"
    standing, replacement = so_far.standing, correction.replacement
    if standing is not None and replacement is not None and type(standing) is not type(replacement):
        kinds = f"{type(standing).__name__} by a {type(replacement).__name__}"
        return f"would replace the {kinds}"
    return ""


@dataclass(frozen=True)
class CountableFacts:
    """The standing facts that may be counted on `as_of`, sorted by kind, and the others."""

    days: tuple[MonitoredDay, ...]
    time: tuple[TimeEntry, ...]
    interactions: tuple[Interaction, ...]
    problems: tuple[FactProblem, ...] = ()

    @property
    def monitored_dates(self) -> tuple[date, ...]:
        """Distinct calendar days with data, ascending: two sessions on one day are one."""
        return self.dates_with(DAY_OF_DATA)

    def dates_with(self, kinds: Collection[DataKind]) -> tuple[date, ...]:
        """Distinct calendar days with data of one of `kinds`; a log-in alone is never data."""
        counting = frozenset(kinds) - NEVER_DATA
        return tuple(sorted({day.local_date for day in self.days if day.data_kind in counting}))


def countable(
    ledger: Ledger, as_of: date, on_date: Iterable[tuple[str, date]] = ()
) -> CountableFacts:
    """The facts that may be counted; one that can't be is reported and stops nothing else.

    `on_date` gives the local date of each interaction by id (an instant needs a time zone).
    """
    local = dict(on_date)
    facts, unclear = _standing(ledger)
    days: list[MonitoredDay] = []
    time: list[TimeEntry] = []
    interactions: list[Interaction] = []
    problems = list(unclear)
    for fact in facts:
        why = _problem(fact, as_of, local)
        if why:
            problems.append(FactProblem(fact.id, why))
        elif isinstance(fact, MonitoredDay):
            days.append(fact)
        elif isinstance(fact, TimeEntry):
            time.append(fact)
        else:
            interactions.append(fact)
    return CountableFacts(tuple(days), tuple(time), tuple(interactions), tuple(problems))


def _problem(fact: Fact, as_of: date, local: dict[str, date]) -> str | None:
    if any(instant.tzinfo is None for instant in _instants(fact)):
        return "an instant without a time zone"
    if isinstance(fact, MonitoredDay):
        what = f"the monitored day {fact.local_date}"
        day = fact.local_date
    elif isinstance(fact, TimeEntry):
        what = f"the time entry of {fact.local_date}"
        day = fact.local_date
        if fact.seconds <= 0:
            return f"{what} has {fact.seconds} seconds"
        if (fact.start is None) != (fact.end is None):
            return f"{what} has a start without an end, or an end without a start"
        if fact.start and fact.end and fact.end.astimezone(UTC) <= fact.start.astimezone(UTC):
            return f"{what} ends before it starts"
        # The practice's date and the clock's may differ by a time zone, never by two days.
        if fact.start and abs(fact.start.date() - day) > timedelta(days=1):
            return f"{what} has clock times of {fact.start.date()}"
    else:
        day = local.get(fact.id, fact.at.date())
        what = f"the interaction of {day}"
        if fact.seconds < 0:
            return f"{what} has {fact.seconds} seconds"
    return f"{what} lies after {as_of}" if day > as_of else None


def _instants(fact: Fact) -> list[datetime]:
    if isinstance(fact, MonitoredDay):
        instants = [fact.captured_at, fact.received_at]
    elif isinstance(fact, TimeEntry):
        instants = [fact.start, fact.end]
    else:
        instants = [fact.at]
    return [instant for instant in instants if instant is not None]


@dataclass(frozen=True)
class Stretch:
    """Seconds of one provider kind, in the order of time; overlaps are already counted once."""

    local_date: date
    seconds: float
    by: ProviderKind
    entry_id: str


# Who owns a minute that two people logged: the one whose work the payer pays in full.
_PRECEDENCE: tuple[ProviderKind, ...] = (
    "physician",
    "npp",
    "pt",
    "ot",
    "slp",
    "clinical_staff",
    "pta",
    "ota",
)


def without_overlap(
    entries: Sequence[TimeEntry],
    taken: Sequence[tuple[datetime, datetime]] = (),
    taken_from: Mapping[str, Sequence[tuple[datetime, datetime]]] | None = None,
) -> tuple[Stretch, ...]:
    """`entries` as stretches in which no minute counts twice.

    A minute logged by two people belongs to the one of higher standing (a PT before a PTA);
    time inside `taken` (a visit billed otherwise) belongs to nobody here, and time in
    `taken_from` not to the entry of that id (its author worked on something else). Entries
    without clock times are taken as they are. An entry never yields more than its `seconds`:
    what the clock shows beyond them (a timer that stood idle) is left off at its end.
    """
    unclocked: list[Stretch] = []
    clocked: list[tuple[datetime, datetime, TimeEntry]] = []
    for entry in entries:
        if entry.start is None or entry.end is None:
            stretch = Stretch(entry.local_date, float(entry.seconds), entry.by, entry.id)
            unclocked.append(stretch)
        else:
            clocked.append((*_in_utc(entry.start, entry.end), entry))
    clocked.sort(key=lambda item: (_PRECEDENCE.index(item[2].by), item[0], item[2].id))
    claimed = [_in_utc(*span) for span in taken]
    placed: list[tuple[datetime, Stretch]] = []
    for start, end, entry in clocked:
        allowance = float(entry.seconds)
        if int((end - start).total_seconds()) == entry.seconds:
            allowance = (end - start).total_seconds()  # only the fraction was cut off
        elsewhere = [_in_utc(*span) for span in (taken_from or {}).get(entry.id, ())]
        for free_start, free_end in _free(start, end, [*claimed, *elsewhere]):
            seconds = min(allowance, (free_end - free_start).total_seconds())
            if seconds > 0:
                stretch = Stretch(entry.local_date, seconds, entry.by, entry.id)
                placed.append((free_start, stretch))
                claimed.append((free_start, free_start + timedelta(seconds=seconds)))
                allowance -= seconds
    in_time = [stretch for _, stretch in sorted(placed, key=lambda item: item[0])]
    return tuple(sorted([*unclocked, *in_time], key=lambda stretch: stretch.local_date))


def _in_utc(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Two clock times of one zone are subtracted as wall clocks: wrong by an hour over a change."""
    return start.astimezone(UTC), end.astimezone(UTC)


def _free(
    start: datetime, end: datetime, claimed: Sequence[tuple[datetime, datetime]]
) -> list[tuple[datetime, datetime]]:
    """What is left of start–end outside `claimed`."""
    free = [(start, end)]
    for busy_start, busy_end in claimed:
        left = []
        for a, b in free:
            if busy_end <= a or busy_start >= b:
                left.append((a, b))
                continue
            if a < busy_start:
                left.append((a, busy_start))
            if busy_end < b:
                left.append((busy_end, b))
        free = left
    return free
