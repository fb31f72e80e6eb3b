"""Half-minute entries as lines that a person can read, sign, shorten and correct."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtm.ledger import (
    Confirmation,
    Correction,
    Ledger,
    TimeEntry,
    seconds_of,
    without_overlap,
)
from rtm.time_lines import TimeLine, acts, shortened, time_lines

TERRY, ROBIN = "1999999919", "1999999927"
NINE = datetime(2026, 3, 5, 15, tzinfo=UTC)
DAY = date(2026, 3, 5)


def beat(id: str, first_s: float, last_s: float, npi: str = TERRY, day: date = DAY) -> TimeEntry:
    start, end = NINE + timedelta(seconds=first_s), NINE + timedelta(seconds=last_s)
    return TimeEntry(
        id,
        day,
        int((end - start).total_seconds()),
        "pt",
        "review: chart open",
        start,
        end,
        npi,
        "timer",
        author="Terry Alvarez" if npi == TERRY else "Robin Chen",
    )


def signed(*ids: str, minute: int = 60, activity: str = "program: changed") -> Confirmation:
    at = NINE + timedelta(minutes=minute)
    return Confirmation(f"s{minute}", ids, "Terry Alvarez", "pt", at, "I confirm.", TERRY, activity)


def lines_of(ledger: Ledger) -> tuple[TimeLine, ...]:
    return time_lines(ledger.histories[0])


def spans(lines: tuple[TimeLine, ...]) -> list[tuple[str, ...]]:
    return [tuple(entry.id for entry in line.recorded) for line in lines]


def test_entries_that_follow_each_other_are_one_line_and_a_longer_pause_begins_another() -> None:
    beats = (beat("a", 0, 30), beat("b", 30, 60), beat("c", 120, 150), beat("d", 211, 240))
    lines = lines_of(Ledger(time=beats))
    assert spans(lines) == [("a", "b", "c"), ("d",)]
    assert [line.seconds for line in lines] == [90, 29]
    assert [line.waits for line in lines] == [True, True]


def test_two_people_and_two_days_are_never_one_line() -> None:
    tomorrow = date(2026, 3, 6)
    beats = (beat("a", 0, 30), beat("b", 30, 60, ROBIN), beat("c", 60, 90, day=tomorrow))
    assert spans(lines_of(Ledger(time=beats))) == [("c",), ("a",), ("b",)]


def test_what_waits_is_not_in_a_line_with_what_is_signed() -> None:
    beats = tuple(beat(f"{n}", 30 * n, 30 * n + 30) for n in range(4))
    ledger = Ledger(time=beats, confirmations=(signed("0", "1"), signed("2", minute=70)))
    lines = lines_of(ledger)
    assert spans(lines) == [("0", "1"), ("2",), ("3",)]
    assert [line.waits for line in lines] == [False, False, True]
    assert lines[0].activity == "program: changed"


def test_what_was_left_out_when_signing_stays_in_its_line() -> None:
    beats = (beat("a", 0, 30), beat("b", 30, 60))
    left_out = Correction(
        "c", "b", "Terry Alvarez", "phone", NINE + timedelta(minutes=60), None, TERRY
    )
    (line,) = lines_of(Ledger(time=beats, corrections=(left_out,), confirmations=(signed("a"),)))
    assert (line.seconds, line.recorded_seconds) == (30, 60)
    assert [(act.what, act.seconds, act.reason) for act in acts(line)] == [
        ("recorded", 60, ""),
        ("corrected", 30, "phone"),
        ("confirmed", 30, ""),
    ]


def test_the_history_says_what_stood_after_each_act() -> None:
    by_hand = replace(beat("hand", 0, 600), start=None, end=None, source="manual", signed_at=NINE)
    longer = replace(by_hand, id="longer", seconds=900, local_date=date(2026, 3, 4))

    def by_terry(id: str, corrects: str, new: TimeEntry | None, hours: int) -> Correction:
        at = NINE + timedelta(hours=hours)
        return Correction(id, corrects, "Terry Alvarez", f"why {id}", at, new, TERRY)

    steps = (by_terry("c1", "hand", longer, 1), by_terry("c2", "longer", None, 2))
    (line,) = lines_of(Ledger(time=(by_hand,), corrections=steps))
    assert [(act.what, act.seconds, act.local_date, act.reason) for act in acts(line)] == [
        ("recorded", 600, DAY, ""),
        ("corrected", 900, date(2026, 3, 4), "why c1"),
        ("retracted", 0, None, "why c2"),
    ]
    assert (line.standing, line.waits, line.signature) == ((), False, None)
    assert line.shown == (by_hand,)


@pytest.mark.parametrize("seconds", [0, -5, 60, 90])
def test_shortening_must_leave_something_and_less_than_there_was(seconds: int) -> None:
    with pytest.raises(ValueError, match="less than there was"):
        shortened([beat("a", 0, 60)], seconds)


MICROSECOND = timedelta(microseconds=1)
microseconds = st.integers(1, 90_000_000)


@given(
    gaps=st.lists(st.tuples(microseconds, microseconds), min_size=1, max_size=12),
    overlap=st.booleans(),
    share=st.integers(1, 99),
)
def test_what_is_left_after_shortening_is_exactly_as_long_as_was_asked_for(
    gaps: list[tuple[int, int]], overlap: bool, share: int
) -> None:
    beats, at = [], NINE
    for n, (pause, length) in enumerate(gaps):
        begin = at + (-length // 2 if overlap else pause) * MICROSECOND
        at = begin + max(length, 1_000_000) * MICROSECOND
        whole_s = int((at - begin).total_seconds())
        beats.append(replace(beat(f"{n}", 0, 1), start=begin, end=at, seconds=whole_s))
    whole = seconds_of(without_overlap(beats))
    seconds = whole * share // 100
    if not 0 < seconds < whole:
        return
    changes = {old.id: new for old, new in shortened(beats, seconds)}
    left = [changes.get(entry.id, entry) for entry in beats]
    standing = [entry for entry in left if entry is not None]
    # Where entries overlap, less than a second of one may lie inside another.
    assert abs(seconds_of(without_overlap(standing)) - seconds) <= (1 if overlap else 0)
    assert all(entry.seconds >= 1 for entry in standing)
