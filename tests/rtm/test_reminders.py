"""Which reminders are due: each once a day, none in quiet hours, whatever the clock does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtm.program import Dose, PrescribedExercise, Program
from rtm.reminder_texts import InvalidTexts, load_texts, read_texts
from rtm.reminders import (
    KINDS,
    Planned,
    Reminder,
    Situation,
    Standing,
    Wishes,
    due,
    standing,
)

CHICAGO = ZoneInfo("America/Chicago")
TUESDAY = date(2026, 11, 3)
PROGRAM = Program(
    id="p",
    version=1,
    title="Shoulder",
    protocol_id="shoulder_pain",
    phase_id="motion_strength",
    condition_code="M25.511",
    condition_display="Pain in right shoulder",
    exercises=(
        PrescribedExercise("table_slide", "right", Dose(2, 10)),
        PrescribedExercise("wall_slide", "right", Dose(2, 10, weekdays=frozenset({"tue"}))),
    ),
    goals=(),
    start=date(2026, 1, 1),
    end=date(2027, 12, 31),
)
SITUATION = Situation("America/Chicago", PROGRAM, frozenset(), None)
WISHES = Wishes()


def at(clock: str, day: date = TUESDAY) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), CHICAGO)


def kinds(wishes: Wishes, situation: Situation, now: datetime, *planned: Planned) -> list[str]:
    return [one.kind for one in due(wishes, situation, planned, now)]


def done(*exercises: str, day: date = TUESDAY) -> Situation:
    return replace(SITUATION, done=frozenset((day, each) for each in exercises))


def unread(sent_at: datetime) -> Situation:
    return Situation("America/Chicago", None, frozenset(), sent_at)


def test_exercises_are_reminded_of_from_the_time_that_the_patient_prefers() -> None:
    assert kinds(WISHES, SITUATION, at("15:59:59")) == []
    assert kinds(WISHES, SITUATION, at("16:00")) == ["exercises"]
    assert kinds(WISHES, SITUATION, at("20:59")) == ["exercises"]


def test_no_reminder_where_all_of_the_day_is_done_and_one_where_a_part_is() -> None:
    assert kinds(WISHES, done("table_slide"), at("17:00")) == ["exercises"]
    assert kinds(WISHES, done("table_slide", "wall_slide"), at("17:00")) == []
    yesterday = TUESDAY - timedelta(days=1)
    assert kinds(WISHES, done("table_slide", "wall_slide", day=yesterday), at("17:00")) == [
        "exercises"
    ]


def test_no_reminder_without_a_program_or_outside_its_dates() -> None:
    assert kinds(WISHES, replace(SITUATION, program=None), at("17:00")) == []
    assert kinds(WISHES, SITUATION, at("17:00", date(2028, 1, 4))) == []


def test_an_unread_message_is_told_of_at_once_but_not_in_quiet_hours() -> None:
    assert kinds(WISHES, unread(at("10:00")), at("10:00")) == ["message"]
    late = unread(at("22:30"))
    assert kinds(WISHES, late, at("22:31")) == []
    wednesday = TUESDAY + timedelta(days=1)
    assert kinds(WISHES, late, at("07:59", wednesday)) == []
    assert kinds(WISHES, late, at("08:00", wednesday)) == ["message"]


def test_a_message_is_told_of_again_only_when_a_newer_one_has_come() -> None:
    told = Planned(Reminder("message", TUESDAY), at("10:01"))
    wednesday = TUESDAY + timedelta(days=1)
    assert kinds(WISHES, unread(at("10:00")), at("12:00"), told) == []
    assert kinds(WISHES, unread(at("10:00")), at("12:00", wednesday), told) == []
    assert kinds(WISHES, unread(at("11:00")), at("12:00"), told) == []
    assert kinds(WISHES, unread(at("11:00")), at("12:00", wednesday), told) == ["message"]


def test_a_message_whose_reminder_could_not_be_sent_is_told_of_the_next_day() -> None:
    lost = Planned(Reminder("message", TUESDAY), None)
    assert kinds(WISHES, unread(at("10:00")), at("12:00"), lost) == []
    wednesday = TUESDAY + timedelta(days=1)
    assert kinds(WISHES, unread(at("10:00")), at("12:00", wednesday), lost) == ["message"]


def test_only_wished_for_reminders_are_sent() -> None:
    both = replace(SITUATION, unread_sent_at=at("10:00"))
    assert kinds(WISHES, both, at("17:00")) == ["exercises", "message"]
    for kind in KINDS:
        assert kinds(Wishes(frozenset({kind})), both, at("17:00")) == [kind]
    assert kinds(Wishes(frozenset()), both, at("17:00")) == []


def test_a_reminder_in_quiet_hours_is_held_until_they_end_the_same_day() -> None:
    early = Wishes(exercises_at=time(6), quiet_from=time(21), quiet_until=time(9, 30))
    assert kinds(early, SITUATION, at("06:00")) == []
    assert kinds(early, SITUATION, at("09:29")) == []
    assert kinds(early, SITUATION, at("09:30")) == ["exercises"]


def test_quiet_hours_in_the_middle_of_the_day_and_none_at_all() -> None:
    nap = Wishes(exercises_at=time(12), quiet_from=time(12), quiet_until=time(15))
    assert kinds(nap, SITUATION, at("14:59")) == []
    assert kinds(nap, SITUATION, at("15:00")) == ["exercises"]
    never = Wishes(exercises_at=time(0), quiet_from=time(8), quiet_until=time(8))
    assert kinds(never, SITUATION, at("00:00")) == ["exercises"]
    assert kinds(never, SITUATION, at("08:00")) == ["exercises"]


def test_a_reminder_of_a_day_that_is_over_is_never_sent() -> None:
    old = Reminder("exercises", TUESDAY - timedelta(days=1))
    assert standing(old, WISHES, SITUATION, at("17:00")) is Standing.NEVER
    today = Reminder("exercises", TUESDAY)
    assert standing(today, WISHES, SITUATION, at("22:00")) is Standing.LATER
    assert standing(today, WISHES, done("table_slide", "wall_slide"), at("17:00")) is Standing.NEVER


def test_a_time_that_the_clock_leaves_out_is_due_right_after() -> None:
    """In Chicago, 02:30 of 8 March 2026 does not exist: 01:59 is followed by 03:00."""
    wishes = Wishes(exercises_at=time(2, 30), quiet_from=time(0), quiet_until=time(0))
    before = datetime(2026, 3, 8, 7, 59, tzinfo=UTC)
    assert kinds(wishes, SITUATION, before) == []
    assert kinds(wishes, SITUATION, before + timedelta(minutes=1)) == ["exercises"]


def test_an_hour_that_comes_twice_reminds_once_and_stays_quiet_twice() -> None:
    """In Chicago, 01:30 of 1 November 2026 comes twice, at 06:30 and 07:30 UTC."""
    first, second = (datetime(2026, 11, 1, hour, 30, tzinfo=UTC) for hour in (6, 7))
    awake = Wishes(exercises_at=time(1, 30), quiet_from=time(0), quiet_until=time(0))
    [reminder] = due(awake, SITUATION, (), first)
    assert due(awake, SITUATION, [Planned(reminder, first)], second) == ()
    quiet = Wishes(exercises_at=time(1, 30), quiet_from=time(1), quiet_until=time(2))
    assert kinds(quiet, SITUATION, first) == kinds(quiet, SITUATION, second) == []


CLOCKS = st.times().map(lambda clock: clock.replace(second=0, microsecond=0))
ZONES = st.sampled_from(
    ["America/Chicago", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Australia/Lord_Howe", "UTC"]
)


@given(
    wishes=st.builds(Wishes, exercises_at=CLOCKS, quiet_from=CLOCKS, quiet_until=CLOCKS),
    zone=ZONES,
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    steps=st.lists(st.integers(1, 6 * 3600), max_size=60),
    messages=st.frozensets(st.integers(0, 59), max_size=4),
    exercises_done=st.frozensets(st.integers(0, 59), max_size=4),
)
def test_whatever_happens_no_reminder_comes_twice_in_quiet_hours_or_for_nothing(
    wishes: Wishes,
    zone: str,
    start: datetime,
    steps: list[int],
    messages: frozenset[int],
    exercises_done: frozenset[int],
) -> None:
    situation = Situation(zone, PROGRAM, frozenset(), None)
    planned: list[Planned] = []
    now = start
    for number, seconds in enumerate(steps):
        now += timedelta(seconds=seconds)
        local = now.astimezone(ZoneInfo(zone))
        if number in messages:
            situation = replace(situation, unread_sent_at=now)
        if number in exercises_done:
            did = {(local.date(), line.exercise_id) for line in PROGRAM.exercises}
            situation = replace(situation, done=situation.done | did)
        for reminder in due(wishes, situation, planned, now):
            assert not wishes.is_quiet(local.time())
            assert reminder.day == local.date()
            assert reminder not in {one.reminder for one in planned}
            if reminder.kind == "exercises":
                assert local.time() >= wishes.exercises_at
                assert situation.is_to_do(local.date())
            else:
                assert situation.unread_sent_at is not None
            planned.append(Planned(reminder, now))
    told = [one for one in planned if one.reminder.kind == "message"]
    assert len(told) <= len(messages)


def test_the_texts_say_nothing_about_anybody() -> None:
    texts = load_texts()
    for kind in KINDS:
        for language in ("en", "es"):
            assert "{" not in texts.reminders[kind][language]
    with pytest.raises(InvalidTexts):
        read_texts({"reminders": {}})
