"""The RTM ledger: append-only facts, and what they add up to.

A correction never edits a fact: it is a new fact that names the old one, its author and a
reason. Time counts once it is signed: what a person logs by hand is signed by logging it, what
the timer proposed by that person's confirmation, a fact as well. Whatever is counted is counted
afresh from the facts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from math import fsum
from operator import attrgetter
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
    practitioner of record. `author` is the name of the person whose time it is. A manual entry is
    signed by logging it, at `signed_at`; the timer's is a proposal until a `Confirmation` names it.
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
    author: str | None = None
    signed_at: datetime | None = None


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

    What is itself a replacement is corrected by its own id, or by that of the first fact. Who
    corrects his own signed time signs the replacement; somebody else's change of it waits for a
    confirmation. `npi` is the author's.
    """

    id: str
    corrects: str
    author: str
    reason: str
    at: datetime
    replacement: MonitoredDay | TimeEntry | Interaction | None = None
    npi: str | None = None


@dataclass(frozen=True)
class Confirmation:
    """The signature of the person whose time it is under the entries it names.

    `entry_ids` are the entries as they were shown: one that was corrected meanwhile has another id
    and stays unsigned. `statement` is the text that was signed. `activity`, where given, is what
    the time was spent on, which the timer can't know.
    """

    id: str
    entry_ids: tuple[str, ...]
    author: str
    by: ProviderKind
    at: datetime
    statement: str
    npi: str | None = None
    activity: str | None = None


Fact = MonitoredDay | TimeEntry | Interaction


@dataclass(frozen=True)
class Signature:
    """Who vouches for a time entry as it stands, since when, and by which act.

    What was recorded before signatures were has no `author` or no `at`.
    """

    act: Literal["logged", "confirmed", "corrected"]
    author: str | None
    npi: str | None
    at: datetime | None


@dataclass(frozen=True)
class FactHistory:
    """One fact from its first record to how it stands, None where it was retracted.

    `steps` are what took effect, in the order of time. Only time entries have a `signature`.
    """

    first: Fact
    standing: Fact | None
    steps: tuple[Correction | Confirmation, ...] = ()
    signature: Signature | None = None


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
    confirmations: tuple[Confirmation, ...] = ()

    def facts(self) -> tuple[Fact, ...]:
        """The facts that stand after every correction, in the order of the first record."""
        return tuple(fact for fact, _ in self.standing[0])

    @cached_property
    def standing(self) -> tuple[tuple[tuple[Fact, bool], ...], tuple[FactProblem, ...]]:
        """What stands, each with whether it is signed, and what can't be applied: as `histories`
        have it, but of the facts alone that a correction or confirmation names."""
        return _standing(self)

    @cached_property
    def histories(self) -> tuple[tuple[FactHistory, ...], tuple[FactProblem, ...]]:
        """The history of each fact, in the order of the first record, and what can't be applied.

        Corrections and confirmations take effect in the order of their own time, whatever the
        order in which they arrived; of one instant, corrections come first.
        """
        return _histories(self)


def _standing(
    ledger: Ledger,
) -> tuple[tuple[tuple[Fact, bool], ...], tuple[FactProblem, ...]]:
    recorded: tuple[Fact, ...] = (*ledger.days, *ledger.time, *ledger.interactions)
    named = {entry_id for step in ledger.confirmations for entry_id in step.entry_ids}
    for step in ledger.corrections:
        named.add(step.corrects)
        if step.replacement is not None:
            named.add(step.replacement.id)
    if len({fact.id for fact in recorded}) < len(recorded):
        named.update(fact.id for fact in recorded)
    found, problems = _histories(
        Ledger(
            tuple(fact for fact in ledger.days if fact.id in named),
            tuple(fact for fact in ledger.time if fact.id in named),
            tuple(fact for fact in ledger.interactions if fact.id in named),
            ledger.corrections,
            ledger.confirmations,
        )
    )
    followed = {history.first.id: history for history in found}
    standing: list[tuple[Fact, bool]] = []
    for fact in recorded:
        if fact.id not in named:
            standing.append((fact, _signed_by_logging(fact) is not None))
            continue
        # Taken out, so that a second fact with this id finds none.
        history = followed.pop(fact.id, None)
        if history is not None and history.standing is not None:
            standing.append((history.standing, history.signature is not None))
    return tuple(standing), problems


