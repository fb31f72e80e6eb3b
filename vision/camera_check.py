"""The camera check: what is wrong with the picture, and what the patient can do about it.

| finding | rests on | severity |
|---|---|---|
| nobody | share of frames with a person | stop |
| too_dark, too_bright | luma of the person, or of the picture | stop if hardly visible, else warn |
| back_light, low_contrast | burnt-out surroundings; spread of luma | warn |
| cut_off_… | share of frames with the part outside | stop if the angle needs it, else warn |
| too_far, too_near | stature ÷ height of the picture | warn |
| turn_to_face, turn_sideways | turn of shoulders and hips | warn |
| camera_tilted | roll of the body's axis, shoulders and hips | warn |
| low_frame_rate, uneven_frame_rate | pictures per second; late ones | stop below 6/s, else warn |
| second_person | pictures with more than one person ÷ pictures looked at | warn |
| person_changed | frames in which somebody else was tracked ÷ all | warn |
| other_side_moves | range of the side asked for and of the other | warn |

What one camera can't tell is not guessed:

- A mirrored picture, as of a selfie preview. Bodies are symmetric, and the estimator calls left
  what looks left, so a mirrored recording is as good a recording of the other side. Only where
  one side was asked for and the other one moved is there a sign of it: `other_side_moves`, which
  may as well be the patient's mistake and is worded so.
- Pitch. A picture tilted up or down by 25° (by a homography, on a real standing person) turned
  the estimator's vertical by 8–12° only, no more than people lean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
import yaml

from rtm.exercises import Exercise, Side
from vision.kinematics import ANGLES, VISIBLE, View, joint_angle, observed_view
from vision.landmarks import Array, Landmark, LandmarkSeries
from vision.light import Light
from vision.movement import SIDES
from vision.smoothing import smooth

Severity = Literal["stop", "warn"]

# Pictures for questions of posture: more would not move a median.
_LOOKS = 240

# Nobody in most of the recording: whatever is read from the rest is of pieces.
_FOUND_SHARE = 0.5

# Cameras expose for middle grey, 18 % reflectance. Three stops below it a code (sRGB) is about
# 0.16 and shadows drown in noise; five stops below, at 0.07, nothing but noise is left.
_DARK_LUMA, _BLACK_LUMA = 0.16, 0.07
# A white shirt, well exposed, stays below the end of the scale. Where half of the trunk is burnt
# out, or half of the picture when nobody is found, there are no edges to find joints by.
_BURNT_SHARE = 0.5
# A window or sky that burns out a fifth of the surroundings (a house choice) while the person
# stays a stop and a half below middle grey (0.28), the exposure having followed the window.
_BACK_LIGHT_SHARE, _IN_SHADE_LUMA = 0.2, 0.28
# Less than a fifth of the scale between dark and bright: fog, a smeared lens (a house choice).
_LEAST_SPREAD = 0.2

# Out of the picture for longer than a moment at the end of a movement (a house choice), and for
# most of the time.
_SOMETIMES_SHARE, _MOSTLY_SHARE = 0.1, 0.5

# Mid-shoulder to mid-hip is 0.288 of stature (Drillis and Contini, 1966).
_TRUNK_OF_STATURE = 0.288
# Of a 720-line picture a third is 240 lines; the landmark network looks at 256, so anything
# smaller is only enlarged.
_SMALLEST_STATURE = 1 / 3
# Raised hands reach 0.72 of stature above the hips (same source: arm 0.44, trunk 0.288): beyond
# this, not even the upper half of a body in motion fits.
_LARGEST_STATURE = 1 / 0.72

# The library's smallest trunk lean is a fault from 12°; 2° of it may be the person's own sway.
_TILT_DEG = 10.0

# Movements of up to 3 Hz are kept by the smoothing: four pictures per period draw them, fewer
# than two can't (Nyquist).
_LOW_FPS, _HOPELESS_FPS = 12.0, 6.0
# Late: more than twice the usual interval, so that at least one picture is missing. One in ten
# (a house choice) is no longer an accident.
_LATE_RATIO, _LATE_SHARE = 2.0, 0.1

# In one of four looks: more than a passer-by in a short session (a house choice).
_ACCOMPANIED_SHARE = 0.25

# Landmarks that fly off for less than this are a slip of the tracker, with nobody behind them
# (a house choice).
_SLIP_S = 0.5

# As for taking part in a movement of both sides: less than half of the other's range.
_IDLE_SHARE = 0.5

_PARTS: dict[str, tuple[str, ...]] = {
    "head": ("NOSE", "EAR"),
    "shoulders": ("SHOULDER",),
    "elbows": ("ELBOW",),
    "hands": ("WRIST",),
    "hips": ("HIP",),
    "knees": ("KNEE",),
    "feet": ("ANKLE", "HEEL", "FOOT_INDEX"),
}
_PART_OF = {joint: part for part, joints in _PARTS.items() for joint in joints}
# From the middle of the body outwards: who sees the hips again sees the way to the feet.
_CHAINS = (("hips", "knees", "feet"), ("shoulders", "elbows", "hands"), ("head",))


@dataclass(frozen=True)
class Measure:
    """What a finding rests on; `unit` is `deg`, `1/s`, `luma` (0–1) or `ratio`."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True)
