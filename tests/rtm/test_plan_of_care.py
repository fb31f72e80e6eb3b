"""Which certification of the plan of care speaks for a service."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from rtm.plan_of_care import Certification, certification_for, standing

START = date(2026, 1, 5)


def certified(on: date, id_: str = "", corrects: str | None = None) -> Certification:
    return Certification(id_ or on.isoformat(), on, START, "Chen", "Robin", "1999999927", corrects)


FIRST, SECOND = certified(date(2026, 1, 20)), certified(date(2026, 4, 4))


def test_the_newest_that_was_signed_by_the_day_of_the_service_counts() -> None:
    both = (FIRST, SECOND)
    assert certification_for(both, date(2026, 3, 31)) == FIRST
    assert certification_for(both, date(2026, 4, 4)) == SECOND
    assert certification_for(both, date(2026, 4, 30)) == SECOND


def test_a_first_certification_may_follow_its_service() -> None:
    assert certification_for((SECOND, FIRST), date(2026, 1, 10)) == FIRST


def test_without_any_there_is_none() -> None:
    assert certification_for((), date(2026, 1, 10)) is None


def test_one_that_was_recorded_wrongly_counts_no_more() -> None:
    wrong = certified(date(2026, 2, 20))
    right = certified(date(2026, 1, 20), "right", corrects=wrong.id)
    assert standing((wrong, right)) == (right,)
    assert certification_for((wrong, right), date(2026, 3, 1)) == right


@given(st.lists(st.dates(date(2026, 1, 1), date(2026, 12, 31)), unique=True), st.data())
def test_the_order_of_recording_does_not_matter(days: list[date], data: st.DataObject) -> None:
    service = data.draw(st.dates(date(2026, 1, 1), date(2026, 12, 31)))
    recorded = [certified(day) for day in days]
    shuffled = data.draw(st.permutations(recorded))
    assert certification_for(shuffled, service) == certification_for(recorded, service)
