"""The joint movements that ship, the best of three, and what a change means."""

from __future__ import annotations

import copy
from datetime import date
from importlib.resources import files
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rtm.range_of_motion import (
    InvalidMovements,
    UnknownMovement,
    change_between,
    change_in_words,
    load_movements,
    range_result,
    read_movements,
)

MOVEMENTS = load_movements()
movements = st.sampled_from(list(MOVEMENTS))
degrees = st.floats(-30, 180)


def document() -> Any:
    return yaml.safe_load(files("rtm").joinpath("range_of_motion.yaml").read_text("utf-8"))


def test_every_joint_asked_for_is_there() -> None:
    assert set(MOVEMENTS.by_id) == {
        *("shoulder_flexion", "shoulder_abduction", "shoulder_external_rotation"),
        *("elbow_flexion", "elbow_extension", "hip_flexion", "hip_abduction"),
        *("knee_flexion", "knee_extension", "ankle_dorsiflexion", "ankle_plantarflexion"),
        *("neck_flexion", "neck_lateral_flexion", "neck_rotation"),
        *("trunk_flexion", "trunk_lateral_flexion", "trunk_rotation"),
    }


def test_instructions_say_the_same_in_both_languages_in_short_sentences() -> None:
    for movement in MOVEMENTS:
        assert len(movement.instructions["en"]) == len(movement.instructions["es"]), movement.id
        for step in (*movement.instructions["en"], *movement.instructions["es"]):
            assert len(step.split()) <= 14, step


def test_every_instruction_asks_for_a_hold_and_for_three_tries() -> None:
    for movement in MOVEMENTS:
        for language, hold in (("en", "2 seconds"), ("es", "2 segundos")):
            text = " ".join(movement.instructions[language])
            assert hold in text, movement.id
            assert "3 times" in text or "3 veces" in text, movement.id


def test_an_unknown_joint_lists_the_known_ones() -> None:
    with pytest.raises(UnknownMovement, match="knee_flexion"):
        MOVEMENTS["toe_flexion"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("direction",), "sideways", "direction"),
        (("mdc", "value_deg"), 0, "value_deg"),
        (("mdc", "source"), "somebody", "source"),
        (("mdc", "method"), "by eye", "method"),
        (("normal", "low_deg"), 181, "low_deg"),
        (("normal", "high_deg"), 1, "upside down"),
        (("instructions",), {"en": ["Bend."]}, "instructions"),
        (("id",), "elbow_flexion", "stands twice"),
    ],
)
def test_broken_data_name_place_and_fault(path: tuple[str, ...], value: Any, message: str) -> None:
    broken = copy.deepcopy(document())
    place = broken["movements"][0]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InvalidMovements, match=message):
        read_movements(broken)


# The best of three -------------------------------------------------------------------------------


@given(movements, st.lists(degrees, min_size=1, max_size=3))
def test_the_best_is_an_attempt_that_no_other_exceeds(movement: Any, attempts: list[float]) -> None:
    result = range_result(movement, None, attempts)
    assert result.best_deg in attempts
    assert all(movement.gain_deg(result.best_deg, attempt) <= 0 for attempt in attempts)


@given(movements, st.lists(degrees, min_size=1, max_size=2), degrees)
def test_another_attempt_never_makes_the_best_worse(
    movement: Any, attempts: list[float], another: float
) -> None:
    before = range_result(movement, None, attempts).best_deg
    after = range_result(movement, None, [*attempts, another]).best_deg
    assert movement.gain_deg(before, after) >= 0


@given(movements, st.lists(degrees, min_size=1, max_size=3))
def test_attempts_further_apart_than_the_mdc_raise_a_warning(
    movement: Any, attempts: list[float]
) -> None:
    apart = max(attempts) - min(attempts) > movement.mdc.value_deg
    assert bool(range_result(movement, None, attempts).warnings) == apart


def test_repeatability_is_the_standard_deviation_of_the_attempts() -> None:
    knee = MOVEMENTS["knee_flexion"]
    result = range_result(knee, "left", [100.0, 104.0, 102.0])
    assert result.standard_deviation_deg == pytest.approx(2.0)
    assert range_result(knee, "left", [100.0]).standard_deviation_deg is None


@pytest.mark.parametrize("attempts", [[], [1.0, 2.0, 3.0, 4.0]])
def test_a_test_has_one_to_three_attempts(attempts: list[float]) -> None:
    with pytest.raises(ValueError, match="1 to 3"):
        range_result(MOVEMENTS["knee_flexion"], "left", attempts)


