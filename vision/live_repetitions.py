"""Counting while the movement happens: the rules of `vision.repetitions`, without looking ahead.

The counter is fed one frame at a time and keeps a bounded state that is plain JSON, so that a
session can be put down and taken up again, or counted by another implementation of the same
definition:

1. *Smooth.* The median of the last three measured frames, then a first-order low-pass. Both
   delay; how much is told with every reading.
2. *Turn.* Turning points at least the exercise's minimal excursion apart, by hysteresis.
3. *Learn.* The person's own excursion is the weighted median of the last 64.
4. *Count.* The turning points are gone over again with half of that excursion, by the very
   functions that make the record.

What counts is judged anew as the range is learned: a small first movement is taken back once
full ones show that it was partial, so the count may stand still, or fall, in the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import exp, isfinite, log, sqrt
from statistics import median
from typing import Any, Literal

from rtm.exercises import Exercise
from vision.errors import RecordingProblem
from vision.movement import primary_angle
from vision.repetitions import (
    AT_REST_SHARE,
    FULL_SHARE,
    SHORT_GAP_S,
    SHORTEST_S,
    Reach,
    Turn,
    pace_s,
    partial_movements,
    turning_points,
    typical_excursion_deg,
    whole_movements,
)
from vision.smoothing import SIGMA_S

Phase = Literal["rest", "going", "top", "back"]

# The low-pass that halves the same frequency as the record's Gaussian, 3 Hz: from
# 1 / sqrt(1 + (2 pi f tau)^2) = 1/2 and exp(-(2 pi f sigma)^2 / 2) = 1/2.
TIME_CONSTANT_S = SIGMA_S * sqrt(3.0) / sqrt(2.0 * log(2.0))

# Still for about a person's simple reaction time (0.2 s; Woodworth and Schlosberg, 1954) is a
# stop that was meant, at the top or at rest. Only the phase depends on it, never the count.
_STILL_S = 0.2

# Turning points judged anew, two a repetition: more than the largest usual set, and little work.
_KEPT = 64


@dataclass(frozen=True)
class Reading:
    """What is known after a frame; None where not measured.

    `count` are the repetitions, each counted once most of the way back is done (or, where
    reaching the target counts, most of the way there); `partial` the attempts that stayed below
    half of the usual range. `angle_deg` is smoothed and stands for `lag_s` ago. `best_rom_deg`
    is the largest range of a repetition so far, `typical_deg` the person's usual one, 0 unknown.
    """

    count: int
    partial: int
    phase: Phase
    angle_deg: float | None
    lag_s: float | None
    best_rom_deg: float | None
    typical_deg: float


@dataclass
class _Extreme:
    """A turning point, or what may become one: when first near it, at it and last near it."""

    at_s: float
    value: float
    arrived_s: float
    arrived_value: float
    left_s: float

    @classmethod
    def here(cls, t_s: float, value: float) -> _Extreme:
        return cls(t_s, value, t_s, value, t_s)

    def follow(self, t_s: float, value: float, near: float, sign: int) -> None:
        """Takes in the next `value`; `sign` is 1 for a peak and -1 for a rest."""
        if sign * value > sign * self.value:
            self.at_s, self.value = t_s, value
            if sign * self.arrived_value < sign * value - near:
                self.arrived_s, self.arrived_value = t_s, value
        if sign * value >= sign * self.value - near:
            self.left_s = t_s


@dataclass
class _Smoothed:
    """`recent` are the last three frames as (time, effort); `at_s` the instant `effort` is of."""

    recent: list[list[float]] = field(default_factory=list)
    at_s: float = 0.0
    effort: float = 0.0

    def push(self, t_s: float, effort: float) -> None:
        since_s = t_s - self.recent[-1][0] if self.recent else None
        self.recent = [*self.recent[-2:], [t_s, effort]]
        middle_s = median(time for time, _ in self.recent)
        middle = median(value for _, value in self.recent)
        gain = 1.0 if since_s is None else 1.0 - exp(-since_s / TIME_CONSTANT_S)
        self.at_s += gain * (middle_s - self.at_s)
        self.effort += gain * (middle - self.effort)


@dataclass
class _State:
    """Everything that is remembered. A stretch is what was measured without a long gap."""

    smoothed: _Smoothed = field(default_factory=_Smoothed)
    last_s: float | None = None
    stretch_from_s: float = 0.0
    turns: list[_Extreme] = field(default_factory=list)
    first_is_high: bool = False
    seeking_high: bool | None = None
    high: _Extreme | None = None
    low: _Extreme | None = None
    excursions_deg: list[float] = field(default_factory=list)
    typical_deg: float = 0.0
    gap_s: float = SHORT_GAP_S
    counted: int = 0
    partial: int = 0
    best_rom_deg: float = 0.0
    phase: Phase = "rest"
    rest: float = 0.0
    extreme: _Extreme | None = None


@dataclass(frozen=True)
class _Movement:
    """From rest to rest without the rest about it; `start` and `end` are positions of turns."""

    start: int
    peak: int
    end: int
    lasted_s: float
    rom_deg: float


@dataclass(frozen=True)
class _Tally:
    """What the turning points kept amount to."""

    whole: list[_Movement]
    partial: list[_Movement]
    typical_deg: float

    @property
    def best_rom_deg(self) -> float:
        return max((each.rom_deg for each in self.whole), default=0.0)


class LiveCounter:
    """Counts the repetitions of one exercise in one angle, frame by frame.

    Raises:
        NotMeasurable: a camera can't measure the exercise.
    """

    def __init__(self, exercise: Exercise) -> None:
        angle = primary_angle(exercise)
        self._exercise_id = exercise.id
        self._sign = 1.0 if angle.target_deg > angle.rest_deg else -1.0
        self._minimum_deg = angle.minimum_rom_deg
        self._counting = angle.counting
        self._state = _State()

    def dump(self) -> dict[str, Any]:
        """The state as plain JSON values."""
        return {"exercise": self._exercise_id, **asdict(self._state)}

    @classmethod
    def restore(cls, exercise: Exercise, state: Mapping[str, Any]) -> LiveCounter:
        """The counter that `dump` was taken from.

        Raises:
            RecordingProblem: the state is of another exercise or not whole.
        """
        counter = cls(exercise)
        if state.get("exercise") != exercise.id:
            raise RecordingProblem("This state was kept for another exercise.")
        try:
            rest = {name: value for name, value in state.items() if name != "exercise"}
            rest["smoothed"] = _Smoothed(**rest["smoothed"])
            rest["turns"] = [_Extreme(**each) for each in rest["turns"]]
            rest["excursions_deg"] = list(rest["excursions_deg"])
            for name in ("high", "low", "extreme"):
                rest[name] = None if rest[name] is None else _Extreme(**rest[name])
            counter._state = _State(**rest)
        except (KeyError, TypeError) as error:
            raise RecordingProblem(f"This state is not of a counter: {error}.") from None
        return counter

    def update(self, t_s: float, angle_deg: float | None) -> Reading:
        """The reading after the frame at `t_s`, in which `angle_deg` was measured, or None or NaN.

        Raises:
            RecordingProblem: `t_s` is no number or not later than the frame before.
        """
        state = self._state
        if not isfinite(t_s) or (state.last_s is not None and t_s <= state.last_s):
            raise RecordingProblem(f"The time of a frame, {t_s} s, does not increase.")
        state.last_s = t_s
        measured = angle_deg is not None and isfinite(angle_deg)
        if measured:
            assert angle_deg is not None
            if state.smoothed.recent and t_s - state.smoothed.recent[-1][0] > state.gap_s:
                self._close_stretch()
            if not state.smoothed.recent:
                state.stretch_from_s = t_s
            state.smoothed.push(t_s, self._sign * angle_deg)
            near = AT_REST_SHARE * max(state.typical_deg, self._minimum_deg / FULL_SHARE)
            self._turn(t_s, near)
            self._find_phase(t_s, near)
        tally = self._tally()
        state.typical_deg = tally.typical_deg
        if tally.whole:
            state.gap_s = pace_s(each.lasted_s for each in tally.whole)
        if len(state.turns) > _KEPT:
            self._settle(tally)
            tally = self._tally()
        best = max(state.best_rom_deg, tally.best_rom_deg)
        return Reading(
            count=state.counted + len(tally.whole),
            partial=state.partial + len(tally.partial),
            phase=state.phase,
            angle_deg=self._sign * state.smoothed.effort if measured else None,
            lag_s=t_s - state.smoothed.at_s if measured else None,
            best_rom_deg=best or None,
            typical_deg=tally.typical_deg,
        )

    def _turn(self, t_s: float, near: float) -> None:
        """One step of `turning_points`."""
        state, value = self._state, self._state.smoothed.effort
        if state.high is None or state.low is None:
            state.high, state.low = _Extreme.here(t_s, value), _Extreme.here(t_s, value)
        state.high.follow(t_s, value, near, 1)
        state.low.follow(t_s, value, near, -1)
        if state.seeking_high is not False and state.high.value - value >= self._minimum_deg:
            self._confirm(state.high, high=True)
            state.low = _Extreme.here(t_s, value)
        elif state.seeking_high is not True and value - state.low.value >= self._minimum_deg:
            self._confirm(state.low, high=False)
            state.high = _Extreme.here(t_s, value)

    def _confirm(self, extreme: _Extreme, *, high: bool) -> None:
        state = self._state
        if state.turns:
            excursion = abs(extreme.value - state.turns[-1].value)
            state.excursions_deg = [*state.excursions_deg[1 - _KEPT :], excursion]
        else:
            state.first_is_high = high
        state.turns.append(replace(extreme))
        state.seeking_high = not high

    def _tally(self) -> _Tally:
        """Judges the turning points kept and the one under way, as the record would."""
        state = self._state
        running = state.high if state.seeking_high else state.low
        if state.seeking_high is None or running is None:
            typical = typical_excursion_deg(state.excursions_deg)
            return _Tally([], [], typical)
        points = [*state.turns, running]
        under_way = abs(running.value - state.turns[-1].value)
        typical = typical_excursion_deg([*state.excursions_deg, under_way])
        reach = Reach.of(self._minimum_deg, typical)
        values = [point.value for point in points]
        coarse = [
            Turn(each.index, each.value, each.high, self._cut(each, points[each.index]))
            for each in turning_points(values, reach.least)
        ]
        whole = _lasting(points, whole_movements(coarse, reach, self._counting))
        last = len(points) - 1
        fine = [
            Turn(index, value, (index % 2 == 0) == state.first_is_high, index in (0, last))
            for index, value in enumerate(values)
        ]
        taken = [(each.start, each.end) for each in whole]
        partial = _lasting(points, partial_movements(fine, taken))
        return _Tally(whole, partial, typical)

    def _cut(self, turn: Turn, point: _Extreme) -> bool:
        """A rest that lasted is not cut, though the stretch begins or ends in it."""
        begun_s, now_s = self._state.stretch_from_s, self._state.smoothed.recent[-1][0]
        lasted_s = min(point.at_s - begun_s, now_s - point.at_s)
        return turn.cut and (turn.high or lasted_s < SHORTEST_S)

    def _settle(self, tally: _Tally) -> None:
        """Takes the oldest movement as it stands, so that the memory stays bounded."""
        state = self._state
        settled = [each for each in tally.whole[:1] if each.end < len(state.turns)]
        end = settled[0].end if settled else 2
        state.counted += len(settled)
        state.partial += sum(each.peak < end for each in tally.partial)
        state.best_rom_deg = max([state.best_rom_deg, *(each.rom_deg for each in settled)])
        state.first_is_high = state.first_is_high == (end % 2 == 0)
        state.turns = state.turns[end:]

    def _close_stretch(self) -> None:
        """A gap as long as a repetition may hide one: what came before stands as it is."""
        state, tally = self._state, self._tally()
        state.counted += len(tally.whole)
        state.partial += len(tally.partial)
        state.best_rom_deg = max(state.best_rom_deg, tally.best_rom_deg)
        state.turns, state.seeking_high = [], None
        state.high = state.low = state.extreme = None
        state.phase = "rest"
        state.smoothed = _Smoothed()

    def _find_phase(self, t_s: float, near: float) -> None:
        """Rest, going, top, back: leaving by `near`, arriving by standing still within `near`."""
        state, value = self._state, self._state.smoothed.effort
        if state.extreme is None:
            state.extreme, state.rest = _Extreme.here(t_s, value), value
        upwards = state.phase in ("going", "top")
        sign = 1 if upwards else -1
        state.extreme.follow(t_s, value, near, sign)
        if sign * (state.extreme.value - value) > near:
            if not upwards:
                state.rest = state.extreme.value
            state.phase = "back" if upwards else "going"
            state.extreme = _Extreme.here(t_s, value)
            return
        half_way = FULL_SHARE * near / AT_REST_SHARE
        still = t_s - state.extreme.arrived_s >= _STILL_S
        if upwards:
            state.phase = "top" if still and value - state.rest >= half_way else "going"
        elif value <= state.rest + near or (still and value - state.rest < half_way):
            state.phase = "rest"


def _lasting(
    points: Sequence[_Extreme], movements: Iterable[tuple[Turn, Turn, Turn]]
) -> list[_Movement]:
    """As the record trims a movement, on turning points alone."""
    lasting = []
    for before, peak, after in movements:
        up = before.value + AT_REST_SHARE * (peak.value - before.value)
        down = after.value + AT_REST_SHARE * (peak.value - after.value)
        way_up = range(peak.index, before.index - 1, -1)
        way_down = range(peak.index, after.index + 1)
        start = next(index for index in way_up if points[index].value <= up)
        end = next(index for index in way_down if points[index].value <= down)
        lasted_s = points[end].arrived_s - points[start].left_s
        if lasted_s >= SHORTEST_S:
            rom = peak.value - before.value
            lasting.append(_Movement(start, peak.index, end, lasted_s, rom))
    return lasting
