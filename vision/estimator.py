"""The pose estimator: frames in, landmarks out. The only importer of MediaPipe."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Protocol, Self

import mediapipe as mp
import numpy as np

from vision.errors import NobodyFound, UnreadableVideo
from vision.landmarks import LANDMARK_COUNT, Array, LandmarkSeries
from vision.light import Light, light_of
from vision.one_person import only_one_person
from vision.video import Frame, Picture, Video

# Enough to tell that the patient is not alone.
MOST_PEOPLE = 2

MODEL = Path(__file__).parent / "models" / "pose_landmarker_full.task"

Progress = Callable[[int, int | None], None]


class ModelMissing(RuntimeError):
    """The pose model was not built."""


@dataclass(frozen=True)
class Footage:
    """What a video showed.

    `frames_missing` are those its container promised and did not hold; `light` and `people` (how
    many persons, up to `MOST_PEOPLE`) come from a few pictures of it; `frames_of_others` are
    those in which somebody else was tracked, left out of `series`.
    """

    series: LandmarkSeries
    frames_missing: int
    light: tuple[Light, ...] = ()
    people: tuple[int, ...] = ()
    frames_of_others: int = 0


class PoseEstimator(Protocol):
    """Anything that finds one person in successive frames."""

    def estimate(self, rgb: Picture, t_s: float) -> tuple[Array, Array] | None:
        """Image (33, 3: x, y, visibility) and world (33, 3) landmarks, or None for nobody.

        `t_s` must increase from call to call.
        """

    def count_people(self, rgb: Picture) -> Future[int]:
        """How many persons the picture shows, at most `MOST_PEOPLE`; found meanwhile."""


class MediaPipeEstimator:
    """MediaPipe's pose landmarker on the CPU, tracking one person from frame to frame.

    People are counted by a second landmarker that knows nothing of earlier pictures, in a thread
    of its own: the tracking one looks for other people only when it has lost its own.

    Raises:
        ModelMissing: `model` is not there.
    """

    def __init__(self, model: Path = MODEL) -> None:
        if not model.exists():
            raise ModelMissing(f"the pose model {model.name} is missing: run `make setup`")
        self._model = model
        self._landmarker = _landmarker(model, mp.tasks.vision.RunningMode.VIDEO, num_poses=1)
        self._has_found_someone = False
        self._counter_has_spoken = False
        self._meanwhile = ThreadPoolExecutor(1, thread_name_prefix="people")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._meanwhile.shutdown()
        # Left to the interpreter's shutdown, MediaPipe prints a TypeError.
        with _chatter_held_back():
            self._landmarker.close()
            if "_counter" in vars(self):
                self._counter.close()

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

    def count_people(self, rgb: Picture) -> Future[int]:
        return self._meanwhile.submit(self._people_in, rgb)

    def _people_in(self, rgb: Picture) -> int:
        picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
        counter = self._counter
        with nullcontext() if self._counter_has_spoken else _chatter_held_back():
            found = counter.detect(picture)
        self._counter_has_spoken |= bool(found.pose_landmarks)
        return len(found.pose_landmarks)

    @cached_property
    def _counter(self) -> Any:
        image = mp.tasks.vision.RunningMode.IMAGE
        return _landmarker(self._model, image, num_poses=MOST_PEOPLE)


def _landmarker(model: Path, mode: Any, *, num_poses: int) -> Any:
    options = mp.tasks.vision.PoseLandmarkerOptions(
        base_options=mp.tasks.BaseOptions(model_asset_path=str(model)),
        running_mode=mode,
        num_poses=num_poses,
    )
    with _chatter_held_back():
        return mp.tasks.vision.PoseLandmarker.create_from_options(options)


# Notes and warnings of MediaPipe and the libraries in it: `INFO: [file.cc:12] …`, `W0000 00:00:…`.
_CHATTER = re.compile(
    rb"(?:INFO|WARNING): (?:\[[\w.]+:\d+\]|Created TensorFlow Lite|Logging before InitGoogle|"
    rb"All log messages before absl)|[IW]\d{4} \d\d:\d\d:\d\d"
)


# Two threads that swap the descriptor at once would leave it swapped.
_STANDARD_ERROR = Lock()


@contextmanager
def _chatter_held_back() -> Iterator[None]:
    """Keeps MediaPipe's notes, which no setting turns off, from the standard error.

    They are written by C++ to file descriptor 2, which all threads share: whatever else was
    written there meanwhile is passed on afterwards. If the block fails all is, for then the
    notes tell why.
    """
    with _STANDARD_ERROR, tempfile.TemporaryFile() as held:
        sys.stderr.flush()
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
    """The landmarks of the one person whom a video mostly shows, and how well it shows them.

    Memory grows with landmarks only, never with pictures.

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
    looks = _Looks(estimator)
    for decoded, frame in enumerate(video.frames(), start=1):
        # The tracker's clock counts whole milliseconds and must not stand still.
        if times and round(frame.t_s * 1000) <= round(times[-1] * 1000):
            continue
        height, width = frame.rgb.shape[:2]
        found = estimator.estimate(frame.rgb, frame.t_s)
        looks.at(frame, None if found is None else found[0])
        times.append(frame.t_s)
        images.append(_NOBODY_IMAGE if found is None else found[0])
        worlds.append(_NOBODY_WORLD if found is None else found[1])
        if on_progress:
            on_progress(decoded, claimed)
    if len(times) < 2:
        raise UnreadableVideo(
            "The video has fewer than two frames that can be shown. Please record it again."
        )
    image = np.stack(images)
    everyone = LandmarkSeries(
        t_s=np.array(times),
        image=image[..., :2],
        world=np.stack(worlds),
        visibility=image[..., 2],
        width=width,
        height=height,
    )
    if not everyone.found.any():
        raise NobodyFound("Nobody can be seen in this video. Please check light and camera.")
    series, frames_of_others = only_one_person(everyone)
    missing = (claimed or 0) - decoded
    return Footage(
        series,
        frames_missing=missing if missing > _ROUNDING_SHARE * decoded else 0,
        light=tuple(looks.light),
        people=looks.people(),
        frames_of_others=frames_of_others,
    )


