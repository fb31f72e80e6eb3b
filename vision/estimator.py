"""The pose estimator: frames in, landmarks out. The only importer of MediaPipe."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import mediapipe as mp
import numpy as np

from vision.errors import NobodyFound, UnreadableVideo
from vision.landmarks import LANDMARK_COUNT, Array, LandmarkSeries
from vision.video import Picture, Video

MODEL = Path(__file__).parent / "models" / "pose_landmarker_full.task"

Progress = Callable[[int, int | None], None]


class ModelMissing(RuntimeError):
    """The pose model was not built."""


@dataclass(frozen=True)
class Footage:
    """What a video showed; `frames_missing` are those its container promised and did not hold."""

    series: LandmarkSeries
    frames_missing: int


class PoseEstimator(Protocol):
    """Anything that finds one person in successive frames."""

    def estimate(self, rgb: Picture, t_s: float) -> tuple[Array, Array] | None:
        """Image (33, 3: x, y, visibility) and world (33, 3) landmarks, or None for nobody.

        `t_s` must increase from call to call.
        """


class MediaPipeEstimator:
    """MediaPipe's pose landmarker on the CPU, tracking from frame to frame.

    Raises:
        ModelMissing: `model` is not there.
    """

    def __init__(self, model: Path = MODEL) -> None:
        if not model.exists():
            raise ModelMissing(f"the pose model {model.name} is missing: run `make setup`")
        vision = mp.tasks.vision
        options = vision.PoseLandmarkerOptions(
            base_options=mp.tasks.BaseOptions(model_asset_path=str(model)),
            running_mode=vision.RunningMode.VIDEO,
        )
        with _chatter_held_back():
            self._landmarker = vision.PoseLandmarker.create_from_options(options)
        self._has_found_someone = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Left to the interpreter's shutdown, MediaPipe prints a TypeError.
        with _chatter_held_back():
            self._landmarker.close()

    def estimate(self, rgb: Picture, t_s: float) -> tuple[Array, Array] | None:
        picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
        # The graph says its say once, on the first frame that reaches its last node.
        with nullcontext() if self._has_found_someone else _chatter_held_back():
            found = self._landmarker.detect_for_video(picture, round(t_s * 1000))
        if not found.pose_landmarks:
            return None
        self._has_found_someone = True
        image = np.array([(p.x, p.y, p.visibility) for p in found.pose_landmarks[0]])
        world = np.array([(p.x, p.y, p.z) for p in found.pose_world_landmarks[0]])
        return image, world


# Notes and warnings of MediaPipe and the libraries in it: `INFO: [file.cc:12] …`, `W0000 00:00:…`.
_CHATTER = re.compile(
    rb"(?:INFO|WARNING): (?:\[[\w.]+:\d+\]|Created TensorFlow Lite|Logging before InitGoogle|"
    rb"All log messages before absl)|[IW]\d{4} \d\d:\d\d:\d\d"
)


@contextmanager
def _chatter_held_back() -> Iterator[None]:
    """Keeps MediaPipe's notes, which no setting turns off, from the standard error.

    They are written by C++ to file descriptor 2, which all threads share: whatever else was
    written there meanwhile is passed on afterwards. If the block fails all is, for then the
    notes tell why.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        standard_error = os.dup(2)
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(standard_error, 2)
            held.seek(0)
            for line in held:
                if failed or not _CHATTER.match(line):
                    os.write(standard_error, line)
            os.close(standard_error)


def landmarks_of_video(
    path: Path, estimator: PoseEstimator, on_progress: Progress | None = None
) -> Footage:
    """The landmarks of a video; memory grows with landmarks only, never with pictures.

    `on_progress` is called with frames done and frames claimed by the container (or None).

    Raises:
        UnreadableVideo: no decoder knows it, or fewer than two frames decode.
        NobodyFound: no frame shows a person.
    """
    video = Video(path)
    claimed = video.info.frame_count
    width, height = video.info.width, video.info.height
    decoded = 0
    times: list[float] = []
    images: list[Array] = []
    worlds: list[Array] = []
    last_ms = -1
    for decoded, frame in enumerate(video.frames(), start=1):
        # The tracker's clock counts whole milliseconds and must not stand still.
        if round(frame.t_s * 1000) <= last_ms:
            continue
        last_ms = round(frame.t_s * 1000)
        height, width = frame.rgb.shape[:2]
        found = estimator.estimate(frame.rgb, frame.t_s)
        times.append(frame.t_s)
        images.append(_NOBODY_IMAGE if found is None else found[0])
        worlds.append(_NOBODY_WORLD if found is None else found[1])
        if on_progress:
            on_progress(decoded, claimed)
    if len(times) < 2:
        raise UnreadableVideo("The video has no frames that can be shown. Please record it again.")
    image = np.stack(images)
    series = LandmarkSeries(
        t_s=np.array(times),
        image=image[..., :2],
        world=np.stack(worlds),
        visibility=image[..., 2],
        width=width,
        height=height,
    )
    if not series.found.any():
        raise NobodyFound("Nobody can be seen in this video. Please check light and camera.")
    missing = (claimed or 0) - decoded
    return Footage(series, missing if missing > _ROUNDING_SHARE * decoded else 0)


# Containers often claim a frame or two more than they hold.
_ROUNDING_SHARE = 0.02

_NOBODY_IMAGE = np.column_stack(
    [np.full((LANDMARK_COUNT, 2), np.nan), np.zeros((LANDMARK_COUNT, 1))]
)
_NOBODY_WORLD = np.full((LANDMARK_COUNT, 3), np.nan)
