"""Which smoothing, and picture or world coordinates: measured against references.

    python -m bench.angle_accuracy

The references are KERAAL's motion capture of the performance that the cameras saw, and signals
and a person made here, whose angles are known. Nothing in `vision` was fitted to either; the
tables are for docs/decisions/0005-smoothing.md and 0006-picture-or-world.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import signal

from bench.keraal_performances import DATA, comparisons
from tests.vision.synthetic_person import Scene, record, varied
from vision.kinematics import joint_angle
from vision.landmarks import Array
from vision.smoothing import smooth

Filter = Callable[[Array, Array], Array]
SEEDS = range(8)
FPS = (15.0, 30.0, 60.0)


def _evenly(t_s: Array, values: Array, filtered: Callable[[Array, float], Array]) -> Array:
    """`filtered(values, fps)` on even times at the median rate, and back; gaps stay NaN."""
    seen = np.isfinite(values)
    period = float(np.median(np.diff(t_s)))
    even = np.arange(t_s[0], t_s[-1] + period / 2, period)
    smoothed = filtered(np.interp(even, t_s[seen], values[seen]), 1 / period)
    return np.where(seen, np.interp(t_s, even, smoothed), np.nan)


def _butterworth(cutoff_hz: float, median_first: bool) -> Filter:
    def filtered(values: Array, fps: float) -> Array:
        values = signal.medfilt(np.pad(values, 1, "edge"), 3)[1:-1] if median_first else values
        # Two passes: each of second order, and cut off higher so that both cut off here.
        corrected = cutoff_hz / (np.sqrt(2) - 1) ** 0.25
        b, a = signal.butter(2, min(corrected, 0.49 * fps), fs=fps)
        return np.asarray(signal.filtfilt(b, a, values), dtype=np.float64)

    return lambda t_s, values: _evenly(t_s, values, filtered)


def _savitzky_golay(window_s: float) -> Filter:
    def filtered(values: Array, fps: float) -> Array:
        window = max(5, round(window_s * fps) | 1)
        return np.asarray(signal.savgol_filter(values, window, 3), dtype=np.float64)

    return lambda t_s, values: _evenly(t_s, values, filtered)


def _median(window_s: float) -> Filter:
    def filtered(values: Array, fps: float) -> Array:
        half = max(1, round(window_s * fps) // 2)
        padded = np.pad(values, half, "edge")
        return np.asarray(signal.medfilt(padded, 2 * half + 1)[half:-half], dtype=np.float64)

    return lambda t_s, values: _evenly(t_s, values, filtered)


def _one_euro(minimum_hz: float, beta: float) -> Filter:
    """Forwards and backwards, their mean (Casiez, Roussel and Vogel, CHI 2012)."""

    def alpha(cutoff_hz: float, fps: float) -> float:
        return 1 / (1 + fps / (2 * np.pi * cutoff_hz))

    def one_way(values: Array, fps: float) -> Array:
        out = values.copy()
        speed = 0.0
        for index in range(1, len(values)):
            speed += alpha(1.0, fps) * ((values[index] - out[index - 1]) * fps - speed)
            weight = alpha(minimum_hz + beta * abs(speed), fps)
            out[index] = out[index - 1] + weight * (values[index] - out[index - 1])
        return out

    def filtered(values: Array, fps: float) -> Array:
        return (one_way(values, fps) + one_way(values[::-1], fps)[::-1]) / 2

    return lambda t_s, values: _evenly(t_s, values, filtered)


FILTERS: dict[str, Filter] = {
    "none": lambda t_s, values: values,
    "median of 3, Gaussian 60 ms": smooth,
    **{f"Butterworth {hz} Hz": _butterworth(hz, False) for hz in (3, 4, 6)},
    **{f"median of 3, Butterworth {hz} Hz": _butterworth(hz, True) for hz in (3, 4, 6)},
    **{f"Savitzky–Golay 3rd, {ms} ms": _savitzky_golay(ms / 1000) for ms in (250, 400)},
    "moving median 170 ms": _median(0.17),
    "One-Euro both ways 1 Hz, 0.02": _one_euro(1.0, 0.02),
}


@dataclass(frozen=True)
class Curve:
    """A known angle and what an estimator would make of it, in deg, with its frame rate."""

    t_s: Array
    truth_deg: Array
    seen_deg: Array


def made_curves(fps: float) -> list[Curve]:
    """Minimum-jerk repetitions of 0.8–3 s, AR(1) noise of 3 deg, outliers, and frames missing.

    The noise keeps its memory of a tenth of a second at every frame rate; one frame in fifty is
    wrong by 20–60 deg, one in twenty is missing, and times jitter by a tenth of a frame.
    """
    curves = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        t_s = np.arange(0, 20, 1 / fps)
        t_s = t_s + rng.uniform(-0.1, 0.1, t_s.size) / fps
        truth = _repetitions(t_s, rng)
        memory = np.exp(-1 / (0.1 * fps))
        noise = signal.lfilter([np.sqrt(1 - memory**2)], [1, -memory], rng.normal(0, 3, t_s.size))
        seen = truth + noise
        wrong = rng.uniform(size=t_s.size) < 0.02
        seen[wrong] += rng.choice([-1, 1], wrong.sum()) * rng.uniform(20, 60, wrong.sum())
        seen[rng.uniform(size=t_s.size) < 0.05] = np.nan
        curves.append(Curve(t_s, truth, seen))
    return curves


def _repetitions(t_s: Array, rng: np.random.Generator) -> Array:
    knots, values = [0.0], [10.0]
    while knots[-1] < t_s[-1]:
        peak = rng.uniform(60, 140)
        for value, seconds in ((peak, rng.uniform(0.4, 1.5)), (10.0, rng.uniform(0.4, 1.5))):
            knots.append(knots[-1] + seconds)
            values.append(value)
    place = np.clip(np.searchsorted(knots, t_s, side="right") - 1, 0, len(knots) - 2)
    start, end = np.take(knots, place), np.take(knots, place + 1)
    u = np.clip((t_s - start) / (end - start), 0, 1)
    first, last = np.take(values, place), np.take(values, place + 1)
    rise: Array = first + (last - first) * (10 * u**3 - 15 * u**4 + 6 * u**5)
    return rise


def rmse(errors: Array) -> float:
    """NaN where nothing was measured."""
    known = errors[np.isfinite(errors)]
    return float(np.sqrt(np.mean(known**2))) if known.size else float("nan")


def smoothing_table() -> None:
    print("Smoothing: RMSE in deg (± standard error over curves), and ms for a curve of 60 s")
    made = {fps: made_curves(fps) for fps in FPS}
    real = [pair for pair in comparisons(DATA) if pair.follows and pair.modality != "BP 3-D"]
    heads = [f"made {fps:.0f} fps" for fps in FPS] + ["peaks 30 fps", "KERAAL", "less offset"]
    print(f"{'filter':34}" + "".join(f"{head:>15}" for head in heads) + f"{'ms':>8}")
    minute = made_curves(30.0)
    t_s = np.concatenate([curve.t_s + 20.1 * n for n, curve in enumerate(minute[:3])])
    long = np.concatenate([curve.seen_deg for curve in minute[:3]])
    for name, smoother in FILTERS.items():
        cells = []
        for fps in FPS:
            cells.append(
                _spread([rmse(smoother(c.t_s, c.seen_deg) - c.truth_deg) for c in made[fps]])
            )
        cells.append(_spread([_peak_error(smoother, curve) for curve in made[30.0]]))
        errors = [pair.errors(smoother) for pair in real]
        cells.append(_spread([rmse(error) for error in errors]))
        cells.append(_spread([rmse(error - np.nanmean(error)) for error in errors]))
        began = time.process_time()
        for _ in range(10):
            smoother(t_s, long)
        took_ms = (time.process_time() - began) * 100
        print(f"{name:34}" + "".join(f"{cell:>15}" for cell in cells) + f"{took_ms:8.2f}")


def _peak_error(smoother: Filter, curve: Curve) -> float:
    """How far, rms, each repetition's highest value is off: what a range of motion is read from."""
    peaks, _ = signal.find_peaks(curve.truth_deg, prominence=30)
    smoothed = smoother(curve.t_s, curve.seen_deg)
    off = []
    for peak in peaks:
        near = np.abs(curve.t_s - curve.t_s[peak]) < 0.2
        if np.isfinite(smoothed[near]).any():
            off.append(float(np.nanmax(smoothed[near])) - curve.truth_deg[peak])
    return rmse(np.array(off))


