"""Alerts by rules: at their bounds, and never twice for one cause."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from rtm.alerts import load_alert_kinds
from rtm.progression_evidence import Course, OutcomeChange
from rtm.readings import Reading
from rtm.watch import (
    Cause,
    Facts,
    InvalidWatchRules,
    Threshold,
    Waiting,
    load_watch_rules,
    read_watch_rules,
    rules_with,
    watch,
)

NOW = datetime(2026, 9, 30, 15, 0, tzinfo=UTC)
TODAY = NOW.date()
QUIET = Course(TODAY, TODAY - timedelta(weeks=8), ())


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def pain(*values: int) -> tuple[Reading, ...]:
    """The newest first, one a day."""
    return tuple(Reading("pain_severity", v, ago(n), "squat") for n, v in enumerate(values))


def flexion_tests(now: float, before: float) -> tuple[Reading, ...]:
    return Reading("knee_flexion", now, ago(1)), Reading("knee_flexion", before, ago(20))


def of(**change: Any) -> Facts:
    course = {key: change.pop(key) for key in ("readings", "outcome_changes") if key in change}
    return Facts(NOW, replace(QUIET, **course), **change)


# Each just at its bound, and the same just short of it.
CASES = {
    "pain_jump": (of(readings=pain(5, 2, 2, 2, 2)), of(readings=pain(4, 2, 2, 2, 2))),
    "missed_days": (of(missed=(ago(3), ago(2), ago(1))), of(missed=(ago(2), ago(1)))),
    "range_loss": (
        of(readings=flexion_tests(100, 110)),
        of(readings=flexion_tests(101, 110)),
    ),
    "outcome_worse": (
        of(outcome_changes=(OutcomeChange("koos_jr", 8, 8, ago(2)),)),
        of(outcome_changes=(OutcomeChange("koos_jr", 7, 8, ago(2)),)),
    ),
    "message_waiting": (
        of(messages=(Waiting("m1", NOW - timedelta(hours=24)),)),
        of(messages=(Waiting("m1", NOW - timedelta(hours=23)),)),
    ),
    "near_threshold": (
        of(thresholds=(Threshold("98977", "2 more monitored days", TODAY + timedelta(days=5)),)),
        of(thresholds=(Threshold("98977", "2 more monitored days", TODAY + timedelta(days=6)),)),
    ),
}


def test_every_rule_has_its_case() -> None:
    assert [rule.kind for rule in load_watch_rules()] == list(CASES)


@pytest.mark.parametrize("kind", CASES)
def test_a_rule_speaks_at_its_bound_and_not_before(kind: str) -> None:
    at, short = CASES[kind]
    assert [alert.cause.kind for alert in watch(at)] == [kind]
    assert watch(short) == ()


@pytest.mark.parametrize("kind", CASES)
def test_the_same_cause_gives_no_second_alert_even_a_day_later(kind: str) -> None:
    at, _ = CASES[kind]
    (alert,) = watch(at)
    stored = [Cause.of(alert.cause.key)]
    assert stored == [alert.cause]
    assert watch(at, stored) == ()
    later = replace(
        at, now=NOW + timedelta(days=1), course=replace(at.course, as_of=TODAY + timedelta(days=1))
    )
    assert watch(later, stored) == ()


def test_pain_that_stays_high_is_one_cause_for_a_week_and_then_another() -> None:
    first = watch(of(readings=pain(6, 2, 2, 2, 2)))[0].cause
    for days, count in ((1, 0), (7, 0), (8, 1)):
        as_of = TODAY + timedelta(days=days)
        usual = [
            Reading("pain_severity", 2, as_of - timedelta(days=n), "squat") for n in range(3, 9)
        ]
        now = Reading("pain_severity", 6, as_of, "squat")
        course = replace(QUIET, as_of=as_of, readings=(*usual, now))
        assert len(watch(Facts(NOW + timedelta(days=days), course), [first])) == count


def test_another_message_movement_or_month_is_another_cause() -> None:
    messages = tuple(Waiting(f"m{n}", NOW - timedelta(days=2)) for n in (1, 2))
    first, second = watch(of(messages=messages))
    assert watch(of(messages=messages), [first.cause]) == (second,)


def test_a_threshold_whose_day_is_past_is_no_alert() -> None:
    past = Threshold("98977", "2 more monitored days", ago(1))
    assert watch(of(thresholds=(past,))) == ()


def test_a_health_system_may_set_its_own_bounds_and_switch_kinds_off() -> None:
    rules = rules_with({"missed_days": {"at_least": 2}, "pain_jump": {"disabled": True}})
    facts = of(missed=(ago(2), ago(1)), readings=pain(9, 1, 1, 1, 1))
    assert [(a.cause.kind, a.value, a.bound) for a in watch(facts, (), rules)] == [
        ("missed_days", 2, 2)
    ]
    assert [rule.kind for rule in rules] == [kind for kind in CASES if kind != "pain_jump"]


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"mood": {"disabled": True}}, "no kind mood"),
        ({"missed_days": {"at_most": 2}}, "at_most|at_least"),
        ({"missed_days": {"disabled": False}}, "disabled"),
        ({"missed_days": {"quiet_days": -1}}, "quiet_days"),
    ],
)
def test_a_health_systems_rules_that_make_no_sense_are_refused(
    overrides: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidWatchRules, match=says):
        rules_with(overrides)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("pain_jump", "Pain 5 on 2026-09-30; usual in the 14 days before: 2"),
        ("missed_days", "No session on 3 due days in a row, since 2026-09-27"),
        ("outcome_worse", "Koos jr worse by 8 points on 2026-09-28; a change matters from 8"),
        ("message_waiting", "A message of the patient has waited for an answer for 24 hours"),
        ("near_threshold", "98977: 2 more monitored days by 2026-10-05"),
    ],
)
def test_an_alert_says_what_was_found(kind: str, says: str) -> None:
    (alert,) = watch(CASES[kind][0])
    assert alert.text == says


def test_every_rule_makes_a_kind_of_alert_that_may_wait() -> None:
    kinds = load_alert_kinds()
    assert all(kinds[rule.kind].can_wait for rule in load_watch_rules())


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([{"kind": "mood", "at_least": 1, "quiet_days": 1}], "kind"),
        ([{"kind": "pain_jump", "quiet_days": 1}], "at_least"),
        ([{"kind": "pain_jump", "at_most": 1, "quiet_days": 1}], "at_least"),
        (
            [{"kind": "pain_jump", "at_least": 1, "quiet_days": 1}] * 2,
            "two rules are of one kind",
        ),
    ],
)
def test_broken_rules_are_refused(document: Any, says: str) -> None:
    with pytest.raises(InvalidWatchRules, match=says):
        read_watch_rules(document)


def test_a_string_that_is_no_cause_is_refused() -> None:
    with pytest.raises(ValueError, match="no cause"):
        Cause.of("mood:low:2026-09-01")


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Facts(datetime(2026, 9, 1), QUIET)
