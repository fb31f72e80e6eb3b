"""How much of the pose estimator's own speed is left for the user, and how fast a series scores.

    python -m bench.vision_speed [VIDEO]

The bare estimator gets the frames of the same video already decoded in memory and in its own
format; the whole way decodes, estimates, measures, counts and scores. Both start a fresh
estimator, and take turns so that a busy machine slows them alike.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import numpy as np

from rtm.exercises import load_library
from vision.estimator import MediaPipeEstimator
from vision.landmarks import LandmarkSeries
from vision.score import score_series, score_video
from vision.series_files import read_series
from vision.video import Video

ROOT = Path(__file__).parent.parent
CLIP = ROOT / "app/demo/data/shoulder_abduction/clip.mp4"
SERIES = ROOT / "tests/vision/data/elbow_flexion.npz"
ROUNDS = 5


def main() -> None:
    clip = Path(sys.argv[1]) if len(sys.argv) > 1 else CLIP
    exercise = load_library()["shoulder_abduction"]
    frames = list(Video(clip).frames())
    print(f"{clip.name}: {len(frames)} frames, {frames[0].rgb.shape[1]}×{frames[0].rgb.shape[0]}")

    bare_s, whole_s = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        with MediaPipeEstimator() as estimator:
            for frame in frames:
                estimator.estimate(frame.rgb, frame.t_s)
        bare_s.append(time.perf_counter() - began)
        began = time.perf_counter()
        score_video(clip, exercise)
        whole_s.append(time.perf_counter() - began)
    bare, whole = (len(frames) / statistics.median(times) for times in (bare_s, whole_s))
    print(f"bare pose inference   {bare:6.1f} frames/s (median of {ROUNDS})")
    print(f"whole scoring         {whole:6.1f} frames/s (median of {ROUNDS})")
    print(f"whole ÷ bare          {whole / bare:6.2f} (aim ≥ 0.95)")

    minute = _a_minute_of(read_series(SERIES))
    elbow = load_library()["elbow_flexion"]
    times = []
    for _ in range(4 * ROUNDS):
        began = time.perf_counter()
        score_series(minute, elbow)
        times.append(1000 * (time.perf_counter() - began))
    print(
        f"landmark series       {statistics.median(times):6.1f} ms for {minute.frame_count} frames"
        f" of {minute.duration_s:.0f} s (aim ≤ 20)"
    )


def _a_minute_of(series: LandmarkSeries) -> LandmarkSeries:
    """The recording over and over, to and fro so that it never jumps, at 30 frames/s for 60 s."""
    there_and_back = np.concatenate(
        [np.arange(series.frame_count), np.arange(series.frame_count)[::-1]]
    )
    frames = np.resize(there_and_back, 1800)
    return LandmarkSeries(
        np.arange(1800) / 30.0,
        series.image[frames],
        series.world[frames],
        series.visibility[frames],
        series.width,
        series.height,
    )


if __name__ == "__main__":
    main()
