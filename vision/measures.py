"""What a fault may be measured by: curves over the recording, and figures of one repetition.

A curve is compared with the fault's bound frame by frame; every joint angle is one, and besides:

| curve | what | unit |
|---|---|---|
| heel_rise | heel above its resting height over the toes | share of the foot's length |
| shoulder_hike | shoulder nearer to the ear than at rest | share of the trunk's length |

A figure is compared once a repetition:

| figure | what | unit |
|---|---|---|
| repetition_duration, concentric_duration, eccentric_duration, hold_duration | see `tempo` | s |
| peak_velocity | greatest speed of the primary angle | deg/s |
| trunk_sway | range of trunk flexion within the repetition: momentum | deg |

Of a joint with two sides, the side that moves counts; in an exercise of both sides or of the
trunk, the worse of those seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtm.exercises import Fault
from vision.kinematics import ANGLES, VISIBLE, BodySide, joint_angle
from vision.landmarks import Array, Landmark, LandmarkSeries
from vision.movement import SIDES, Movement
from vision.repetitions import Cycle
from vision.smoothing import smooth
from vision.tempo import Tempo, peak_velocity_deg_per_s

# At rest: the share of a recording that is nearest to rest, as sets have pauses between.
_REST_PERCENTILE = 10.0


@dataclass(frozen=True)
class Performed:
    """One repetition with what its figures are read from."""

    t_s: Array
    angle_deg: Array
    cycle: Cycle
    tempo: Tempo
    trunk_deg: Array


Figure = Callable[[Performed], float]


def curve(series: LandmarkSeries, movement: Movement, fault: Fault) -> Array:
    """(N,) a fault's measure; NaN where it was not seen. Raises KeyError for a figure."""
    sides = movement.sides if movement.by_side else SIDES
    of_side = _CURVES.get(fault.measure)
    if of_side is None and not ANGLES[fault.measure].bilateral:
        return smooth(series.t_s, joint_angle(series, fault.measure, "left"))
    curves = np.stack(
        [
            of_side(series, side)
            if of_side
            else smooth(series.t_s, joint_angle(series, fault.measure, side))
            for side in sides
        ]
    )
    worse, unseen = (np.max, -np.inf) if fault.comparison == "above" else (np.min, np.inf)
    worst = worse(np.where(np.isfinite(curves), curves, unseen), axis=0)
    return np.where(np.isfinite(worst), worst, np.nan)


def is_figure(measure: str) -> bool:
    """Whether the measure is one number a repetition."""
    return measure in FIGURES


def _heel_rise(series: LandmarkSeries, side: BodySide) -> Array:
    heel, toes = (Landmark[f"{side.upper()}_{part}"] for part in ("HEEL", "FOOT_INDEX"))
    foot = series.world[:, toes] - series.world[:, heel]
    length = _typical(np.linalg.norm(foot, axis=1))
    seen = (series.visibility[:, [heel, toes]] >= VISIBLE).all(axis=1)
    return _from_rest(series, np.where(seen, foot[:, 1], np.nan)) / length


def _shoulder_hike(series: LandmarkSeries, side: BodySide) -> Array:
    ear, shoulder, hip = (Landmark[f"{side.upper()}_{part}"] for part in ("EAR", "SHOULDER", "HIP"))
    trunk = series.world[:, hip] - series.world[:, shoulder]
    length = _typical(np.linalg.norm(trunk, axis=1))
    seen = (series.visibility[:, [ear, shoulder]] >= VISIBLE).all(axis=1)
    up_to_ear = series.world[:, shoulder, 1] - series.world[:, ear, 1]
    return _from_rest(series, np.where(seen, -up_to_ear, np.nan)) / length


def _typical(lengths: Array) -> float:
    known = lengths[np.isfinite(lengths) & (lengths > 0)]
    return float(np.median(known)) if known.size else float("nan")


def _from_rest(series: LandmarkSeries, values: Array) -> Array:
    """`values` above those at rest, smoothed; all NaN where nothing was seen."""
    smoothed = smooth(series.t_s, values)
    if not np.isfinite(smoothed).any():
        return smoothed
    return smoothed - np.nanpercentile(smoothed, _REST_PERCENTILE)


def _trunk_sway(one: Performed) -> float:
    piece = one.trunk_deg[one.cycle.start : one.cycle.end + 1]
    seen = piece[np.isfinite(piece)]
    return float(np.ptp(seen)) if seen.size > len(piece) / 2 else float("nan")


_CURVES: dict[str, Callable[[LandmarkSeries, BodySide], Array]] = {
    "heel_rise": _heel_rise,
    "shoulder_hike": _shoulder_hike,
}

FIGURES: dict[str, Figure] = {
    "repetition_duration": lambda one: float(one.t_s[one.cycle.end] - one.t_s[one.cycle.start]),
    "concentric_duration": lambda one: one.tempo.concentric_s,
    "eccentric_duration": lambda one: one.tempo.eccentric_s,
    "hold_duration": lambda one: one.tempo.hold_s,
    "peak_velocity": lambda one: peak_velocity_deg_per_s(one.t_s, one.angle_deg, one.cycle),
    "trunk_sway": _trunk_sway,
}

MEASURES = frozenset({*ANGLES, *_CURVES, *FIGURES})
