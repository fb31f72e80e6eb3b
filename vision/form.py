"""How well it was done: faults, and a score made of parts that each name their measure.

| part | 100 means | measured as |
|---|---|---|
| range | every repetition reached the target | share of the way from rest to target |
| control | steady, in tempo | mean of tempo (phases in bounds) and steadiness (net ÷ path) |
| form | no fault seen | share of faults that could be seen and were not, a mean |
| symmetry | both sides moved alike | smaller ÷ larger range of the two sides |
| completeness | no attempt fell short | complete repetitions ÷ attempts |

The total weighs range 30, control 20, form 25, symmetry 10, completeness 15, over the parts that
were measured. The weights are a first judgement: range is what goals are set in, and form what
keeps a joint safe; they are not yet fitted to clinicians' scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtm.exercises import Exercise, Fault
from rtm.session import FaultFinding, ScoreParts
from vision.kinematics import ANGLES, joint_angle
from vision.landmarks import Array, LandmarkSeries
from vision.movement import SIDES, Movement, primary_angle
from vision.repetitions import Cycle, Segmentation
from vision.smoothing import smooth

# A measure seen in less than this share of a repetition is not judged in it.
_SEEN_SHARE = 0.5

WEIGHTS = {"range": 30, "control": 20, "form": 25, "symmetry": 10, "completeness": 15}


@dataclass(frozen=True)
class RepetitionQuality:
    """Parts 0–100 of one repetition; `faults` by id; None where not measured."""

    range: float
    control: float
    form: float | None
    faults: tuple[str, ...]

    @property
    def score(self) -> float:
        parts = [self.range, self.control] + ([] if self.form is None else [self.form])
        return sum(parts) / len(parts)


@dataclass(frozen=True)
class Assessment:
    """The judgement of one recording."""

    repetitions: tuple[RepetitionQuality, ...]
    parts: ScoreParts
    faults: tuple[FaultFinding, ...]


def assess(
    series: LandmarkSeries, exercise: Exercise, movement: Movement, found: Segmentation
) -> Assessment:
    """Judges the repetitions in `found`; without any, every part is None."""
    if not found.complete:
        empty = ScoreParts(None, None, None, None, None, None)
        return Assessment((), empty, ())
    curves = {
        fault.id: measure_curve(series, fault.measure)
        for fault in exercise.faults
        if fault.unit != "s"
    }
    qualities = tuple(
        _repetition(series.t_s, exercise, movement.angle_of(cycle), cycle, curves)
        for cycle in found.complete
    )
    attempts = len(found.complete) + len(found.partial)
    forms = [quality.form for quality in qualities if quality.form is not None]
    parts = {
        "range": _mean([quality.range for quality in qualities]),
        "control": _mean([quality.control for quality in qualities]),
        "form": _mean(forms) if forms else None,
        "symmetry": _symmetry(movement, found.complete),
        "completeness": 100.0 * len(found.complete) / attempts,
    }
    return Assessment(
        qualities,
        ScoreParts(total=_total(parts), **parts),
        _findings(series.t_s, exercise, found.complete, qualities, curves),
    )


def measure_curve(series: LandmarkSeries, measure: str) -> Array:
    """(N,) a fault's measure in deg; for a joint with two sides the larger of those seen."""
    if not ANGLES[measure].bilateral:
        return smooth(series.t_s, joint_angle(series, measure, "left"))
    sides = np.stack([smooth(series.t_s, joint_angle(series, measure, side)) for side in SIDES])
    largest = np.max(np.where(np.isfinite(sides), sides, -np.inf), axis=0)
    return np.where(np.isfinite(largest), largest, np.nan)


def _repetition(
    t_s: Array, exercise: Exercise, angle_deg: Array, cycle: Cycle, curves: dict[str, Array]
) -> RepetitionQuality:
    angle = primary_angle(exercise)
    way = (angle_deg[cycle.peak] - angle.rest_deg) / (angle.target_deg - angle.rest_deg)
    seen = {fault.id: _exceeded(t_s, fault, cycle, curves) for fault in exercise.faults}
    judged = [value for value in seen.values() if value is not None]
    return RepetitionQuality(
        range=100.0 * float(np.clip(way, 0.0, 1.0)),
        control=(_tempo(t_s, exercise, cycle) + _steadiness(angle_deg, cycle)) / 2,
        form=100.0 * judged.count(False) / len(judged) if judged else None,
        faults=tuple(fault_id for fault_id, exceeded in seen.items() if exceeded),
    )


