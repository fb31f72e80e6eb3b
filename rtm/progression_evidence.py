"""A patient's course held against single criteria: what was measured, and whether it suffices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from statistics import fmean

from rtm.protocols.definition import Criterion
from rtm.protocols.measures import PAINS
from rtm.range_of_motion import load_movements
from rtm.readings import Reading


@dataclass(frozen=True)
class Policy:
    """How far back is looked and how much is needed. House choices, each on the careful side.

    Pain counts by its worst value of `pain_days`, of which at least `least_days` must have one;
    other measures by their best (scores by their mean, adherence and questionnaires by their
    latest) of `measure_days`, questionnaires of `outcome_days`. A jump or severe pain is looked
    for in the `recent_days`, against the median of the `baseline_days` before them. Pain above
    the limit on `flare_days` of the `pain_days` is a flare-up. An exercise whose mean score
    reaches `ready_score` over at least `least_days` sessions may be made harder.
    """

    pain_days: int = 7
    least_days: int = 3
    measure_days: int = 14
    outcome_days: int = 42
    recent_days: int = 2
    baseline_days: int = 14
    flare_days: int = 3
    ready_score: float = 85.0


@dataclass(frozen=True)
class RedFlag:
    """A red flag that the patient reported and nobody has settled yet."""

    on: date
    text: str


@dataclass(frozen=True)
class OutcomeChange:
    """How an outcome score changed since the start: `worse_by` > 0 is worse, in its own points.

    `mcid` is the instrument's minimal clinically important difference.
    """

    instrument_id: str
    worse_by: float
    mcid: float
    on: date


@dataclass(frozen=True)
class Course:
    """One patient in one phase, as of a day of theirs. Readings before the phase don't count."""

    as_of: date
    phase_started_on: date
    readings: tuple[Reading, ...]
    red_flags: tuple[RedFlag, ...] = ()
    outcome_changes: tuple[OutcomeChange, ...] = ()
    surgery_on: date | None = None
    onset_on: date | None = None

    def within(self, days: int, measure: str, *, skip: int = 0) -> list[Reading]:
        """The readings of `measure` of the latest `days`, leaving out the latest `skip`."""
        return [
            reading
            for reading in self.readings
            if reading.measure == measure
            and reading.on >= self.phase_started_on
            and skip <= (self.as_of - reading.on).days < days
        ]


@dataclass(frozen=True)
class Finding:
    """A criterion with the value measured and its day; `met` is None where nothing tells."""

    criterion: Criterion
    measured: float | None
    on: date | None
    met: bool | None


def find(criterion: Criterion, course: Course, policy: Policy) -> Finding:
    """What `course` says of `criterion`."""
    start = {
        "time_since_surgery": course.surgery_on,
        "time_since_onset": course.onset_on,
        "time_in_phase": course.phase_started_on,
    }
    if criterion.measure in start:
        return _time(criterion, start[criterion.measure], course.as_of)
    if criterion.measure in PAINS:
        return _pain(criterion, course, policy)
    days = policy.outcome_days if criterion.instrument_id else policy.measure_days
    readings = [
        reading
        for reading in course.within(days, criterion.measure)
        if criterion.exercise_id in (None, reading.exercise_id)
        and criterion.instrument_id in (None, reading.instrument_id)
    ]
    if criterion.measure == "score_total":
        enough = len(readings) >= policy.least_days
        return _mean(criterion, readings) if enough else Finding(criterion, None, None, None)
    if criterion.measure in ("adherence", "outcome_score"):
        return _picked(criterion, readings, lambda each: each.on.toordinal())
    return _best(criterion, readings)


def worst_pain(course: Course, days: int, *, skip: int = 0) -> dict[date, float]:
    """The worst pain, before or after a session, of each day that has any."""
    worst: dict[date, float] = {}
    for measure in PAINS:
        for reading in course.within(days, measure, skip=skip):
            worst[reading.on] = max(reading.value, worst.get(reading.on, 0.0))
    return worst


def range_losses(course: Course, policy: Policy) -> Iterable[tuple[str, float, float, date]]:
    """Movements that reach less now than before in the phase, by more than measuring explains.

    Yields each with the best of the latest `pain_days`, the best before, and the day of the
    former; only range tests count, for an exercise does not ask for all that a joint can do.
    """
    for movement in load_movements():
        since = (course.as_of - course.phase_started_on).days + 1
        sign = 1.0 if movement.gain_deg(0.0, 1.0) > 0 else -1.0
        tests = [r for r in course.within(since, movement.id) if r.asked_for is None]
        now = [r for r in tests if (course.as_of - r.on).days < policy.pain_days]
        before = [r for r in tests if (course.as_of - r.on).days >= policy.pain_days]
        if not now or not before:
            continue
        best_now = max(now, key=lambda each: sign * each.value)
        best_before = max(before, key=lambda each: sign * each.value)
        if movement.gain_deg(best_before.value, best_now.value) < -movement.mdc.value_deg:
            yield movement.id, best_now.value, best_before.value, best_now.on


def _time(criterion: Criterion, start: date | None, as_of: date) -> Finding:
    if start is None:
        return Finding(criterion, None, None, None)
    weeks = (as_of - start).days / 7
    return Finding(criterion, weeks, as_of, criterion.holds(weeks))


def _pain(criterion: Criterion, course: Course, policy: Policy) -> Finding:
    readings = course.within(policy.pain_days, criterion.measure)
    if len({reading.on for reading in readings}) < policy.least_days:
        return Finding(criterion, None, None, None)
    return _picked(criterion, readings, lambda each: each.value)


def _mean(criterion: Criterion, readings: list[Reading]) -> Finding:
    value = fmean(reading.value for reading in readings)
    latest = max(reading.on for reading in readings)
    return Finding(criterion, value, latest, criterion.holds(value))


def _best(criterion: Criterion, readings: list[Reading]) -> Finding:
    """By the best value; one that was not asked to reach the criterion can only confirm it."""
    counted = [
        reading
        for reading in readings
        if criterion.holds(reading.value)
        or reading.asked_for is None
        or reading.asked_for >= criterion.value
    ]
    sign = 1.0 if criterion.comparison == "at_least" else -1.0
    return _picked(criterion, counted, lambda each: sign * each.value)


def _picked(
    criterion: Criterion, readings: list[Reading], order: Callable[[Reading], float]
) -> Finding:
    if not readings:
        return Finding(criterion, None, None, None)
    chosen = max(readings, key=order)
    return Finding(criterion, chosen.value, chosen.on, criterion.holds(chosen.value))
