"""One recording of any kind: what it showed."""

from __future__ import annotations

from pathlib import Path

from vision.errors import RecordingProblem
from vision.estimator import Footage, MediaPipeEstimator, Progress, landmarks_of_video
from vision.series_files import SERIES_SUFFIXES, read_series
from vision.video import VIDEO_SUFFIXES


def read_recording(path: Path, on_progress: Progress | None = None) -> Footage:
    """What is seen in a video (mp4, webm, mov) or landmark series (npz, json, csv).

    Raises:
        RecordingProblem: missing, of another kind, unreadable, or a video with nobody in it.
        ModelMissing: a video, and the pose model was not built.
    """
    if not path.is_file():
        raise RecordingProblem("There is no such file.")
    suffix = path.suffix.lower()
    if suffix in SERIES_SUFFIXES:
        return Footage(read_series(path), frames_missing=0)
    if suffix in VIDEO_SUFFIXES:
        with MediaPipeEstimator() as estimator:
            return landmarks_of_video(path, estimator, on_progress)
    known = ", ".join(sorted(VIDEO_SUFFIXES | SERIES_SUFFIXES))
    raise RecordingProblem(f"Files ending in {suffix or 'nothing'} can't be read; use {known}.")
