"""From a landmark series to the exercise's own angle: one curve, and each side's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtm.exercises import Exercise, PrimaryAngle, Side
from vision.errors import NotMeasurable
from vision.kinematics import (
    ANGLES,
    BodySide,
    joint_angle,
    measured_to_vertical,
    observed_view,
    visibility_of,
)
from vision.landmarks import Array, LandmarkSeries
from vision.place import on_the_spot
from vision.repetitions import FULL_SHARE, Cycle, Segmentation, segment
from vision.smoothing import smooth
from vision.turns import in_turn, in_turn_angle

SIDES: tuple[BodySide, BodySide] = ("left", "right")

# A side seen in less than this share of the better side's frames would tear holes in their mean.
COMPARABLE_SHARE = 0.9

# A side that moves less than this share of the other's way does not take part: the same half
# that divides a repetition from a partial one.
_TAKES_PART_SHARE = FULL_SHARE


@dataclass(frozen=True)
class Movement:
    """The smoothed primary angle in deg, (N,), NaN where not measured.

    `angle_deg` is the side's own, or for both sides their mean where both are seen well and
    take part; where they take turns, it is the angle of the side whose turn it is. `by_side`
    holds each side that was measured, `side` is the one measured, and `found` are the movements
    in it, each with its side where they take turns.
    `walking` (N,) marks the frames left out because the person changed place;
    `to_vertical` says that the hips were out of view and the vertical stood for the trunk.
    """

    side: Side
    angle_deg: Array
    by_side: dict[BodySide, Array]
    walking: np.ndarray
    to_vertical: bool
    found: Segmentation

    @property
    def sides(self) -> tuple[BodySide, ...]:
        return tuple(self.by_side) or ("left",)

    def angle_of(self, cycle: Cycle) -> Array:
        """(N,) the angle in which `cycle` was found."""
        return self.angle_deg if cycle.side is None else self.by_side[cycle.side]


def primary_angle(exercise: Exercise) -> PrimaryAngle:
    """Raises NotMeasurable where a camera can't measure the exercise."""
    if exercise.primary_angle is None:
        raise NotMeasurable(
            f"{exercise.name['en']} can't be measured by camera: {exercise.measurement_note}"
        )
    return exercise.primary_angle


def segment_as(exercise: Exercise, t_s: Array, angle_deg: Array) -> Segmentation:
    """The repetitions in `angle_deg` (N,) by the exercise's own direction and least excursion."""
    angle = primary_angle(exercise)
    return segment(
        t_s,
        angle_deg,
        rising=angle.target_deg > angle.rest_deg,
        minimum_rom_deg=angle.minimum_rom_deg,
        counting=angle.counting,
    )


def follow(series: LandmarkSeries, exercise: Exercise, side: Side | None) -> Movement:
    """The exercise's angle over `series`, and the movements in it.

    Without `side`, sides that take turns are both followed. Else a bilateral exercise takes both
    sides, or the one that does all the moving; a unilateral one takes the side that moves more.
    In a view from the side, the far half of the body is mostly hidden behind the near one and is
    not mixed in, nor chosen unless it alone moves.

    Raises:
        NotMeasurable: a camera can't measure the exercise.
    """
    name = primary_angle(exercise).name
    placed = on_the_spot(series)

    def curve(one: BodySide) -> Array:
        angle = np.where(placed, joint_angle(series, name, one), np.nan)
        return smooth(series.t_s, angle)

    def movement(
        label: Side, angle_deg: Array, by_side: dict[BodySide, Array], found: Segmentation
    ) -> Movement:
        to_vertical = any(measured_to_vertical(series, name, one) for one in by_side)
        return Movement(label, angle_deg, by_side, ~placed, to_vertical, found)

    def only(label: Side, angle_deg: Array, by_side: dict[BodySide, Array]) -> Movement:
        return movement(label, angle_deg, by_side, segment_as(exercise, series.t_s, angle_deg))

    if not ANGLES[name].bilateral:
        return only("bilateral", curve("left"), {})
    if side == "left" or side == "right":
        angle = curve(side)
        return only(side, angle, {side: angle})

    both = {one: curve(one) for one in SIDES}
    found = {one: segment_as(exercise, series.t_s, both[one]) for one in SIDES}
    near = _better_seen(series, name, both)
    far: BodySide = "right" if near == "left" else "left"
    leading = max(SIDES, key=lambda one: found[one].typical_deg)
    other: BodySide = far if leading == near else near
    follows = found[other].typical_deg >= _TAKES_PART_SHARE * found[leading].typical_deg
    comparable = np.isfinite(both[far]).mean() >= COMPARABLE_SHARE * np.isfinite(both[near]).mean()
    hidden = not comparable or observed_view(series) == "sagittal"

    if side is None and (turns := in_turn(both, found)) is not None:
        return movement("bilateral", in_turn_angle(both, turns, leading), both, turns)
    if hidden and (follows or not comparable):
        leading = near
    alone = {leading: both[leading]}
    if exercise.laterality == "unilateral" and side is None:
        return movement(leading, both[leading], alone, found[leading])
    if hidden:
        return movement("bilateral", both[leading], alone, found[leading])
    if follows:
        return only("bilateral", (both["left"] + both["right"]) / 2, both)
    if side is None:
        return movement(leading, both[leading], alone, found[leading])
    return movement("bilateral", both[leading], both, found[leading])


def _better_seen(series: LandmarkSeries, name: str, both: dict[BodySide, Array]) -> BodySide:
    """The side measured in more frames, and more clearly: from the side, the near one."""
    return max(
        SIDES,
        key=lambda one: np.isfinite(both[one]).mean() * visibility_of(series, name, one),
    )
