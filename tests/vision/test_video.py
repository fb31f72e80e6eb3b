"""Decoding what phones and browsers send: turned, uneven, odd, cut, with wrong metadata."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.demo.walk import CLIP
from vision.errors import UnreadableVideo
from vision.estimator import MediaPipeEstimator, landmarks_of_video
from vision.kinematics import joint_angle
from vision.landmarks import LandmarkSeries
from vision.video import Picture, Video


def _write(
    path: Path, pictures: Sequence[Picture], *, fps: float = 30.0, code: str = "mp4v"
) -> Path:
    height, width = pictures[0].shape[:2]
    fourcc = cv2.VideoWriter.fourcc(*code)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, fps, (width, height))
    for rgb in pictures:
        writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def _stills(path: Path, pictures: Sequence[Picture]) -> Path:
    """Motion JPEG: any size, and a new one in each picture; OpenCV's writer makes sizes even."""
    bgr = [cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR) for rgb in pictures]
    path.write_bytes(b"".join(cv2.imencode(".jpg", each)[1].tobytes() for each in bgr))
    return path


def _scene(count: int = 10, width: int = 320, height: int = 240) -> list[Picture]:
    """A red corner at the upper left, and a disc that moves."""
    pictures = []
    for number in range(count):
        rgb = np.full((height, width, 3), 60, dtype=np.uint8)
        rgb[: height // 4, : width // 4] = (255, 0, 0)
        cv2.circle(rgb, (width // 2 + 4 * number, height // 2), height // 6, (255, 255, 255), -1)
        pictures.append(rgb)
    return pictures


def _turned(path: Path, quarter_turns: int) -> None:
    """Patches the display matrix of the track header, as a phone held on its side writes it."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    one = 1 << 16
    a, b = {1: (0, one), 2: (-one, 0), 3: (0, -one)}[quarter_turns]
    content[matrix : matrix + 36] = struct.pack(">9i", a, b, 0, -b, a, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def _timed(path: Path, durations: Sequence[int]) -> None:
    """Gives each frame its own duration, in the track's time scale: a table of times in full."""
    content = path.read_bytes()
    table = content.index(b"stts") - 4
    size = struct.unpack(">I", content[table : table + 4])[0]
    rows = b"".join(struct.pack(">II", 1, duration) for duration in durations)
    box = struct.pack(">I4sII", 16 + len(rows), b"stts", 0, len(durations)) + rows
    changed = bytearray(content[:table] + box + content[table + size :])
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        at = content.index(parent) - 4
        old = struct.unpack(">I", content[at : at + 4])[0]
        changed[at : at + 4] = struct.pack(">I", old + len(box) - size)
    # The edit list would end the video at its former length.
    path.write_bytes(changed.replace(b"edts", b"free"))


def _unit(path: Path) -> int:
    """Ticks per frame of a video with an even rate."""
    content = path.read_bytes()
    table = content.index(b"stts") + 16
    return int(struct.unpack(">I", content[table : table + 4])[0])


@pytest.mark.parametrize(("quarter_turns", "corner"), [(1, (5, -5)), (2, (-5, -5)), (3, (-5, 5))])
def test_a_video_of_a_turned_phone_comes_upright(
    quarter_turns: int, corner: tuple[int, int], tmp_path: Path
) -> None:
    path = _write(tmp_path / "turned.mp4", _scene())
    _turned(path, quarter_turns)
    video = Video(path)
    rgb = next(iter(video.frames())).rgb
    assert rgb.shape == ((240, 320, 3) if quarter_turns == 2 else (320, 240, 3))
    assert (video.info.height, video.info.width) == rgb.shape[:2]
    red = rgb[corner].astype(int)
    assert red[0] > 200
    assert red[1] < 60


def test_a_person_filmed_with_a_turned_phone_is_measured_as_upright(tmp_path: Path) -> None:
    upright = [frame.rgb for frame in Video(CLIP).frames()][:40]
    lying = [np.ascontiguousarray(np.rot90(rgb)) for rgb in upright]
    turned = _write(tmp_path / "turned.mp4", lying)
    _turned(turned, 1)
    angles = []
    for path in (_write(tmp_path / "upright.mp4", upright), turned):
        with MediaPipeEstimator() as estimator:
            angles.append(_abduction(landmarks_of_video(path, estimator).series))
    assert np.median(np.abs(angles[0] - angles[1])) < 2.0


def _abduction(series: LandmarkSeries) -> np.ndarray:
    return joint_angle(series, "shoulder_abduction", "left")


def test_frames_of_a_varying_rate_keep_the_times_of_the_container(tmp_path: Path) -> None:
    path = _write(tmp_path / "uneven.mp4", _scene(6))
    unit = _unit(path)
    _timed(path, [unit * each for each in (1, 3, 1, 7, 1, 1)])
    times = [frame.t_s for frame in Video(path).frames()]
    assert times == pytest.approx([n / 30 for n in (0, 1, 4, 5, 12, 13)], abs=1e-3)


def test_a_video_whose_size_changes_is_read_to_the_end_in_one_size(tmp_path: Path) -> None:
    path = _stills(tmp_path / "changing.mp4", [*_scene(1) * 5, *_scene(1, 160, 120) * 5])
    frames = list(Video(path).frames())
    assert [frame.rgb.shape for frame in frames] == [(240, 320, 3)] * 10
    assert np.abs(frames[9].rgb.astype(int) - frames[0].rgb).mean() < 5
    assert all(b.t_s > a.t_s for a, b in pairwise(frames))


@pytest.mark.parametrize("size", [(321, 241), (319, 240), (99, 77)])
def test_odd_sizes_are_read(size: tuple[int, int], tmp_path: Path) -> None:
    path = _stills(tmp_path / "odd.mp4", _scene(4, *size))
    assert [frame.rgb.shape[:2] for frame in Video(path).frames()] == [size[::-1]] * 4


def test_a_video_of_a_single_picture_is_refused_with_what_to_do(tmp_path: Path) -> None:
    first = next(iter(Video(CLIP).frames())).rgb
    path = _write(tmp_path / "one.mp4", [first])
    with MediaPipeEstimator() as estimator, pytest.raises(UnreadableVideo, match="record it again"):
        landmarks_of_video(path, estimator)


def test_a_container_that_claims_no_frame_rate_still_gets_rising_times(tmp_path: Path) -> None:
    path = _write(tmp_path / "no_rate.avi", _scene(), code="MJPG")
    content = bytearray(path.read_bytes())
    header = content.index(b"avih") + 8
    content[header : header + 4] = bytes(4)
    rate = content.index(b"strh") + 8 + 24
    content[rate : rate + 4] = bytes(4)
    path.write_bytes(content)
    video = Video(path)
    assert video.info.fps > 0
    frames = list(video.frames())
    assert len(frames) == 10
    assert all(0 < b.t_s - a.t_s < 0.2 for a, b in pairwise(frames))


def test_leaving_a_video_early_ends_its_reader(tmp_path: Path) -> None:
    frames = Video(_write(tmp_path / "long.mp4", _scene(60))).frames()
    next(frames)
    frames.close()  # type: ignore[attr-defined]  # a generator
    assert list(frames) == []
