"""Search parameters: how values are read, and how they meet a resource."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.parameters import Criterion, Parameter, criterion, read_date
from app.api.problem import FhirProblem

BASE = "https://app.example/fhir/prairie"
DATE = Parameter("date", "date", ("effectiveDateTime", "effectivePeriod"), "d")
CODE = Parameter("code", "token", ("code",), "d")
PLAN = Parameter("based-on", "reference", ("basedOn",), "d", ("CarePlan",))

instants = st.datetimes(
    datetime(1900, 1, 1),
    datetime(2100, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=9))]),
)


def meets(parameter: Parameter, value: str, resource: dict[str, object]) -> bool:
    return criterion(parameter, None, value, BASE).meets(resource, BASE)


def read(text: str) -> str | int:
    try:
        _, (first, last) = read_date(text)
    except FhirProblem as problem:
        return problem.status
    return "a span of time" if first < last else "no time at all"


@given(st.text(max_size=40))
def test_any_text_is_a_date_or_a_400(text: str) -> None:
    assert read(text) in ("a span of time", 400)


@given(
    st.from_regex(r"\A(eq|ge|lt)?\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?)?)?\Z")
)
def test_any_text_that_looks_like_a_date_is_one_or_a_400(text: str) -> None:
    assert read(text) in ("a span of time", 400)


@given(instants, instants)
def test_an_instant_is_before_at_or_after_any_other(found: datetime, wanted: datetime) -> None:
    resource = {"effectiveDateTime": found.isoformat()}
    text = wanted.isoformat()
    assert meets(DATE, f"ge{text}", resource) != meets(DATE, f"lt{text}", resource) or (
        # A second that both share belongs to either side of its fraction.
        abs(found - wanted) < timedelta(seconds=1)
    )
    assert meets(DATE, f"eq{text}", resource) != meets(DATE, f"ne{text}", resource)
    assert meets(DATE, f"eq{found.isoformat()}", resource)
    day = found.astimezone(UTC).date().isoformat()
    for prefix in ("eq", "ge", "le"):
        assert meets(DATE, f"{prefix}{day}", resource)
    for prefix in ("ne", "gt", "lt", "sa", "eb"):
        assert not meets(DATE, f"{prefix}{day}", resource)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-01", False),  # the period goes beyond the day
        ("2026-11", True),
        ("2026", True),
        ("ge2026-11-02", True),
        ("gt2026-11-02", False),
        ("sa2026-10-31", True),
        ("eb2026-11-03", True),
        ("eb2026-11-02T12:00:00Z", False),
        ("lt2026-11-01", False),
        ("le2026-11-01", True),
        ("2025,2026", True),
    ],
)
def test_a_period_is_compared_as_a_whole(value: str, expected: bool) -> None:
    period = {"start": "2026-11-01T08:00:00Z", "end": "2026-11-02T20:00:00Z"}
    assert meets(DATE, value, {"effectivePeriod": period}) is expected


def test_a_period_without_an_end_never_ends() -> None:
    resource = {"effectivePeriod": {"start": "2026-11-01"}}
    assert meets(DATE, "gt2099", resource)
    assert not meets(DATE, "eb2099", resource)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", True),
        ("s|a", True),
        ("s|", True),
        ("|a", False),
        ("|b", True),
        ("t|a", False),
        ("x,b", True),
        (r"s|c\,d", True),
        (r"s|c,d", False),
        (r"s|e\|f", True),
        ("A", False),
    ],
)
def test_a_token_is_its_system_and_code(value: str, expected: bool) -> None:
    codings = [
        {"system": "s", "code": "a"},
        {"code": "b"},
        {"system": "s", "code": "c,d"},
        {"system": "s", "code": "e|f"},
    ]
    assert meets(CODE, value, {"code": {"coding": codings}}) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1", True),
        ("CarePlan/1", True),
        (f"{BASE}/CarePlan/1", True),
        ("https://else.example/CarePlan/1", False),
        ("Goal/1", False),
        ("2", False),
        ("2,1", True),
    ],
)
def test_a_reference_is_an_id_a_relative_or_an_own_url(value: str, expected: bool) -> None:
    assert meets(PLAN, value, {"basedOn": [{"reference": "CarePlan/1"}]}) is expected
    assert not meets(PLAN, value, {})


def test_a_criterion_keeps_its_alternatives() -> None:
    assert criterion(PLAN, "CarePlan", "1,2", BASE) == Criterion(PLAN, ("CarePlan/1", "CarePlan/2"))
