"""The score explains itself: each part moves with its own measure and with no other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rtm.exercises import Fault, load_library
from rtm.session import ExerciseResult
from tests.vision.figure import cycles, figure, squat
from tests.vision.synthetic_person import Rep, Scene, record
from vision.coach import cues
from vision.form import WEIGHTS
from vision.landmarks import Landmark, LandmarkSeries
from vision.measures import MEASURES
from vision.score import score_series

LIBRARY = load_library()
ABDUCTION = LIBRARY["shoulder_abduction"]


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
    # of the three faults the view from the side shows two; the knees' inwards way it can't
    assert part(leaning, "form") == 50.0


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


def test_each_part_says_what_it_rests_on() -> None:
    result = abductions(110.0)
    rows = {row.part: row for row in result.explanation}
    assert set(rows) == set(WEIGHTS)
    # The figure's arm is set against the vertical, and its trunk leans 9° from shoulder to hip.
    assert (rows["range"].value, rows["range"].unit) == (pytest.approx(119.0, abs=3), "deg")
    assert (rows["control"].value, rows["control"].unit) == (pytest.approx(2.0, abs=0.6), "s")
    assert (rows["form"].value, rows["form"].unit) == (0.0, "repetitions")
    assert all(0.9 <= row.confidence <= 1.0 for row in rows.values())


def test_a_part_that_was_seen_badly_is_less_sure() -> None:
    series = figure({"shoulder_abduction": cycles([150.0] * 4, rest=10.0)})
    series.visibility[:, 13:15] = 0.55
    sure = {row.part: row.confidence for row in score_series(series, ABDUCTION).result.explanation}
    assert sure["range"] < 0.9


# Faults by measure -------------------------------------------------------------------------------


def fault(measure: str, bound: float, comparison: str = "above", seconds: float = 0.2) -> Fault:
    return Fault(
        id="the_fault",
        measure=measure,
        comparison=comparison,  # type: ignore[arg-type]  # the tests name the two there are
        bound=bound,
        unit="deg",
        minimum_duration_s=seconds,
        cue={"en": "Mend it.", "es": "Corrija."},
    )


def found(series: LandmarkSeries, exercise: str, one: Fault) -> list[int]:
    """The repetitions in which `one`, alone, is found."""
    with_it = replace(LIBRARY[exercise], faults=(one,))
    findings = score_series(series, with_it).result.faults
    return [n for finding in findings for n in finding.repetitions]


def rising_heels(share: float) -> LandmarkSeries:
    depth = cycles([85.0] * 3, rest=5.0)
    series = figure(squat(depth), turn_deg=90.0)
    lift = share * np.hypot(0.02, 0.20) * depth / 85.0
    for heel in (Landmark.LEFT_HEEL, Landmark.RIGHT_HEEL):
        series.world[:, heel, 1] -= lift
    return series


def test_a_heel_that_rises_by_a_third_of_the_foot_is_found() -> None:
    rise = fault("heel_rise", 0.2)
    assert found(rising_heels(0.35), "squat", rise) == [1, 2, 3]
    assert found(rising_heels(0.05), "squat", rise) == []


def test_a_shoulder_hiked_towards_the_ear_is_found() -> None:
    raise_ = cycles([150.0] * 3, rest=10.0)
    hiked, level = (figure({"shoulder_abduction": raise_}) for _ in range(2))
    for side in ("LEFT", "RIGHT"):
        for joint in ("SHOULDER", "ELBOW", "WRIST"):
            hiked.world[:, Landmark[f"{side}_{joint}"], 1] -= 0.08 * (raise_ - 10.0) / 140.0
    hike = fault("shoulder_hike", 0.1)
    assert found(hiked, "shoulder_abduction", hike) == [1, 2, 3]
    assert found(level, "shoulder_abduction", hike) == []


def test_swinging_the_trunk_is_momentum() -> None:
    bend = cycles([130.0] * 3, rest=10.0)
    swinging = figure({"elbow_flexion": bend, "trunk_flexion": (bend - 10.0) / 6.0})
    still = figure({"elbow_flexion": bend, "trunk_flexion": bend * 0 + 12.0})
    sway = fault("trunk_sway", 12.0)
    assert found(swinging, "elbow_flexion", sway) == [1, 2, 3]
    assert found(still, "elbow_flexion", sway) == []


def test_speed_and_phases_are_judged_once_a_repetition() -> None:
    slow = figure({"elbow_flexion": cycles([130.0] * 2, rest=10.0, seconds=4.0)})
    quick = figure({"elbow_flexion": cycles([130.0] * 2, rest=10.0, seconds=0.9)})
    for one in (
        fault("peak_velocity", 200.0),
        fault("concentric_duration", 1.0, "below"),
        fault("eccentric_duration", 1.0, "below"),
        fault("repetition_duration", 2.0, "below"),
    ):
        assert found(quick, "elbow_flexion", one) == [1, 2]
        assert found(slow, "elbow_flexion", one) == []


def test_a_hold_that_is_too_short_is_found_and_costs_control() -> None:
    exercise = LIBRARY["elbow_flexion"]
    assert exercise.tempo is not None
    holding = replace(exercise, tempo=replace(exercise.tempo, hold_s=5.0), faults=())
    bent = np.concatenate([cycles([130.0], rest=10.0)[:67], np.full(150, 130.0)])
    held = np.concatenate([bent, cycles([130.0], rest=10.0)[67:]])
    long, short = (
        score_series(figure({"elbow_flexion": angle}), holding).result
        for angle in (held, cycles([130.0], rest=10.0))
    )
    assert part(long, "control") > 95
    assert part(short, "control") < 90
    assert long.repetitions[0].hold_s == pytest.approx(5.0, abs=0.8)


def test_in_an_exercise_of_one_side_the_other_side_is_not_judged() -> None:
    lift = cycles([35.0] * 3, rest=3.0)
    series = figure({"hip_abduction": lift}, sides=("RIGHT",))
    bent = figure({"hip_abduction": lift * 0, "knee_flexion": lift * 0 + 60}, sides=("LEFT",))
    for joint in (Landmark.LEFT_ANKLE, Landmark.LEFT_KNEE):
        series.world[:, joint] = bent.world[:, joint]
    assert found(series, "hip_abduction_standing", fault("knee_flexion", 30.0)) == []


def test_every_measure_of_the_library_is_one_that_can_be_taken() -> None:
    used = {one.measure for exercise in LIBRARY for one in exercise.faults}
    assert used <= MEASURES