def _spread(values: list[float]) -> str:
    array = np.array(values)
    return f"{array.mean():.2f} ± {array.std(ddof=1) / np.sqrt(array.size):.2f}"


# The exercise that moves each angle, for the made person.
MOVED = {
    "knee_flexion": "squat",
    "hip_flexion": "squat",
    "trunk_flexion": "squat",
    "hip_abduction": "hip_abduction_standing",
    "shoulder_abduction": "shoulder_abduction",
    "shoulder_flexion": "shoulder_flexion",
    "elbow_flexion": "elbow_flexion",
}
HEADINGS = (0, 20, 30, 45, 60, 70, 90)


def view_table() -> None:
    print("Picture or world: RMSE in deg by the person's heading, made person, near side")
    print(f"{'angle':22}{'from':9}" + "".join(f"{heading:>8}°" for heading in HEADINGS))
    for name, exercise in MOVED.items():
        rows: dict[str, list[float]] = {"picture": [], "world": [], "chosen": []}
        for heading in HEADINGS:
            for kind, errors in _errors(name, exercise, heading).items():
                rows[kind].append(float(np.mean(errors)))
        for kind, values in rows.items():
            cells = "".join(f"{value:9.1f}" for value in values)
            print(f"{name:22}{kind:9}{cells}")


