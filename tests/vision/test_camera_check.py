"""The camera check: altered pictures of a real person, and figures that stand wrongly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyphen import Pyphen

from app.demo.walk import CLIP
from rtm.exercises import load_library
from tests.vision.figure import cycles, figure
from tests.vision.synthetic_person import Scene, mirror, record
from vision.camera_check import Finding, check_camera, messages
from vision.estimator import Footage, MediaPipeEstimator, landmarks_of_video
from vision.landmarks import Landmark, LandmarkSeries
from vision.light import Light, light_of
from vision.one_person import only_one_person
from vision.video import Picture, Video

LIBRARY = load_library()
ABDUCTION = LIBRARY["shoulder_abduction"]
SQUAT = LIBRARY["squat"]
FPS = 30.0

Alter = Callable[[int, Picture], np.ndarray]


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    return [frame.rgb for frame in Video(CLIP).frames()]


@pytest.fixture(scope="module")
def plain() -> Footage:
    return _footage(CLIP)


def _footage(path: Path) -> Footage:
    with MediaPipeEstimator() as estimator:
        return landmarks_of_video(path, estimator)


def _filmed(pictures: Sequence[Picture], path: Path, alter: Alter, fps: float = FPS) -> Footage:
    writer = None
    for number, rgb in enumerate(pictures):
        altered = np.ascontiguousarray(alter(number, rgb))
        if writer is None:
            size = (altered.shape[1], altered.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
        writer.write(cv2.cvtColor(altered, cv2.COLOR_RGB2BGR))
    assert writer is not None
    writer.release()
    return _footage(path)


def _found(footage: Footage, exercise: str = "shoulder_abduction") -> dict[str, Finding]:
    findings = check_camera(
        footage.series,
        footage.light,
        footage.people,
        LIBRARY[exercise],
        frames_of_others=footage.frames_of_others,
    )
    return {finding.id: finding for finding in findings}


def _seen(series: LandmarkSeries, exercise: str, side: str | None = None) -> dict[str, Finding]:
    findings = check_camera(series, (), (), LIBRARY[exercise], side=side)  # type: ignore[arg-type]
    return {finding.id: finding for finding in findings}


def test_a_good_recording_of_one_person_has_nothing_wrong(plain: Footage) -> None:
    assert _found(plain) == {}
    assert set(plain.people) == {1}
    assert plain.frames_of_others == 0


def test_a_dark_picture_is_too_dark(pictures: list[Picture], tmp_path: Path) -> None:
    dark = _filmed(pictures[:40], tmp_path / "dark.mp4", lambda _, rgb: (rgb * 0.22).astype("u1"))
    assert _found(dark)["too_dark"].severity == "warn"


def test_a_burnt_out_picture_is_too_bright(pictures: list[Picture], tmp_path: Path) -> None:
    def exposed(_: int, rgb: Picture) -> np.ndarray:
        return np.clip(rgb * 3.0, 0, 255).astype("u1")

    assert "too_bright" in _found(_filmed(pictures[:40], tmp_path / "bright.mp4", exposed))


def test_a_person_in_shade_before_a_burnt_out_sky_is_back_lit(
    pictures: list[Picture], tmp_path: Path
) -> None:
    def against_the_light(_: int, rgb: Picture) -> np.ndarray:
        wide = rgb.astype(float)
        return np.where(wide > 150, 255, wide * 0.6).astype("u1")

    found = _found(_filmed(pictures[:40], tmp_path / "window.mp4", against_the_light))
    assert "back_light" in found


def test_a_pale_picture_has_low_contrast(pictures: list[Picture], tmp_path: Path) -> None:
    def fogged(_: int, rgb: Picture) -> np.ndarray:
        return (110 + 0.2 * rgb).astype("u1")

    assert "low_contrast" in _found(_filmed(pictures[:40], tmp_path / "fog.mp4", fogged))


@pytest.mark.parametrize("roll_deg", [15, -15])
def test_a_rolled_camera_is_tilted_by_its_roll(
    roll_deg: int, pictures: list[Picture], tmp_path: Path
) -> None:
    # cv2 counts counter-clockwise, a roll of the picture clockwise.
    turn = cv2.getRotationMatrix2D((360, 360), -roll_deg, 0.8)
    footage = _filmed(
        pictures[:40],
        tmp_path / "rolled.mp4",
        lambda _, rgb: cv2.warpAffine(rgb, turn, (720, 720)),
    )
    assert _found(footage)["camera_tilted"].measure.value == pytest.approx(roll_deg, abs=4)


def test_feet_below_the_picture_are_said_to_be_cut_off(
    pictures: list[Picture], tmp_path: Path
) -> None:
    footage = _filmed(pictures[:40], tmp_path / "cropped.mp4", lambda _, rgb: rgb[:600])
    found = _found(footage, "squat")
    assert found["cut_off_feet"].message["en"] == "Move back: your feet are not in the picture."
    assert "cut_off_feet" not in _found(footage, "shoulder_abduction")


def test_a_person_far_away_is_asked_to_come_closer(pictures: list[Picture], tmp_path: Path) -> None:
    def shrunken(_: int, rgb: Picture) -> np.ndarray:
        room = np.full((720, 720, 3), 128, dtype=np.uint8)
        room[260:460, 260:460] = cv2.resize(rgb, (200, 200), interpolation=cv2.INTER_AREA)
        return room

    far = _found(_filmed(pictures[:40], tmp_path / "far.mp4", shrunken))["too_far"]
    assert far.measure.value < 1 / 3


def _beside(pictures: Sequence[Picture], *, patient: range, other: range) -> Alter:
    """The same person twice, the other half a repetition later, each shown in some frames."""

    def alter(number: int, _: Picture) -> np.ndarray:
        both = np.full((720, 840, 3), 128, dtype=np.uint8)
        if number in patient:
            both[:, :420] = pictures[number][:, 150:570]
        if number in other:
            later = pictures[(number + 15) % len(pictures)]
            both[150:, 445:815] = cv2.resize(later[:, 150:570], (370, 570))
        return both

    return alter


def test_two_people_raise_a_warning(pictures: list[Picture], tmp_path: Path) -> None:
    alter = _beside(pictures, patient=range(99), other=range(99))
    footage = _filmed(pictures[:70], tmp_path / "two.mp4", alter)
    assert set(footage.people) == {2}
    assert _found(footage)["second_person"].measure.value == 1.0
    assert _halves(footage.series) in ({"left"}, {"right"})


def test_the_tracker_jumping_to_someone_else_leaves_a_gap(
    pictures: list[Picture], tmp_path: Path
) -> None:
    alter = _beside(pictures, patient=range(60), other=range(61, 99))
    footage = _filmed(pictures[:80], tmp_path / "changed.mp4", alter)
    assert footage.frames_of_others > 5
    assert _halves(footage.series) == {"left"}
    assert "person_changed" in _found(footage)


def _halves(series: LandmarkSeries) -> set[str]:
    hips = series.image[series.found][:, [Landmark.LEFT_HIP, Landmark.RIGHT_HIP], 0].mean(axis=1)
    return {"left" if x < 0.5 else "right" for x in hips}


def test_too_few_pictures_per_second_are_told(pictures: list[Picture], tmp_path: Path) -> None:
    slow = _filmed(pictures[::3], tmp_path / "slow.mp4", lambda _, rgb: rgb, fps=10)
    assert _found(slow)["low_frame_rate"].severity == "warn"
    hopeless = _filmed(pictures[::8], tmp_path / "hopeless.mp4", lambda _, rgb: rgb, fps=4)
    assert _found(hopeless)["low_frame_rate"].severity == "stop"


def _only(series: LandmarkSeries, kept: np.ndarray) -> LandmarkSeries:
    return LandmarkSeries(
        series.t_s[kept],
        series.image[kept],
        series.world[kept],
        series.visibility[kept],
        series.width,
        series.height,
    )


def test_dropped_frames_make_the_rate_uneven(plain: Footage) -> None:
    kept = np.flatnonzero(np.random.default_rng(1).uniform(size=99) > 0.3)
    found = check_camera(_only(plain.series, kept), plain.light, plain.people, ABDUCTION)
    assert [finding.id for finding in found] == ["uneven_frame_rate"]


def test_a_recording_in_which_hardly_anyone_is_seen_is_stopped(plain: Footage) -> None:
    image = plain.series.image.copy()
    image[20:] = np.nan
    found = _seen(replace(plain.series, image=image), "shoulder_abduction")
    assert found["nobody"].severity == "stop"


@pytest.mark.parametrize(
    ("exercise", "heading_deg", "expected"),
    [
        ("shoulder_abduction", 90.0, "turn_to_face"),
        ("hip_abduction_standing", 90.0, "turn_to_face"),
        ("knee_extension_seated", 0.0, "turn_sideways"),
        ("shoulder_flexion", 0.0, "turn_sideways"),
    ],
)
def test_the_wrong_view_says_how_to_turn(exercise: str, heading_deg: float, expected: str) -> None:
    assert set(_seen(record(Scene(exercise, heading_deg=heading_deg)), exercise)) == {expected}


@pytest.mark.parametrize(
    ("exercise", "heading_deg"),
    [
        ("shoulder_abduction", 0.0),
        ("hip_abduction_standing", 0.0),
        ("knee_extension_seated", 90.0),
        ("shoulder_flexion", 90.0),
        ("squat", 0.0),
        ("squat", 90.0),
        ("sit_to_stand", 90.0),
        ("elbow_flexion", 0.0),
    ],
)
def test_the_right_view_has_nothing_wrong(exercise: str, heading_deg: float) -> None:
    assert _seen(record(Scene(exercise, heading_deg=heading_deg)), exercise) == {}


def test_without_depth_nothing_is_said_of_the_view() -> None:
    series = record(Scene("shoulder_flexion", heading_deg=0.0))
    flat = replace(series, world=np.full_like(series.world, np.nan))
    assert _seen(flat, "shoulder_flexion") == {}


def test_a_person_too_near_is_sent_back() -> None:
    near = record(Scene("shoulder_abduction", distance_m=1.0))
    assert {"too_near", "cut_off_elbows"} <= set(_seen(near, "shoulder_abduction"))


def test_a_knee_out_of_the_picture_stops_a_squat() -> None:
    series = record(Scene("squat"))
    image = series.image + np.array([0.0, 0.38])
    found = _seen(replace(series, image=image), "squat")
    assert found["cut_off_knees"].severity == "stop"
    assert "cut_off_feet" not in found


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_other_side_moving_is_noticed_and_a_mirror_mentioned(side: str) -> None:
    series = record(Scene("hip_abduction_standing", side=side))
    assert "other_side_moves" not in _seen(series, "hip_abduction_standing", side)
    found = _seen(mirror(series), "hip_abduction_standing", side)
    assert "mirror" in found["other_side_moves"].message["en"]


def test_without_a_side_asked_for_a_mirrored_picture_is_not_guessed_at() -> None:
    series = record(Scene("hip_abduction_standing", side="left"))
    assert _seen(mirror(series), "hip_abduction_standing") == {}


def test_every_message_is_short_and_in_both_languages() -> None:
    for text in messages().values():
        assert set(text) == {"en", "es"}
        assert all(len(sentence.split()) <= 16 for each in text.values() for sentence in _of(each))


@pytest.mark.parametrize("finding", messages())
def test_every_message_reads_at_sixth_grade_or_below(finding: str) -> None:
    text = messages()[finding]
    words, syllables = _per_sentence_and_word(text["en"], "en_US")
    assert 0.39 * words + 11.8 * syllables - 15.59 <= 6.0, "Flesch-Kincaid grade"
    words, syllables = _per_sentence_and_word(text["es"], "es")
    assert 206.84 - 60 * syllables - 1.02 * words >= 70.0, "Fernández Huerta, fairly easy"


def _per_sentence_and_word(text: str, language: str) -> tuple[float, float]:
    """Words per sentence and syllables per word, by the language's hyphenation."""
    hyphenation = Pyphen(lang=language, left=1, right=1)
    words = text.replace(":", " ").replace(".", " ").replace(",", " ").split()
    syllables = [len(hyphenation.positions(word)) + 1 for word in words]
    return len(words) / len(list(_of(text))), sum(syllables) / len(words)


