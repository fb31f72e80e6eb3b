"""Sides that take turns: five with the left arm, then five with the right, or left, right, left.

Each side is counted by its own range, so that a stiff shoulder counts beside a healthy one; which
side did a repetition is the one that moved while the other did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from vision.kinematics import BodySide
from vision.landmarks import Array
from vision.repetitions import FULL_SHARE, Cycle, Segmentation

_OTHER: dict[BodySide, BodySide] = {"left": "right", "right": "left"}


def in_turn(
    both: Mapping[BodySide, Array], found: Mapping[BodySide, Segmentation]
) -> Segmentation | None:
    """The movements of both sides in one, each with its side; None unless they take turns.

    `both` holds the angle in deg (N,) of each side and `found` what was found in it. Sides take
    turns where each did a repetition in which the other went less than half as far. A movement
    of both at once is told once, for the side that went further.
    """
    if not all(
        any(_alone(both, replace(cycle, side=side)) for cycle in found[side].complete)
        for side in _OTHER
    ):
        return None
    complete: list[Cycle] = []
    for cycle in sorted(_sided(found, "complete"), key=lambda each: -_way(both, each)):
        if not _within(cycle, complete):
            complete.append(cycle)
    partial = [cycle for cycle in _sided(found, "partial") if not _within(cycle, complete)]
    return Segmentation(
        tuple(sorted(complete, key=lambda cycle: cycle.peak)),
        tuple(sorted(partial, key=lambda cycle: cycle.peak)),
        max(each.typical_deg for each in found.values()),
    )


def in_turn_angle(
    both: Mapping[BodySide, Array], turns: Segmentation, otherwise: BodySide
) -> Array:
    """(N,) the angle of the side whose turn it is, passing on half way between repetitions."""
    angle = both[otherwise].copy()
    cycles = turns.complete
    for position, cycle in enumerate(cycles):
        before = cycles[position - 1].end if position else -cycle.start
        after = cycles[position + 1].start if position + 1 < len(cycles) else 2 * angle.size
        turn = slice((before + cycle.start) // 2, (cycle.end + after) // 2)
        angle[turn] = both[cycle.side or otherwise][turn]
    return angle


def _sided(found: Mapping[BodySide, Segmentation], kind: str) -> list[Cycle]:
    return [replace(c, side=side) for side in _OTHER for c in getattr(found[side], kind)]


def _within(cycle: Cycle, others: list[Cycle]) -> bool:
    """Whether the other side was in the midst of a movement at this one's peak."""
    return any(each.side != cycle.side and each.start < cycle.peak < each.end for each in others)


def _alone(both: Mapping[BodySide, Array], cycle: Cycle) -> bool:
    assert cycle.side is not None
    piece = both[_OTHER[cycle.side]][cycle.start : cycle.end + 1]
    piece = piece[np.isfinite(piece)]
    return bool(piece.size > 0 and np.ptp(piece) < FULL_SHARE * _way(both, cycle))


def _way(both: Mapping[BodySide, Array], cycle: Cycle) -> float:
    assert cycle.side is not None
    piece = both[cycle.side][cycle.start : cycle.end + 1]
    return float(np.nanmax(piece) - np.nanmin(piece))
