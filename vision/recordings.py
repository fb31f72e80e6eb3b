"""One recording of any kind: what it showed."""

from __future__ import annotations

from pathlib import Path

from vision.errors import RecordingProblem
from vision.estimator import Footage, MediaPipeEstimator, Progress, landmarks_of_video
from vision.one_person import only_one_person
from vision.series_files import SERIES_SUFFIXES, read_series
from vision.video import VIDEO_SUFFIXES


def read_recording(path: Path, on_progress: Progress | None = None) -> Footage:
    """What is seen of one person in a video (mp4, webm, mov) or landmark series (npz, json, csv).

    Raises:
        RecordingProblem: missing, of another kind, unreadable, or a video with nobody in it.
        ModelMissing: a video, and the pose model was not built.
    """
    if not path.is_file():
        raise RecordingProblem("There is no such file.")
    suffix = path.suffix.lower()
    if suffix in SERIES_SUFFIXES:
        series, frames_of_others = only_one_person(read_series(path))
        return Footage(series, frames_missing=0, frames_of_others=frames_of_others)
    if suffix in VIDEO_SUFFIXES:
        with MediaPipeEstimator() as estimator:
            return landmarks_of_video(path, estimator, on_progress)
    known = ", ".join(sorted(VIDEO_SUFFIXES | SERIES_SUFFIXES))
    raise RecordingProblem(f"Files ending in {suffix or 'nothing'} can't be read; use {known}.")