def _of(text: str) -> Iterator[str]:
    return (sentence for sentence in text.replace(":", ".").split(".") if sentence)


def test_light_tells_the_person_from_the_surroundings() -> None:
    rgb = np.full((720, 720, 3), 255, dtype=np.uint8)
    image = np.full((33, 3), 0.5)
    for mark, place in {
        Landmark.LEFT_SHOULDER: (0.6, 0.3),
        Landmark.RIGHT_SHOULDER: (0.4, 0.3),
        Landmark.LEFT_HIP: (0.6, 0.6),
        Landmark.RIGHT_HIP: (0.4, 0.6),
    }.items():
        image[mark, :2] = place
    rgb[200:450, 280:440] = 51
    light = light_of(rgb, 1.5, image)
    assert light == Light(
        t_s=1.5,
        mean=pytest.approx(0.94, abs=0.03),
        spread=pytest.approx(0.8, abs=0.01),
        clipped=pytest.approx(0.92, abs=0.03),
        person=pytest.approx(0.2, abs=0.02),
        person_clipped=pytest.approx(0.0, abs=0.02),
        around_clipped=pytest.approx(1.0, abs=0.02),
    )


def test_light_without_a_person_is_of_the_whole() -> None:
    light = light_of(np.zeros((100, 180, 3), dtype=np.uint8), 0.0, None)
    assert (light.mean, light.person, light.around_clipped) == (0.0, None, None)


