"""What people see: the plot, the overlay video, and the models that they come from."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import cv2
import pytest

from app.demo.walk import CLIP
from rtm.exercises import load_library
from vision.draw import annotate_video, plot_angle
from vision.estimator import MODEL
from vision.models import build
from vision.score import Scored, score_file
from vision.video import Video


@pytest.fixture(scope="module")
def scored() -> Scored:
    return score_file(CLIP, load_library()["shoulder_abduction"])


def test_the_plot_is_a_picture(scored: Scored, tmp_path: Path) -> None:
    plot_angle(scored, tmp_path / "session.png")
    picture = cv2.imread(str(tmp_path / "session.png"))
    assert picture is not None
    assert picture.shape[1] > 600
    assert picture.std() > 5


def test_the_overlay_video_shows_every_frame_with_something_drawn_on_it(
    scored: Scored, tmp_path: Path
) -> None:
    annotate_video(CLIP, scored, tmp_path / "annotated.mp4")
    drawn = [frame.rgb for frame in Video(tmp_path / "annotated.mp4").frames()]
    plain = next(iter(Video(CLIP).frames())).rgb
    assert len(drawn) == 99
    assert drawn[0].shape == plain.shape
    assert cv2.absdiff(drawn[0], plain).max() > 100


def test_frames_come_with_their_own_rising_times() -> None:
    frames = list(Video(CLIP).frames())
    assert [round(frame.t_s, 3) for frame in frames[:3]] == [0.0, 0.033, 0.067]
    assert all(b.t_s > a.t_s for a, b in pairwise(frames))


@pytest.mark.parametrize("size", ["lite", "full"])
def test_the_model_bundle_is_the_one_that_was_checked(size: str) -> None:
    bundle = MODEL.with_name(f"pose_landmarker_{size}.task").read_bytes()
    assert hashlib.sha256(bundle).hexdigest() == build.BUNDLE_SHA256[size]


def test_a_changed_model_package_is_noticed(tmp_path: Path) -> None:
    (tmp_path / build.DETECTOR).write_bytes(b"something else")
    with pytest.raises(build.UnexpectedModel, match="sha256"):
        build.build(tmp_path, tmp_path / "out")