def _histories(ledger: Ledger) -> tuple[tuple[FactHistory, ...], tuple[FactProblem, ...]]:
    problems: list[FactProblem] = []
    found: dict[str, FactHistory] = {}
    recorded: list[Fact] = [*ledger.days, *ledger.time, *ledger.interactions]
    for fact in recorded:
        if fact.id in found:
            problems.append(FactProblem(fact.id, "a second fact bears this id"))
            continue
        found[fact.id] = FactHistory(fact, fact, signature=_signed_by_logging(fact))
    first_id = {fact_id: fact_id for fact_id in found}
    for step in _in_order([*ledger.corrections, *ledger.confirmations], problems):
        if isinstance(step, Correction):
            problems += _correct(found, first_id, step)
        else:
            problems += _confirm(found, first_id, step)
    return tuple(found.values()), tuple(problems)


def is_time_of(entry: TimeEntry, npi: str | None, author: str) -> bool:
    """Whether this is the person whose time `entry` is: the same NPI, or where the entry has none
    (some assistants and staff have no NPI), the same name and no NPI either."""
    if entry.npi is not None:
        return npi == entry.npi
    return npi is None and author == entry.author


def _signed_by_logging(fact: Fact) -> Signature | None:
    if not isinstance(fact, TimeEntry) or fact.source != "manual":
        return None
    return Signature("logged", fact.author, fact.npi, fact.signed_at)


def _in_order(
    steps: Sequence[Correction | Confirmation], problems: list[FactProblem]
) -> list[Correction | Confirmation]:
    """By the time they were made; one without a time zone has no place and is a problem."""
    for step in steps:
        if step.at.tzinfo is None:
            what = type(step).__name__.lower()
            problems.append(FactProblem(step.id, f"the {what}'s time has no time zone"))
    return sorted(
        (step for step in steps if step.at.tzinfo is not None),
        key=lambda step: (step.at, isinstance(step, Confirmation), step.id),
    )


def _correct(
    found: dict[str, FactHistory], first_id: dict[str, str], step: Correction
) -> list[FactProblem]:
    """Applies `step` to the history it names; why it can't be applied, if so."""
    root = first_id.get(step.corrects)
    if root is None:
        return [FactProblem(step.id, f"corrects {step.corrects}, which is not in the ledger")]
    history, replacement = found[root], step.replacement
    if replacement is not None:
        if type(history.first) is not type(replacement):
            kinds = f"{type(history.first).__name__} by a {type(replacement).__name__}"
            return [FactProblem(step.id, f"would replace the {kinds}")]
        if first_id.setdefault(replacement.id, root) != root:
            return [FactProblem(step.id, f"its replacement has another fact's id {replacement.id}")]
    found[root] = FactHistory(
        first=history.first,
        standing=replacement,
        steps=(*history.steps, step),
        signature=_signature_after(history, step),
    )
    return []


def _signature_after(history: FactHistory, step: Correction) -> Signature | None:
    """The signature stays where the person whose time it is made the correction.

    Where nobody was recorded whose time it is, the author of the correction stands for it.
    """
    versions = [fact for fact in (history.standing, step.replacement) if fact is not None]
    for version in versions:
        if not isinstance(version, TimeEntry):
            return None
        known = version.npi is not None or version.author is not None
        if known and not is_time_of(version, step.npi, step.author):
            return None
    if history.signature is None:
        return None
    return Signature("corrected", step.author, step.npi, step.at)


def _confirm(
    found: dict[str, FactHistory], first_id: dict[str, str], step: Confirmation
) -> list[FactProblem]:
    """Signs the entries that `step` names, and says which it can't sign.

    What is signed already, was corrected meanwhile or retracted stays as it is.
    """
    problems: list[FactProblem] = []
    for entry_id in step.entry_ids:
        root = first_id.get(entry_id)
        history = None if root is None else found[root]
        why = _not_signable(history, step, entry_id)
        if root is None or history is None or why:
            problems.append(FactProblem(step.id, why))
            continue
        entry = history.standing
        if history.signature or not isinstance(entry, TimeEntry) or entry.id != entry_id:
            continue
        found[root] = FactHistory(
            first=history.first,
            standing=replace(entry, activity=step.activity) if step.activity else entry,
            steps=(*history.steps, step),
            signature=Signature("confirmed", step.author, step.npi, step.at),
        )
    return problems


