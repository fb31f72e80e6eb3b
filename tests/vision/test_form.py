"""The score explains itself: each part moves with its own measure and with no other."""

from __future__ import annotations

import numpy as np
import pytest

from rtm.exercises import load_library
from rtm.session import ExerciseResult
from tests.vision.figure import cycles, figure, squat
from tests.vision.synthetic_person import Rep, Scene, record
from vision.coach import cues
from vision.form import WEIGHTS
from vision.score import score_series

LIBRARY = load_library()


def abductions(peak: float, **tempo: float) -> ExerciseResult:
    series = figure({"shoulder_abduction": cycles([peak] * 4, rest=10.0, **tempo)})
    return score_series(series, LIBRARY["shoulder_abduction"]).result


def squats(lean_deg: float) -> ExerciseResult:
    depth = cycles([85.0] * 3, rest=5.0)
    angles = squat(depth) | {"trunk_flexion": depth / 85.0 * lean_deg}
    return score_series(figure(angles, turn_deg=90.0), LIBRARY["squat"]).result


def part(result: ExerciseResult, name: str) -> float:
    value = getattr(result.score, name)
    assert value is not None
    return float(value)


def test_range_falls_with_the_way_to_the_target() -> None:
    assert part(abductions(160.0), "range") == pytest.approx(100.0)
    assert 40 < part(abductions(85.0), "range") < 65


def test_hurried_repetitions_lose_control_and_are_named() -> None:
    calm, hurried = abductions(155.0, seconds=2.5), abductions(155.0, seconds=0.7)
    assert part(calm, "control") > 95
    assert part(hurried, "control") < part(calm, "control") - 10
    (fault,) = hurried.faults
    assert (fault.id, fault.repetitions, fault.unit) == ("too_fast", (1, 2, 3, 4), "s")
    assert fault.value < 1.0


def test_a_wavering_movement_is_less_controlled_than_a_steady_one() -> None:
    reps = [Rep(up_s=2.0, down_s=2.0)] * 3
    steady, wavering = (
        score_series(
            record(Scene(exercise="elbow_flexion", reps=reps, tremor_deg=waver, tremor_hz=1.5)),
            LIBRARY["elbow_flexion"],
        ).result
        for waver in (0.0, 20.0)
    )
    assert len(steady.repetitions) == len(wavering.repetitions) == 3
    assert part(wavering, "control") < part(steady, "control") - 5


def test_leaning_too_far_is_a_fault_with_its_worst_value_and_a_cue() -> None:
    upright, leaning = squats(25.0), squats(65.0)
    assert upright.faults == ()
    assert part(upright, "form") == 100.0
    (fault,) = leaning.faults
    assert fault.id == "trunk_lean"
    assert fault.repetitions == (1, 2, 3)
    assert fault.value == pytest.approx(65.0, abs=3)
    assert all(repetition.faults == ("trunk_lean",) for repetition in leaning.repetitions)
    assert cues(leaning, LIBRARY["squat"], "es") == ["Mantenga el pecho arriba."]
    assert part(leaning, "form") == 0.0


def test_leaning_back_is_not_leaning_forward() -> None:
    knee = cycles([5.0] * 3, rest=85.0)
    faults = {}
    for lean in (-35.0, 35.0):
        angles = {
            "knee_flexion": knee,
            "hip_flexion": knee * 0 + 88,
            "trunk_flexion": knee * 0 + lean,
        }
        series = figure(angles, sides=("RIGHT",), turn_deg=-90.0)
        result = score_series(series, LIBRARY["knee_extension_seated"]).result
        faults[lean] = [fault.id for fault in result.faults]
    assert faults == {-35.0: ["leaning_back"], 35.0: []}


def test_a_fault_that_could_not_be_seen_is_not_judged() -> None:
    series = figure({"elbow_flexion": cycles([130.0] * 3, rest=10.0)})
    series.visibility[:, 23:25] = 0.0
    series.visibility[:, 15:17] = 0.95
    result = score_series(series, LIBRARY["elbow_flexion"]).result
    assert len(result.repetitions) == 3
    unseen = figure({"shoulder_abduction": cycles([150.0] * 3, rest=10.0)})
    unseen.visibility[:, 15:17] = 0.0
    judged = score_series(unseen, LIBRARY["shoulder_abduction"]).result
    assert "bent_elbows" not in {fault.id for fault in judged.faults}
    assert judged.score.form == 100.0


def test_the_total_is_the_weighted_mean_of_the_parts_measured() -> None:
    result = abductions(110.0)
    parts = {name: part(result, name) for name in WEIGHTS}
    expected = sum(WEIGHTS[name] * value for name, value in parts.items()) / sum(WEIGHTS.values())
    assert result.score.total == pytest.approx(expected)


def test_one_side_moving_less_lowers_symmetry_only() -> None:
    wide, narrow = cycles([150.0] * 4, rest=10.0), cycles([110.0] * 4, rest=10.0)
    both = figure({"shoulder_abduction": wide})
    right = figure({"shoulder_abduction": narrow}, sides=("RIGHT",))
    image, world = both.image.copy(), both.world.copy()
    for landmark in (14, 16):
        image[:, landmark], world[:, landmark] = right.image[:, landmark], right.world[:, landmark]
    uneven = type(both)(both.t_s, image, world, both.visibility, 960, 960)
    result = score_series(uneven, LIBRARY["shoulder_abduction"]).result
    assert part(result, "symmetry") == pytest.approx(100 * 100 / 140, abs=5)
    assert part(result, "completeness") == 100.0
    assert np.isclose(part(result, "form"), 100.0)
