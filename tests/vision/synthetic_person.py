"""A person made of sticks, moved by joint angles and seen by a camera, as a landmark series.

Forward kinematics in metres, then a pinhole camera, then what an estimator adds: noise in the
picture, larger and slower noise with flattened depth in world coordinates, hidden far limbs.
The repetitions are known because they were put there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vision.landmarks import LANDMARK_COUNT, Array, Landmark, LandmarkSeries

TRUNK_M, UPPER_ARM_M, FOREARM_M, THIGH_M, SHANK_M, FOOT_M = 0.50, 0.29, 0.26, 0.42, 0.42, 0.20
SHOULDER_HALF_M, HIP_HALF_M = 0.18, 0.10


@dataclass(frozen=True)
class Rep:
    """One movement to `share` of the full excursion; times in s of its phases."""

    share: float = 1.0
    up_s: float = 1.2
    hold_s: float = 0.3
    down_s: float = 1.2
    rest_s: float = 0.6


@dataclass(frozen=True)
class Scene:
    """Who is seen and how. `heading_deg` 0 faces the camera, 90 shows the right side.

    `noise` is a share of the person's height in the picture, `world_noise_m` in metres.
    """

    exercise: str = "squat"
    side: str = "bilateral"
    reps: Sequence[Rep] = field(default_factory=lambda: [Rep()] * 5)
    excursion_deg: float | None = None
    fps: float = 30.0
    jitter: float = 0.0
    heading_deg: float = 0.0
    distance_m: float = 3.2
    noise: float = 0.004
    world_noise_m: float = 0.012
    tremor_deg: float = 0.0
    tremor_hz: float = 5.0
    depth_scale: float = 0.8
    lead_in_s: float = 1.0
    trim_s: tuple[float, float] = (0.0, 0.0)
    walk_in: bool = False
    walk_out: bool = False
    missing: float = 0.0
    missing_block_s: tuple[float, float] | None = None
    hide_far: bool = True
    mirrored: bool = False
    seed: int = 0


# rest and full value in deg of each exercise's angle
RANGES = {
    "squat": (5.0, 85.0),
    "sit_to_stand": (90.0, 5.0),
    "knee_extension_seated": (88.0, 8.0),
    "hip_abduction_standing": (2.0, 32.0),
    "shoulder_abduction": (12.0, 150.0),
    "shoulder_flexion": (8.0, 150.0),
    "elbow_flexion": (8.0, 135.0),
}


def record(scene: Scene) -> LandmarkSeries:
    """The landmark series of `scene`."""
    rng = np.random.default_rng(scene.seed)
    drive, active_s = _drive(scene, rng)
    t_s = np.arange(0.0, active_s, 1.0 / scene.fps)
    if scene.jitter:
        t_s = t_s + rng.uniform(-scene.jitter, scene.jitter, t_s.size) / scene.fps
    amount = np.interp(t_s, np.arange(drive.size) * _STEP_S, drive)
    rest, full = RANGES[scene.exercise]
    if scene.excursion_deg is not None:
        full = rest + np.sign(full - rest) * scene.excursion_deg
    angle = rest + (full - rest) * amount
    if scene.tremor_deg:
        angle = angle + scene.tremor_deg * np.sin(
            2 * np.pi * scene.tremor_hz * t_s + rng.uniform(0, 6)
        )
    joints = _pose(scene, angle, amount)
    if scene.walk_in or scene.walk_out:
        t_s, joints = _with_walking(scene, t_s, joints)
    series = _seen(scene, t_s, joints, rng)
    first, last = scene.trim_s
    keep = (t_s >= first) & (t_s <= t_s[-1] - last)
    return LandmarkSeries(
        t_s=series.t_s[keep] - series.t_s[keep][0],
        image=series.image[keep],
        world=series.world[keep],
        visibility=series.visibility[keep],
        width=series.width,
        height=series.height,
    )


def varied(count: int, seed: int, *, spread: float = 0.15, tempo_s: float = 1.2) -> list[Rep]:
    """`count` repetitions as people do them: no two alike."""
    rng = np.random.default_rng(seed)
    return [
        Rep(
            share=float(1 - rng.uniform(0, spread)),
            up_s=float(tempo_s * rng.uniform(0.8, 1.25)),
            hold_s=float(rng.uniform(0.0, 0.5)),
            down_s=float(tempo_s * rng.uniform(0.8, 1.4)),
            rest_s=float(rng.uniform(0.1, 1.0)),
        )
        for _ in range(count)
    ]


_STEP_S = 0.005


def _drive(scene: Scene, rng: np.random.Generator) -> tuple[Array, float]:
    """Share of the excursion over time, in minimum-jerk strokes, and its length in s."""
    pieces = [np.zeros(int(scene.lead_in_s / _STEP_S))]
    for rep in scene.reps:
        up, down = (_stroke(duration) for duration in (rep.up_s, rep.down_s))
        hold, rest = (np.ones(int(s / _STEP_S)) for s in (rep.hold_s, rep.rest_s))
        pieces += [rep.share * up, rep.share * hold, rep.share * (1 - down), 0 * rest]
    pieces.append(np.zeros(int(scene.lead_in_s / _STEP_S)))
    drive = np.concatenate(pieces)
    return drive, drive.size * _STEP_S


def _stroke(duration_s: float) -> Array:
    u = np.linspace(0, 1, max(2, int(duration_s / _STEP_S)))
    return 10 * u**3 - 15 * u**4 + 6 * u**5


@dataclass(frozen=True)
class _Angles:
    """(N,) deg each; `_l` and `_r` by side. Thigh flexion is from the vertical."""

    trunk: Array
    thigh: tuple[Array, Array]
    abduction: tuple[Array, Array]
    knee: tuple[Array, Array]
    elevation: tuple[Array, Array]
    plane: tuple[Array, Array]
    elbow: tuple[Array, Array]


def _pose(scene: Scene, angle: Array, amount: Array) -> dict[str, Array]:
    """Joint positions (N, 3) in the body frame: x to the person's left, y up, z forward."""
    zero = np.zeros_like(angle)
    both = (zero, zero)
    relaxed = _Angles(
        zero, both, both, (zero + 4, zero + 4), (zero + 9, zero + 9), both, (zero + 12, zero + 12)
    )
    left, right = scene.side in ("left", "bilateral"), scene.side in ("right", "bilateral")

    def sides(active: Array, passive: float) -> tuple[Array, Array]:
        return (active if left else zero + passive, active if right else zero + passive)

    match scene.exercise:
        case "squat":
            angles = replace(
                relaxed,
                trunk=0.4 * angle,
                thigh=(0.55 * angle,) * 2,
                knee=(angle,) * 2,
                elevation=(9 + 60 * amount,) * 2,
                plane=(zero + 85,) * 2,
            )
            anchor = "ankles"
        case "sit_to_stand":
            lean = 3 + 30 * np.sin(np.pi * np.clip(amount, 0, 1))
            angles = replace(
                relaxed,
                trunk=lean,
                thigh=(0.95 * angle,) * 2,
                knee=(angle,) * 2,
                elevation=(zero + 30,) * 2,
                plane=(zero + 80,) * 2,
                elbow=(zero + 60,) * 2,
            )
            anchor = "ankles"
        case "knee_extension_seated":
            angles = replace(
                relaxed,
                trunk=zero - 5,
                thigh=(zero + 82,) * 2,
                knee=sides(angle, 88),
                elevation=(zero + 20,) * 2,
                plane=(zero + 70,) * 2,
                elbow=(zero + 70,) * 2,
            )
            anchor = "hips"
        case "hip_abduction_standing":
            angles = replace(relaxed, abduction=sides(angle, 2))
            anchor = "hips"
        case "shoulder_abduction":
            angles = replace(relaxed, elevation=sides(angle, 9), plane=(zero + 8,) * 2)
            anchor = "hips"
        case "shoulder_flexion":
            angles = replace(relaxed, elevation=sides(angle, 9), plane=(zero + 85,) * 2)
            anchor = "hips"
        case _:
            angles = replace(relaxed, elbow=sides(angle, 12))
            anchor = "hips"
    return _joints(angles, anchor)