@pytest.mark.parametrize(
    ("movement_id", "attempts", "best"),
    [
        ("knee_flexion", [100.0, 112.0, 108.0], 112.0),
        ("knee_extension", [12.0, 5.0, 9.0], 5.0),
        ("ankle_plantarflexion", [40.0, 45.0], 45.0),
    ],
)
def test_the_best_is_the_one_that_goes_furthest(
    movement_id: str, attempts: list[float], best: float
) -> None:
    assert range_result(MOVEMENTS[movement_id], "left", attempts).best_deg == best


def test_plantarflexion_is_the_opposite_of_the_dorsiflexion_angle() -> None:
    assert MOVEMENTS["ankle_plantarflexion"].value_deg(-45.0) == 45.0
    assert MOVEMENTS["ankle_dorsiflexion"].value_deg(-5.0) == -5.0


# Change ------------------------------------------------------------------------------------------


@given(movements, degrees, degrees)
def test_a_change_is_certain_only_from_the_mdc_on(movement: Any, before: float, now: float) -> None:
    change = change_between(movement, before, now)
    assert change.certain == (abs(now - before) >= movement.mdc.value_deg)
    assert change.gain_deg == -change_between(movement, now, before).gain_deg


@given(movements, degrees, degrees, st.sampled_from(["en", "es"]))
def test_the_words_never_show_an_uncertain_change_as_large_as_the_mdc(
    movement: Any, before: float, now: float, language: Any
) -> None:
    change = change_between(movement, before, now)
    assert change.certain or change.shown_deg < movement.mdc.value_deg
    words = change_in_words(movement, change, language)
    assert words.startswith(movement.moves[language])
    assert f"MDC {movement.mdc.value_deg:g}°" in words


@pytest.mark.parametrize(
    ("movement_id", "before", "now", "en", "es"),
    [
        (
            "knee_flexion",
            104.0,
            112.0,
            "Your knee bends 8° more than on 3 May. "
            "That is within what measuring alone can explain (MDC 9.5°).",
            "Su rodilla se dobla 8° más que el 3 de mayo. "
            "La sola medición puede explicar esa diferencia (MDC 9.5°).",
        ),
        (
            "knee_extension",
            12.0,
            4.0,
            "Your knee straightens 8° more than on 3 May. "
            "That is more than measuring alone can explain (MDC 4.5°).",
            "Su rodilla se estira 8° más que el 3 de mayo. "
            "Es más de lo que puede explicar la sola medición (MDC 4.5°).",
        ),
        (
            "shoulder_abduction",
            150.0,
            130.0,
            "Your arm lifts to the side 20° less than on 3 May. "
            "That is more than measuring alone can explain (MDC 7.9°).",
            "Su brazo se levanta de lado 20° menos que el 3 de mayo. "
            "Es más de lo que puede explicar la sola medición (MDC 7.9°).",
        ),
        (
            "elbow_flexion",
            140.0,
            140.3,
            "Your elbow bends as far as on 3 May. "
            "That is within what measuring alone can explain (MDC 6°).",
            "Su codo se dobla igual que el 3 de mayo. "
            "La sola medición puede explicar esa diferencia (MDC 6°).",
        ),
    ],
)
def test_a_change_is_told_in_plain_words(
    movement_id: str, before: float, now: float, en: str, es: str
) -> None:
    movement = MOVEMENTS[movement_id]
    change = change_between(movement, before, now)
    assert change_in_words(movement, change, "en", date(2026, 5, 3)) == en
    assert change_in_words(movement, change, "es", date(2026, 5, 3)) == es


def test_a_change_without_a_date_is_since_last_time() -> None:
    movement = MOVEMENTS["knee_flexion"]
    change = change_between(movement, 100.0, 120.0)
    assert "more than last time." in change_in_words(movement, change, "en")
    assert "más que la última vez." in change_in_words(movement, change, "es")


@pytest.mark.parametrize(
    ("later_on", "en", "es"),
    [
        (date(2026, 5, 3), "last time", "la última vez"),
        (date(2026, 5, 4), "on 3 May", "el 3 de mayo"),
        (date(2027, 1, 2), "on 3 May 2026", "el 3 de mayo de 2026"),
    ],
)
def test_the_day_before_is_named_as_far_as_needed(later_on: date, en: str, es: str) -> None:
    movement = MOVEMENTS["knee_flexion"]
    change = change_between(movement, 100.0, 120.0)
    earlier_on = date(2026, 5, 3)
    assert f"than {en}." in change_in_words(movement, change, "en", earlier_on, later_on)
    assert f"que {es}." in change_in_words(movement, change, "es", earlier_on, later_on)
