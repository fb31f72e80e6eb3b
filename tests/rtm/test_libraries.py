"""The exercises and protocols that ship, and what their loaders refuse."""

from __future__ import annotations

import shutil
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from rtm.exercises import InvalidExercise, UnknownExercise, load_library
from rtm.exercises.library import read_library
from rtm.protocols import InvalidProtocol, UnknownProtocol, draft_program, load_protocols
from rtm.protocols.library import read_protocols

MEASURED = {
    "squat",
    "sit_to_stand",
    "knee_extension_seated",
    "hip_abduction_standing",
    "shoulder_abduction",
    "shoulder_flexion",
    "elbow_flexion",
}
PROTOCOLS = {
    "knee_strengthening",
    "total_knee_replacement",
    "rotator_cuff_repair",
    "low_back_pain",
    "neck_pain",
    "shoulder_pain",
}


def test_the_seven_measured_exercises_are_there() -> None:
    measured = {exercise.id for exercise in load_library() if exercise.measurement == "camera"}
    assert measured >= MEASURED


def test_every_exercise_says_the_same_in_both_languages() -> None:
    for exercise in load_library():
        assert len(exercise.steps["en"]) == len(exercise.steps["es"]), exercise.id


def test_what_a_camera_does_not_measure_says_why() -> None:
    for exercise in load_library():
        assert (exercise.measurement == "camera") == (exercise.measurement_note is None)


def test_steps_are_short_sentences() -> None:
    for exercise in load_library():
        for step in (*exercise.steps["en"], *exercise.steps["es"]):
            assert len(step.split()) <= 14, step


def test_an_unknown_exercise_lists_the_known_ones() -> None:
    with pytest.raises(UnknownExercise, match="squat"):
        load_library()["moonwalk"]


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("region: knee", "region: tail", "region"),
        ("id: squat", "id: crouch", "crouch"),
        ("laterality: bilateral\n", "", "laterality"),
        ("name: knee_flexion", "name: tail_flexion", "primary_angle"),
    ],
)
def test_a_broken_exercise_names_file_and_fault(
    good: str, bad: str, message: str, tmp_path: Path
) -> None:
    text = files("rtm.exercises").joinpath("squat.yaml").read_text("utf-8")
    assert good in text
    (tmp_path / "squat.yaml").write_text(text.replace(good, bad))
    with pytest.raises(InvalidExercise, match=message) as refused:
        read_library(tmp_path)
    assert "squat.yaml" in str(refused.value)


def test_the_six_protocols_are_there_with_their_guidelines() -> None:
    assert {protocol.id for protocol in load_protocols()} >= PROTOCOLS
    for protocol in load_protocols():
        assert len(protocol.guideline) > 40
        assert protocol.red_flags


def test_no_protocol_prescribes_what_it_forbids() -> None:
    for protocol in load_protocols():
        forbidden = {e for precaution in protocol.precautions for e in precaution.forbids}
        prescribed = {line.exercise_id for phase in protocol.phases for line in phase.exercises}
        assert not forbidden & prescribed, protocol.id


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("exercise: quad_set", "exercise: moonwalk", "unknown exercise moonwalk"),
        ("forbids: [squat, split_squat]", "forbids: [quad_set]", "no_deep_squat forbids: it is"),
        ("weeks: 2", "weeks: 0", "weeks"),
    ],
)
def test_a_broken_protocol_names_file_and_fault(
    good: str, bad: str, message: str, tmp_path: Path
) -> None:
    source = Path(str(files("rtm.protocols"))) / "total_knee_replacement.yaml"
    shutil.copy(source, tmp_path)
    text = source.read_text("utf-8")
    assert good in text
    (tmp_path / source.name).write_text(text.replace(good, bad))
    with pytest.raises(InvalidProtocol, match=message):
        read_protocols(tmp_path, load_library())


def test_an_unknown_phase_lists_the_known_ones() -> None:
    with pytest.raises(UnknownProtocol, match="weeks_0_2"):
        load_protocols()["total_knee_replacement"].phase("weeks_90")


def test_a_draft_takes_the_side_for_one_sided_exercises_only() -> None:
    protocol = load_protocols()["total_knee_replacement"]
    draft = draft_program(
        protocol, protocol.phases[0], id="p", start=date(2026, 11, 2), side="left"
    )
    sides = {line.exercise_id: line.side for line in draft.exercises}
    assert sides["quad_set"] == "left"
    assert sides["ankle_pump"] == "bilateral"
    assert draft.end == date(2026, 11, 15)
