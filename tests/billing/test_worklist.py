"""The billing worklist: what each patient's month waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from billing.case import read_case
from billing.tally import tally
from billing.worklist import WorklistRow, worklist_row

EXAMPLES = {
    str(example["example"]): example["case"]
    for name in ("worked_examples.yaml", "edges.yaml")
    for example in yaml.safe_load((Path(__file__).parent / "cases" / name).read_text("utf-8"))
}
MARCH = (date(2026, 3, 1), date(2026, 3, 31))


def row(example: str, **changes: Any) -> WorklistRow:
    account = read_case({**EXAMPLES[example], **changes})
    return worklist_row(tally(account), *MARCH, account.as_of)


@pytest.mark.parametrize(
    ("example", "changes", "state"),
    [
        ("1", {}, "billable"),
        ("24", {}, "blocked"),
        ("32", {}, "review"),
        ("c", {"billed": [{"date": "2026-03-03", "code": "98975"}]}, "on_track"),
        ("k", {"days": ["2026-03-02"], "time": [], "as_of": "2026-03-20"}, "short"),
        ("k", {"days": ["2026-03-02"], "time": [], "as_of": "2026-04-20"}, "missed"),
        ("k", {"days": [], "time": [], "interactions": [], "as_of": "2026-04-30"}, "quiet"),
        ("d", {}, "quiet"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_month_is_in_one_state(example: str, changes: dict[str, Any], state: str) -> None:
    assert row(example, **changes).state == state


def test_a_billable_month_shows_its_charges_and_their_sum() -> None:
    march = row("1")
    assert [charge.code for charge in march.charges] == ["98975", "98977", "98980"]
    assert (march.total, march.unpriced) == (Decimal("115.90"), 0)


def test_an_institutions_charges_need_no_look_only_because_of_their_claim() -> None:
    march = row("al2")
    assert all(charge.needs_review for charge in march.charges)
    assert (march.state, march.to_review) == ("billable", ())


@pytest.mark.parametrize("name", ["entity", "facility"])
def test_a_case_may_name_the_entity_by_either_word(name: str) -> None:
    office = {"entity": "private_practice", "facility": "office"}[name]
    assert row("1", **{name: office}) == row("1")


def test_a_charge_without_an_amount_is_counted_as_unpriced() -> None:
    commercial = row("h")
    assert (commercial.total, commercial.unpriced) == (Decimal("0.00"), 3)


def test_a_step_says_how_many_days_are_left_for_it() -> None:
    (days,) = [step for step in row("j").steps if step.code == "98977"]
    assert (days.needs, days.by, days.days_left) == ("3 more days", date(2026, 3, 31), 12)


def test_minutes_without_live_contact_have_their_own_flag() -> None:
    silent = row("k", interactions=[], as_of="2026-03-20")
    assert silent.needs_live_contact
    assert not row("k", as_of="2026-03-20").needs_live_contact


def test_a_charge_of_another_month_is_not_in_the_row() -> None:
    account = read_case(EXAMPLES["22"])
    may = worklist_row(tally(account), date(2026, 5, 1), date(2026, 5, 31), account.as_of)
    assert [charge.code for charge in may.charges] == ["98977", "98985"]
    assert worklist_row(tally(account), *MARCH, account.as_of).charges == ()


def test_a_block_stands_until_it_is_resolved() -> None:
    account = read_case(EXAMPLES["a"])
    assert worklist_row(tally(account), *MARCH, account.as_of).state == "blocked"
    consent = replace(read_case(EXAMPLES["1"]).episode, id=account.episode.id)
    resolved = replace(account, episode=consent)
    assert worklist_row(tally(resolved), *MARCH, account.as_of).state == "billable"
