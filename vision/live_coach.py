"""From landmarks, one frame at a time, to the live count: a causal front end for the counter.

The last two seconds are measured by the very code that makes the record, and the newest frame of
them is taken; so view, hidden hips and walking are judged by what has just been seen, and nothing
is looked ahead for. The choice of side follows `vision.movement`, on the ranges learned so far.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from rtm.exercises import Exercise, Side
from vision.errors import RecordingProblem
from vision.kinematics import ANGLES, BodySide, joint_angle, observed_view, visibility_of
from vision.landmarks import Array, LandmarkSeries
from vision.live_repetitions import LiveCounter, Reading
from vision.movement import COMPARABLE_SHARE, SIDES, primary_angle
from vision.place import HALF_WINDOW_S, on_the_spot
from vision.repetitions import FULL_SHARE

# About one repetition: long enough that the median view does not flicker, short enough to follow
# someone who turns the chair.
_WINDOW_S = 2.0

# Half of the window in which walking is told lies in the future. This far back, what is known of it
# spans a whole gait cycle of 1.1 s (two steps; Perry, Gait Analysis, 1992), in which both feet
# have been put elsewhere.
_LOOK_BACK_S = 1.1 - HALF_WINDOW_S

_COUNTED: tuple[Literal["left", "right", "both"], ...] = ("left", "right", "both")
_OTHER: dict[BodySide, BodySide] = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class LiveFrame:
    """One frame of a landmark series, as `LandmarkSeries` says for its arrays without N.

    `image` (33, 2) and `world` (33, 3) are NaN and `visibility` (33,) is 0 where nobody was found.
    """

    t_s: float
    image: Array
    world: Array
    visibility: Array


class LiveCoach:
    """Counts the repetitions of one exercise in landmarks, frame by frame.

    Without `side`, each side is counted and both together. Once both have moved alike, the count
    is that of both together, which holds for sides that move at once and for sides that take
    turns; until then it is that of the side that moves.

    Raises:
        NotMeasurable: a camera can't measure the exercise.
    """

    def __init__(
        self, exercise: Exercise, side: Side | None = None, *, width: int, height: int
    ) -> None:
        self._exercise = exercise
        self._name = primary_angle(exercise).name
        self._side = side
        self._size = (width, height)
        self._frames: list[LiveFrame] = []
        self._counters = {each: LiveCounter(exercise) for each in _COUNTED}
        self._measured = dict.fromkeys(SIDES, 0)
        self._visibility = dict.fromkeys(SIDES, 0.0)

    def dump(self) -> dict[str, Any]:
        """The state as plain JSON values, less the last two seconds, which fill again."""
        return {
            "counters": {each: counter.dump() for each, counter in self._counters.items()},
            "measured": dict(self._measured),
            "visibility": dict(self._visibility),
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Takes up where the coach stood that `state` was dumped from.

        Raises:
            RecordingProblem: the state is of another exercise or not whole.
        """
        try:
            self._counters = {
                each: LiveCounter.restore(self._exercise, state["counters"][each])
                for each in _COUNTED
            }
            self._measured = {one: int(state["measured"][one]) for one in SIDES}
            self._visibility = {one: float(state["visibility"][one]) for one in SIDES}
        except (KeyError, TypeError) as error:
            raise RecordingProblem(f"This state is not of a coach: {error}.") from None
        self._frames = []

    def update(self, frame: LiveFrame) -> Reading:
        """The reading after `frame`; the first of all only opens the window.

        Raises:
            RecordingProblem: the time does not increase, or an array has a wrong shape.
        """
        begins_s = frame.t_s - _WINDOW_S
        self._frames = [each for each in self._frames if each.t_s >= begins_s] + [frame]
        if len(self._frames) < 2:
            return self._counters["both"].update(frame.t_s, None)
        window = LandmarkSeries(
            t_s=np.array([each.t_s for each in self._frames]),
            image=np.stack([each.image for each in self._frames]),
            world=np.stack([each.world for each in self._frames]),
            visibility=np.stack([each.visibility for each in self._frames]),
            width=self._size[0],
            height=self._size[1],
        )
        lately = window.t_s >= frame.t_s - _LOOK_BACK_S
        placed = bool(on_the_spot(window)[lately].all())

        def newest(one: BodySide) -> float:
            return float(joint_angle(window, self._name, one)[-1]) if placed else math.nan

        if not ANGLES[self._name].bilateral:
            return self._counters["both"].update(frame.t_s, newest("left"))
        if self._side == "left" or self._side == "right":
            return self._counters[self._side].update(frame.t_s, newest(self._side))
        return self._of_both(window, {one: newest(one) for one in SIDES})

    def _of_both(self, window: LandmarkSeries, angle_deg: dict[BodySide, float]) -> Reading:
        for one in SIDES:
            self._measured[one] += math.isfinite(angle_deg[one])
            self._visibility[one] += visibility_of(window, self._name, one)
        t_s = float(window.t_s[-1])
        # One leg at a time: their sum moves as far as the one that moves, whichever it is.
        both = sum(angle_deg.values()) / (2 if self._exercise.laterality == "bilateral" else 1)
        readings = {one: self._counters[one].update(t_s, angle_deg[one]) for one in SIDES}
        together = self._counters["both"].update(t_s, both)

        near = max(SIDES, key=lambda one: self._measured[one] * self._visibility[one])
        leading = max(SIDES, key=lambda one: readings[one].typical_deg)
        far, other = _OTHER[near], _OTHER[leading]
        follows = readings[other].typical_deg >= FULL_SHARE * readings[leading].typical_deg
        comparable = self._measured[far] >= COMPARABLE_SHARE * self._measured[near]
        if not comparable or observed_view(window) == "sagittal":
            return readings[near if follows or not comparable else leading]
        if not follows:
            return readings[leading]
        if self._exercise.laterality == "bilateral":
            return together
        return replace(readings[leading], count=together.count, partial=together.partial)


def replay(series: LandmarkSeries, exercise: Exercise, side: Side | None = None) -> Reading:
    """The last reading of a coach who sees `series` frame by frame.

    Raises:
        NotMeasurable: a camera can't measure the exercise.
    """
    coach = LiveCoach(exercise, side, width=series.width, height=series.height)
    return [coach.update(frame) for frame in frames_of(series)][-1]


def frames_of(series: LandmarkSeries) -> Iterator[LiveFrame]:
    """The frames of `series` in the order of time."""
    rows = zip(series.t_s, series.image, series.world, series.visibility, strict=True)
    return (LiveFrame(float(t_s), *arrays) for t_s, *arrays in rows)
