"""What the exercise library holds, and which definitions it refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from fhir import codes
from rtm.exercises import CODE_SYSTEM, Exercise, InvalidExercise, load_library
from rtm.exercises.library import read_library

LIBRARY = load_library()
EXERCISES = list(LIBRARY)
REGIONS = {
    *("neck", "shoulder", "elbow_wrist", "low_back", "hip", "knee", "ankle"),
    *("balance", "general"),
}

# What tests of counting rely on: a movement of one is not counted as another.
TUNED = {
    "squat": [("hip_flexion", "change", "above", 8)],
    "sit_to_stand": [("hip_flexion", "rest", "above", 30), ("hip_flexion", "change", "below", -20)],
    "knee_extension_seated": [
        ("hip_flexion", "rest", "above", 30),
        ("hip_flexion", "peak", "above", 30),
        ("hip_flexion", "change", "above", -30),
    ],
    "hip_abduction_standing": [
        ("knee_flexion", "peak", "below", 60),
        ("hip_flexion", "peak", "below", 60),
    ],
    "shoulder_abduction": [("plane_of_elevation", "during", "below", 65)],
    "shoulder_flexion": [("plane_of_elevation", "during", "above", 35)],
    "elbow_flexion": [("shoulder_flexion", "change", "below", 60)],
}

Change = Callable[[dict[str, Any]], object]


def document(exercise_id: str) -> dict[str, Any]:
    text = files("rtm.exercises").joinpath(f"{exercise_id}.yaml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def library_with(tmp_path: Path, **changes: Change) -> None:
    """Reads the whole library again with some definitions changed."""
    for exercise in EXERCISES:
        changed = document(exercise.id)
        if exercise.id in changes:
            changes[exercise.id](changed)
        (tmp_path / f"{exercise.id}.yaml").write_text(yaml.safe_dump(changed, allow_unicode=True))
    read_library(tmp_path)


def test_every_region_has_at_least_three_exercises() -> None:
    counts = Counter(exercise.region for exercise in EXERCISES)
    assert set(counts) == REGIONS
    assert min(counts.values()) >= 3
    assert len(EXERCISES) >= 44


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_every_text_is_in_both_languages(exercise: Exercise) -> None:
    texts = [exercise.name, exercise.feel, *(phase.name for phase in exercise.phases)]
    texts += [each.cue for each in (*exercise.faults, *exercise.requirements)]
    for text in texts:
        assert text["en"].strip()
        assert text["es"].strip()
        assert text["en"] != text["es"]
    for lines in (exercise.steps, exercise.contraindications, exercise.equipment):
        assert len(lines["en"]) == len(lines["es"])
        assert all(line.strip() for line in (*lines["en"], *lines["es"]))


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_the_target_lies_within_the_norm_that_is_named(exercise: Exercise) -> None:
    angle = exercise.primary_angle
    if angle is None:
        return
    norms = [
        int(word.strip(";,()")) for word in angle.source.split() if word.strip(";,()").isdigit()
    ]
    assert "AAOS" in angle.source
    assert max(abs(angle.rest_deg), abs(angle.target_deg)) <= max(norms)
    assert angle.minimum_rom_deg < abs(angle.target_deg - angle.rest_deg)


@pytest.mark.parametrize("exercise_id", TUNED)
def test_requirements_of_the_measured_exercises_are_kept(exercise_id: str) -> None:
    found = [
        (each.measure, each.at, each.comparison, each.bound_deg)
        for each in LIBRARY[exercise_id].requirements
    ]
    assert found == TUNED[exercise_id]


def test_a_hold_that_is_asked_for_is_judged() -> None:
    for exercise in EXERCISES:
        asked = exercise.tempo.hold_s if exercise.tempo else None
        judged = [fault.bound for fault in exercise.faults if fault.measure == "hold_duration"]
        assert judged == ([asked] if asked else []), exercise.id


@pytest.mark.parametrize(
    ("exercise_id", "measures"),
    [
        ("squat", {"knee_valgus", "trunk_flexion", "heel_rise"}),
        ("shoulder_abduction", {"trunk_lateral_flexion", "shoulder_hike"}),
        ("shoulder_flexion", {"trunk_flexion", "shoulder_hike"}),
        ("elbow_flexion", {"shoulder_abduction", "trunk_sway"}),
    ],
)
def test_the_common_faults_are_looked_for(exercise_id: str, measures: set[str]) -> None:
    assert measures <= {fault.measure for fault in LIBRARY[exercise_id].faults}


def test_every_exercise_has_its_own_code() -> None:
    assert CODE_SYSTEM == codes.EXERCISE
    for exercise in EXERCISES:
        assert (CODE_SYSTEM, exercise.id) in {(c.system, c.code) for c in exercise.codes}


def test_nearly_every_exercise_leads_to_another() -> None:
    linked = {link for e in EXERCISES for link in (*e.progressions, *e.regressions)}
    linked |= {e.id for e in EXERCISES if e.progressions or e.regressions}
    assert len(linked) >= 0.6 * len(EXERCISES)


def test_the_library_written_out_again_is_read_again(tmp_path: Path) -> None:
    library_with(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["camera"]["faults"][0].update(measure="lumbar_flexion"), "faults"),
        (lambda d: d["camera"]["faults"][0].update(unit="s"), "faults"),
        (lambda d: d["camera"]["faults"][0]["cue"].pop("es"), "es"),
        (lambda d: d["steps"].pop("es"), "es"),
        (lambda d: d["name"].pop("es"), "es"),
        (lambda d: d["contraindications"].pop("es"), "es"),
        (lambda d: d["contraindications"]["es"].append("otra"), "contraindications differ"),
        (lambda d: d["camera"]["primary_angle"].pop("source"), "source"),
        (lambda d: d["camera"]["phases"][0].update(from_deg=30), "rest"),
        (lambda d: d["camera"]["phases"][1].update(from_deg=30), "does not begin where"),
        (lambda d: d["camera"].update(phases=d["camera"]["phases"][:1] * 2), "phases"),
        (lambda d: d["demonstration"]["keyframes"][0].update(tail_flexion=3), "tail_flexion"),
        (lambda d: d["demonstration"]["keyframes"][0].update(step=9), "step 9"),
        (lambda d: d["demonstration"]["keyframes"][1].update(t=0), "follow each other"),
        (lambda d: d.pop("demonstration"), "demonstration"),
        (lambda d: d["codes"][0].update(code="other"), "codes"),
        (lambda d: d.update(progressions=["moonwalk"]), "unknown progression moonwalk"),
        (lambda d: d.update(regressions=["chin_tuck"]), "another region"),
        (lambda d: d.update(progressions=["sit_to_stand"]), "circle"),
    ],
)
def test_a_broken_definition_is_refused(change: Change, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidExercise, match=message):
        library_with(tmp_path, squat=change)


def test_progressions_may_not_lead_in_a_circle_of_three(tmp_path: Path) -> None:
    with pytest.raises(InvalidExercise, match="circle"):
        library_with(
            tmp_path, split_squat=lambda d: d.update(progressions=["knee_extension_seated"])
        )


def test_what_no_camera_measures_has_to_say_why(tmp_path: Path) -> None:
    with pytest.raises(InvalidExercise, match="measurement_note"):
        library_with(tmp_path, quad_set=lambda d: d.pop("measurement_note"))
