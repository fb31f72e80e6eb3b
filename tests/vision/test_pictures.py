"""What people see: the plot, the overlay video, and the models that they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from app.demo.walk import CLIP
from app.scoring_command import score_to_folder
from bench import overlay_pictures
from rtm.exercises import load_library
from tests.vision.figure import cycles, figure, squat
from vision.draw import angle_curve, annotate_video, plot_angle
from vision.estimator import MODEL
from vision.models import build
from vision.overlay import Overlay
from vision.score import Scored, score_file, score_series
from vision.session_picture import draw_report
from vision.video import Picture, Video

SQUAT = load_library()["squat"]


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


@pytest.fixture(scope="module")
def squats() -> Scored:
    return score_series(figure(squat(cycles([85.0, 80.0, 30.0, 82.0], rest=5.0))), SQUAT)


def _texts(scored: Scored, partial_s: Sequence[float] = ()) -> list[str]:
    drawing = Figure()
    FigureCanvasAgg(drawing)
    axes = drawing.add_subplot()
    angle_curve(axes, scored, SQUAT, partial_s=partial_s)
    return [text.get_text() for text in axes.texts]


def test_the_plot_names_target_rest_and_each_peak(squats: Scored) -> None:
    texts = _texts(squats)
    assert {"target 80°", "rest 5°"} <= set(texts)
    assert [text.split(":")[0] for text in texts if ":" in text] == ["1", "2", "3"]


def test_partial_attempts_are_marked_where_they_are_told(squats: Scored) -> None:
    assert _texts(squats).count("partial") == 0
    assert _texts(squats, partial_s=[6.0, 9.0]).count("partial") == 2


def test_the_report_is_a_page_whether_or_not_anything_was_measured(
    squats: Scored, tmp_path: Path
) -> None:
    still = score_series(figure({"knee_flexion": np.zeros(60)}), SQUAT)
    unseen = replace(squats.series, visibility=squats.series.visibility * 0.1)
    for name, scored in {
        "squats": squats,
        "still": still,
        "unseen": score_series(unseen, SQUAT),
    }.items():
        draw_report(scored, SQUAT, tmp_path / f"{name}.png")
        page = cv2.imread(str(tmp_path / f"{name}.png"))
        assert page is not None
        assert page.shape[:2] == (1320, 1020)
        assert page.std() > 5


def _black(scored: Scored) -> Picture:
    return np.zeros((scored.series.height, scored.series.width, 3), dtype=np.uint8)


def _colours(picture: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}


def test_what_was_not_seen_well_is_drawn_in_another_colour(squats: Scored) -> None:
    orange, green = (60, 160, 240), (96, 174, 39)
    body = slice(120, 900), slice(100, 860)
    clear = Overlay(squats).on(_black(squats), 10)[body]
    assert green in _colours(clear)
    assert orange not in _colours(clear)
    dim = replace(squats, series=replace(squats.series, visibility=squats.series.visibility * 0.4))
    assert green not in _colours(Overlay(dim).on(_black(dim), 10)[body])


def test_the_gauge_rises_with_the_angle_and_only_with_a_target(squats: Scored) -> None:
    peak = int(np.nanargmax(squats.angle_deg))

    def filled(index: int) -> int:
        column = Overlay(squats, SQUAT).on(_black(squats), index)[:, -40]
        return int((column == (96, 174, 39)).all(axis=1).sum())

    assert filled(peak) > filled(0) + 300
    plain = Overlay(squats).on(_black(squats), peak)
    assert not plain[200:800, -40].any()


def test_the_bar_shows_each_phase_and_the_moment(squats: Scored) -> None:
    row = Overlay(squats).on(_black(squats), 0)[-3]
    first = squats.result.repetitions[0]

    def at(t_s: float) -> tuple[int, ...]:
        return tuple(row[round(t_s / squats.series.duration_s * 959)].tolist())

    assert at((first.start_s + first.peak_s) / 2) == (96, 174, 39)
    assert at((first.peak_s + first.end_s) / 2) == (170, 205, 140)
    assert at(0.0) == (255, 255, 255)


def test_frames_that_were_late_are_shown_for_longer(scored: Scored, tmp_path: Path) -> None:
    kept = np.r_[0:30, 45:99]
    series = scored.series
    fewer = replace(
        series,
        t_s=series.t_s[kept],
        image=series.image[kept],
        world=series.world[kept],
        visibility=series.visibility[kept],
    )
    late = replace(scored, series=fewer, angle_deg=scored.angle_deg[kept])
    annotate_video(CLIP, late, tmp_path / "late.mp4")
    assert len(list(Video(tmp_path / "late.mp4").frames())) == 99


def test_a_picture_of_odd_size_is_annotated_to_the_end(squats: Scored, tmp_path: Path) -> None:
    source = tmp_path / "odd.mp4"
    still = cv2.imencode(".jpg", np.full((241, 321, 3), 90, dtype=np.uint8))[1].tobytes()
    source.write_bytes(still * 20)
    t_s = np.array([frame.t_s for frame in Video(source).frames()])
    series = replace(
        squats.series,
        t_s=t_s,
        image=squats.series.image[:20],
        world=squats.series.world[:20],
        visibility=squats.series.visibility[:20],
        width=321,
        height=241,
    )
    odd = replace(squats, series=series, angle_deg=squats.angle_deg[:20])
    annotate_video(source, odd, tmp_path / "annotated.mp4", SQUAT)
    assert len(list(Video(tmp_path / "annotated.mp4").frames())) == 20


def test_scoring_to_a_folder_writes_result_plot_report_and_video(tmp_path: Path) -> None:
    score_to_folder(CLIP, "shoulder_abduction", None, tmp_path)
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"session.json", "session.png", "report.png", "annotated.mp4"}


def test_the_contact_sheets_are_small_enough_for_the_documentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["overlay_pictures", str(tmp_path)])
    overlay_pictures.main()
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {"overlay-abduction.png", "overlay-elbow.png"}
    assert max(sizes.values()) < 300_000
