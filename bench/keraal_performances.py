"""KERAAL's performances as every sensor saw them, laid over their motion capture in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from vision.kinematics import BodySide, joint_angle
from vision.landmarks import Array, LandmarkSeries
from vision.one_person import only_one_person
from vision.skeletons import keraal

DATA = Path(__file__).parent.parent / "tests/vision/data"

# What the files do not tell: Kinect v2's colour camera, whose picture OpenPose's grid of 656×368
# fits, and its frame rate; the motion capture has twice as many frames.
_PICTURE = {"width": 1920, "height": 1080}
_FPS, _CAPTURE_FPS = 30.0, 60.0

ANGLES = ("shoulder_abduction", "elbow_flexion", "trunk_lateral_flexion")

# House choices: sensors were started by hand within two seconds; what correlates less than this
# at every lag is another movement, a mistaken side, or one too small to compare.
_MOST_LAG_S = 2.0
_LEAST_CORRELATION = 0.7


@dataclass(frozen=True)
class Comparison:
    """One angle by one sensor and by the motion capture at the times `t_s + lag_s`, in deg."""

    exercise: str
    modality: str
    side: BodySide
    angle: str
    t_s: Array
    angle_deg: Array
    reference_deg: Array
    correlation: float

    @property
    def follows(self) -> bool:
        return self.correlation >= _LEAST_CORRELATION

    def errors(self, smoother: Callable[[Array, Array], Array]) -> Array:
        """(N,) deg, NaN where either was not measured."""
        return smoother(self.t_s, self.angle_deg) - self.reference_deg


def read(path: Path, modality: str) -> LandmarkSeries:
    """The person of the recording; other people are in its pictures, and estimators that look at
    every picture by itself sometimes tell of one of these.

    Raises UnreadableSeries; KeyError for a modality that is not KERAAL's.
    """
    readers: dict[str, Callable[[], LandmarkSeries]] = {
        "Vicon": lambda: keraal.read_vicon(path, fps=_CAPTURE_FPS),
        "Kinect": lambda: keraal.read_kinect(path, fps=_FPS),
        "BP": lambda: keraal.read_blazepose(path, **_PICTURE, fps=_FPS),
        "OP": lambda: keraal.read_openpose(path, **_PICTURE, fps=_FPS),
        "AP": lambda: keraal.read_alphapose(path, **_PICTURE, fps=_FPS),
    }
    return only_one_person(readers[modality]())[0]


def recordings(folder: Path) -> dict[tuple[str, int, int], dict[str, Path]]:
    """Every file of group 3 under `folder`: by performance, then by modality."""
    found: dict[tuple[str, int, int], dict[str, Path]] = {}
    for path in sorted(folder.rglob("G3-*")):
        recording = keraal.recording_of(path)
        if recording is not None:
            found.setdefault(recording.performance, {})[recording.modality] = path
    return found


def comparisons(folder: Path) -> Iterator[Comparison]:
    """Each angle of each side, sensor by sensor, where the motion capture is there too."""
    for (exercise, _, _), paths in recordings(folder).items():
        if "Vicon" not in paths:
            continue
        reference = read(paths["Vicon"], "Vicon")
        for modality, path in paths.items():
            if modality != "Vicon":
                yield from _compared(exercise, modality, read(path, modality), reference)
            if modality == "BP":
                deep = keraal.read_blazepose_depth(path, **_PICTURE, fps=_FPS)
                in_world = replace(deep, depth_is_measured=True)  # not measured, but to be tried
                yield from _compared(exercise, "BP 3-D", in_world, reference)


def _compared(
    exercise: str, modality: str, series: LandmarkSeries, reference: LandmarkSeries
) -> Iterator[Comparison]:
    """One lag for the whole recording; sides exchanged where that fits better (a mirrored one)."""
    curves = {
        (angle, side): joint_angle(series, angle, side)
        for angle in ANGLES
        for side in get_args(BodySide)
    }
    truth = {key: joint_angle(reference, *key) for key in curves}
    best: tuple[float, float, bool] | None = None
    for lag_s in np.arange(-_MOST_LAG_S, _MOST_LAG_S, 1 / _CAPTURE_FPS):
        for exchanged in (False, True):
            fit = np.mean(
                [
                    _correlation(
                        curves["shoulder_abduction", side],
                        _at(
                            reference,
                            truth["shoulder_abduction", _of(side, exchanged)],
                            series.t_s + lag_s,
                        ),
                    )
                    for side in get_args(BodySide)
                ]
            )
            if best is None or fit > best[0]:
                best = float(fit), float(lag_s), exchanged
    assert best is not None
    _, lag_s, exchanged = best
    for (angle, side), curve in curves.items():
        if angle.startswith("trunk") and side == "right":
            continue
        there = _at(reference, truth[angle, _of(side, exchanged)], series.t_s + lag_s)
        yield Comparison(
            exercise, modality, side, angle, series.t_s, curve, there, _correlation(curve, there)
        )


def _of(side: BodySide, exchanged: bool) -> BodySide:
    if not exchanged:
        return side
    return "left" if side == "right" else "right"


def _at(reference: LandmarkSeries, angle_deg: Array, t_s: Array) -> Array:
    return np.interp(t_s, reference.t_s, angle_deg, left=np.nan, right=np.nan)


def _correlation(first: Array, second: Array) -> float:
    """−1 where too little was measured of either, for nothing can be said of that."""
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < len(first) / 2 or np.ptp(first[both]) == 0 or np.ptp(second[both]) == 0:
        return -1.0
    return float(np.corrcoef(first[both], second[both])[0, 1])
