"""One proposal for a patient's plan: progress, hold, regress or call, with its reasons.

A proposal is data. Nothing changes until a clinician signs it.

| kind | when | level |
|---|---|---|
| call | a red flag, severe pain, a jump of pain, or an outcome clearly worse | |
| regress | a flare-up, or a range lost beyond its detectable change | exercise, phase, dose |
| progress | every criterion is met | phase, discharge |
| progress | all but the time is met, and an exercise is mastered | exercise |
| hold | otherwise, or where something is not known | |

The order is that of the table: what is more careful comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from statistics import fmean, median
from typing import Literal

from rtm.exercises import Exercise, ExerciseLibrary
from rtm.progression_evidence import (
    Course,
    Finding,
    Policy,
    find,
    range_losses,
    worst_pain,
)
from rtm.protocols.definition import Criterion, Phase, Protocol
from rtm.protocols.heed import breaches
from rtm.protocols.measures import TIMES

Kind = Literal["call", "regress", "hold", "progress"]
Level = Literal["phase", "discharge", "exercise", "dose"]
Rule = Literal[
    "red_flag",
    "severe_pain",
    "pain_jump",
    "outcome_worse",
    "flare_up",
    "range_loss",
    "exit_criterion",
    "entry_criterion",
    "pain_limit",
    "mastered",
]
DEFAULT_POLICY = Policy()


@dataclass(frozen=True)
class Reason:
    """One fact that the proposal rests on.

    `met` says whether it speaks for going on; None where it could not be told. `needed` is the
    bound in `unit`, `on` the day of what was `measured`; `about` names the exercise, movement,
    instrument or red flag where there is no `criterion`.
    """

    rule: Rule
    met: bool | None
    measured: float | None
    needed: float | None
    unit: str
    on: date | None
    criterion: Criterion | None = None
    about: str = ""


@dataclass(frozen=True)
class ExerciseChange:
    """One exercise for another, by the exercises' own links; the dose stays."""

    from_id: str
    to_id: str