def _not_signable(history: FactHistory | None, step: Confirmation, entry_id: str) -> str:
    """Why `step` can't sign this entry, or nothing."""
    if history is None:
        return f"confirms {entry_id}, which is not in the ledger"
    entry = history.standing or history.first
    if not isinstance(entry, TimeEntry):
        return f"confirms {entry_id}, which is no time entry"
    if not is_time_of(entry, step.npi, step.author):
        return f"{step.author} confirms {entry_id}, which is the time of {person_of(entry)}"
    return ""


def person_of(entry: TimeEntry) -> str:
    """In words, the person whose time it is, as far as was recorded."""
    if entry.npi is None:
        return entry.author or f"a {entry.by} without a name"
    return f"{entry.author} (NPI {entry.npi})" if entry.author else f"NPI {entry.npi}"


@dataclass(frozen=True)
class CountableFacts:
    """The standing facts that may be counted on `as_of`, sorted by kind, and the others.

    `time` is signed; `unconfirmed` is time that would count if the person whose time it is signed.
    """

    days: tuple[MonitoredDay, ...]
    time: tuple[TimeEntry, ...]
    interactions: tuple[Interaction, ...]
    problems: tuple[FactProblem, ...] = ()
    unconfirmed: tuple[TimeEntry, ...] = ()

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
    facts, unclear = ledger.standing
    days: list[MonitoredDay] = []
    time: list[TimeEntry] = []
    unconfirmed: list[TimeEntry] = []
    interactions: list[Interaction] = []
    problems = list(unclear)
    for fact, signed in facts:
        if isinstance(fact, MonitoredDay):
            why = _day_problem(fact, as_of)
            if why is None:
                days.append(fact)
        elif isinstance(fact, TimeEntry):
            why = _time_problem(fact, as_of)
            if why is None:
                (time if signed else unconfirmed).append(fact)
        else:
            why = _interaction_problem(fact, as_of, local)
            if why is None:
                interactions.append(fact)
        if why is not None:
            problems.append(FactProblem(fact.id, why))
    return CountableFacts(
        tuple(days), tuple(time), tuple(interactions), tuple(problems), tuple(unconfirmed)
    )


_NAIVE = "an instant without a time zone"


def _day_problem(fact: MonitoredDay, as_of: date) -> str | None:
    for instant in (fact.captured_at, fact.received_at):
        if instant is not None and instant.tzinfo is None:
            return _NAIVE
    if fact.local_date > as_of:
        return f"the monitored day {fact.local_date} lies after {as_of}"
    return None


def _time_problem(fact: TimeEntry, as_of: date) -> str | None:
    for instant in (fact.start, fact.end, fact.signed_at):
        if instant is not None and instant.tzinfo is None:
            return _NAIVE
    day, why = fact.local_date, None
    if fact.seconds <= 0:
        why = f"has {fact.seconds} seconds"
    elif (fact.start is None) != (fact.end is None):
        why = "has a start without an end, or an end without a start"
    elif fact.start and fact.end and fact.end.astimezone(UTC) <= fact.start.astimezone(UTC):
        why = "ends before it starts"
    # The practice's date and the clock's may differ by a time zone, never by two days.
    elif fact.start and abs(fact.start.date() - day) > timedelta(days=1):
        why = f"has clock times of {fact.start.date()}"
    elif day > as_of:
        why = f"lies after {as_of}"
    return None if why is None else f"the time entry of {day} {why}"


def _interaction_problem(fact: Interaction, as_of: date, local: dict[str, date]) -> str | None:
    if fact.at.tzinfo is None:
        return _NAIVE
    day = local.get(fact.id, fact.at.date())
    if fact.seconds < 0:
        return f"the interaction of {day} has {fact.seconds} seconds"
    return f"the interaction of {day} lies after {as_of}" if day > as_of else None


@dataclass(frozen=True)
class Stretch:
    """Seconds of one provider kind, in the order of time; overlaps are already counted once."""

    local_date: date
    seconds: float
    by: ProviderKind
    entry_id: str


def seconds_of(work: Iterable[Stretch]) -> int:
    """The whole seconds of `work`: instants are known to the microsecond, sums of floats less."""
    return int(round(fsum(stretch.seconds for stretch in work), 6))


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
_RANK = {kind: place for place, kind in enumerate(_PRECEDENCE)}


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
    if not clocked:
        return tuple(sorted(unclocked, key=_day_of))
    clocked.sort(key=lambda item: (_RANK[item[2].by], item[0], item[2].id))
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
    return tuple(sorted([*unclocked, *in_time], key=_day_of))


_day_of = attrgetter("local_date")


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
