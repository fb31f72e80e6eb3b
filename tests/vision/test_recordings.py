"""Real files in: the labelled video, and everything that is not a good recording."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.demo.walk import CLIP
from rtm.exercises import load_library
from tests.vision.figure import cycles, figure
from vision.errors import (
    NobodyFound,
    NotMeasurable,
    RecordingProblem,
    UnreadableSeries,
    UnreadableVideo,
)
from vision.estimator import MediaPipeEstimator, ModelMissing
from vision.landmarks import LandmarkSeries
from vision.report import result_json
from vision.score import score_file, score_series
from vision.series_files import read_series, write_json, write_npz

LIBRARY = load_library()
ABDUCTION = LIBRARY["shoulder_abduction"]


@pytest.fixture(scope="module")
def clip_result() -> dict[str, object]:
    return result_json(score_file(CLIP, ABDUCTION).result)


def test_two_shoulder_abductions_by_a_real_person(clip_result: dict[str, object]) -> None:
    assert clip_result["repetition_count"] == 2
    first, second = clip_result["repetitions"]  # type: ignore[misc]
    assert first["start_s"] == pytest.approx(0.2, abs=0.2)
    assert first["peak_s"] == pytest.approx(0.85, abs=0.15)
    assert second["peak_s"] == pytest.approx(2.0, abs=0.15)
    assert 145 <= first["peak_deg"] <= 165
    assert 145 <= second["peak_deg"] <= 165


def test_the_score_has_the_documented_form(clip_result: dict[str, object]) -> None:
    assert set(clip_result) == {
        "exercise",
        "side",
        "duration_s",
        "frames",
        "frames_measured",
        "repetitions",
        "repetition_count",
        "primary_angle",
        "score",
        "explanation",
        "faults",
        "quality",
    }
    assert set(clip_result["score"]) == {  # type: ignore[call-overload]
        "total",
        "range",
        "control",
        "form",
        "symmetry",
        "completeness",
    }
    assert clip_result["frames"] == 99
    json.dumps(clip_result, allow_nan=False)


def _text(path: Path) -> None:
    path.write_text("this is not a video\n" * 100)


def _empty(path: Path) -> None:
    path.touch()


def _cut_head(path: Path) -> None:
    path.write_bytes(CLIP.read_bytes()[2000:20000])


@pytest.mark.parametrize("make", [_text, _empty, _cut_head])
def test_what_is_not_a_video_is_refused_in_one_line(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "session.mp4"
    make(path)
    with pytest.raises(UnreadableVideo) as refused:
        score_file(path, ABDUCTION)
    assert "\n" not in str(refused.value)


def _video(path: Path, pictures: list[np.ndarray]) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 15, (320, 240))
    for picture in pictures:
        writer.write(picture)
    writer.release()


def test_a_video_with_nobody_in_it_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 60, (240, 320, 3), dtype=np.uint8) for _ in range(20)]
    _video(tmp_path / "empty_room.mp4", noise)
    with pytest.raises(NobodyFound, match="Nobody can be seen"):
        score_file(tmp_path / "empty_room.mp4", ABDUCTION)


def test_a_truncated_video_is_scored_as_far_as_it_goes_and_says_so(tmp_path: Path) -> None:
    whole = tmp_path / "whole.avi"
    capture = cv2.VideoCapture(str(CLIP))
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"MJPG"), 30, (720, 720))
    while (read := capture.read())[0]:
        writer.write(read[1])
    writer.release()
    cut = tmp_path / "cut.webm"  # the extension chooses the reader, the content the decoder
    content = whole.read_bytes()
    cut.write_bytes(content[: len(content) * 6 // 10])
    result = score_file(cut, ABDUCTION).result
    assert len(result.repetitions) == 1
    assert any("cut off" in warning for warning in result.quality.warnings)


@pytest.mark.parametrize("name", ["session.txt", "session"])
def test_an_unknown_kind_of_file_names_the_known_ones(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(RecordingProblem, match=r"\.mp4"):
        score_file(tmp_path / name, ABDUCTION)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(RecordingProblem, match="no such file"):
        score_file(tmp_path / "nothing.mp4", ABDUCTION)


def test_an_exercise_that_no_camera_measures_says_why() -> None:
    with pytest.raises(NotMeasurable, match="camera"):
        score_file(CLIP, LIBRARY["quad_set"])


def test_npz_json_and_csv_hold_the_same_series(tmp_path: Path) -> None:
    series = figure({"shoulder_abduction": cycles([150.0, 140.0], rest=10.0)}, noise_m=0.003)
    write_npz(series, tmp_path / "s.npz")
    write_json(series, tmp_path / "s.json")
    header = ["t_s", "width", "height"]
    for i in range(33):
        header += [f"x{i}", f"y{i}", f"visibility{i}", f"wx{i}", f"wy{i}", f"wz{i}"]
    rows = [",".join(header)]
    for n in range(series.frame_count):
        cells = [series.t_s[n], 960, 960]
        for i in range(33):
            cells += [*series.image[n, i], series.visibility[n, i], *series.world[n, i]]
        rows.append(",".join(str(cell) for cell in cells))
    (tmp_path / "s.csv").write_text("\n".join(rows))
    counts = {
        suffix: len(score_file(tmp_path / f"s.{suffix}", ABDUCTION).result.repetitions)
        for suffix in ("npz", "json", "csv")
    }
    assert counts == {"npz": 2, "json": 2, "csv": 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("not json", "not JSON"),
        ("[]", "not an object"),
        ('{"t_s": [0, 1]}', "lacks image"),
        ('{"t_s": [0, 1], "image": [[1]], "width": 1, "height": 1}', "shape"),
        ('{"t_s": "x", "image": [], "width": 1, "height": 1}', "regular array"),
    ],
)
def test_a_broken_landmark_series_names_what_is_wrong(
    content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(UnreadableSeries, match=message):
        read_series(tmp_path / "s.json")


@pytest.mark.parametrize(
    ("t_s", "message"),
    [([0.0, 1.0, 1.0], "does not increase at frame 2"), ([0.0, np.nan, 2.0], "finite")],
)
def test_times_must_go_forward(t_s: list[float], message: str, tmp_path: Path) -> None:
    arrays = {"image": np.zeros((3, 33, 4)), "width": 10, "height": 10}
    np.savez(tmp_path / "s.npz", t_s=np.array(t_s), **arrays)  # type: ignore[arg-type]
    with pytest.raises(UnreadableSeries, match=message):
        read_series(tmp_path / "s.npz")


def test_a_series_in_which_nobody_was_ever_found_says_so() -> None:
    series = figure({"knee_flexion": np.zeros(30)})
    nobody = type(series)(
        series.t_s, series.image * np.nan, series.world * np.nan, series.visibility * 0, 960, 960
    )
    with pytest.raises(NobodyFound):
        score_series(nobody, ABDUCTION)


def test_parts_that_were_not_seen_are_null_and_never_zero() -> None:
    series = figure({"shoulder_abduction": cycles([150.0, 140.0], rest=10.0)})
    left = score_series(series, ABDUCTION, "left").result
    assert left.score.symmetry is None
    still = score_series(figure({"knee_flexion": np.zeros(60)}), ABDUCTION).result
    assert still.score.total is None
    assert still.repetitions == ()


@pytest.mark.parametrize("write", [write_npz, write_json])
def test_a_written_series_reads_back_with_its_gaps(
    write: Callable[[LandmarkSeries, Path], None], tmp_path: Path
) -> None:
    series = figure({"knee_flexion": np.linspace(0, 90, 30)}, noise_m=0.01)
    image, world = series.image.copy(), series.world.copy()
    image[5] = world[5] = np.nan
    image[7, 3] = np.nan
    gappy = replace(series, image=image, world=world)
    path = tmp_path / f"s{'.npz' if write is write_npz else '.json'}"
    write(gappy, path)
    back = read_series(path)
    np.testing.assert_allclose(back.image, image, atol=1e-5)
    np.testing.assert_allclose(back.world, world, atol=1e-5)
    np.testing.assert_allclose(back.t_s, series.t_s, atol=1e-4)
    assert (back.width, back.height) == (960, 960)


def test_a_landmark_file_in_which_someone_else_was_tracked_is_of_one_person(tmp_path: Path) -> None:
    series = figure({"shoulder_abduction": cycles([150.0] * 3, rest=10.0)}, noise_m=0.003)
    image = series.image.copy()
    image[40:44] += [0.3, 0.0]
    path = tmp_path / "two_people.npz"
    write_npz(replace(series, image=image), path)
    scored = score_file(path, ABDUCTION)
    assert not scored.series.found[40:44].any()
    assert len(scored.result.repetitions) == 3


def test_an_infinite_coordinate_is_refused(tmp_path: Path) -> None:
    image = np.zeros((3, 33, 4))
    image[1, 2, 0] = np.inf
    np.savez(tmp_path / "s.npz", image=image, t_s=np.arange(3.0), width=10, height=10)
    with pytest.raises(UnreadableSeries, match="infinite"):
        read_series(tmp_path / "s.npz")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7])
def test_an_mp4_cut_off_while_sending_is_refused_as_such(share: float, tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(CLIP.read_bytes()[: int(share * CLIP.stat().st_size)])
    with pytest.raises(UnreadableVideo, match="cut off"):
        score_file(path, ABDUCTION)


def test_scoring_a_video_writes_nothing_to_standard_error() -> None:
    program = (
        "import sys; from pathlib import Path; from rtm.exercises import load_library;"
        "from vision.score import score_file;"
        "print(len(score_file(Path(sys.argv[1]), load_library()['shoulder_abduction'])"
        ".result.repetitions))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(CLIP)], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr, done.returncode) == ("2\n", "", 0)


def test_a_refused_video_leaves_standard_error_to_the_one_line_of_the_command(
    tmp_path: Path,
) -> None:
    path = tmp_path / "session.mp4"
    path.write_text("this is not a video")
    command = [sys.executable, "-m", "app.cli", "score", str(path), "--exercise", "squat"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_model_says_to_run_make_setup(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="make setup"):
        MediaPipeEstimator(tmp_path / "pose_landmarker_full.task")


def test_progress_is_told_frame_by_frame() -> None:
    told: list[tuple[int, int | None]] = []
    score_file(CLIP, ABDUCTION, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 99) for n in range(1, 100)]
