"""What the tally says of time that waits for a signature, and of a change after a claim."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from billing.account import Billed, Shortfall, Tally
from billing.case import InvalidCase, read_case, tally_json
from billing.tally import tally
from billing.worklist import WorklistRow, worklist_row

TERRY, ROBIN = "1999999919", "1999999927"
MARCH = (date(2026, 3, 1), date(2026, 3, 31))
APRIL = (date(2026, 4, 1), date(2026, 4, 30))


def chart_time(minutes: int, day: str = "2026-03-10", **other: Any) -> dict[str, Any]:
    entry = {
        "date": day,
        "minutes": minutes,
        "by": "pt",
        "activity": "review",
        "npi": TERRY,
        "author": "Terry Alvarez",
        "source": "timer",
    }
    return {**entry, **other}


def signed(*entries: int, npi: str = TERRY, **other: Any) -> dict[str, Any]:
    ids = [f"time[{n}]" for n in entries]
    return {
        "entries": ids,
        "author": "Terry Alvarez",
        "npi": npi,
        "at": "2026-03-10T18:00:00Z",
        **other,
    }


def case(*time: dict[str, Any], as_of: str = "2026-04-02", **changes: Any) -> dict[str, Any]:
    document = {
        "time_zone": "America/Chicago",
        "as_of": as_of,
        "therapy_plan": "GP",
        "episode": {
            "start": "2026-03-02",
            "consent": "2026-03-02T15:00:00Z",
            "practitioner_npi": TERRY,
        },
        "time": list(time),
        "interactions": [{"at": "2026-03-12T16:00:00Z", "kind": "phone", "npi": TERRY}],
    }
    return {**document, **changes}


def answer(*time: dict[str, Any], **changes: Any) -> Tally:
    return tally(read_case(case(*time, **changes)))


def codes(result: Tally) -> list[tuple[str, int]]:
    return [(charge.code, charge.units) for charge in result.charges]


def waiting(result: Tally) -> list[Shortfall]:
    return [short for short in result.shortfalls if short.rule == "confirmation"]


def row(result: Tally, month: tuple[date, date] = MARCH, as_of: str = "2026-04-02") -> WorklistRow:
    return worklist_row(result, *month, date.fromisoformat(as_of))


def test_unconfirmed_minutes_earn_nothing_and_are_named_with_whom_they_wait_for() -> None:
    result = answer(chart_time(15), chart_time(7), confirmations=[signed(0)])
    assert codes(result) == [("98979", 1)]
    (short,) = waiting(result)
    assert short.code == "98980"
    assert short.needs == (
        "7 minutes of chart time to be confirmed by Terry Alvarez (NPI 1999999919)"
    )
    assert short.rule == "confirmation"
    assert short.facts["entries"] == ["time[1]"]
    assert short.source.startswith("house policy")


def test_a_charge_that_a_signature_would_change_is_looked_at_before_it_leaves() -> None:
    held = answer(chart_time(15), chart_time(7), confirmations=[signed(0)])
    assert [charge.needs_review for charge in held.charges] == [True]
    assert row(held).state == "review"
    same_code = answer(chart_time(12), chart_time(7), confirmations=[signed(0)])
    assert codes(same_code) == [("98979", 1)]
    assert [charge.needs_review for charge in same_code.charges] == [False]
    assert len(waiting(same_code)) == 1


def test_confirmed_at_the_months_end_the_minutes_count_in_the_month_of_the_work() -> None:
    late = signed(0, 1, at="2026-04-02T13:00:00Z")
    result = answer(chart_time(15), chart_time(7), confirmations=[late])
    assert codes(result) == [("98980", 1)]
    assert waiting(result) == []


def test_a_late_signature_is_still_possible_and_shown_in_its_own_month_only() -> None:
    result = answer(chart_time(12))
    march = row(result)
    assert march.state == "short"
    assert [(step.code, step.any_time) for step in march.steps] == [("98979", True)]
    assert "98979" not in [short.code for short in march.missed]
    assert not any(step.any_time for step in row(result, APRIL).steps)


def test_an_add_on_that_a_signature_would_earn_is_the_code_named() -> None:
    result = answer(chart_time(30), chart_time(12), confirmations=[signed(0)])
    assert codes(result) == [("98980", 1)]
    assert [short.code for short in waiting(result)] == ["98981"]


def test_each_person_is_asked_for_their_own_time() -> None:
    pta = chart_time(4, by="pta", npi=ROBIN, author="Robin Chen")
    result = answer(chart_time(5), pta)
    assert [short.needs for short in waiting(result)] == [
        "5 minutes of chart time to be confirmed by Terry Alvarez (NPI 1999999919)",
        "4 minutes of chart time to be confirmed by Robin Chen (NPI 1999999927)",
    ]


def test_waiting_time_that_would_not_count_anyway_says_so_instead() -> None:
    result = answer(chart_time(9, activity="administrative work"))
    assert waiting(result) == []
    assert [block.rule for block in result.blocked] == ["rtm-2026.activities.administrative"]


def test_time_signed_as_excluded_work_does_not_count() -> None:
    result = answer(chart_time(25), confirmations=[signed(0, activity="clinic visit")])
    assert codes(result) == []
    assert [block.rule for block in result.blocked] == ["rtm-2026.activities.in_clinic_visit"]


def test_anothers_confirmation_does_nothing_and_billing_is_told() -> None:
    result = answer(chart_time(25), confirmations=[signed(0, npi=ROBIN, author="Robin Chen")])
    assert codes(result) == []
    assert "Robin Chen confirms time[0], which is the time of Terry Alvarez" in (
        result.blocked[0].why
    )


def test_overlapping_time_of_two_tabs_is_asked_for_once() -> None:
    span = {"start": "2026-03-10T15:00:00Z", "end": "2026-03-10T15:06:00Z"}
    result = answer(chart_time(6, **span), chart_time(6, **span))
    assert [short.needs.partition(" of ")[0] for short in waiting(result)] == ["6 minutes"]


def test_less_than_a_minute_is_told_in_seconds() -> None:
    result = answer(chart_time(0.5))  # type: ignore[arg-type]
    assert [short.needs.partition(" of ")[0] for short in waiting(result)] == ["30 seconds"]


def test_a_correction_of_a_case_is_applied() -> None:
    change = {
        "corrects": "time[0]",
        "author": "Terry Alvarez",
        "npi": TERRY,
        "at": "2026-03-11T10:00:00Z",
        "reason": "typing error",
        "replacement": chart_time(12, source="manual"),
    }
    by_hand = chart_time(25, source="manual")
    assert codes(answer(by_hand, corrections=[change])) == [("98979", 1)]
    assert codes(answer(by_hand, corrections=[{**change, "replacement": None}])) == []


def test_a_case_with_an_unknown_source_of_time_is_refused() -> None:
    with pytest.raises(InvalidCase, match="source"):
        read_case(case(chart_time(5, source="guess")))


def test_a_case_without_sources_is_of_time_logged_by_hand() -> None:
    plain = {"date": "2026-03-10", "minutes": 25, "by": "pt", "activity": "review"}
    assert codes(answer(plain)) == [("98980", 1)]


# After a claim -----------------------------------------------------------------------------------

LEFT_AT = datetime(2026, 4, 1, 12, tzinfo=UTC)
LEFT = Billed(date(2026, 3, 31), "98980", 1, episode_id="episode", left_at=LEFT_AT)


def after_the_claim(minutes: float | None, *left: Billed) -> Tally:
    """25 minutes were billed; on 2 April their author made them `minutes`, or took them back."""
    by_hand = chart_time(25, source="manual")
    change = {
        "corrects": "time[0]",
        "author": "Terry Alvarez",
        "npi": TERRY,
        "at": "2026-04-02T10:00:00Z",
        "reason": "it was another patient",
        "replacement": minutes and {**by_hand, "minutes": minutes},
    }
    account = read_case(case(by_hand, corrections=[change]))
    return tally(replace(account, billed=left or (LEFT,)))


def test_time_taken_back_after_the_claim_left_is_for_review_and_changes_no_claim() -> None:
    result = after_the_claim(None)
    assert codes(result) == []
    (block,) = result.blocked
    assert (block.code, block.rule) == ("98980", "after_claim")
    assert block.why == (
        "1 × 98980 of 2026-03-31 left on a claim, and the ledger now gives 0;"
        " changed since by Terry Alvarez on 2026-04-02"
    )
    assert block.facts["since"] == ["corrections[0]"]
    assert "never changes the claim silently" in block.source
    assert row(result).state == "blocked"


def test_the_code_that_the_ledger_gives_instead_is_named() -> None:
    result = after_the_claim(12)
    whys = [block.why for block in result.blocked if block.rule == "after_claim"]
    assert ["gives 0 (and 98979)" in why for why in whys] == [True]


def test_a_correction_that_leaves_the_charge_as_it_left_asks_for_nothing() -> None:
    assert after_the_claim(22).blocked == ()


def test_a_unit_less_of_the_add_on_is_found() -> None:
    add_on = replace(LEFT, code="98981", units=2)
    result = after_the_claim(45, LEFT, add_on)
    assert [(b.code, b.facts["given"]) for b in result.blocked] == [("98981", 1)]


@pytest.mark.parametrize(
    "left", [replace(LEFT, left_at=None), replace(LEFT, episode_id="an earlier one")]
)
def test_only_what_left_from_this_ledger_is_held_against_it(left: Billed) -> None:
    assert after_the_claim(None, left).blocked == ()


def test_the_answer_of_the_command_keeps_its_fields() -> None:
    shown = tally_json(answer(chart_time(12)))["shortfalls"]
    assert all(set(short) == {"code", "needs", "by"} for short in shown)
    assert [short["by"] for short in shown if short["code"] == "98979"] == ["2026-03-31"]
