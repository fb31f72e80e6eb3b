"""What the care team should hear of without asking: alerts by rules, each with its cause.

Pure: facts in, alerts out. Who keeps them and shows them is not known here. The same cause gives
no second alert: hand the causes of the alerts there are to `watch`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from statistics import median
from typing import Any, Literal

from rtm.checked_yaml import check_document, shipped_document
from rtm.progression_evidence import Course, Policy, range_losses, worst_pain
from rtm.range_of_motion import load_movements

WatchKind = Literal[
    "pain_jump",
    "missed_days",
    "range_loss",
    "outcome_worse",
    "message_waiting",
    "near_threshold",
]
_POLICY = Policy()


class InvalidWatchRules(ValueError):
    """The rules break their schema, or name a kind twice; the message says where."""


@dataclass(frozen=True)
class WatchRule:
    """`bound` is a least value, of `near_threshold` the most days left (watch_rules.yaml)."""

    kind: WatchKind
    bound: float
    quiet_days: int


@dataclass(frozen=True)
class Waiting:
    """A message of the patient that nobody has answered."""

    id: str
    sent_at: datetime


@dataclass(frozen=True)
class Threshold:
    """What `code` still lacks, in words, and the last day on which it helps."""

    code: str
    needs: str
    until: date


@dataclass(frozen=True)
class Facts:
    """One patient at `now`. `missed` are the latest due days in a row without a session."""

    now: datetime
    course: Course
    missed: tuple[date, ...] = ()
    messages: tuple[Waiting, ...] = ()
    thresholds: tuple[Threshold, ...] = ()

    def __post_init__(self) -> None:
        if self.now.tzinfo is None:
            raise ValueError("now must carry a time zone")


@dataclass(frozen=True)
class Cause:
    """What an alert is about, and since when: what tells a second alert from the first."""

    kind: WatchKind
    subject: str
    since: date

    @property
    def key(self) -> str:
        """One string of it, to be stored."""
        return f"{self.kind}:{self.subject}:{self.since.isoformat()}"

    @classmethod
    def of(cls, key: str) -> Cause:
        """The inverse of `key`. Raises ValueError for any other string."""
        kind, _, rest = key.partition(":")
        subject, _, since = rest.rpartition(":")
        if kind not in {rule.kind for rule in load_watch_rules()}:
            raise ValueError(f"{key!r} is no cause of an alert")
        return cls(kind, subject, date.fromisoformat(since))


@dataclass(frozen=True)
class Alert:
    """`value` against the rule's `bound`, in the unit that the rule counts in.

    `text` says it to a clinician.
    """

    cause: Cause
    value: float
    bound: float
    text: str


def watch(
    facts: Facts, known: Iterable[Cause] = (), rules: tuple[WatchRule, ...] | None = None
) -> tuple[Alert, ...]:
    """The alerts that `facts` give and `known` does not hold yet."""
    held = tuple(known)
    found = []
    for rule in load_watch_rules() if rules is None else rules:
        for cause, value, text in _FINDERS[rule.kind](facts):
            reached = value <= rule.bound if rule.kind == "near_threshold" else value >= rule.bound
            if reached and not any(_same(cause, each, rule) for each in held):
                found.append(Alert(cause, value, rule.bound, text))
    return tuple(found)


@cache
def load_watch_rules() -> tuple[WatchRule, ...]:
    """The rules shipped with this package. Raises InvalidWatchRules."""
    return read_watch_rules(shipped_document("watch_rules.yaml"))


def read_watch_rules(document: Any) -> tuple[WatchRule, ...]:
    """Raises InvalidWatchRules."""
    check_document(document, "watch_rules.schema.json", InvalidWatchRules, "watch rules: ")
    rules = tuple(
        WatchRule(
            one["kind"],
            float(one.get("at_least", one.get("at_most"))),
            one["quiet_days"],
        )
        for one in document
    )
    if len({rule.kind for rule in rules}) != len(rules):
        raise InvalidWatchRules("watch rules: two rules are of one kind")
    return rules


def rules_with(overrides: Mapping[str, Mapping[str, Any]]) -> tuple[WatchRule, ...]:
    """The shipped rules as a health system changed them.

    `overrides` gives for a kind what replaces `at_least`, `at_most` or `quiet_days`, or
    `{"disabled": True}`.

    Raises:
        InvalidWatchRules: there is no such kind, or the rule that comes of it breaks the schema.
    """
    document = shipped_document("watch_rules.yaml")
    unknown = set(overrides) - {rule["kind"] for rule in document}
    if unknown:
        raise InvalidWatchRules(f"watch rules: there is no kind {', '.join(sorted(unknown))}")
    off = {kind for kind, change in overrides.items() if change == {"disabled": True}}
    return read_watch_rules(
        [
            {**rule, **overrides.get(rule["kind"], {})}
            for rule in document
            if rule["kind"] not in off
        ]
    )


def _same(cause: Cause, known: Cause, rule: WatchRule) -> bool:
    return (
        cause.kind == known.kind
        and cause.subject == known.subject
        and abs((cause.since - known.since).days) <= rule.quiet_days
    )


Found = Iterator[tuple[Cause, float, str]]


def _pain_jump(facts: Facts) -> Found:
    course, reach = facts.course, _POLICY.recent_days + _POLICY.baseline_days
    recent = worst_pain(course, _POLICY.recent_days)
    usual = worst_pain(course, reach, skip=_POLICY.recent_days)
    if recent and len(usual) >= _POLICY.least_days:
        on, worst = max(recent.items(), key=lambda item: (item[1], item[0]))
        before = median(usual.values())
        text = (
            f"Pain {worst:g} on {on}; usual in the {_POLICY.baseline_days} days before: {before:g}"
        )
        yield Cause("pain_jump", "pain", on), worst - before, text


def _missed_days(facts: Facts) -> Found:
    if facts.missed:
        since, count = min(facts.missed), len(facts.missed)
        text = f"No session on {count} due days in a row, since {since}"
        yield Cause("missed_days", "program", since), float(count), text


def _range_loss(facts: Facts) -> Found:
    movements = load_movements()
    for movement_id, now, before, on in range_losses(facts.course, _POLICY):
        movement = movements[movement_id]
        lost = -movement.gain_deg(before, now) / movement.mdc.value_deg
        text = (
            f"{_words(movement_id)} {now:.0f}° on {on}, was {before:.0f}°; "
            f"the minimal detectable change is {movement.mdc.value_deg:g}°"
        )
        yield Cause("range_loss", movement_id, on), lost, text


def _outcome_worse(facts: Facts) -> Found:
    for change in facts.course.outcome_changes:
        if change.worse_by > 0:
            text = (
                f"{_words(change.instrument_id)} worse by {change.worse_by:g} points on "
                f"{change.on}; a change matters from {change.mcid:g}"
            )
            cause = Cause("outcome_worse", change.instrument_id, change.on)
            yield cause, change.worse_by / change.mcid, text


def _message_waiting(facts: Facts) -> Found:
    for message in facts.messages:
        hours = (facts.now - message.sent_at).total_seconds() / 3600
        text = f"A message of the patient has waited for an answer for {hours:.0f} hours"
        yield Cause("message_waiting", message.id, message.sent_at.date()), hours, text


def _near_threshold(facts: Facts) -> Found:
    for threshold in facts.thresholds:
        left = (threshold.until - facts.course.as_of).days
        if left >= 0:
            subject = f"{threshold.code}@{threshold.until.isoformat()}"
            text = f"{threshold.code}: {threshold.needs} by {threshold.until}"
            yield Cause("near_threshold", subject, facts.course.as_of), float(left), text


def _words(id_: str) -> str:
    return id_.replace("_", " ").capitalize()


_FINDERS = {
    "pain_jump": _pain_jump,
    "missed_days": _missed_days,
    "range_loss": _range_loss,
    "outcome_worse": _outcome_worse,
    "message_waiting": _message_waiting,
    "near_threshold": _near_threshold,
}
