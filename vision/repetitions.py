"""Counting repetitions in one joint angle, by the person's own range.

A repetition leaves the rest position, reaches a peak and comes back. What counts as "leaving"
and "coming back" is measured against this person's typical excursion in this recording, so that
thirty degrees after surgery and a hundred and thirty in health are counted alike; only the
exercise's minimal excursion, below which movement can't be told from noise, is absolute.

The turning points of the angle are found with hysteresis: a turn counts once the angle has moved
back by a least excursion, so tremor, pauses and drift make none. That is done twice, first with
the minimal excursion to learn the person's range and pace, then with half of that range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vision.landmarks import Array

Counting = Literal["cycle", "rise"]

# A movement of at least half the person's typical excursion is a repetition, less is partial.
# "More than half way up counts" is also the rule of the 30-second chair stand (CDC STEADI, 2017).
FULL_SHARE = 0.5

# At either end of a recording the rest position itself was not seen; a movement cut there must
# show clearly more than half of its way.
CUT_SHARE = 0.65

# Faster than this from rest to rest is a twitch or a tracking error, not an exercise.
SHORTEST_S = 0.35

# Where no repetition tells the person's pace, a gap up to this long is looked across.
_SHORT_GAP_S = 0.4


@dataclass(frozen=True)
class Cycle:
    """Frame indices of one repetition: leaving rest, peak, back at rest."""

    start: int
    peak: int
    end: int


@dataclass(frozen=True)
class Segmentation:
    """`complete` are the repetitions; `partial` counts attempts that stayed too small.

    `typical_deg` is the person's own excursion, 0 where nothing moved enough to tell.
    """

    complete: tuple[Cycle, ...]
    partial: int
    typical_deg: float


@dataclass(frozen=True)
class _Turn:
    """A turning point: `high` if a peak; `cut` if the recording or a gap begins or ends there."""

    index: int
    value: float
    high: bool
    cut: bool


def segment(
    t_s: Array,
    angle_deg: Array,
    *,
    rising: bool,
    minimum_rom_deg: float,
    counting: Counting = "cycle",
) -> Segmentation:
    """Finds the repetitions in `angle_deg` (N,), NaN where not measured.

    `rising` says whether the exercise raises the angle from rest (elbow flexion) or lowers it
    (knee extension). With `counting` `rise`, reaching the peak is the repetition, whether or
    not the way back was recorded, as in sit-to-stand.

    A gap shorter than the person's own repetition can't hide a whole one and is looked across;
    a longer one cuts the recording in two.
    """
    effort = angle_deg if rising else -angle_deg
    seen = np.flatnonzero(np.isfinite(effort))
    whole = _Pass(t_s, effort, counting, minimum_rom_deg).over([seen])
    if whole.typical_deg == 0.0:
        return Segmentation((), 0, 0.0)
    stretches = _stretches(t_s, seen, _pace_s(t_s, whole.complete))
    if len(stretches) == 1:
        return whole
    return _Pass(t_s, effort, counting, minimum_rom_deg).over(stretches)


def _pace_s(t_s: Array, cycles: Sequence[Cycle]) -> float:
    durations = [t_s[cycle.end] - t_s[cycle.start] for cycle in cycles]
    return max(_SHORT_GAP_S, float(np.median(durations))) if durations else _SHORT_GAP_S


def _stretches(t_s: Array, seen: NDArray[np.intp], gap_s: float) -> list[NDArray[np.intp]]:
    """The measured frames, split where nothing was measured for longer than `gap_s`."""
    if seen.size == 0:
        return []
    return np.split(seen, np.flatnonzero(np.diff(t_s[seen]) > gap_s) + 1)


@dataclass(frozen=True)
class _Pass:
    """One way over the recording with a given minimal excursion; `effort` rises towards peaks."""

    t_s: Array
    effort: Array
    counting: Counting
    minimum_rom_deg: float

    def over(self, stretches: Sequence[NDArray[np.intp]]) -> Segmentation:
        small = [_turns(self.effort, frames, self.minimum_rom_deg) for frames in stretches]
        typical = _typical_excursion(small)
        least = max(self.minimum_rom_deg, FULL_SHARE * typical)
        complete: list[Cycle] = []
        for frames in stretches:
            turns = _turns(self.effort, frames, least)
            complete += self._cycles(frames, turns, max(least, CUT_SHARE * typical), least)
        inside = [range(cycle.start, cycle.end + 1) for cycle in complete]
        partial = sum(
            turn.high and not turn.cut and not any(turn.index in span for span in inside)
            for turns in small
            for turn in turns
        )
        return Segmentation(tuple(complete), partial, typical)

    def _cycles(
        self, frames: NDArray[np.intp], turns: list[_Turn], least_cut: float, least: float
    ) -> list[Cycle]:
        def reaches(peak: _Turn, rest: _Turn | None) -> bool:
            if rest is None:
                return False
            return peak.value - rest.value >= (least_cut if rest.cut else least)

        cycles = []
        for position, turn in enumerate(turns):
            if not turn.high:
                continue
            before = turns[position - 1] if position > 0 else None
            after = turns[position + 1] if position + 1 < len(turns) else None
            if before is None or not reaches(turn, before):
                continue
            if not reaches(turn, after) and self.counting == "cycle":
                continue
            end = turn if after is None else after
            cycle = self._trimmed(frames, before.index, turn.index, end.index)
            if self.t_s[cycle.end] - self.t_s[cycle.start] >= SHORTEST_S:
                cycles.append(cycle)
        return cycles

    def _trimmed(self, frames: NDArray[np.intp], start: int, peak: int, end: int) -> Cycle:
        """Without the rest before and after: from a tenth of the way up to a tenth above rest."""
        effort = self.effort
        first, middle, last = np.searchsorted(frames, (start, peak, end))
        up = effort[start] + 0.1 * (effort[peak] - effort[start])
        rising = frames[first : middle + 1]
        down = effort[end] + 0.1 * (effort[peak] - effort[end])
        falling = frames[middle : last + 1]
        return Cycle(
            start=int(rising[effort[rising] <= up][-1]),
            peak=peak,
            end=int(falling[effort[falling] <= down][0]),
        )


def _turns(effort: Array, frames: NDArray[np.intp], least_deg: float) -> list[_Turn]:
    """Alternating turning points over `frames`, at least `least_deg` between neighbours.

    The first is the extreme before the first confirmed turn, the last the one after the last;
    both are `cut`. Empty where nothing moves by `least_deg`.
    """
    frames = frames[_local_extremes(effort[frames])]
    values = effort[frames].tolist()
    turns: list[_Turn] = []
    low = high = 0
    seeking_high: bool | None = None

    def turn(index: int, is_high: bool, cut: bool) -> _Turn:
        return _Turn(int(frames[index]), values[index], is_high, cut)

    for index, value in enumerate(values):
        if value > values[high]:
            high = index
        if value < values[low]:
            low = index
        if seeking_high is not False and values[high] - value >= least_deg:
            turns.append(turn(high, True, cut=not turns))
            seeking_high, low = False, index
        elif seeking_high is not True and value - values[low] >= least_deg:
            turns.append(turn(low, False, cut=not turns))
            seeking_high, high = True, index
    if seeking_high is None:
        return []
    return [*turns, turn(high if seeking_high else low, seeking_high, cut=True)]


def _local_extremes(values: Array) -> NDArray[np.bool_]:
    """Where a turn may be: everything between is on the way, and need not be looked at."""
    kept = np.ones(values.size, dtype=np.bool_)
    steps = np.sign(np.diff(values))
    kept[1:-1] = (steps[1:] != steps[:-1]) | (steps[1:] == 0)
    return kept


def _typical_excursion(stretches: list[list[_Turn]]) -> float:
    """The median excursion, each weighing its own size, so that wiggles can't outvote it."""
    sizes = np.sort([abs(b.value - a.value) for turns in stretches for a, b in pairwise(turns)])
    if sizes.size == 0:
        return 0.0
    weight = np.cumsum(sizes)
    return float(sizes[np.searchsorted(weight, weight[-1] / 2)])
