"""Whether a movement is the exercise at all: standing up is no knee extension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from rtm.exercises import Exercise, Requirement
from vision.kinematics import ANGLES, BodySide, joint_angle
from vision.landmarks import Array, LandmarkSeries
from vision.movement import Movement, primary_angle
from vision.repetitions import Cycle, Segmentation
from vision.smoothing import smooth

# Half the time over which "at rest" and "at the peak" are read.
_ABOUT_S = 0.15


@dataclass(frozen=True)
class Refusal:
    """How many movements broke a requirement."""

    requirement: Requirement
    movements: int


def only_this_exercise(
    series: LandmarkSeries, exercise: Exercise, movement: Movement
) -> tuple[Segmentation, tuple[Refusal, ...]]:
    """What `movement` found less what breaks a requirement, and what was refused for which.

    What could not be seen refuses nothing.
    """
    found = movement.found
    refused: dict[int, int] = {}
    if not found.complete or not exercise.requirements:
        return found, ()
    curves = {
        (each.measure, side): _curve(series, each.measure, (side,) if side else movement.sides)
        for each in exercise.requirements
        for side in {cycle.side for cycle in found.complete}
    }
    comes_back = primary_angle(exercise).counting == "cycle"
    kept = []
    for cycle in found.complete:
        broken = [
            index
            for index, each in enumerate(exercise.requirements)
            if _breaks(each, series.t_s, curves[each.measure, cycle.side], cycle, comes_back)
        ]
        if broken:
            refused[broken[0]] = refused.get(broken[0], 0) + 1
        else:
            kept.append(cycle)
    refusals = [Refusal(exercise.requirements[index], count) for index, count in refused.items()]
    return replace(found, complete=tuple(kept)), tuple(refusals)


def _curve(series: LandmarkSeries, measure: str, sides: Sequence[BodySide]) -> Array:
    """(N,) the mean over `sides` of what was seen."""
    if not ANGLES[measure].bilateral:
        sides = ("left",)
    curves = np.stack([smooth(series.t_s, joint_angle(series, measure, one)) for one in sides])
    seen = np.isfinite(curves)
    count = seen.sum(axis=0)
    return np.where(
        count > 0, np.where(seen, curves, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan
    )


def _breaks(
    requirement: Requirement, t_s: Array, curve: Array, cycle: Cycle, comes_back: bool
) -> bool:
    ends = (cycle.start, cycle.end) if comes_back else (cycle.start,)
    rest = _median([_about(t_s, curve, index) for index in ends])
    peak = _about(t_s, curve, cycle.peak)
    during = _median(curve[cycle.start : cycle.end + 1])
    value = {"rest": rest, "peak": peak, "during": during, "change": peak - rest}[requirement.at]
    if np.isnan(value):
        return False
    if requirement.comparison == "above":
        return value <= requirement.bound_deg
    return value >= requirement.bound_deg


def _about(t_s: Array, curve: Array, index: int) -> float:
    first, last = np.searchsorted(t_s, (t_s[index] - _ABOUT_S, t_s[index] + _ABOUT_S))
    return _median(curve[first:last])


def _median(values: Array | Sequence[float]) -> float:
    """Of what was seen. The plain median is many times faster than NumPy's on a few values."""
    seen = [value for value in map(float, values) if value == value]
    return median(seen) if seen else float("nan")
