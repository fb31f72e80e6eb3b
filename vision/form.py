"""How well it was done: faults, and a score made of parts that each name their measure.

| part | 100 means | measured as |
|---|---|---|
| range | every repetition reached the target | share of the way from rest to target |
| control | steady, in tempo | mean of tempo (phases and hold in bounds) and steadiness |
| form | no fault seen | share of faults that could be seen and were not, a mean |
| symmetry | both sides moved alike | smaller ÷ larger range of the two sides |
| completeness | no attempt fell short | complete repetitions ÷ attempts |

Steadiness is the way there and back ÷ the path taken, where turning back by less than the
estimator's jitter is no path. The total weighs the parts that were measured; the weights and
what speaks for them stand in docs/decisions/0007-score.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm.exercises import Exercise, Fault
from rtm.exercises import Tempo as TempoBounds
from rtm.session import FaultFinding, PartExplanation, ScoreParts
from vision.kinematics import joint_angle, visibility_of
from vision.landmarks import Array, LandmarkSeries
from vision.measures import FIGURES, Performed, curve, is_figure
from vision.movement import Movement, primary_angle
from vision.repetitions import Cycle, Segmentation
from vision.smoothing import smooth
from vision.tempo import Tempo, tempo

# A measure seen in less than this share of a repetition is not judged in it.
_SEEN_SHARE = 0.5

WEIGHTS = {"range": 30, "control": 20, "form": 25, "symmetry": 10, "completeness": 15}


@dataclass(frozen=True)
class RepetitionQuality:
    """Parts 0–100 of one repetition; `faults` by id; None where not measured."""

    tempo: Tempo
    range: float
    control: float
    form: float | None
    faults: tuple[str, ...]
    faults_seen: float

    @property
    def score(self) -> float:
        parts = [self.range, self.control] + ([] if self.form is None else [self.form])
        return sum(parts) / len(parts)


@dataclass(frozen=True)
class Assessment:
    """The judgement of one recording."""

    repetitions: tuple[RepetitionQuality, ...]
    parts: ScoreParts
    explanation: tuple[PartExplanation, ...]
    faults: tuple[FaultFinding, ...]


@dataclass(frozen=True)
class _Judged:
    """What the faults of one recording are read from."""

    t_s: Array
    exercise: Exercise
    performed: tuple[Performed, ...]
    curves: dict[str, Array]


def assess(
    series: LandmarkSeries, exercise: Exercise, movement: Movement, found: Segmentation
) -> Assessment:
    """Judges the repetitions in `found`; without any, every part is None."""
    if not found.complete:
        empty = ScoreParts(None, None, None, None, None, None)
        return Assessment((), empty, (), ())
    judged = _judged(series, exercise, movement, found)
    qualities = tuple(_repetition(judged, one) for one in judged.performed)
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
        _explanation(series, movement, judged, qualities, parts, attempts),
        _findings(judged, qualities),
    )


def _judged(
    series: LandmarkSeries, exercise: Exercise, movement: Movement, found: Segmentation
) -> _Judged:
    holds = bool(exercise.tempo and exercise.tempo.hold_s)
    swayed = any(fault.measure == "trunk_sway" for fault in exercise.faults)
    trunk = (
        smooth(series.t_s, joint_angle(series, "trunk_flexion", "left"))
        if swayed
        else np.full(series.frame_count, np.nan)
    )

    def performed(cycle: Cycle) -> Performed:
        angle = movement.angle_of(cycle)
        done = tempo(series.t_s, angle, cycle, holds=holds)
        return Performed(series.t_s, angle, cycle, done, trunk)

    return _Judged(
        series.t_s,
        exercise,
        tuple(performed(cycle) for cycle in found.complete),
        {
            fault.id: curve(series, movement, fault)
            for fault in exercise.faults
            if not is_figure(fault.measure)
        },
    )


def _repetition(judged: _Judged, one: Performed) -> RepetitionQuality:
    angle = primary_angle(judged.exercise)
    way = (one.angle_deg[one.cycle.peak] - angle.rest_deg) / (angle.target_deg - angle.rest_deg)
    seen = {fault.id: _exceeded(judged, fault, one) for fault in judged.exercise.faults}
    known = [value for value in seen.values() if value is not None]
    bounds = judged.exercise.tempo
    assert bounds is not None, "the schema asks for it where a camera measures"
    return RepetitionQuality(
        tempo=one.tempo,
        range=100.0 * float(np.clip(way, 0.0, 1.0)),
        control=(_in_tempo(bounds, one.tempo) + _steadiness(one)) / 2,
        form=100.0 * known.count(False) / len(known) if known else None,
        faults=tuple(fault_id for fault_id, exceeded in seen.items() if exceeded),
        faults_seen=len(known) / len(seen) if seen else 0.0,
    )


def _in_tempo(bounds: TempoBounds, done: Tempo) -> float:
    """100 inside the bounds of both phases and with the hold held; else less by the ratio."""
    shares = [
        min(1.0, duration / limits[0] if limits[0] else 1.0, limits[1] / max(duration, 1e-6))
        for limits, duration in (
            (bounds.concentric_s, done.concentric_s),
            (bounds.eccentric_s, done.eccentric_s),
        )
        if limits is not None
    ]
    if bounds.hold_s:
        shares.append(min(1.0, done.hold_s / bounds.hold_s))
    return 100.0 * float(np.mean(shares)) if shares else 100.0


def _steadiness(one: Performed) -> float:
    """100 for a movement that never turns back on its way up or down."""
    angle, cycle = one.angle_deg, one.cycle
    way = abs(angle[cycle.peak] - angle[cycle.start]) + abs(angle[cycle.peak] - angle[cycle.end])
    path = way + 2 * one.tempo.backtracking_deg
    return 100.0 * float(way / path) if path > 0 else 100.0


def _exceeded(judged: _Judged, fault: Fault, one: Performed) -> bool | None:
    """Whether the fault lasted long enough in this repetition; None where it was not seen."""
    if is_figure(fault.measure):
        value = FIGURES[fault.measure](one)
        if np.isnan(value):
            return None
        return value > fault.bound if fault.comparison == "above" else value < fault.bound
    piece = slice(one.cycle.start, one.cycle.end + 1)
    values, times = judged.curves[fault.id][piece], judged.t_s[piece]
    if np.count_nonzero(np.isfinite(values)) < _SEEN_SHARE * values.size:
        return None
    beyond = values > fault.bound if fault.comparison == "above" else values < fault.bound
    return _longest_s(times, beyond) >= fault.minimum_duration_s if beyond.any() else False


def _longest_s(t_s: Array, holds: NDArray[np.bool_]) -> float:
    """The longest time, in s, for which `holds` (N,) stays true from frame to frame."""
    edges = np.flatnonzero(np.diff(holds, prepend=False, append=False))
    return float((t_s[edges[1::2] - 1] - t_s[edges[::2]]).max())


def _findings(judged: _Judged, qualities: Sequence[RepetitionQuality]) -> tuple[FaultFinding, ...]:
    findings = []
    for fault in judged.exercise.faults:
        where = [n for n, quality in enumerate(qualities) if fault.id in quality.faults]
        if where:
            worst = max if fault.comparison == "above" else min
            findings.append(
                FaultFinding(
                    id=fault.id,
                    repetitions=tuple(n + 1 for n in where),
                    measure=fault.measure,
                    value=worst(_extreme(judged, fault, judged.performed[n]) for n in where),
                    unit=fault.unit,
                    cue=fault.cue["en"],
                )
            )
    return tuple(findings)


def _extreme(judged: _Judged, fault: Fault, one: Performed) -> float:
    if is_figure(fault.measure):
        return FIGURES[fault.measure](one)
    piece = judged.curves[fault.id][one.cycle.start : one.cycle.end + 1]
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


def _explanation(
    series: LandmarkSeries,
    movement: Movement,
    judged: _Judged,
    qualities: Sequence[RepetitionQuality],
    parts: dict[str, float | None],
    attempts: int,
) -> tuple[PartExplanation, ...]:
    """What each part that was measured rests on, and how well that was seen."""
    name = primary_angle(judged.exercise).name
    seen = _mean([_seen_share(one) for one in judged.performed])
    sure = seen * _mean([visibility_of(series, name, side) for side in movement.sides])
    peaks = [float(one.angle_deg[one.cycle.peak]) for one in judged.performed]
    durations = [FIGURES["repetition_duration"](one) for one in judged.performed]
    faulty = sum(bool(quality.faults) for quality in qualities)
    rows = (
        PartExplanation("range", f"{name} at the peak, mean", _mean(peaks), "deg", sure),
        PartExplanation("control", "repetition, mean", _mean(durations), "s", sure),
        PartExplanation(
            "form",
            "repetitions with a fault",
            float(faulty),
            "repetitions",
            sure * _mean([quality.faults_seen for quality in qualities]),
        ),
        PartExplanation(
            "symmetry",
            f"{name}, mean difference of the sides",
            _side_difference(movement, judged.performed),
            "deg",
            sure,
        ),
        PartExplanation(
            "completeness",
            "attempts that fell short",
            float(attempts - len(qualities)),
            "repetitions",
            sure,
        ),
    )
    return tuple(row for row in rows if parts[row.part] is not None)


def _seen_share(one: Performed) -> float:
    return float(np.isfinite(one.angle_deg[one.cycle.start : one.cycle.end + 1]).mean())


def _side_difference(movement: Movement, performed: Sequence[Performed]) -> float:
    """Of the peaks, each side's over its own turns or over all where both moved at once."""
    if len(movement.by_side) < 2:
        return 0.0
    left, right = (
        _mean([_peak(angle, one.cycle) for one in performed if one.cycle.side in (None, side)])
        for side, angle in movement.by_side.items()
    )
    return abs(left - right)


def _peak(angle_deg: Array, cycle: Cycle) -> float:
    return float(np.nanmax(angle_deg[cycle.start : cycle.end + 1]))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _total(parts: dict[str, float | None]) -> float | None:
    measured = {name: value for name, value in parts.items() if value is not None}
    weight = sum(WEIGHTS[name] for name in measured)
    return sum(WEIGHTS[name] * value for name, value in measured.items()) / weight
