"""The demonstration of an exercise as plain numbers that a page can draw.

The picture's unit is a hundredth of stature, x to the right and y down, as in SVG.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm.exercises.definition import CloseUp, DrawnView, Exercise, Prop
from rtm.exercises.figure import (
    BONES,
    FOOT,
    HEAD,
    Joints,
    clearance,
    figure_at,
    project,
)

FRAMES = 32
_UNIT = 100.0
_MARGIN = 6.0

# How furniture looks, in shares of stature; house choices.
_SEAT_DEPTH, _SEAT_BACK = 0.26, 0.30
_TABLE_DEPTH, _HALF_HAND = 0.30, 0.015
_WALL_GAP, _WALL_HEIGHT = 0.03, 1.15

_CLOSE_UPS: dict[CloseUp, tuple[str, ...]] = {
    "head": ("neck", "nose", "head", "skull_base", "left_shoulder", "right_shoulder"),
    "upper_body": (
        *("pelvis", "neck", "nose", "head"),
        *(f"{side}_{name}" for side in ("left", "right") for name in ("elbow", "hand")),
    ),
    "right_arm": ("right_shoulder", "right_elbow", "right_wrist", "right_hand", "right_thumb"),
    "right_leg": ("right_knee", "right_ankle", "right_heel", "right_toe"),
}

Line = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Bone:
    """A line between two joints; `layer` is `far`, `middle` or `near` to the eye."""

    start: int
    end: int
    layer: str


@dataclass(frozen=True)
class Still:
    """The pose of a keyframe; `step` is the step of the instructions that it shows, from 1."""

    frame: tuple[float, ...]
    step: int


@dataclass(frozen=True)
class Drawing:
    """One repetition in pictures.

    Each of `frames` is x and y of every joint in turn; they are evenly spaced over
    `duration_s`, and the first follows the last. `head` is the index of the joint in the
    middle of the head, a circle of `head_radius`. `box` is x, y, width and height of all.
    `props` are lines of furniture and floor.
    """

    duration_s: float
    box: tuple[float, float, float, float]
    bones: tuple[Bone, ...]
    head: int
    head_radius: float
    props: tuple[Line, ...]
    frames: tuple[tuple[float, ...], ...]
    stills: tuple[Still, ...]


def draw(exercise: Exercise, *, mirrored: bool = False) -> Drawing:
    """The drawing of `exercise`, whose one-sided movements are of the right side.

    `mirrored` shows them on the left side.
    """
    demonstration = exercise.demonstration
    names = tuple(dict.fromkeys(joint for bone in BONES for joint in bone))
    rest = _picture(exercise, 0.0)
    moments = [frame.t for frame in demonstration.keyframes]
    pictures = [_picture(exercise, n / FRAMES) for n in range(FRAMES)]
    stills = [_picture(exercise, t) for t in moments]
    box = _box(pictures + stills, demonstration.close_up)
    props = [line for prop in demonstration.props for line in _prop(prop, rest, demonstration.view)]
    if demonstration.view != "transverse":
        x, _, width, _ = box
        props.append(np.array([[x / _UNIT, 0.0], [(x + width) / _UNIT, 0.0]]))
    sign = -1.0 if mirrored else 1.0
    x, y, width, height = box

    def frame(picture: Joints) -> tuple[float, ...]:
        return tuple(value for name in names for value in _pixel(picture[name], sign))

    return Drawing(
        duration_s=demonstration.duration_s,
        box=(-x - width if mirrored else x, y, width, height),
        bones=tuple(_bone(a, b, names, demonstration.view == "sagittal") for a, b in BONES),
        head=names.index("head"),
        head_radius=HEAD / 2 * _UNIT,
        props=tuple(tuple(_pixel(point, sign) for point in line) for line in props),
        frames=tuple(frame(picture) for picture in pictures),
        stills=tuple(
            Still(frame(picture), keyframe.step)
            for picture, keyframe in zip(stills, demonstration.keyframes, strict=True)
        ),
    )


def _picture(exercise: Exercise, t: float) -> Joints:
    demonstration = exercise.demonstration
    return project(figure_at(demonstration, exercise.position, t), demonstration.view)


def _pixel(point: NDArray[np.float64], sign: float) -> tuple[float, float]:
    return round(sign * float(point[0]) * _UNIT, 1), round(-float(point[1]) * _UNIT, 1)


def _bone(start: str, end: str, names: tuple[str, ...], from_the_side: bool) -> Bone:
    layer = "middle"
    if start.partition("_")[0] == end.partition("_")[0] and "_" in start:
        layer = "far" if from_the_side and start.startswith("left_") else "near"
    return Bone(names.index(start), names.index(end), layer)


def _box(pictures: list[Joints], close_up: CloseUp | None) -> tuple[float, float, float, float]:
    wanted = _CLOSE_UPS[close_up] if close_up else None
    points = np.array(
        [
            point
            for picture in pictures
            for name, point in picture.items()
            if wanted is None or name in wanted
        ]
    )
    head = HEAD / 2 * _UNIT if wanted is None or "head" in wanted else 0.0
    (left, low), (right, high) = points.min(axis=0) * _UNIT, points.max(axis=0) * _UNIT
    edge = _MARGIN + head
    return (
        round(float(left) - edge, 1),
        round(-float(high) - edge, 1),
        round(float(right - left) + 2 * edge, 1),
        round(float(high - low) + edge + _MARGIN, 1),
    )


def _prop(prop: Prop, rest: Joints, view: DrawnView) -> list[NDArray[np.float64]]:
    """The lines of one prop, (points, 2) each, set by where its joint is at rest."""
    x, y = (float(value) for value in rest[prop.at])
    away = 1.0 if x > float(rest["pelvis"][0]) else -1.0
    if view == "transverse":
        if prop.kind == "wall":
            side = x + away * _WALL_GAP
            return [_line((side, -0.3), (side, 0.5))]
        return [_rectangle(x - _SEAT_DEPTH / 2, y - 0.1, _SEAT_DEPTH, _SEAT_DEPTH)]
    y -= clearance(prop.at)
    match prop.kind:
        case "chair" if view == "frontal":
            half = _SEAT_DEPTH / 2
            legs = _line((x - half, 0.0), (x - half, y), (x + half, y), (x + half, 0.0))
            return [legs, _rectangle(x - half, y, 2 * half, _SEAT_BACK)]
        case "chair":
            back, front = x - _SEAT_DEPTH / 2, x + _SEAT_DEPTH / 2
            return [
                _line((back, 0.0), (back, y + _SEAT_BACK)),
                _line((back, y), (front, y), (front, 0.0)),
            ]
        case "wall":
            side = x + away * max(_WALL_GAP, clearance(prop.at))
            return [_line((side, 0.0), (side, _WALL_HEIGHT))]
        case "step":
            start, end = x - FOOT, x + FOOT / 2
            return [_line((start, 0.0), (start, y), (end, y), (end, 0.0))]
        case "table_edge":  # ends at the joint
            return [_line((x - _TABLE_DEPTH, y - _HALF_HAND), (x, y - _HALF_HAND))]
        case "table":
            near, far, leg = (x + away * share * _TABLE_DEPTH for share in (-0.25, 1.0, 0.7))
            top = y - _HALF_HAND
            return [_line((near, top), (far, top)), _line((leg, top), (leg, 0.0))]


def _line(*points: tuple[float, float]) -> NDArray[np.float64]:
    return np.array(points)


def _rectangle(x: float, y: float, width: float, height: float) -> NDArray[np.float64]:
    right, top = x + width, y + height
    return _line((x, y), (right, y), (right, top), (x, top), (x, y))


def start_and_end(drawing: Drawing) -> tuple[Still, Still]:
    """For paper: the first pose, and the one whose joints are furthest from it."""
    start = drawing.stills[0]
    return start, max(
        drawing.stills[1:],
        key=lambda still: float(np.abs(np.subtract(still.frame, start.frame)).sum()),
    )