def _joints(a: _Angles, anchor: str) -> dict[str, Array]:
    zero = np.zeros_like(a.trunk)

    def vector(x: Array, y: Array, z: Array) -> Array:
        return np.stack([x, y, z], axis=1)

    trunk = np.radians(a.trunk)
    up, forward = (
        vector(zero, np.cos(trunk), np.sin(trunk)),
        vector(zero, -np.sin(trunk), np.cos(trunk)),
    )
    out: dict[str, Array] = {}
    chest = TRUNK_M * up
    out["NOSE"] = chest + 0.22 * up + 0.10 * forward
    for index, (side, sign) in enumerate((("LEFT", 1.0), ("RIGHT", -1.0))):
        lateral = vector(zero + sign, zero, zero)
        out[f"{side}_EAR"] = chest + 0.22 * up + 0.07 * lateral
        shoulder = chest + SHOULDER_HALF_M * lateral
        elevation, plane = np.radians(a.elevation[index]), np.radians(a.plane[index])
        outward = np.cos(plane)[:, None] * lateral + np.sin(plane)[:, None] * forward
        arm = -np.cos(elevation)[:, None] * up + np.sin(elevation)[:, None] * outward
        # the forearm turns towards the front of the raised arm
        front = forward - (forward * arm).sum(1, keepdims=True) * arm
        norm = np.linalg.norm(front, axis=1, keepdims=True)
        front = np.where(norm > 0.2, front / np.maximum(norm, 1e-9), up)
        elbow = np.radians(a.elbow[index])
        forearm = np.cos(elbow)[:, None] * arm + np.sin(elbow)[:, None] * front
        out[f"{side}_SHOULDER"] = shoulder
        out[f"{side}_ELBOW"] = shoulder + UPPER_ARM_M * arm
        out[f"{side}_WRIST"] = out[f"{side}_ELBOW"] + FOREARM_M * forearm
        hip = HIP_HALF_M * lateral
        thigh, abduction = np.radians(a.thigh[index]), np.radians(a.abduction[index])
        shank = thigh - np.radians(a.knee[index])
        out[f"{side}_HIP"] = hip
        for name, base, length, flexion in (
            ("KNEE", hip, THIGH_M, thigh),
            ("ANKLE", None, SHANK_M, shank),
        ):
            direction = vector(
                sign * np.sin(abduction), -np.cos(abduction) * np.cos(flexion), np.sin(flexion)
            )
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            start = out[f"{side}_KNEE"] if base is None else base
            out[f"{side}_{name}"] = start + length * direction
        ankle = out[f"{side}_ANKLE"]
        out[f"{side}_HEEL"] = ankle + vector(zero, zero - 0.06, zero - 0.05)
        out[f"{side}_FOOT_INDEX"] = ankle + vector(zero, zero - 0.07, zero + FOOT_M - 0.05)
    if anchor == "ankles":
        middle = (out["LEFT_ANKLE"] + out["RIGHT_ANKLE"]) / 2
        out = {name: points - middle + [0.0, -0.85, 0.0] for name, points in out.items()}
    return out