def _errors(name: str, exercise: str, heading: int) -> dict[str, list[float]]:
    errors: dict[str, list[float]] = {"picture": [], "world": [], "chosen": []}
    for seed in SEEDS:
        side = "right" if exercise == "hip_abduction_standing" else "bilateral"
        scene = Scene(exercise, side, varied(4, seed), heading_deg=heading, seed=seed)
        series = record(scene)
        exact = record(
            replace(scene, noise=0.0, world_noise_m=0.0, depth_scale=1.0, hide_far=False)
        )
        truth = joint_angle(replace(exact, depth_is_measured=True), name, "right")
        flat = replace(series, world=np.full_like(series.world, np.nan))
        # Everything is seen here: only where the landmarks lie is compared.
        ways = {
            "picture": replace(flat, visibility=exact.visibility),
            "world": replace(series, visibility=exact.visibility, depth_is_measured=True),
            "chosen": replace(series, visibility=exact.visibility),
        }
        for kind, way in ways.items():
            errors[kind].append(rmse(joint_angle(way, name, "right") - truth))
    return errors


def keraal_table() -> None:
    print("KERAAL, all seen from in front: RMSE in deg against motion capture (less offset)")
    for pair in comparisons(DATA):
        said = f"{pair.exercise} {pair.modality:7} {pair.side:6}{pair.angle:24}"
        if not pair.follows:
            print(f"{said} does not follow the reference (r = {pair.correlation:.2f})")
            continue
        errors = pair.errors(smooth)
        print(f"{said}{rmse(errors):6.1f} ({rmse(errors - np.nanmean(errors)):.1f})")


def main() -> None:
    smoothing_table()
    print()
    view_table()
    print()
    keraal_table()


if __name__ == "__main__":
    main()