def _tempo(t_s: Array, exercise: Exercise, cycle: Cycle) -> float:
    """100 inside the bounds of both phases; too fast or slow loses by the ratio."""
    assert exercise.tempo is not None, "the schema asks for it where a camera measures"
    phases = (
        (exercise.tempo.concentric_s, t_s[cycle.peak] - t_s[cycle.start]),
        (exercise.tempo.eccentric_s, t_s[cycle.end] - t_s[cycle.peak]),
    )
    shares = [
        min(1.0, duration / bounds[0] if bounds[0] else 1.0, bounds[1] / max(duration, 1e-6))
        for bounds, duration in phases
        if bounds is not None
    ]
    return 100.0 * float(np.mean(shares)) if shares else 100.0


def _steadiness(angle_deg: Array, cycle: Cycle) -> float:
    """100 for a movement that never turns back on its way up or down."""
    piece = angle_deg[cycle.start : cycle.end + 1]
    piece = piece[np.isfinite(piece)]
    path = float(np.abs(np.diff(piece)).sum())
    up = abs(angle_deg[cycle.peak] - angle_deg[cycle.start])
    down = abs(angle_deg[cycle.peak] - angle_deg[cycle.end])
    return 100.0 * min(1.0, float(up + down) / path) if path > 0 else 100.0


def _exceeded(t_s: Array, fault: Fault, cycle: Cycle, curves: dict[str, Array]) -> bool | None:
    """Whether the fault lasted long enough in this repetition; None where it was not seen."""
    if fault.measure == "repetition_duration":
        duration = float(t_s[cycle.end] - t_s[cycle.start])
        return duration > fault.bound if fault.comparison == "above" else duration < fault.bound
    piece = slice(cycle.start, cycle.end + 1)
    curve, times = curves[fault.id][piece], t_s[piece]
    if np.isfinite(curve).mean() < _SEEN_SHARE:
        return None
    beyond = curve > fault.bound if fault.comparison == "above" else curve < fault.bound
    longest = 0.0
    began: float | None = None
    for t, bad in zip(times, beyond, strict=True):
        began = (t if began is None else began) if bad else None
        if began is not None:
            longest = max(longest, float(t - began))
    return bool(beyond.any()) and longest >= fault.minimum_duration_s


def _findings(
    t_s: Array,
    exercise: Exercise,
    cycles: Sequence[Cycle],
    qualities: Sequence[RepetitionQuality],
    curves: dict[str, Array],
) -> tuple[FaultFinding, ...]:
    findings = []
    for fault in exercise.faults:
        where = [n for n, quality in enumerate(qualities) if fault.id in quality.faults]
        if where:
            worst = max if fault.comparison == "above" else min
            value = worst(_extreme(t_s, fault, cycles[n], curves) for n in where)
            findings.append(
                FaultFinding(
                    id=fault.id,
                    repetitions=tuple(n + 1 for n in where),
                    measure=fault.measure,
                    value=value,
                    unit=fault.unit,
                    cue=fault.cue["en"],
                )
            )
    return tuple(findings)


def _extreme(t_s: Array, fault: Fault, cycle: Cycle, curves: dict[str, Array]) -> float:
    if fault.measure == "repetition_duration":
        return float(t_s[cycle.end] - t_s[cycle.start])
    piece = curves[fault.id][cycle.start : cycle.end + 1]
    return float(np.nanmax(piece) if fault.comparison == "above" else np.nanmin(piece))


def _symmetry(movement: Movement, cycles: Sequence[Cycle]) -> float | None:
    """None unless both sides were seen through most of every repetition, or of their own turns."""
    if len(movement.by_side) < 2:
        return None
    ranges = []
    for side, angle in movement.by_side.items():
        own = [cycle for cycle in cycles if cycle.side in (None, side)]
        pieces = [angle[cycle.start : cycle.end + 1] for cycle in own]
        if not own or any(np.isfinite(piece).mean() < _SEEN_SHARE for piece in pieces):
            return None
        ranges.append(_mean([float(np.nanmax(piece) - np.nanmin(piece)) for piece in pieces]))
    return 100.0 * min(ranges) / max(ranges) if max(ranges) > 0 else None


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _total(parts: dict[str, float | None]) -> float | None:
    measured = {name: value for name, value in parts.items() if value is not None}
    weight = sum(WEIGHTS[name] for name in measured)
    return sum(WEIGHTS[name] * value for name, value in measured.items()) / weight
