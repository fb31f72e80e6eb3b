"""Decoding a video into upright RGB frames with their own times."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Event, Thread

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.errors import UnreadableVideo

# What OpenCV and FFmpeg have to say of damaged files is said by our errors, not on stderr.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

VIDEO_SUFFIXES = frozenset({".mp4", ".webm", ".mov", ".m4v"})

Picture = NDArray[np.uint8]

# Decoded frames that may wait for the estimator: enough to keep it busy, little memory.
_READ_AHEAD = 4


# The estimator works on one core; a decoder on all of them would only push it aside.
_DECODER_THREADS = max(1, (os.cpu_count() or 1) - 1)


@dataclass(frozen=True)
class Frame:
    """`rgb` is (height, width, 3), upright; `t_s` the presentation time in seconds."""

    t_s: float
    rgb: Picture


@dataclass(frozen=True)
class VideoInfo:
    """`frame_count` is what the container claims; None where it claims nothing sensible."""

    width: int
    height: int
    fps: float
    frame_count: int | None


class Video:
    """An opened video: iterate `frames()` once.

    A stream that changes its size on the way is shown in its first size throughout. Where its
    shape changes with it, as when a phone is turned while a browser records, the rest is
    stretched: OpenCV does not tell.

    Raises:
        UnreadableVideo: on opening, when the file is empty or no decoder knows it.
    """

    def __init__(self, path: Path) -> None:
        if path.stat().st_size == 0:
            raise UnreadableVideo("The video file is empty (0 bytes). Please record it again.")
        self._capture = cv2.VideoCapture(
            str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, _DECODER_THREADS]
        )
        if not self._capture.isOpened():
            self._capture.release()
            raise UnreadableVideo(
                "This file is not a video that can be read, or it was cut off while sending."
            )
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        self.info = _info(self._capture)

    def frames(self) -> Iterator[Frame]:
        """Every decodable frame, decoded ahead in a thread; times strictly increase."""
        queue: Queue[Frame | BaseException | None] = Queue(_READ_AHEAD)
        stopping = Event()
        reader = Thread(target=self._read_into, args=(queue, stopping), daemon=True)
        reader.start()
        try:
            while (item := queue.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopping.set()
            while reader.is_alive():
                while not queue.empty():
                    queue.get_nowait()
                reader.join(0.05)
            self._capture.release()

    def _read_into(self, queue: Queue[Frame | BaseException | None], stopping: Event) -> None:
        try:
            period_s = 1.0 / self.info.fps
            last_s = -period_s
            bgr = None  # one buffer for all: fresh megabytes for each picture cost time
            while not stopping.is_set():
                decoded, bgr = self._capture.read(bgr)
                if not decoded:
                    break
                t_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000.0
                if t_s <= last_s:  # containers without times repeat 0
                    t_s = last_s + period_s
                last_s = t_s
                queue.put(Frame(t_s, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)))  # type: ignore[arg-type]  # uint8 in, uint8 out
            queue.put(None)
        except BaseException as error:  # handed to the consumer, who raises it
            queue.put(error)


def _info(capture: cv2.VideoCapture) -> VideoInfo:
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    return VideoInfo(
        width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        fps=fps if 1.0 <= fps <= 1000.0 else 30.0,
        frame_count=count if 0 < count < 10_000_000 else None,
    )