def _with_a_stranger(series: LandmarkSeries, frames: slice, shift: float) -> LandmarkSeries:
    image = series.image.copy()
    image[frames] += [shift, 0.0]
    return replace(series, image=image)


@given(
    first=st.integers(5, 60), length=st.integers(1, 25), shift=st.sampled_from([-0.3, 0.25, 0.4])
)
def test_a_stranger_for_some_frames_becomes_a_gap_of_just_these(
    first: int, length: int, shift: float
) -> None:
    series = figure({"shoulder_abduction": cycles([150.0, 140.0], rest=10.0)}, noise_m=0.003)
    frames = slice(first, first + length)
    kept, others = only_one_person(_with_a_stranger(series, frames, shift))
    assert others == length
    assert not kept.found[frames].any()
    assert kept.found.sum() == series.frame_count - length
    np.testing.assert_array_equal(kept.image[kept.found], series.image[kept.found])


@pytest.mark.parametrize(
    ("exercise", "walks"), [("squat", True), ("shoulder_abduction", True), ("sit_to_stand", False)]
)
@pytest.mark.parametrize("fps", [8.0, 30.0])
def test_one_moving_person_stays_one(exercise: str, walks: bool, fps: float) -> None:
    scene = Scene(exercise, fps=fps, heading_deg=90.0, walk_in=walks, walk_out=walks)
    series = record(scene)
    kept, others = only_one_person(series)
    assert others == 0
    assert kept is series


def test_a_slip_of_the_tracker_is_not_told_as_another_person(plain: Footage) -> None:
    found = check_camera(plain.series, (), (), ABDUCTION, frames_of_others=5)
    assert found == ()


def test_someone_who_walked_off_and_comes_back_elsewhere_is_still_the_patient() -> None:
    series = figure({"knee_flexion": np.zeros(240)})
    image = series.image.copy()
    image[100:140] = np.nan
    image[140:] += [0.3, 0.0]
    _, others = only_one_person(replace(series, image=image))
    assert others == 0
