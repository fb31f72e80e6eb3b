"""The time course of a repetition: phases, holds, hesitation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.landmarks import Array
from vision.repetitions import Cycle
from vision.tempo import Tempo, peak_velocity_deg_per_s, tempo

FPS = 30.0


def minimum_jerk(seconds: float) -> Array:
    """0 to 1, the smoothest way (Flash and Hogan 1985)."""
    x = np.linspace(0.0, 1.0, int(seconds * FPS) + 1)
    return 10 * x**3 - 15 * x**4 + 6 * x**5


def repetition(
    up_s: float = 1.5, hold_s: float = 0.0, down_s: float = 1.5, way_deg: float = 90.0
) -> tuple[Array, Array, Cycle]:
    """Times, angle and cycle of one repetition between half a second of rest."""
    rest = np.zeros(int(0.5 * FPS))
    up, down = way_deg * minimum_jerk(up_s), way_deg * minimum_jerk(down_s)[::-1]
    angle = np.concatenate([rest, up, np.full(int(hold_s * FPS), way_deg), down, rest])
    peak = rest.size + up.size - 1
    cycle = Cycle(rest.size, peak, angle.size - rest.size - 1)
    return np.arange(angle.size) / FPS, angle, cycle


def measured(angle_of: tuple[Array, Array, Cycle], *, holds: bool = False) -> Tempo:
    return tempo(*angle_of, holds=holds)


def test_the_phases_end_at_the_peak_where_no_hold_is_asked_for() -> None:
    done = measured(repetition(up_s=1.0, down_s=2.0))
    assert done.concentric_s == pytest.approx(1.0, abs=0.05)
    assert done.eccentric_s == pytest.approx(2.0, abs=0.05)


def test_a_hold_is_neither_up_nor_down() -> None:
    done = measured(repetition(up_s=1.0, hold_s=5.0, down_s=1.0), holds=True)
    assert done.hold_s == pytest.approx(5.0, abs=0.8)
    assert done.concentric_s < 1.0
    assert done.eccentric_s < 1.0


def test_a_sway_of_a_few_degrees_does_not_end_a_hold() -> None:
    t_s, angle, cycle = repetition(hold_s=5.0)
    swaying = angle + 3.0 * np.sin(2 * np.pi * 0.4 * t_s)
    assert tempo(t_s, swaying, cycle, holds=True).hold_s == pytest.approx(5.0, abs=1.0)


def test_a_hold_given_up_half_way_is_half_as_long() -> None:
    t_s, angle, cycle = repetition(hold_s=6.0)
    let_go = (t_s > 0.5 + 1.5 + 3.0) & (t_s < 0.5 + 1.5 + 4.5)
    angle[let_go] -= 40.0
    assert tempo(t_s, angle, cycle, holds=True).hold_s == pytest.approx(3.2, abs=0.5)


def test_the_smoothest_movement_has_the_published_arc_length() -> None:
    """−1.40 for a minimum jerk speed profile, whatever its length."""
    for seconds in (1.0, 2.0, 4.0):
        done = measured(repetition(up_s=seconds, down_s=seconds))
        assert done.smoothness == pytest.approx(-1.40, abs=0.1)


def test_each_hesitation_makes_it_less_smooth() -> None:
    def with_stops(count: int) -> float:
        piece = [minimum_jerk(2.0 / (count + 1)) for _ in range(count + 1)]
        up = np.concatenate([90.0 / (count + 1) * (part + n) for n, part in enumerate(piece)])
        angle = np.concatenate([np.zeros(5), up, up[::-1], np.zeros(5)])
        cycle = Cycle(5, 5 + up.size - 1, angle.size - 6)
        value = tempo(np.arange(angle.size) / FPS, angle, cycle, holds=False).smoothness
        assert value is not None
        return value

    steady, once, three_times = with_stops(0), with_stops(1), with_stops(3)
    assert steady > once > three_times


def test_turning_back_is_added_up_and_jitter_is_not() -> None:
    t_s, angle, cycle = repetition(up_s=3.0, down_s=3.0)
    dip = 30.0 * np.exp(-(((t_s - 2.0) / 0.2) ** 2))
    assert tempo(t_s, angle - dip, cycle, holds=False).backtracking_deg > 5
    jitter = np.random.default_rng(1).normal(0, 0.5, angle.size)
    assert tempo(t_s, angle + jitter, cycle, holds=False).backtracking_deg == 0.0


def test_what_was_not_seen_has_no_smoothness() -> None:
    t_s, angle, cycle = repetition()
    angle[cycle.start + 5 : cycle.peak - 5] = np.nan
    angle[cycle.peak + 5 : cycle.end - 5] = np.nan
    assert tempo(t_s, angle, cycle, holds=False).smoothness is None


def test_the_greatest_speed_of_a_minimum_jerk_movement_is_known() -> None:
    speed = peak_velocity_deg_per_s(*repetition(up_s=2.0, down_s=2.0))
    assert speed == pytest.approx(1.875 * 90.0 / 2.0, rel=0.03)


@given(
    up_s=st.floats(0.4, 4.0),
    hold_s=st.floats(0.0, 5.0),
    down_s=st.floats(0.4, 4.0),
    way_deg=st.floats(15.0, 170.0),
    falling=st.booleans(),
)
def test_the_parts_of_a_repetition_add_up(
    up_s: float, hold_s: float, down_s: float, way_deg: float, falling: bool
) -> None:
    t_s, angle, cycle = repetition(up_s, hold_s, down_s, way_deg)
    done = tempo(t_s, 170.0 - angle if falling else angle, cycle, holds=True)
    whole = t_s[cycle.end] - t_s[cycle.start]
    assert done.concentric_s + done.hold_s + done.eccentric_s == pytest.approx(whole)
    assert done.backtracking_deg == 0.0
