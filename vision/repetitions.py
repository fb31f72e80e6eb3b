"""Counting repetitions in one joint angle, by the person's own range.

A repetition leaves the rest position, reaches a peak and comes back. What counts as "leaving"
and "coming back" is measured against this person's typical excursion in this recording, so that
thirty degrees after surgery and a hundred and thirty in health are counted alike; only the
exercise's minimal excursion, below which movement can't be told from noise, is absolute.

The turning points of the angle are found with hysteresis: a turn counts once the angle has moved
back by a least excursion, so tremor, pauses and drift make none. That is done twice, first with
the minimal excursion to learn the person's range and pace, then with half of that range.

`segment` looks at a whole recording and is the record; `vision.live_repetitions` applies the same
rules to what has been seen so far.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median
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

# A repetition begins and ends a tenth of its way from rest, so that the rest before and after is
# no part of it: the 10 % to 90 % convention for the rise time of a signal.
AT_REST_SHARE = 0.1

# Faster than this from rest to rest is a twitch or a tracking error, not an exercise.
SHORTEST_S = 0.35

# Where no repetition tells the person's pace, a gap up to this long is looked across.
SHORT_GAP_S = 0.4


@dataclass(frozen=True)
class Cycle:
    """Frame indices of one movement: leaving rest, peak, back at rest.

    `side` is the one that did it where the sides took turns, else None.
    """

    start: int
    peak: int
    end: int
    side: Literal["left", "right"] | None = None


@dataclass(frozen=True)
class Segmentation:
    """`complete` are the repetitions; `partial` the attempts that stayed too small, in order.

    `typical_deg` is the person's own excursion, 0 where nothing moved enough to tell.
    """

    complete: tuple[Cycle, ...]
    partial: tuple[Cycle, ...]
    typical_deg: float


@dataclass(frozen=True, slots=True)
class Turn:
    """A turning point: `high` if a peak; `cut` if the recording or a gap begins or ends there."""

    index: int
    value: float
    high: bool
    cut: bool


@dataclass(frozen=True)
class Reach:
    """How far a movement must go in deg: `least`, and `least_cut` where its rest was not seen."""

    least: float
    least_cut: float

    @classmethod
    def of(cls, minimum_rom_deg: float, typical_deg: float) -> Reach:
        least = max(minimum_rom_deg, FULL_SHARE * typical_deg)
        return cls(least, max(least, CUT_SHARE * typical_deg))

    def from_rest(self, peak: Turn, rest: Turn | None) -> bool:
        """Whether the way between `rest` and `peak` is enough; never without a rest."""
        if rest is None:
            return False
        return peak.value - rest.value >= (self.least_cut if rest.cut else self.least)


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
        return Segmentation((), (), 0.0)
    stretches = _stretches(t_s, seen, pace_s(t_s[c.end] - t_s[c.start] for c in whole.complete))
    if len(stretches) == 1:
        return whole
    return _Pass(t_s, effort, counting, minimum_rom_deg).over(stretches)


def pace_s(durations_s: Iterable[float]) -> float:
    """The longest gap that can't hide a whole repetition of this person."""
    durations = [float(duration) for duration in durations_s]
    return max(SHORT_GAP_S, median(durations)) if durations else SHORT_GAP_S


def _stretches(t_s: Array, seen: NDArray[np.intp], gap_s: float) -> list[NDArray[np.intp]]:
    """The measured frames, split where nothing was measured for longer than `gap_s`."""
    return np.split(seen, np.flatnonzero(np.diff(t_s[seen]) > gap_s) + 1)


