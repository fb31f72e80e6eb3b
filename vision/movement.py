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
from vision.repetitions import Segmentation, segment
from vision.smoothing import smooth

SIDES: tuple[BodySide, BodySide] = ("left", "right")

# A side seen in less than this share of the better side's frames would tear holes in their mean.
_COMPARABLE_SHARE = 0.9

# A side that moves less than this share of the other's way does not take part.
_TAKES_PART_SHARE = 0.5


@dataclass(frozen=True)
class Movement:
    """The smoothed primary angle in deg, (N,), NaN where not measured.

    `angle_deg` is the side's own, or for both sides their mean where both are seen well and
    take part; `by_side` holds each side that was measured. `side` is the one measured.
    `walking` (N,) marks the frames left out because the person changed place;
    `to_vertical` says that the hips were out of view and the vertical stood for the trunk.
    """

    side: Side
    angle_deg: Array
    by_side: dict[BodySide, Array]
    walking: np.ndarray
    to_vertical: bool

    @property
    def sides(self) -> tuple[BodySide, ...]:
        return tuple(self.by_side) or ("left",)


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
    """The exercise's angle over `series`.

    Without `side`, a bilateral exercise takes both sides, or the one that does all the moving;
    a unilateral one takes the side that moves more. In a view from the side, the far half of
    the body is mostly hidden behind the near one and is not mixed in, nor chosen unless it
    alone moves.

    Raises:
        NotMeasurable: a camera can't measure the exercise.
    """
    name = primary_angle(exercise).name
    placed = on_the_spot(series)

    def curve(one: BodySide) -> Array:
        angle = np.where(placed, joint_angle(series, name, one), np.nan)
        return smooth(series.t_s, angle)

    def movement(label: Side, angle_deg: Array, by_side: dict[BodySide, Array]) -> Movement:
        to_vertical = any(measured_to_vertical(series, name, one) for one in by_side)
        return Movement(label, angle_deg, by_side, ~placed, to_vertical)

    if not ANGLES[name].bilateral:
        return movement("bilateral", curve("left"), {})
    if side == "left" or side == "right":
        angle = curve(side)
        return movement(side, angle, {side: angle})

    both = {one: curve(one) for one in SIDES}
    extent = {one: segment_as(exercise, series.t_s, both[one]).typical_deg for one in SIDES}
    near = _better_seen(series, name, both)
    far: BodySide = "right" if near == "left" else "left"
    leading = max(SIDES, key=lambda one: extent[one])
    follows = extent[far if leading == near else near] >= _TAKES_PART_SHARE * extent[leading]
    comparable = np.isfinite(both[far]).mean() >= _COMPARABLE_SHARE * np.isfinite(both[near]).mean()
    hidden = not comparable or observed_view(series) == "sagittal"
    if hidden and (follows or not comparable):
        leading = near

    if exercise.laterality == "unilateral" and side is None:
        return movement(leading, both[leading], {leading: both[leading]})
    if hidden:
        return movement("bilateral", both[leading], {leading: both[leading]})
    if follows:
        return movement("bilateral", (both["left"] + both["right"]) / 2, both)
    if side is None:
        return movement(leading, both[leading], {leading: both[leading]})
    return movement("bilateral", both[leading], both)


def _better_seen(series: LandmarkSeries, name: str, both: dict[BodySide, Array]) -> BodySide:
    """The side measured in more frames, and more clearly: from the side, the near one."""
    return max(
        SIDES,
        key=lambda one: np.isfinite(both[one]).mean() * visibility_of(series, name, one),
    )
