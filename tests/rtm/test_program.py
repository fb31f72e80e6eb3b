"""Programs, doses, adherence and monitored days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtm.adherence import adherence
from rtm.program import Dose, InvalidDose, PrescribedExercise, Program
from rtm.session import Pain, Session

MONDAY = date(2026, 11, 2)


def program(*weekdays: str, days: int = 28) -> Program:
    dose = Dose(3, 10, weekdays=frozenset(weekdays)) if weekdays else Dose(3, 10)  # type: ignore[arg-type]
    return Program(
        "p",
        1,
        "Title",
        "low_back_pain",
        "phase",
        "M54.50",
        "Low back pain",
        (PrescribedExercise("squat", "bilateral", dose),),
        (),
        MONDAY,
        MONDAY + timedelta(days=days - 1),
    )


@pytest.mark.parametrize(
    "field",
    [
        {"sets": 0},
        {"sets": 11},
        {"repetitions": 0},
        {"hold_s": -1},
        {"times_per_day": 7},
        {"weekdays": frozenset()},
        {"weekdays": frozenset({"someday"})},
    ],
)
def test_a_dose_outside_its_bounds_names_the_field(field: dict[str, object]) -> None:
    with pytest.raises(InvalidDose, match=next(iter(field))):
        Dose(**{"sets": 3, "repetitions": 10, **field})  # type: ignore[arg-type]


def test_only_the_chosen_weekdays_are_due() -> None:
    plan = program("mon", "wed")
    due = plan.days_due(MONDAY, MONDAY + timedelta(days=6))
    assert due == (MONDAY, MONDAY + timedelta(days=2))


@pytest.mark.parametrize("day", [MONDAY - timedelta(days=1), MONDAY + timedelta(days=28)])
def test_nothing_is_due_outside_the_programs_dates(day: date) -> None:
    assert program().due_on(day) == ()


def test_a_missed_day_ends_the_streak_and_today_does_not() -> None:
    done = {MONDAY, MONDAY + timedelta(days=2), MONDAY + timedelta(days=3)}
    result = adherence(program(), done, MONDAY + timedelta(days=4))
    assert (len(result.days_due), len(result.days_done), result.streak) == (5, 3, 2)
    assert result.percent == pytest.approx(60.0)


def test_before_anything_is_due_there_is_no_percentage() -> None:
    assert adherence(program(), set(), MONDAY - timedelta(days=1)).percent is None


@given(st.sets(st.integers(0, 40)), st.integers(0, 40))
def test_adherence_never_exceeds_what_was_due(offsets: set[int], today: int) -> None:
    done = {MONDAY + timedelta(days=n) for n in offsets}
    result = adherence(program("mon", "tue", "fri"), done, MONDAY + timedelta(days=today))
    assert set(result.days_done) <= set(result.days_due)
    assert result.streak <= len(result.days_done)


def session(started: datetime) -> Session:
    return Session("s", "squat", "bilateral", "manual", started, 60.0, Pain(1, 1), None, 10)


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        (datetime(2026, 11, 5, 4, 59, tzinfo=UTC), "America/New_York", date(2026, 11, 4)),
        (datetime(2026, 11, 5, 5, 0, tzinfo=UTC), "America/New_York", date(2026, 11, 5)),
        (datetime(2026, 3, 8, 6, 59, tzinfo=UTC), "America/New_York", date(2026, 3, 8)),
        (datetime(2026, 7, 1, 9, 30, tzinfo=UTC), "Pacific/Honolulu", date(2026, 6, 30)),
    ],
)
def test_a_monitored_day_is_the_patients_own(instant: datetime, zone: str, day: date) -> None:
    assert session(instant).monitored_day(ZoneInfo(zone)) == day


def test_a_session_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        session(datetime(2026, 11, 5, 12, 0))


@pytest.mark.parametrize("pain", [(-1, 3), (3, 11)])
def test_pain_lies_on_the_scale(pain: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="between 0 and 10"):
        Pain(*pain)


def test_a_manual_session_counts_what_the_patient_said() -> None:
    own = session(datetime(2026, 11, 5, 12, 0, tzinfo=UTC))
    assert own.repetition_count == 10
    assert replace(own, repetitions_reported=None).repetition_count == 0
