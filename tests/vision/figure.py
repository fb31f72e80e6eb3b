"""A jointed figure in front of a camera: landmark series with known angles.

Built by forward kinematics, independent of the code that measures: the tests say which joint
angle the figure has, and ask what is measured.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vision.landmarks import LANDMARK_COUNT, Landmark, LandmarkSeries

_LEFT = {"SHOULDER": 0.18, "HIP": 0.10}


def cycles(
    peaks: Sequence[float],
    *,
    rest: float,
    seconds: float = 2.5,
    pause_s: float = 0.3,
    lead_s: float = 1.0,
    fps: float = 30.0,
) -> np.ndarray:
    """An angle that goes from `rest` to each of `peaks` and back, with pauses at rest."""
    pieces = [np.full(int(lead_s * fps), rest)]
    for peak in peaks:
        phase = np.linspace(0, 2 * np.pi, max(4, int(seconds * fps)))
        pieces += [
            rest + (peak - rest) * (1 - np.cos(phase)) / 2,
            np.full(int(pause_s * fps), rest),
        ]
    pieces.append(np.full(int(lead_s * fps), rest))
    return np.concatenate(pieces)


def figure(
    angles: dict[str, np.ndarray],
    *,
    turn_deg: float = 0.0,
    fps: float = 30.0,
    noise_m: float = 0.0,
    seed: int = 0,
    sides: Sequence[str] = ("LEFT", "RIGHT"),
    times: np.ndarray | None = None,
) -> LandmarkSeries:
    """A figure whose `angles` (deg, (N,)) move on `sides`; the rest of it stands still.

    Known angles: shoulder_abduction, shoulder_flexion, elbow_flexion, hip_abduction, hip_flexion,
    knee_flexion, trunk_flexion. `turn_deg` 0 faces the camera, 90 shows the left side.
    """
    count = len(next(iter(angles.values())))
    rng = np.random.default_rng(seed)

    def angle(name: str, side: str) -> np.ndarray:
        moving = side in sides or name.startswith("trunk")
        return np.radians(angles.get(name, np.zeros(count)) if moving else np.zeros(count))

    # Body axes: x to the person's left, y down, z to the person's back.
    points = np.zeros((count, LANDMARK_COUNT, 3))
    lean = angle("trunk_flexion", "LEFT")
    up = np.stack([np.zeros(count), -np.cos(lean), -np.sin(lean)], axis=1)
    front = np.stack([np.zeros(count), np.sin(lean), -np.cos(lean)], axis=1)
    points[:, Landmark.NOSE] = 0.72 * up + 0.1 * front
    for side, sign in (("LEFT", 1.0), ("RIGHT", -1.0)):
        out = np.array([sign, 0.0, 0.0])

        def at(joint: str, side: str = side) -> int:
            return int(Landmark[f"{side}_{joint}"])

        points[:, at("EAR")] = 0.74 * up + 0.07 * out
        points[:, at("SHOULDER")] = 0.50 * up + _LEFT["SHOULDER"] * out
        points[:, at("HIP")] = _LEFT["HIP"] * out
        abduction, flexion = angle("shoulder_abduction", side), angle("shoulder_flexion", side)
        arm = (
            -np.cos(abduction)[:, None] * np.cos(flexion)[:, None] * up
            + np.sin(abduction)[:, None] * out
            + np.sin(flexion)[:, None] * front
        )
        arm /= np.linalg.norm(arm, axis=1, keepdims=True)
        bend = angle("elbow_flexion", side)
        across = np.cross(np.broadcast_to([1.0, 0, 0], arm.shape), arm)
        across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
        forearm = np.cos(bend)[:, None] * arm - np.sin(bend)[:, None] * across
        points[:, at("ELBOW")] = points[:, at("SHOULDER")] + 0.29 * arm
        points[:, at("WRIST")] = points[:, at("ELBOW")] + 0.26 * forearm
        hip, aside, knee = (
            angle(n, side) for n in ("hip_flexion", "hip_abduction", "knee_flexion")
        )
        thigh = _leg(hip, aside, sign)
        shank = _leg(hip - knee, aside, sign)
        points[:, at("KNEE")] = points[:, at("HIP")] + 0.42 * thigh
        points[:, at("ANKLE")] = points[:, at("KNEE")] + 0.42 * shank
        points[:, at("HEEL")] = points[:, at("ANKLE")] + [0, 0.04, 0.04]
        points[:, at("FOOT_INDEX")] = points[:, at("ANKLE")] + [0, 0.06, -0.16]
    turn = np.radians(turn_deg)
    rotation = np.array(
        [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    )
    world = points @ rotation.T + rng.normal(0, noise_m, points.shape)
    image = np.stack([0.5 + world[..., 0] / 2.4, 0.45 + world[..., 1] / 2.4], axis=2)
    return LandmarkSeries(
        t_s=np.arange(count) / fps if times is None else times,
        image=image,
        world=world,
        visibility=np.full((count, LANDMARK_COUNT), 0.95),
        width=960,
        height=960,
    )


def _leg(flexion: np.ndarray, abduction: np.ndarray, sign: float) -> np.ndarray:
    return np.stack(
        [
            sign * np.sin(abduction),
            np.cos(abduction) * np.cos(flexion),
            -np.cos(abduction) * np.sin(flexion),
        ],
        axis=1,
    )


def squat(depth: np.ndarray) -> dict[str, np.ndarray]:
    """Knee flexion of `depth` with the hips and trunk that go with it."""
    return {"knee_flexion": depth, "hip_flexion": depth * 0.55, "trunk_flexion": depth * 0.3}
