"""Where a joint is, from the motion of the two rigid bodies that turn about it.

The symmetrical centre of rotation estimation of Ehrig et al. (J Biomech 39:2798–2809, 2006): the
one point of each body that stay together best over the whole recording.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision.landmarks import Array


@dataclass(frozen=True)
class RigidBody:
    """`position` (N, 3) and `rotation` (N, 3, 3), which turns the body's axes to the room's."""

    position: Array
    rotation: Array


@dataclass(frozen=True)
class JointCentre:
    """`track` (N, 3), in the unit of the positions; `spread` is how far the two points part (rms).

    `reach` tells how well the turning fixes the centre: near 0 the bodies hardly turned, or about
    one axis only, along which the centre may lie anywhere.
    """

    track: Array
    spread: float
    reach: float


def centre_of_rotation(first: RigidBody, second: RigidBody) -> JointCentre:
    """The point about which the two bodies turn. Both must hold numbers only."""
    unknowns = np.concatenate([first.rotation, -second.rotation], axis=2)
    apart = second.position - first.position
    local, _, _, singular = np.linalg.lstsq(unknowns.reshape(-1, 6), apart.reshape(-1), rcond=None)
    ends = [
        np.einsum("nij,j->ni", body.rotation, point) + body.position
        for body, point in ((first, local[:3]), (second, local[3:]))
    ]
    gap = np.linalg.norm(ends[0] - ends[1], axis=1)
    return JointCentre(
        track=(ends[0] + ends[1]) / 2,
        spread=float(np.sqrt(np.mean(gap**2))),
        reach=float(singular[-1] / np.sqrt(len(apart))),
    )
