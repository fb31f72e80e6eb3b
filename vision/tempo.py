"""The time course of one repetition: its phases, its hold, and how smoothly it went.

| measure | what | unit |
|---|---|---|
| concentric | from leaving rest to the peak, or to the hold where one is asked for | s |
| eccentric | from the peak, or the end of the hold, to rest | s |
| hold | the stay near the peak | s |
| backtracking | how far it turned back on its way up or down, in all | deg |
| smoothness | spectral arc length of the speed, the mean of the two phases | none |

Backtracking is what the score judges. The arc length is reported beside it: in a slow repetition
the estimator's own jitter moves it more than the person does (docs/decisions/0007-score.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision.landmarks import Array
from vision.repetitions import Cycle

# Near the peak: within a tenth of the repetition's own way. A person who is asked to hold sways
# by a few degrees, and the way in and out of the hold should not count as holding.
_HOLD_SHARE = 0.1

# Spectral arc length as published (Balasubramanian, Melendez-Calderon, Roby-Brami, Burdet: On the
# analysis of movement smoothness. J NeuroEng Rehabil 2015;12:112): cut-off, threshold, padding.
_CUT_OFF_HZ = 10.0
_AMPLITUDE_THRESHOLD = 0.05
_PADDING = 4

# A turn by less than this is the estimator's jitter or a tremor, no loss of control.
_WAVER_DEG = 3.0

# A phase seen in fewer points than this has no spectrum to speak of.
_FEWEST_POINTS = 8

# What was not seen for longer than this is not bridged: the speed in it is unknown.
_LONGEST_GAP_S = 0.2


@dataclass(frozen=True)
class Tempo:
    """Of one repetition; `smoothness` is None where it could not be told.

    `smoothness` is negative; about −1.4 for the smoothest movement there is (minimum jerk), and
    further below zero the more often the movement hesitates.
    """

    concentric_s: float
    eccentric_s: float
    hold_s: float
    backtracking_deg: float
    smoothness: float | None


def tempo(t_s: Array, angle_deg: Array, cycle: Cycle, *, holds: bool) -> Tempo:
    """The time course of `cycle` in `angle_deg` (N,); `holds` if the exercise asks for a hold."""
    first, last = _top(angle_deg, cycle)
    up_until, down_from = (first, last) if holds else (cycle.peak, cycle.peak)
    phases = (
        (_back_to_rest(angle_deg, cycle.start, cycle.peak, -1), up_until),
        (down_from, _back_to_rest(angle_deg, cycle.end, cycle.peak, 1)),
    )
    rising = angle_deg[cycle.peak] > angle_deg[cycle.start]
    effort = angle_deg if rising else -angle_deg
    arcs = [_arc_length(t_s[a : b + 1], angle_deg[a : b + 1]) for a, b in phases]
    known = [arc for arc in arcs if arc is not None]
    return Tempo(
        concentric_s=float(t_s[up_until] - t_s[cycle.start]),
        eccentric_s=float(t_s[cycle.end] - t_s[down_from]),
        hold_s=float(t_s[last] - t_s[first]),
        backtracking_deg=_backtracking(effort[cycle.start : cycle.peak + 1])
        + _backtracking(-effort[cycle.peak : cycle.end + 1]),
        smoothness=float(np.mean(known)) if known else None,
    )


def peak_velocity_deg_per_s(t_s: Array, angle_deg: Array, cycle: Cycle) -> float:
    """The greatest angular speed in `cycle`; NaN where fewer than two frames were measured."""
    piece = slice(cycle.start, cycle.end + 1)
    measured = np.isfinite(angle_deg[piece])
    times, angles = t_s[piece][measured], angle_deg[piece][measured]
    if times.size < 2:
        return float("nan")
    return float(np.abs(np.diff(angles) / np.diff(times)).max())


def _top(angle_deg: Array, cycle: Cycle) -> tuple[int, int]:
    """The first and last frame of the stay near the peak, about the peak; gaps are passed over."""
    peak = angle_deg[cycle.peak]
    way = max(abs(peak - angle_deg[cycle.start]), abs(peak - angle_deg[cycle.end]))
    far = np.abs(angle_deg[cycle.start : cycle.end + 1] - peak) > _HOLD_SHARE * way
    before = np.flatnonzero(far[: cycle.peak - cycle.start])
    after = np.flatnonzero(far[cycle.peak - cycle.start :])
    first = cycle.start + int(before[-1]) + 1 if before.size else cycle.start
    last = cycle.peak + int(after[0]) - 1 if after.size else cycle.end
    return first, last


def _back_to_rest(angle_deg: Array, index: int, peak: int, step: int) -> int:
    """From a trimmed end of a cycle on to where the movement began or came to rest."""
    rises = angle_deg[peak] > angle_deg[index]
    following = index + step
    while 0 <= following < len(angle_deg) and (
        angle_deg[following] < angle_deg[index]
        if rises
        else angle_deg[following] > angle_deg[index]
    ):
        index, following = following, following + step
    return index


def _backtracking(rising: Array) -> float:
    """The sum of every drop of at least `_WAVER_DEG` on the way up, in deg."""
    values = rising[np.isfinite(rising)]
    steps = np.sign(np.diff(values))
    turns = values[1:-1][steps[1:] != steps[:-1]].tolist()
    total, high, low = 0.0, values[0], values[0]
    for value in (*turns, values[-1]):
        if value >= high or value - low >= _WAVER_DEG:
            if high - low >= _WAVER_DEG:
                total += high - low
            high = low = value
        else:
            low = min(low, value)
    return float(total + (high - low if high - low >= _WAVER_DEG else 0.0))


def _arc_length(t_s: Array, angle_deg: Array) -> float | None:
    """The spectral arc length of the speed along a phase."""
    measured = np.isfinite(angle_deg)
    times, angles = t_s[measured], angle_deg[measured]
    if times.size < _FEWEST_POINTS or np.diff(times).max() > _LONGEST_GAP_S:
        return None
    period = float(times[-1] - times[0]) / (times.size - 1)
    evenly: Array = np.interp(times[0] + period * np.arange(times.size), times, angles)
    speed = np.abs(evenly[2:] - evenly[:-2])
    size = 2 ** (int(np.ceil(np.log2(speed.size))) + _PADDING)
    spectrum: Array = np.abs(np.fft.rfft(speed, size))
    if spectrum[0] == 0.0:
        return None
    # A speed is never negative, so that none of its frequencies outweighs its mean.
    within = spectrum[: int(_CUT_OFF_HZ * size * period) + 1] / spectrum[0]
    last = int(np.flatnonzero(within >= _AMPLITUDE_THRESHOLD)[-1])
    if last == 0:
        return None
    return -float(np.hypot(1.0 / last, np.diff(within[: last + 1])).sum())
