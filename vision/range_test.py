"""Range of motion from one recording with up to three attempts, or from one to three recordings.

An attempt leaves rest, reaches the end of the range and is held there. Its value is the furthest
that the angle was held, not the furthest that any frame shows: a running median over a short
plateau outvotes mistaken frames before the usual smoothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from rtm.range_of_motion import (
    MOST_ATTEMPTS,
    BodySide,
    RangeMovement,
    RangeResult,
    not_measured,
    range_result,
)
from vision.errors import NotMeasurable
from vision.kinematics import ANGLES, View, joint_angle, measured_to_vertical, observed_view
from vision.landmarks import Array, LandmarkSeries
from vision.movement import SIDES
from vision.place import on_the_spot
from vision.repetitions import Cycle, Segmentation, segment
from vision.smoothing import smooth

# An end of range is held for a second or more; a tracking error lasts a frame or two. A median
# over this long passes over any error shorter than half of it, three frames at 30/s, and takes
# less than one degree off an unheld swing of 140° in 2.5 s.
PLATEAU_S = 0.2

# One camera errs by up to about ten degrees against a goniometer: less is no attempt. The MDC of
# the movement stands where it is larger. House choice.
_LEAST_EXCURSION_DEG = 10.0

# As for a session: below this share of an attempt's frames, its end may have been out of sight.
_WELL_SEEN_SHARE = 0.7

_STAND: dict[str, str] = {
    "frontal": "Please face the camera.",
    "sagittal": "Please turn your side to the camera.",
}


def require_measurable(movement: RangeMovement) -> None:
    """Raises NotMeasurable where `vision.kinematics` has no such angle."""
    if movement.angle not in ANGLES:
        raise NotMeasurable(f"{movement.name['en']} can't be measured by camera yet.")


def measure_range(
    recordings: Sequence[LandmarkSeries], movement: RangeMovement, side: BodySide | None = None
) -> RangeResult:
    """The best of up to three attempts.

    One recording gives its first three attempts; of several, each gives its best. Without
    `side`, a bilateral movement is measured on the side that moves further. What could not be
    seen, or from the wrong side, is left out with a warning, or "not measured" if nothing is
    left.

    Raises:
        NotMeasurable: a camera can't measure the movement yet.
        ValueError: no recording or more than three, or a side for a movement that has none.
    """
    require_measurable(movement)
    if not 1 <= len(recordings) <= MOST_ATTEMPTS:
        raise ValueError(f"a test has 1 to {MOST_ATTEMPTS} recordings, got {len(recordings)}")
    if side is not None and not movement.bilateral:
        raise ValueError(f"{movement.id} has no sides")
    if side is None and movement.bilateral:
        side = max(SIDES, key=lambda one: _excursion_deg(recordings, movement, one))
    readings = [_read(series, movement, side) for series in recordings]
    if len(readings) == 1:
        attempts, problems = readings[0].attempts_deg, readings[0].problems
    else:
        best = [_best(movement, reading) for reading in readings]
        attempts = tuple(value for value in best if value is not None)
        problems = tuple(
            f"Recording {number}: {problem}"
            for number, reading in enumerate(readings, start=1)
            for problem in reading.problems
        )
    if not attempts:
        return not_measured(movement, side, " ".join(problems))
    return range_result(movement, side, attempts, problems)


@dataclass(frozen=True)
class _Reading:
    """One recording: clinical values in deg by attempt; `problems` say what was left out."""

    attempts_deg: tuple[float, ...]
    problems: tuple[str, ...]


def _best(movement: RangeMovement, reading: _Reading) -> float | None:
    if not reading.attempts_deg:
        return None
    return range_result(movement, None, reading.attempts_deg).best_deg


def _read(series: LandmarkSeries, movement: RangeMovement, side: BodySide | None) -> _Reading:
    if not series.found.any():
        return _Reading((), ("Nobody can be seen. Please check light and camera.",))
    if movement.view != "any":
        view = _view(series)
        if view is None:
            return _Reading((), ("The recording does not tell how you stood to the camera.",))
        if view != movement.view:
            return _Reading((), (f"The camera saw you from another side. {_STAND[movement.view]}",))
    curve = _held(series, movement, side)
    if not np.isfinite(curve).any():
        return _Reading((), (f"Your {movement.region} could not be seen: nothing was measured.",))
    found = _attempts(series.t_s, curve, movement)
    if not found.complete:
        return _Reading(
            (), ("No full movement was seen. Please start at rest and move as far as you can.",)
        )
    problems = []
    if len(found.complete) > MOST_ATTEMPTS:
        problems.append(f"Of {len(found.complete)} tries the first {MOST_ATTEMPTS} were taken.")
    if found.partial:
        count = len(found.partial)
        left_out = "try was" if count == 1 else "tries were"
        problems.append(f"{count} {left_out} left out: much smaller than the others.")
    values = []
    for number, cycle in enumerate(found.complete[:MOST_ATTEMPTS], start=1):
        piece = _until_rest(curve, cycle)
        if np.isfinite(piece).mean() < _WELL_SEEN_SHARE:
            problems.append(f"Try {number} was left out: the joint was hidden for a part of it.")
            continue
        end = np.nanmax(piece) if movement.direction == "maximum" else np.nanmin(piece)
        values.append(movement.value_deg(float(end)))
    if values and measured_to_vertical(series, movement.angle, side or "left"):
        problems.append("The hips were out of view: the arm was measured against the vertical.")
    return _Reading(tuple(values), tuple(problems))


def _view(series: LandmarkSeries) -> View | None:
    """None for a series without world coordinates, from which it can't be told."""
    return None if np.isnan(series.world).all() else observed_view(series)


def _excursion_deg(
    recordings: Sequence[LandmarkSeries], movement: RangeMovement, side: BodySide | None
) -> float:
    return max(
        _attempts(series.t_s, _held(series, movement, side), movement).typical_deg
        for series in recordings
    )


def _attempts(t_s: Array, curve: Array, movement: RangeMovement) -> Segmentation:
    """Reaching the end of the range is an attempt, whether or not the way back was recorded."""
    return segment(
        t_s,
        curve,
        rising=movement.direction == "maximum",
        minimum_rom_deg=max(_LEAST_EXCURSION_DEG, movement.mdc.value_deg),
        counting="rise",
    )


def _until_rest(curve: Array, cycle: Cycle) -> Array:
    """The attempt's piece of `curve`; one that ends at its peak was held to the recording's end."""
    last = len(curve) if cycle.end == cycle.peak else cycle.end + 1
    return curve[cycle.start : last]


def _held(series: LandmarkSeries, movement: RangeMovement, side: BodySide | None) -> Array:
    """(N,) the angle in deg as held for a plateau, smoothed; NaN where not seen or walking."""
    angle = joint_angle(series, movement.angle, side or "left")
    angle = np.where(on_the_spot(series), angle, np.nan)
    return smooth(series.t_s, _running_median(angle, series.fps))


def _running_median(angle_deg: Array, fps: float) -> Array:
    """(N,) the median over a plateau about each frame; NaN stays, as does what is mostly NaN."""
    half = max(1, round(PLATEAU_S * fps / 2))
    padded = np.pad(angle_deg, half, constant_values=np.nan)
    windows = sliding_window_view(padded, 2 * half + 1)
    enough = np.isfinite(angle_deg) & (np.isfinite(windows).sum(axis=1) > half)
    median = np.full_like(angle_deg, np.nan)
    if enough.any():
        median[enough] = np.nanmedian(windows[enough], axis=1)
    return median
