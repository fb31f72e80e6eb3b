"""The ledger: facts are never edited, corrections are facts too, and nothing counts twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtm.ledger import (
    Correction,
    DataKind,
    Fact,
    FactProblem,
    Interaction,
    Ledger,
    MonitoredDay,
    ProviderKind,
    TimeEntry,
    countable,
    without_overlap,
)

AS_OF = date(2026, 3, 31)
DAY = MonitoredDay("day", date(2026, 3, 5))
REVIEW = TimeEntry("review", date(2026, 3, 5), 1200, "pt", "review of the week")
CALL = Interaction("call", datetime(2026, 3, 10, 15, 0, tzinfo=UTC), "phone", 360)


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 5, hour, minute, tzinfo=UTC)


def correction(
    corrects: str, replacement: Fact | None = None, *, id: str = "c", hour: int = 9
) -> Correction:
    return Correction(id, corrects, "Terry Alvarez", "typing error", at(hour), replacement)


def timed(id: str, start: datetime, end: datetime, by: ProviderKind = "pt") -> TimeEntry:
    seconds = int((end - start).total_seconds())
    return TimeEntry(id, start.date(), seconds, by, "review", start, end)


def test_two_sessions_on_one_day_are_one_monitored_day() -> None:
    ledger = Ledger(days=(DAY, replace(DAY, id="evening"), MonitoredDay("d2", date(2026, 3, 4))))
    assert countable(ledger, AS_OF).monitored_dates == (date(2026, 3, 4), date(2026, 3, 5))


def test_a_late_sync_counts_on_the_day_of_capture() -> None:
    late = replace(DAY, captured_at=at(18), received_at=at(18) + timedelta(days=6))
    assert countable(Ledger(days=(late,)), AS_OF).monitored_dates == (date(2026, 3, 5),)


def test_a_correction_replaces_the_fact_and_keeps_it_in_the_ledger() -> None:
    shorter = replace(REVIEW, id="review-2", seconds=600)
    ledger = Ledger(time=(REVIEW,), corrections=(correction("review", shorter),))
    assert ledger.facts() == (shorter,)
    assert ledger.time == (REVIEW,)


def test_a_retraction_leaves_nothing_to_count() -> None:
    ledger = Ledger(time=(REVIEW,), corrections=(correction("review"),))
    assert ledger.facts() == ()


def test_the_latest_correction_stands_whatever_the_order_of_arrival() -> None:
    first = correction("review", replace(REVIEW, seconds=600), id="c1", hour=9)
    second = correction("review", replace(REVIEW, seconds=900), id="c2", hour=10)
    for order in ((first, second), (second, first)):
        assert Ledger(time=(REVIEW,), corrections=order).facts() == (replace(REVIEW, seconds=900),)


def test_a_replacement_can_be_corrected_by_its_own_id() -> None:
    first = correction("review", replace(REVIEW, id="review-2", seconds=600), id="c1", hour=9)
    second = correction("review-2", replace(REVIEW, id="review-3", seconds=300), id="c2", hour=10)
    facts = Ledger(time=(REVIEW,), corrections=(first, second)).facts()
    assert facts == (replace(REVIEW, id="review-3", seconds=300),)


def test_a_retracted_fact_can_be_restored() -> None:
    restored = correction("review", REVIEW, id="c2", hour=10)
    ledger = Ledger(time=(REVIEW,), corrections=(correction("review"), restored))
    assert ledger.facts() == (REVIEW,)


@pytest.mark.parametrize(
    ("ledger", "problem"),
    [
        (
            Ledger(time=(replace(REVIEW, seconds=-300),)),
            FactProblem("review", "the time entry of 2026-03-05 has -300 seconds"),
        ),
        (
            Ledger(time=(replace(REVIEW, seconds=0),)),
            FactProblem("review", "the time entry of 2026-03-05 has 0 seconds"),
        ),
        (
            Ledger(time=(replace(REVIEW, start=at(10), end=at(9)),)),
            FactProblem("review", "the time entry of 2026-03-05 ends before it starts"),
        ),
        (
            Ledger(time=(replace(REVIEW, local_date=date(2026, 4, 1)),)),
            FactProblem("review", "the time entry of 2026-04-01 lies after 2026-03-31"),
        ),
        (
            Ledger(days=(replace(DAY, local_date=date(2026, 4, 1)),)),
            FactProblem("day", "the monitored day 2026-04-01 lies after 2026-03-31"),
        ),
        (
            Ledger(interactions=(replace(CALL, at=CALL.at + timedelta(days=30)),)),
            FactProblem("call", "the interaction of 2026-04-09 lies after 2026-03-31"),
        ),
        (
            Ledger(interactions=(replace(CALL, seconds=-1),)),
            FactProblem("call", "the interaction of 2026-03-10 has -1 seconds"),
        ),
        (
            Ledger(interactions=(replace(CALL, at=datetime(2026, 3, 10, 15)),)),
            FactProblem("call", "an instant without a time zone"),
        ),
        (
            Ledger(days=(DAY, DAY)),
            FactProblem("day", "a second fact bears this id"),
        ),
        (
            Ledger(corrections=(correction("nobody"),)),
            FactProblem("c", "corrects nobody, which is not in the ledger"),
        ),
        (
            Ledger(time=(REVIEW,), corrections=(correction("review", DAY),)),
            FactProblem("c", "would replace the TimeEntry by a MonitoredDay"),
        ),
        (
            Ledger(
                time=(REVIEW,),
                corrections=(replace(correction("review"), at=datetime(2026, 3, 6)),),
            ),
            FactProblem("c", "the correction's time has no time zone"),
        ),
        (
            Ledger(
                time=(REVIEW, replace(REVIEW, id="other")),
                corrections=(correction("review", replace(REVIEW, id="other")),),
            ),
            FactProblem("c", "its replacement has another fact's id other"),
        ),
    ],
    ids=lambda value: value.why if isinstance(value, FactProblem) else "",
)
def test_a_bad_fact_is_named_and_stops_nothing_else(ledger: Ledger, problem: FactProblem) -> None:
    good = MonitoredDay("good", date(2026, 3, 7))
    facts = countable(replace(ledger, days=(*ledger.days, good)), AS_OF)
    assert facts.problems == (problem,)
    assert date(2026, 3, 7) in facts.monitored_dates


def test_a_corrected_mistake_is_no_problem_any_more() -> None:
    wrong = replace(REVIEW, seconds=-1200)
    facts = countable(Ledger(time=(wrong,), corrections=(correction("review", REVIEW),)), AS_OF)
    assert facts.problems == ()
    assert facts.time == (REVIEW,)


def test_a_message_is_no_live_contact() -> None:
    assert not replace(CALL, kind="message").is_live
    assert CALL.is_live


def test_the_therapist_owns_the_minutes_that_an_assistant_logged_too() -> None:
    work = without_overlap(
        [timed("pta", at(10, 5), at(10, 15), "pta"), timed("pt", at(10), at(10, 12))]
    )
    assert [(part.by, part.seconds) for part in work] == [("pt", 720), ("pta", 180)]


def test_time_inside_a_visit_belongs_to_the_visit() -> None:
    work = without_overlap([timed("e", at(9, 20), at(9, 40))], [(at(9), at(9, 30))])
    assert [part.seconds for part in work] == [600]


def test_a_visit_in_the_middle_splits_an_entry() -> None:
    work = without_overlap([timed("e", at(9), at(10))], [(at(9, 20), at(9, 40))])
    assert [(part.entry_id, part.seconds) for part in work] == [("e", 1200), ("e", 1200)]


def test_an_idle_timer_counts_only_its_seconds() -> None:
    idle = replace(timed("e", at(9), at(10)), seconds=300)
    assert [part.seconds for part in without_overlap([idle])] == [300]


def test_an_entry_counts_no_longer_than_the_clock() -> None:
    boasting = replace(timed("e", at(9), at(9, 5)), seconds=3600)
    assert [part.seconds for part in without_overlap([boasting])] == [300]


def test_fractions_of_a_second_add_up() -> None:
    step = timedelta(seconds=30.5)
    beats = [timed(f"{n}", at(9) + n * step, at(9) + (n + 1) * step) for n in range(4)]
    assert sum(part.seconds for part in without_overlap(beats)) == 122


minutes_of_day = st.integers(0, 600)
KINDS: tuple[ProviderKind, ...] = ("pt", "pta", "clinical_staff")


@given(
    spans=st.lists(
        st.tuples(minutes_of_day, st.integers(1, 60), st.sampled_from(KINDS)), max_size=8
    ),
    visits=st.lists(st.tuples(minutes_of_day, st.integers(1, 60)), max_size=3),
)
def test_no_minute_counts_twice_and_none_is_lost(
    spans: list[tuple[int, int, ProviderKind]], visits: list[tuple[int, int]]
) -> None:
    entries = [
        timed(f"e{n}", at(8) + timedelta(minutes=first), at(8) + timedelta(minutes=first + m), by)
        for n, (first, m, by) in enumerate(spans)
    ]
    taken = [
        (at(8) + timedelta(minutes=first), at(8) + timedelta(minutes=first + m))
        for first, m in visits
    ]
    busy = {minute for first, m in visits for minute in range(first, first + m)}
    worked: dict[int, ProviderKind] = {}
    for first, m, by in spans:
        for minute in range(first, first + m):
            worked[minute] = _higher(by, worked.get(minute))
    expected = {minute: by for minute, by in worked.items() if minute not in busy}
    work = without_overlap(entries, taken)
    for kind in KINDS:
        seconds = sum(part.seconds for part in work if part.by == kind)
        assert seconds == 60 * sum(by == kind for by in expected.values())


def _higher(by: ProviderKind, other: ProviderKind | None) -> ProviderKind:
    order: tuple[ProviderKind, ...] = ("pt", "clinical_staff", "pta")
    return by if other is None or order.index(by) < order.index(other) else other


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=12))
def test_the_standing_facts_do_not_depend_on_the_order_of_corrections(
    steps: list[tuple[int, int]],
) -> None:
    entries = tuple(replace(REVIEW, id=f"e{n}") for n in range(4))
    corrections = [
        correction(
            f"e{n % 4}",
            replace(REVIEW, id=f"e{n % 4}", seconds=60 * (k + 1)) if k else None,
            id=f"c{place}",
            hour=1 + place,
        )
        for place, (n, k) in enumerate(steps)
    ]
    forwards = Ledger(time=entries, corrections=tuple(corrections)).facts()
    backwards = Ledger(time=entries, corrections=tuple(reversed(corrections))).facts()
    assert forwards == backwards


def test_a_fact_of_before_kinds_existed_has_one() -> None:
    assert DAY.data_kind == "session"
    assert replace(DAY, self_report=True).data_kind == "self_report"
    assert replace(DAY, kind="prom").data_kind == "prom"


@pytest.mark.parametrize("kinds", [{"log_in"}, {"log_in", "session", "message"}])
def test_a_log_in_alone_is_never_data(kinds: set[DataKind]) -> None:
    facts = countable(Ledger(days=(replace(DAY, kind="log_in"),)), AS_OF)
    assert facts.dates_with(kinds) == facts.monitored_dates == ()


def test_a_message_is_data_only_where_it_is_asked_for() -> None:
    facts = countable(Ledger(days=(replace(DAY, kind="message"),)), AS_OF)
    assert facts.monitored_dates == ()
    assert facts.dates_with({"message"}) == (DAY.local_date,)


@pytest.mark.parametrize(
    ("day", "start", "end", "minutes"),
    [
        (date(2026, 3, 8), datetime(2026, 3, 8, 1, 50), datetime(2026, 3, 8, 3, 10), 20),
        (date(2026, 11, 1), datetime(2026, 11, 1, 1, 50), datetime(2026, 11, 1, 1, 10, fold=1), 20),
    ],
    ids=["spring", "autumn"],
)
def test_an_entry_over_a_change_of_clocks_is_as_long_as_it_was(
    day: date, start: datetime, end: datetime, minutes: int
) -> None:
    zone = ZoneInfo("America/Chicago")
    begun, ended = start.replace(tzinfo=zone), end.replace(tzinfo=zone)
    entry = TimeEntry("e", day, minutes * 60, "pt", "review", begun, ended)
    assert countable(Ledger(time=(entry,)), date(2026, 12, 1)).problems == ()
    assert [stretch.seconds for stretch in without_overlap([entry])] == [minutes * 60]


def test_clock_times_of_another_day_or_without_an_end_are_problems() -> None:
    elsewhere = replace(timed("e", at(9), at(10)), local_date=date(2026, 3, 9))
    open_ended = replace(timed("o", at(9), at(10)), end=None)
    problems = countable(Ledger(time=(elsewhere, open_ended)), AS_OF).problems
    assert [problem.fact_id for problem in problems] == ["e", "o"]
    assert "clock times of 2026-03-05" in problems[0].why
    assert "without an end" in problems[1].why


def test_time_that_its_author_worked_elsewhere_is_taken_from_that_entry_only() -> None:
    mine, theirs = timed("mine", at(9), at(10)), timed("theirs", at(9, 30), at(10), by="pta")
    work = without_overlap([mine, theirs], taken_from={"mine": [(at(9, 30), at(10))]})
    assert {stretch.entry_id: stretch.seconds for stretch in work} == {
        "mine": 1800,
        "theirs": 1800,
    }