class Finding:
    """One thing wrong with the picture; `message` by language (`en`, `es`)."""

    id: str
    severity: Severity
    message: Mapping[str, str]
    measure: Measure


@cache
def messages() -> Mapping[str, Mapping[str, str]]:
    """The messages by finding and language, in the order of telling."""
    text = files(__package__).joinpath("camera_check.yaml").read_text("utf-8")
    loaded: dict[str, dict[str, str]] = yaml.safe_load(text)
    return loaded


def check_camera(
    series: LandmarkSeries,
    luminance: Sequence[Light],
    people: Sequence[int],
    exercise: Exercise,
    *,
    side: Side | None = None,
    frames_of_others: int = 0,
) -> tuple[Finding, ...]:
    """What is wrong with the picture for this exercise, the most basic first.

    `luminance` and `people` (persons in a picture) are of pictures spread over the recording, both
    empty where only landmarks are known. `side` is the one asked for; `frames_of_others` how many
    frames were left out because somebody else was tracked. An exercise that no camera measures
    needs no joint, but light and a person.
    """
    found = list(_light(luminance))
    found += _frame_rate(series)
    found += _company(series, people, frames_of_others)
    share = float(series.found.mean())
    if share < _FOUND_SHARE:
        found.append(_finding("nobody", "stop", "frames_with_a_person", share, "ratio"))
    if share > 0:
        seen = _some_of(series)
        found += _cut_off(seen, exercise, side)
        found += _distance(seen)
        view = observed_view(seen)
        found += _view(seen, exercise, view)
        found += _tilt(seen, exercise, view)
        found += _wrong_side(seen, exercise, side)
    order = list(messages())
    return tuple(sorted(found, key=lambda finding: order.index(finding.id)))


def _finding(which: str, severity: Severity, measure: str, value: float, unit: str) -> Finding:
    return Finding(which, severity, messages()[which], Measure(measure, value, unit))


def _some_of(series: LandmarkSeries) -> LandmarkSeries:
    """Frames with a person, evenly spread over the recording."""
    frames = np.flatnonzero(series.found)
    if frames.size < 2:
        frames = np.arange(2)
    frames = frames[
        np.unique(np.linspace(0, frames.size - 1, min(frames.size, _LOOKS)).astype(int))
    ]
    return LandmarkSeries(
        series.t_s[frames],
        series.image[frames],
        series.world[frames],
        series.visibility[frames],
        series.width,
        series.height,
    )