def _with_walking(
    scene: Scene, t_s: Array, joints: dict[str, Array]
) -> tuple[Array, dict[str, Array]]:
    """Three seconds of gait across the picture before and/or after."""
    seconds, speed = 3.0, 1.0
    t = np.arange(0.0, seconds, 1.0 / scene.fps)
    phase = 2 * np.pi * t / 1.1
    zero = np.zeros_like(t)

    def swing(p: Array) -> Array:
        return 8 + 50 * np.clip(np.sin(p), 0, 1) ** 2

    arm = 20 * np.sin(phase)
    gait = _joints(
        _Angles(
            zero + 3,
            (25 * np.sin(phase + 0.6), -25 * np.sin(phase + 0.6)),
            (zero, zero),
            (swing(phase), swing(phase + np.pi)),
            (9 + np.abs(arm), 9 + np.abs(arm)),
            (zero + 80, zero + 80),
            (zero + 25, zero + 25),
        ),
        "hips",
    )
    pieces, times, offset = [], [], 0.0
    if scene.walk_in:
        pieces.append({n: p + np.outer((t - seconds) * speed, [0, 0, 1]) for n, p in gait.items()})
        times.append(t)
        offset = seconds
    pieces.append(joints)
    times.append(t_s + offset)
    if scene.walk_out:
        start = times[-1][-1] + 1.0 / scene.fps
        pieces.append({n: p + np.outer(t * speed, [0, 0, 1]) for n, p in gait.items()})
        times.append(t + start)
    return np.concatenate(times), {n: np.concatenate([p[n] for p in pieces]) for n in joints}


