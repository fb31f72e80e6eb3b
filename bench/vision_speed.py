"""How much of the pose estimator's own speed is left for the user, and how fast a series scores.

    python -m bench.vision_speed [VIDEO] [--minutes 10]

The bare estimator gets the frames of the same video already decoded in memory and in its own
format; the whole way decodes, estimates, looks at light and people, measures, counts and scores.
Both start a fresh estimator, and take turns so that a busy machine slows them alike.

Two videos at once and the peak of memory are measured in processes of their own, on videos made
of the first one over and over. The long video of `--minutes` takes about as many minutes to
score as the bare estimator's speed says (ten minutes at 45 frames/s: seven); 0 leaves it out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from rtm.exercises import load_library
from vision.estimator import MediaPipeEstimator
from vision.landmarks import LandmarkSeries
from vision.score import score_file, score_series
from vision.series_files import read_series
from vision.video import Frame, Video

ROOT = Path(__file__).parent.parent
CLIP = ROOT / "app/demo/data/shoulder_abduction/clip.mp4"
SERIES = ROOT / "tests/vision/data/elbow_flexion.npz"
ROUNDS = 5
SHORT_S = 10.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("video", nargs="?", type=Path, default=CLIP)
    parser.add_argument("--minutes", type=float, default=10.0, help="of the long video; 0: none")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _score_and_tell(arguments.video)
        return
    frames = list(Video(arguments.video).frames())
    height, width = frames[0].rgb.shape[:2]
    print(f"{arguments.video.name}: {len(frames)} frames, {width}×{height}")
    _whole_and_bare(arguments.video, frames)
    _landmark_series()
    with tempfile.TemporaryDirectory() as folder:
        short = Path(folder) / "short.mp4"
        _write_over_and_over(frames, short, SHORT_S)
        _two_at_once(short)
        if arguments.minutes > 0:
            long = Path(folder) / "long.mp4"
            _write_over_and_over(frames, long, 60.0 * arguments.minutes)
            _memory(short, long, arguments.minutes)


def _whole_and_bare(clip: Path, frames: Sequence[Frame]) -> None:
    exercise = load_library()["shoulder_abduction"]
    bare_s, whole_s = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        with MediaPipeEstimator() as estimator:
            for frame in frames:
                estimator.estimate(frame.rgb, frame.t_s)
        bare_s.append(time.perf_counter() - began)
        began = time.perf_counter()
        score_file(clip, exercise)
        whole_s.append(time.perf_counter() - began)
    bare, whole = (len(frames) / statistics.median(times) for times in (bare_s, whole_s))
    print(f"bare pose inference   {bare:6.1f} frames/s (median of {ROUNDS})")
    print(f"whole scoring         {whole:6.1f} frames/s (median of {ROUNDS})")
    print(f"whole ÷ bare          {whole / bare:6.2f} (aim ≥ 0.95)")


def _landmark_series() -> None:
    minute = _a_minute_of(read_series(SERIES))
    elbow = load_library()["elbow_flexion"]
    times = []
    for _ in range(4 * ROUNDS):
        began = time.perf_counter()
        score_series(minute, elbow)
        times.append(1000 * (time.perf_counter() - began))
    print(
        f"landmark series       {statistics.median(times):6.1f} ms for {minute.frame_count} frames"
        f" of {minute.duration_s:.0f} s (aim ≤ 10)"
    )


def _two_at_once(video: Path) -> None:
    ratios = []
    for _ in range(ROUNDS - 2):
        alone = _children([video])[0]["seconds"]
        together = max(child["seconds"] for child in _children([video, video]))
        ratios.append(2 * alone / together)
    print(
        f"two videos ÷ one      {statistics.median(ratios):6.2f} as fast on {_cores()} cores"
        f" (median of {len(ratios)}, aim ≥ 1.8)"
    )


def _memory(short: Path, long: Path, minutes: float) -> None:
    small = _children([short])[0]["peak_mb"]
    began = time.perf_counter()
    large = _children([long])[0]["peak_mb"]
    took_s = time.perf_counter() - began
    print(
        f"peak memory           {small:6.0f} MB for {SHORT_S:.0f} s, {large:.0f} MB for"
        f" {minutes:g} min: {large - small:+.0f} MB (aim ≤ 300; took {took_s:.0f} s)"
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _children(videos: Sequence[Path]) -> list[dict[str, float]]:
    """Scores each video in a process of its own, all at the same time."""
    command = [sys.executable, "-m", "bench.vision_speed", "--child"]
    running = [
        subprocess.Popen([*command, str(video)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for video in videos
    ]
    told = [process.communicate()[0] for process in running]
    for process in running:
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
    return [json.loads(each) for each in told]


def _score_and_tell(video: Path) -> None:
    exercise = load_library()["shoulder_abduction"]
    began = time.perf_counter()
    score_file(video, exercise)
    seconds = time.perf_counter() - began
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "peak_mb": peak_kb / 1024}))


def _write_over_and_over(frames: Sequence[Frame], path: Path, seconds: float) -> None:
    """The frames to and fro, so that the person never jumps, at 30 frames/s."""
    pictures = [cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR) for frame in frames]
    there_and_back = [*pictures, *pictures[::-1]]
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, (width, height))
    for number in range(round(30 * seconds)):
        writer.write(there_and_back[number % len(there_and_back)])
    writer.release()


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