def _light(luminance: Sequence[Light]) -> Iterator[Finding]:
    if not luminance:
        return

    def typical(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return float(np.median(known)) if known else None

    whole = float(np.median([light.mean for light in luminance]))
    person = typical([light.person for light in luminance])
    # A black shirt in a bright room is no dark picture.
    luma = whole if person is None else max(person, whole)
    burnt = typical([light.person_clipped for light in luminance])
    if luma < _DARK_LUMA:
        severity: Severity = "stop" if luma < _BLACK_LUMA else "warn"
        yield _finding("too_dark", severity, "luma", luma, "luma")
    if burnt is None:
        burnt = float(np.median([light.clipped for light in luminance]))
    if burnt >= _BURNT_SHARE:
        yield _finding("too_bright", "warn", "share_burnt_out", burnt, "ratio")
    around = typical([light.around_clipped for light in luminance])
    in_shade = person is not None and person < _IN_SHADE_LUMA
    if around is not None and around >= _BACK_LIGHT_SHARE and in_shade:
        yield _finding("back_light", "warn", "surroundings_burnt_out", around, "ratio")
    spread = float(np.median([light.spread for light in luminance]))
    if spread < _LEAST_SPREAD:
        yield _finding("low_contrast", "warn", "spread_of_luma", spread, "luma")


def _frame_rate(series: LandmarkSeries) -> Iterator[Finding]:
    if series.fps < _LOW_FPS:
        severity: Severity = "stop" if series.fps < _HOPELESS_FPS else "warn"
        yield _finding("low_frame_rate", severity, "frame_rate", series.fps, "1/s")
    intervals = np.diff(series.t_s)
    late = float((intervals * series.fps >= _LATE_RATIO).mean())
    if late >= _LATE_SHARE:
        yield _finding("uneven_frame_rate", "warn", "late_pictures", late, "ratio")


def _company(
    series: LandmarkSeries, people: Sequence[int], frames_of_others: int
) -> Iterator[Finding]:
    accompanied = float(np.mean([count > 1 for count in people])) if people else 0.0
    if accompanied >= _ACCOMPANIED_SHARE:
        yield _finding(
            "second_person", "warn", "pictures_with_a_second_person", accompanied, "ratio"
        )
    if frames_of_others / series.fps >= _SLIP_S:
        share = frames_of_others / series.frame_count
        yield _finding("person_changed", "warn", "frames_left_out", share, "ratio")


def _cut_off(seen: LandmarkSeries, exercise: Exercise, side: Side | None) -> Iterator[Finding]:
    outside = ((seen.image < 0) | (seen.image > 1)).any(axis=2).mean(axis=0)
    needed, helpful = _needed_parts(exercise)

    def shares(part: str) -> tuple[float, float]:
        """Of the better and of the worse side that matter."""
        by_side = [max(outside[_mark(joint, one)] for joint in _PARTS[part]) for one in SIDES]
        if part not in ("head", "hips", "shoulders") and side in SIDES:
            by_side = [by_side[SIDES.index(side)]]
        return float(min(by_side)), float(max(by_side))

    for chain in _CHAINS:
        for part in chain:
            if part not in needed | helpful:
                continue
            better, worse = shares(part)
            share = better if exercise.laterality == "unilateral" else worse
            if share >= _SOMETIMES_SHARE:
                lost = part in needed and better >= _MOSTLY_SHARE
                yield _finding(
                    f"cut_off_{part}",
                    "stop" if lost else "warn",
                    "frames_outside_the_picture",
                    share,
                    "ratio",
                )
                break


def _needed_parts(exercise: Exercise) -> tuple[set[str], set[str]]:
    """Without which there is no angle, and those that some fault or requirement reads."""
    if exercise.primary_angle is None:
        return set(), set()
    primary = ANGLES[exercise.primary_angle.name]
    measures = {each.measure for each in exercise.faults}
    measures |= {each.measure for each in exercise.requirements}
    joints = {joint for name in measures & ANGLES.keys() for joint in ANGLES[name].joints}
    return _parts_of(primary.to_vertical or primary.joints), _parts_of({*joints, *primary.joints})


def _parts_of(joints: Sequence[str] | set[str]) -> set[str]:
    return {_PART_OF[joint.removeprefix("LEFT_").removeprefix("RIGHT_")] for joint in joints}


def _mark(joint: str, side: str) -> Landmark:
    return Landmark.NOSE if joint == "NOSE" else Landmark[f"{side.upper()}_{joint}"]


def _distance(seen: LandmarkSeries) -> Iterator[Finding]:
    trunk = _middle(seen, "HIP") - _middle(seen, "SHOULDER")
    length = np.hypot(trunk[:, 0], trunk[:, 1])
    if not np.isfinite(length).any():
        return
    # The upper quartile, for a bent trunk looks short.
    stature = float(np.nanpercentile(length, 75)) / _TRUNK_OF_STATURE / seen.height
    if stature < _SMALLEST_STATURE:
        yield _finding("too_far", "warn", "stature_of_picture_height", stature, "ratio")
    if stature > _LARGEST_STATURE:
        yield _finding("too_near", "warn", "stature_of_picture_height", stature, "ratio")


def _view(seen: LandmarkSeries, exercise: Exercise, view: View) -> Iterator[Finding]:
    asked = exercise.camera_view
    if asked in (None, "any", view) or np.isnan(seen.turn_deg):
        return
    which = "turn_to_face" if asked == "frontal" else "turn_sideways"
    yield _finding(which, "warn", "turn_of_shoulders_and_hips", seen.turn_deg, "deg")


def _tilt(seen: LandmarkSeries, exercise: Exercise, view: View) -> Iterator[Finding]:
    """Roll of the camera: the body's axis, and from the front shoulders and hips too.

    A body that leans keeps its feet below it and mostly its pelvis level; the median of the three
    follows the camera.
    """
    lines = []
    standing = exercise.position == "standing"
    if standing or view == "frontal":
        down = _middle(seen, "ANKLE" if standing else "HIP") - _middle(seen, "SHOULDER")
        lines.append(-np.arctan2(down[:, 0], down[:, 1]))
    if view == "frontal":
        for joint in ("SHOULDER", "HIP"):
            level = _position(seen, f"LEFT_{joint}") - _position(seen, f"RIGHT_{joint}")
            lines.append(np.arctan(level[:, 1] / np.where(level[:, 0] == 0, np.nan, level[:, 0])))
    known = [float(np.nanmedian(line)) for line in lines if np.isfinite(line).any()]
    if known and abs(roll := float(np.degrees(np.median(known)))) >= _TILT_DEG:
        yield _finding("camera_tilted", "warn", "roll", roll, "deg")


def _wrong_side(seen: LandmarkSeries, exercise: Exercise, side: Side | None) -> Iterator[Finding]:
    angle = exercise.primary_angle
    if angle is None or side not in SIDES or not ANGLES[angle.name].bilateral:
        return
    ranges = []
    for one in (side, "right" if side == "left" else "left"):
        curve = smooth(seen.t_s, joint_angle(seen, angle.name, one))
        if not np.isfinite(curve).any():
            return
        ranges.append(float(np.nanmax(curve) - np.nanmin(curve)))
    own, other = ranges
    if other >= angle.minimum_rom_deg and own < _IDLE_SHARE * other:
        yield _finding("other_side_moves", "warn", "range_of_the_other_side", other, "deg")


def _position(series: LandmarkSeries, name: str) -> Array:
    """(N, 2) in pixels; NaN where not visible."""
    mark = Landmark[name]
    place = series.image[:, mark] * np.array([series.width, series.height], dtype=np.float64)
    return np.where(series.visibility[:, mark, None] >= VISIBLE, place, np.nan)


def _middle(series: LandmarkSeries, joint: str) -> Array:
    return (_position(series, f"LEFT_{joint}") + _position(series, f"RIGHT_{joint}")) / 2