def _seen(
    scene: Scene, t_s: Array, joints: dict[str, Array], rng: np.random.Generator
) -> LandmarkSeries:
    width, height, focal = 1280, 720, 720 * 1.0
    heading = np.radians(scene.heading_deg)
    # body x left, y up, z forward -> camera x right, y down, z away; heading 0 faces the camera
    across = np.array([np.cos(heading), 0, np.sin(heading)])
    toward = np.array([np.sin(heading), 0, -np.cos(heading)])
    turn = np.stack([across, [0, -1, 0], toward])
    count = t_s.size
    world = np.zeros((count, LANDMARK_COUNT, 3))
    named = [Landmark[name] for name in joints]
    for name, points in joints.items():
        world[:, Landmark[name]] = points @ turn
    for index in set(range(LANDMARK_COUNT)) - set(named):
        world[:, index] = world[:, Landmark.NOSE]
    camera = world + np.array([0.0, 0.05, scene.distance_m])
    image = focal * camera[..., :2] / camera[..., 2:] / [width, height] + 0.5
    tall = 1.7 * focal / scene.distance_m
    image = image + _noise(rng, (count, LANDMARK_COUNT, 2), scene.noise * tall) / [width, height]
    middle = (world[:, Landmark.LEFT_HIP] + world[:, Landmark.RIGHT_HIP])[:, None] / 2
    world = (world - middle) * [1.0, 1.0, scene.depth_scale]
    world = world + _noise(rng, world.shape, scene.world_noise_m) * [1.0, 1.0, 1.6]
    visibility = np.full((count, LANDMARK_COUNT), 0.95)
    outside = ((image < -0.02) | (image > 1.02)).any(axis=2)
    visibility[outside] = 0.2
    if scene.hide_far and abs(np.sin(heading)) > 0.8:
        far = "LEFT" if np.sin(heading) > 0 else "RIGHT"
        for mark in named:
            if mark.name.startswith(far) and not mark.name.endswith(("SHOULDER", "HIP")):
                visibility[:, mark] = np.clip(0.55 + _noise(rng, (count,), 0.15), 0, 1)
        hidden = [mark for mark in named if mark.name.startswith(far)]
        image[:, hidden] += _noise(rng, (count, len(hidden), 2), 3 * scene.noise * tall) / [
            width,
            height,
        ]
    gone = rng.uniform(size=count) < scene.missing
    if scene.missing_block_s:
        gone |= (t_s >= scene.missing_block_s[0]) & (t_s < scene.missing_block_s[1])
    image[gone], world[gone], visibility[gone] = np.nan, np.nan, 0.0
    series = LandmarkSeries(t_s, image, world, visibility, width, height)
    return mirror(series) if scene.mirrored else series


def mirror(series: LandmarkSeries) -> LandmarkSeries:
    """The same movement in a mirror: left is right and right is left."""
    swap = np.arange(LANDMARK_COUNT)
    for mark in Landmark:
        if mark.name.startswith("LEFT_"):
            other = Landmark[mark.name.replace("LEFT_", "RIGHT_")]
            swap[mark], swap[other] = other, mark
    return replace(
        series,
        image=series.image[:, swap] * [-1.0, 1.0] + [1.0, 0.0],
        world=series.world[:, swap] * [-1.0, 1.0, 1.0],
        visibility=series.visibility[:, swap],
    )


def _noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Array:
    """Half fast, half slow (an estimator's error wanders), along the first axis."""
    fast = rng.normal(0, sigma * 0.7, shape)
    slow = rng.normal(0, 1.0, shape)
    for index in range(1, shape[0]):
        slow[index] = 0.93 * slow[index - 1] + 0.37 * slow[index]
    return fast + sigma * 0.7 * slow
