"""Reading a Coverage: whose, of which payer, and from when until when."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from fhir.patient import read_coverage

COVERAGE: dict[str, Any] = {
    "resourceType": "Coverage",
    "id": "c-1",
    "status": "active",
    "subscriberId": "9ZZ0ZZ0ZZ00",
    "payor": [{"identifier": {"value": "00000"}, "display": "Sample Medicare MAC"}],
}


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        (None, None, None),
        ({}, None, None),
        ({"start": "2026-03-02"}, date(2026, 3, 2), None),
        ({"start": "2026-03-02T00:00:00-06:00"}, date(2026, 3, 2), None),
        ({"start": "2026-02", "end": "2028-02"}, date(2026, 2, 1), date(2028, 2, 29)),
        ({"start": "2026", "end": "2026"}, date(2026, 1, 1), date(2026, 12, 31)),
        ({"start": "some day", "end": "2026-02-30"}, None, None),
    ],
)
def test_a_period_is_read_as_days(
    period: dict[str, str] | None, start: date | None, end: date | None
) -> None:
    resource = COVERAGE if period is None else COVERAGE | {"period": period}
    summary = read_coverage(resource)
    assert (summary.id, summary.start, summary.end) == ("c-1", start, end)


@pytest.mark.parametrize(
    ("day", "covered"),
    [
        (date(2026, 2, 28), False),
        (date(2026, 3, 1), True),
        (date(2026, 9, 30), True),
        (date(2026, 10, 1), False),
    ],
)
def test_both_bounds_are_covered(day: date, covered: bool) -> None:
    summary = read_coverage(COVERAGE | {"period": {"start": "2026-03-01", "end": "2026-09-30"}})
    assert summary.covers(day) is covered


def test_without_dates_nothing_says_that_it_is_not_in_force() -> None:
    assert read_coverage(COVERAGE).covers(date(1900, 1, 1))