@dataclass(frozen=True)
class _Pass:
    """One way over the recording with a given minimal excursion; `effort` rises towards peaks."""

    t_s: Array
    effort: Array
    counting: Counting
    minimum_rom_deg: float

    def over(self, stretches: Sequence[NDArray[np.intp]]) -> Segmentation:
        small = [self._turns(frames, self.minimum_rom_deg) for frames in stretches]
        typical = typical_excursion_deg(
            abs(b.value - a.value) for turns in small for a, b in pairwise(turns)
        )
        reach = Reach.of(self.minimum_rom_deg, typical)
        complete: list[Cycle] = []
        partial: list[Cycle] = []
        for frames, fine in zip(stretches, small, strict=True):
            coarse = self._turns(frames, reach.least)
            done = self._lasting(frames, whole_movements(coarse, reach, self.counting))
            complete += done
            taken = [(cycle.start, cycle.end) for cycle in done]
            partial += self._lasting(frames, partial_movements(fine, taken))
        return Segmentation(tuple(complete), tuple(partial), typical)

    def _turns(self, frames: NDArray[np.intp], least_deg: float) -> list[Turn]:
        """As `turning_points`, over `frames` of the recording and by their indices.

        A rest that lasted is not cut, though the recording begins or ends in it.
        """
        frames = frames[_local_extremes(self.effort[frames])]
        indices, times = frames.tolist(), self.t_s[frames].tolist()

        def cut(turn: Turn) -> bool:
            at = times[turn.index]
            return turn.cut and (turn.high or min(at - times[0], times[-1] - at) < SHORTEST_S)

        return [
            Turn(indices[turn.index], turn.value, turn.high, cut(turn))
            for turn in turning_points(self.effort[frames].tolist(), least_deg)
        ]

    def _lasting(
        self, frames: NDArray[np.intp], movements: Iterable[tuple[Turn, Turn, Turn]]
    ) -> list[Cycle]:
        cycles = (self._trimmed(frames, *movement) for movement in movements)
        return [
            cycle for cycle in cycles if self.t_s[cycle.end] - self.t_s[cycle.start] >= SHORTEST_S
        ]

    def _trimmed(self, frames: NDArray[np.intp], start: Turn, peak: Turn, end: Turn) -> Cycle:
        """Without the rest before and after."""
        first, middle, last = frames.searchsorted((start.index, peak.index, end.index)).tolist()
        up = start.value + AT_REST_SHARE * (peak.value - start.value)
        down = end.value + AT_REST_SHARE * (peak.value - end.value)
        way_up = self.effort[frames[first : middle + 1]][::-1] <= up
        way_down = self.effort[frames[middle : last + 1]] <= down
        return Cycle(
            start=int(frames[middle - way_up.argmax()]),
            peak=peak.index,
            end=int(frames[middle + way_down.argmax()]),
        )


def whole_movements(
    turns: Sequence[Turn], reach: Reach, counting: Counting
) -> Iterator[tuple[Turn, Turn, Turn]]:
    """Rest, peak and rest of each movement that goes far enough, over alternating `turns`.

    With `counting` `rise` and nothing after the peak, the peak stands for the last rest.
    """
    for position, peak in enumerate(turns):
        if not peak.high:
            continue
        before = turns[position - 1] if position > 0 else None
        after = turns[position + 1] if position + 1 < len(turns) else None
        if before is None or not reach.from_rest(peak, before):
            continue
        if counting == "rise" or reach.from_rest(peak, after):
            yield before, peak, after or peak


def partial_movements(
    turns: Sequence[Turn], taken: Sequence[tuple[int, int]]
) -> Iterator[tuple[Turn, Turn, Turn]]:
    """Rest, peak and rest of each peak outside the spans `taken`; a cut one may be anything."""
    for position, peak in enumerate(turns):
        if peak.high and not peak.cut and not any(a <= peak.index <= b for a, b in taken):
            yield turns[position - 1], peak, turns[position + 1]


def turning_points(values: Sequence[float], least_deg: float) -> list[Turn]:
    """Alternating turning points of `values`, at least `least_deg` between neighbours.

    The first is the extreme before the first confirmed turn, the last the one after the last;
    both are `cut`. Empty where nothing moves by `least_deg`.
    """
    turns: list[Turn] = []
    low = high = 0
    seeking_high: bool | None = None
    for index, value in enumerate(values):
        if value > values[high]:
            high = index
        if value < values[low]:
            low = index
        if seeking_high is not False and values[high] - value >= least_deg:
            turns.append(Turn(high, values[high], high=True, cut=not turns))
            seeking_high, low = False, index
        elif seeking_high is not True and value - values[low] >= least_deg:
            turns.append(Turn(low, values[low], high=False, cut=not turns))
            seeking_high, high = True, index
    if seeking_high is None:
        return []
    last = high if seeking_high else low
    return [*turns, Turn(last, values[last], seeking_high, cut=True)]


def _local_extremes(values: Array) -> NDArray[np.bool_]:
    """Where a turn may be: everything between is on the way, and need not be looked at."""
    kept = np.ones(values.size, dtype=np.bool_)
    steps = np.sign(np.diff(values))
    kept[1:-1] = (steps[1:] != steps[:-1]) | (steps[1:] == 0)
    return kept


def typical_excursion_deg(excursions_deg: Iterable[float]) -> float:
    """The median, each weighing its own size, so that wiggles can't outvote it; 0 of none."""
    sizes = sorted(excursions_deg)
    weight = list(accumulate(sizes))
    return sizes[bisect_left(weight, weight[-1] / 2)] if sizes else 0.0