# Light takes a third of a millisecond. Counting people takes as long as tracking through two
# frames: once in five seconds that is little more than 1 % of the work at 30 frames/s.
_LIGHT_EVERY_S = 1.0
_PEOPLE_FROM_S, _PEOPLE_EVERY_S = 0.5, 5.0


class _Looks:
    """A look at the light and for other people now and then; holds one picture at most."""

    def __init__(self, estimator: PoseEstimator) -> None:
        self.light: list[Light] = []
        self._estimator = estimator
        self._counts: list[Future[int]] = []
        self._light_due_s = 0.0
        self._people_due_s = _PEOPLE_FROM_S

    def at(self, frame: Frame, image: Array | None) -> None:
        if frame.t_s >= self._light_due_s:
            self._light_due_s = frame.t_s + _LIGHT_EVERY_S
            self.light.append(light_of(frame.rgb, frame.t_s, image))
        if frame.t_s >= self._people_due_s:
            self._people_due_s = frame.t_s + _PEOPLE_EVERY_S
            if self._counts:
                self._counts[-1].result()
            self._counts.append(self._estimator.count_people(frame.rgb))

    def people(self) -> tuple[int, ...]:
        return tuple(count.result() for count in self._counts)


# Containers often claim a frame or two more than they hold.
_ROUNDING_SHARE = 0.02

_NOBODY_IMAGE = np.column_stack(
    [np.full((LANDMARK_COUNT, 2), np.nan), np.zeros((LANDMARK_COUNT, 1))]
)
_NOBODY_WORLD = np.full((LANDMARK_COUNT, 3), np.nan)