@dataclass(frozen=True)
class Proposal:
    """What is proposed on `as_of`, and why. `missing` are the keys of criteria not measured."""

    kind: Kind
    level: Level | None
    protocol_id: str
    phase_id: str
    as_of: date
    reasons: tuple[Reason, ...]
    to_phase_id: str | None = None
    changes: tuple[ExerciseChange, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Case:
    """What every step below needs."""

    protocol: Protocol
    phase: Phase
    prescribed: tuple[str, ...]
    course: Course
    exercises: ExerciseLibrary
    policy: Policy

    def proposal(self, kind: Kind, level: Level | None, reasons: list[Reason]) -> Proposal:
        return Proposal(
            kind, level, self.protocol.id, self.phase.id, self.course.as_of, tuple(reasons)
        )


def propose(
    protocol: Protocol,
    phase_id: str,
    course: Course,
    exercises: ExerciseLibrary,
    *,
    prescribed: tuple[str, ...] | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> Proposal:
    """One proposal for `course` in the phase `phase_id` of `protocol`.

    `prescribed` are the exercises of the signed program where they differ from the phase's.

    Raises:
        UnknownProtocol: no such phase.
    """
    phase = protocol.phase(phase_id)
    own = tuple(line.exercise_id for line in phase.exercises)
    case = _Case(protocol, phase, prescribed or own, course, exercises, policy)
    alarms = list(_alarms(case))
    if alarms:
        return case.proposal("call", None, alarms)
    setbacks = list(_setbacks(case))
    if setbacks:
        return _regress(case, setbacks)
    return _forward(case)


def _alarms(case: _Case) -> Iterator[Reason]:
    course, pain, policy = case.course, case.protocol.pain, case.policy
    for flag in course.red_flags:
        yield _fact("red_flag", None, None, flag.on, flag.text)
    for change in course.outcome_changes:
        if change.worse_by >= change.mcid:
            yield _fact(
                "outcome_worse", change.worse_by, change.mcid, change.on, change.instrument_id
            )
    recent = worst_pain(course, policy.recent_days)
    if not recent:
        return
    on, worst = max(recent.items(), key=lambda item: (item[1], item[0]))
    if worst >= pain.severe:
        yield _fact("severe_pain", worst, pain.severe, on)
    reach = policy.recent_days + policy.baseline_days
    usual = worst_pain(course, reach, skip=policy.recent_days)
    if len(usual) >= policy.least_days:
        bound = median(usual.values()) + pain.jump
        if worst >= bound:
            yield _fact("pain_jump", worst, bound, on)


def _setbacks(case: _Case) -> Iterator[Reason]:
    limit, policy = case.protocol.pain.limit, case.policy
    over = {day: value for day, value in _week(case).items() if value > limit}
    if len(over) >= policy.flare_days:
        last = max(over)
        yield _fact("flare_up", over[last], limit, last)
    for movement_id, now, before, on in range_losses(case.course, policy):
        yield _fact("range_loss", now, before, on, movement_id)


def _week(case: _Case) -> dict[date, float]:
    return worst_pain(case.course, case.policy.pain_days)


def _regress(case: _Case, setbacks: list[Reason]) -> Proposal:
    """Easier exercises for those that hurt; else the phase before; else less of the same."""
    changes = tuple(_easier(case))
    if changes:
        found = case.proposal("regress", "exercise", setbacks)
        return replace(found, changes=changes)
    before, _ = case.protocol.neighbours(case.phase)
    if before is not None:
        found = case.proposal("regress", "phase", setbacks)
        return replace(found, to_phase_id=before.id)
    return case.proposal("regress", "dose", setbacks)


def _easier(case: _Case) -> Iterator[ExerciseChange]:
    hurting = {
        reading.exercise_id
        for reading in case.course.within(case.policy.pain_days, "pain_severity")
        if reading.value > case.protocol.pain.limit
    }
    easier = {each: case.exercises[each].regressions for each in case.prescribed if each in hurting}
    yield from _changes(case, easier)


def _forward(case: _Case) -> Proposal:
    exits = [find(each, case.course, case.policy) for each in case.phase.exit_criteria]
    _, after = case.protocol.neighbours(case.phase)
    entries = [
        find(each, case.course, case.policy) for each in (after.entry_criteria if after else ())
    ]
    limit = find(_pain_limit(case.protocol), case.course, case.policy)
    reasons = [
        *(_reason("exit_criterion", finding) for finding in exits),
        *(_reason("entry_criterion", finding) for finding in entries),
        _reason("pain_limit", limit),
    ]
    findings = [*exits, *entries, limit]
    missing = tuple(dict.fromkeys(each.criterion.key for each in findings if each.met is None))
    if missing:
        held = case.proposal("hold", None, reasons)
        return replace(held, missing=missing)
    unmet = [each for each in findings if not each.met]
    if not unmet:
        level: Level = "phase" if after else "discharge"
        found = case.proposal("progress", level, reasons)
        return replace(found, to_phase_id=after.id if after else None)
    if all(each.criterion.measure in TIMES for each in unmet):
        return _harder(case, reasons)
    return case.proposal("hold", None, reasons)


def _harder(case: _Case, reasons: list[Reason]) -> Proposal:
    """Harder exercises for those mastered while the time runs; else a hold."""
    mastered = {
        exercise_id: reason
        for exercise_id in case.prescribed
        if (reason := _mastery(case, exercise_id)) is not None
    }
    harder = {each: case.exercises[each].progressions for each in mastered}
    changes = tuple(_changes(case, harder))
    if not changes:
        return case.proposal("hold", None, reasons)
    reasons = [*reasons, *(mastered[change.from_id] for change in changes)]
    return replace(case.proposal("progress", "exercise", reasons), changes=changes)


def _mastery(case: _Case, exercise_id: str) -> Reason | None:
    readings = [
        reading
        for reading in case.course.within(case.policy.measure_days, "score_total")
        if reading.exercise_id == exercise_id
    ]
    if len(readings) < case.policy.least_days:
        return None
    mean = fmean(reading.value for reading in readings)
    if mean < case.policy.ready_score:
        return None
    latest = max(reading.on for reading in readings)
    needed = case.policy.ready_score
    return Reason("mastered", True, mean, needed, "score", latest, about=exercise_id)


def _changes(case: _Case, links: Mapping[str, tuple[str, ...]]) -> Iterator[ExerciseChange]:
    """For each exercise its first link that is not in the program yet and that may be in it."""
    taken = set(case.prescribed)
    for exercise_id, candidates in links.items():
        for link in candidates:
            if link not in taken and _allowed(case, case.exercises[link]):
                taken.add(link)
                yield ExerciseChange(exercise_id, link)
                break


def _allowed(case: _Case, exercise: Exercise) -> bool:
    """Not against a precaution, and not kept for a later phase."""
    at = case.protocol.phases.index(case.phase)
    now = {line.exercise_id for phase in case.protocol.phases[: at + 1] for line in phase.exercises}
    later = {line.exercise_id for phase in case.protocol.phases[at:] for line in phase.exercises}
    if exercise.id in later - now:
        return False
    return not any(breaches(exercise, case.protocol.precautions_in(case.phase)))


def _pain_limit(protocol: Protocol) -> Criterion:
    return Criterion("pain_severity", "at_most", protocol.pain.limit, "score")


def _reason(rule: Rule, finding: Finding) -> Reason:
    criterion = finding.criterion
    return Reason(
        rule=rule,
        met=finding.met,
        measured=finding.measured,
        needed=criterion.value,
        unit=criterion.unit,
        on=finding.on,
        criterion=criterion,
    )


def _fact(
    rule: Rule, measured: float | None, needed: float | None, on: date, about: str = ""
) -> Reason:
    """A fact that speaks against going on."""
    unit = {"red_flag": "", "range_loss": "deg"}.get(rule, "score")
    return Reason(rule, False, measured, needed, unit, on, about=about)
