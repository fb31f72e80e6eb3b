"""Simulated patients: what they do and report day by day, seeded, for tests of proposals.

| kind | adherence | pain | range and strength |
|---|---|---|---|
| responder | 95 % of due days | falls by about 0.1 a day | grows to its goal in the phase |
| plateau | 90 % | stays about the limit | stops short of the goal |
| flare_up | 90 % | as a responder's, but 3 to 5 more for five days | as a responder's |
| non_adherer | 30 % | as a responder's | barely grows |

A day sheet is raw: it knows nothing of criteria, windows or proposals. `course_on` turns sheets
into what `rtm.progression` takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal, get_args

import numpy as np

from rtm.exercises import load_library
from rtm.progression_evidence import Course
from rtm.protocols import Phase, Protocol
from rtm.range_of_motion import load_movements
from rtm.readings import Reading

Kind = Literal["responder", "plateau", "flare_up", "non_adherer"]
KINDS: tuple[Kind, ...] = get_args(Kind)
START = date(2026, 3, 2)
_MOVEMENTS = {movement.id for movement in load_movements()}


@dataclass
class DaySheet:
    """One day: pain before and after and score by exercise, tests in deg, stands in 30 s."""

    on: date
    pain: dict[str, tuple[int, int]] = field(default_factory=dict)
    score: dict[str, float] = field(default_factory=dict)
    tests_deg: dict[str, float] = field(default_factory=dict)
    stands: dict[str, int] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return bool(self.pain)


@dataclass
class Patient:
    """`sheets` from the first day of the phase on; the phase began `weeks_before` after surgery."""

    kind: Kind
    sheets: list[DaySheet]
    began: date

    def adherence(self, as_of: date) -> float:
        """Percent of the latest 14 days (or since the start) on which anything was done."""
        days = [s for s in self.sheets if 0 <= (as_of - s.on).days < 14]
        return 100.0 * sum(sheet.done for sheet in days) / len(days)


def simulate(
    protocol: Protocol, phase: Phase, kind: Kind, seed: int, weeks: int, start: date = START
) -> list[DaySheet]:
    """The day sheets of one patient in `phase`."""
    rng = np.random.default_rng([seed, KINDS.index(kind), len(protocol.id), len(phase.id)])
    chance = {"responder": 0.95, "plateau": 0.9, "flare_up": 0.9, "non_adherer": 0.3}[kind]
    begins = min(protocol.pain.limit + 1, 6) - 1
    floor = begins if kind == "plateau" else 0
    flare = int(rng.integers(8, 7 * weeks)) if kind == "flare_up" else None
    targets = {c.measure: c for c in phase.exit_criteria if c.measure in _MOVEMENTS}
    stands = {c.exercise_id: c for c in phase.exit_criteria if c.measure == "repetitions_in_30_s"}
    reach = {"responder": 1.1, "flare_up": 1.1, "plateau": 0.8, "non_adherer": 0.6}[kind]
    sheets = []
    for day in range(7 * weeks):
        sheet = DaySheet(start + timedelta(days=day))
        sheets.append(sheet)
        if rng.random() > chance:
            continue
        share = min(1.0, day / (7 * weeks * 0.6))
        level = max(floor, begins - 0.12 * day)
        if flare is not None and flare <= day < flare + 5:
            level += float(rng.uniform(3, 5))
        for line in phase.exercises:
            before = int(np.clip(rng.normal(level - 1, 0.4), 0, 10))
            after = int(np.clip(rng.normal(level, 0.4), 0, 10))
            sheet.pain[line.exercise_id] = (before, after)
            if load_library()[line.exercise_id].measurement == "camera":
                mean = 60 + 32 * share * min(reach, 1.0)
                sheet.score[line.exercise_id] = float(np.clip(rng.normal(mean, 3), 0, 100))
        if day % 3 == 0:
            for measure, criterion in targets.items():
                if criterion.comparison == "at_least":
                    value = criterion.value * (0.6 + (reach - 0.6) * share)
                else:
                    value = criterion.value + 12 - (12 + 3 * (reach - 1) * 10) * share * reach
                sheet.tests_deg[measure] = float(value + rng.normal(0, 1.5))
            for exercise_id, criterion in stands.items():
                assert exercise_id is not None
                count = criterion.value * (0.6 + (reach - 0.6) * share)
                sheet.stands[exercise_id] = round(count + rng.normal(0, 0.5))
    return sheets


def course_on(
    patient: Patient, as_of: date, *, surgery_on: date | None, onset_on: date | None
) -> Course:
    """What is known of `patient` on `as_of`."""
    readings = [Reading("adherence", patient.adherence(as_of), as_of)]
    for sheet in patient.sheets:
        if sheet.on > as_of:
            break
        for exercise_id, (before, after) in sheet.pain.items():
            readings.append(Reading("pain_before", before, sheet.on, exercise_id))
            readings.append(Reading("pain_severity", after, sheet.on, exercise_id))
        readings += [Reading("score_total", v, sheet.on, e) for e, v in sheet.score.items()]
        readings += [Reading(m, v, sheet.on) for m, v in sheet.tests_deg.items()]
        readings += [
            Reading("repetitions_in_30_s", v, sheet.on, e) for e, v in sheet.stands.items()
        ]
    return Course(as_of, patient.began, tuple(readings), surgery_on=surgery_on, onset_on=onset_on)
