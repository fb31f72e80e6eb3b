"""Rule files: sourced, dated, and refused when they contradict."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from billing.rules import InvalidRules, load_rules, read_rules


@pytest.mark.parametrize("year", range(2022, 2027))
def test_every_year_since_2022_has_rules(year: int) -> None:
    rule_set = load_rules().on(date(year, 7, 1))
    assert rule_set is not None
    assert "98975" in rule_set.codes
    assert ("98979" in rule_set.codes) == (year >= 2026)


DEVICE_UPPER = {"98976", "98977"}
MANAGEMENT = {"98980", "98981"}
CODES = {
    2022: {"98975", *DEVICE_UPPER, *MANAGEMENT},
    2023: {"98975", *DEVICE_UPPER, "98978", *MANAGEMENT},
    2024: {"98975", *DEVICE_UPPER, "98978", *MANAGEMENT},
    2025: {"98975", *DEVICE_UPPER, "98978", *MANAGEMENT},
    2026: {
        "98975", *DEVICE_UPPER, "98978", "98984", "98985", "98986", "98979", *MANAGEMENT,
    },
}  # fmt: skip


@pytest.mark.parametrize("year", CODES)
def test_each_year_has_the_codes_in_force_then_and_no_other(year: int) -> None:
    for day in (date(year, 1, 1), date(year, 12, 31)):
        rule_set = load_rules().on(day)
        assert rule_set is not None
        assert set(rule_set.codes) == CODES[year]


@pytest.mark.parametrize(
    ("year", "physical", "occupational"),
    [(2024, "2330", "2330"), (2025, "2410", "2410"), (2026, "2480", "2480")],
)
def test_the_therapy_threshold_of_each_year(year: int, physical: str, occupational: str) -> None:
    rule_set = load_rules().on(date(year, 7, 1))
    assert rule_set is not None
    threshold = rule_set.therapy_threshold
    assert threshold["GP"] == threshold["GN"] == Decimal(physical)
    assert threshold["GO"] == Decimal(occupational)


@pytest.mark.parametrize(("year", "days"), [(2022, 16), (2025, 16), (2026, 2)])
def test_the_days_that_a_set_up_takes(year: int, days: int) -> None:
    rule_set = load_rules().on(date(year, 7, 1))
    assert rule_set is not None
    assert rule_set.codes["98975"].minimum_days == days


def test_only_management_asks_for_an_interaction_and_only_device_codes_are_free_of_cq() -> None:
    for rule_set in load_rules().sets:
        for rule in rule_set.codes.values():
            assert rule.interaction == (rule.period == "month")
            assert rule.assistant_modifier == (rule.period != "device")
            assert (rule.system is not None) == (rule.period == "device")


def test_exclusions_are_mutual() -> None:
    for rule_set in load_rules().sets:
        for rule in rule_set.codes.values():
            for other in rule.excludes:
                assert rule.code in rule_set.codes[other].excludes


@pytest.mark.parametrize("day", [date(2021, 12, 31), date(2027, 1, 1)])
def test_no_rules_are_guessed_outside_the_loaded_years(day: date) -> None:
    assert load_rules().on(day) is None


def _changed(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    document = yaml.safe_load(files("billing.rules").joinpath("rtm-2026.yaml").read_text())
    for key in ("valid_from", "valid_to"):
        document[key] = document[key].isoformat()
    change(document)
    (tmp_path / "rtm-2026.yaml").write_text(yaml.safe_dump(document))
    return tmp_path


def _no_source(document: dict[str, Any]) -> None:
    del document["codes"]["98977"]["source"]


def _unknown_code(document: dict[str, Any]) -> None:
    document["codes"]["98979"]["excludes"] = ["98999"]


def _unknown_field(document: dict[str, Any]) -> None:
    document["codes"]["98979"]["minimun_minutes"] = 3


def _foreign_code(document: dict[str, Any]) -> None:
    document["codes"]["97110"] = dict(document["codes"]["98975"])


def _unsourced_amount(document: dict[str, Any]) -> None:
    del document["amounts"]["98977"]["source"]


def _upside_down(document: dict[str, Any]) -> None:
    document["codes"]["98985"]["maximum_days"] = 1


def _one_sided(document: dict[str, Any]) -> None:
    document["codes"]["98977"]["excludes"] = []


def _backwards(document: dict[str, Any]) -> None:
    document["valid_to"] = "2025-01-01"


def _no_amount(document: dict[str, Any]) -> None:
    del document["amounts"]["98977"]


def _amount_and_absent(document: dict[str, Any]) -> None:
    document["amounts"]["98977"]["absent"] = "nobody knows"


def _twice_a_month(document: dict[str, Any]) -> None:
    del document["codes"]["98980"]["once_per"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_no_amount, "98977 has neither an amount nor why"),
        (_amount_and_absent, "98977"),
        (_twice_a_month, "98980 must be once per month"),
        (_no_source, "source"),
        (_unknown_code, "98999"),
        (_unknown_field, "minimun_minutes"),
        (_backwards, "before valid_from"),
        (_foreign_code, "97110"),
        (_unsourced_amount, "source"),
        (_upside_down, "98985 minimum_days"),
        (_one_sided, "98985 excludes 98977"),
    ],
)
def test_a_broken_rule_file_names_file_and_fault(
    change: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidRules, match=message) as refused:
        read_rules(_changed(tmp_path, change))
    assert "rtm-2026.yaml" in str(refused.value)


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "rtm-2030.yaml").write_text("codes: [")
    with pytest.raises(InvalidRules, match=r"rtm-2030\.yaml") as refused:
        read_rules(tmp_path)
    assert "\n" not in str(refused.value)


def test_overlapping_rule_sets_are_refused(tmp_path: Path) -> None:
    folder = _changed(tmp_path, lambda document: None)
    second = (folder / "rtm-2026.yaml").read_text().replace("id: rtm-2026", "id: rtm-2026b")
    (folder / "second.yaml").write_text(second)
    with pytest.raises(InvalidRules, match="begins before"):
        read_rules(folder)


def test_a_gap_between_rule_sets_is_allowed_and_has_no_rules(tmp_path: Path) -> None:
    def begin_in_february(document: dict[str, Any]) -> None:
        document["valid_from"] = "2026-02-01"

    folder = _changed(tmp_path, begin_in_february)
    earlier = files("billing.rules").joinpath("rtm-2025.yaml").read_text("utf-8")
    (folder / "rtm-2025.yaml").write_text(earlier)
    rules = read_rules(folder)
    assert rules.on(date(2026, 1, 15)) is None
    assert rules.on(date(2026, 2, 1)) is not None


def test_every_code_has_an_amount_or_the_reason_for_none() -> None:
    for rule_set in load_rules().sets:
        assert rule_set.national.keys() | rule_set.absent_amounts.keys() == rule_set.codes.keys()
        assert not rule_set.national.keys() & rule_set.absent_amounts.keys()


def test_what_is_only_recalled_is_marked() -> None:
    for rule_set in load_rules().sets:
        for amount in rule_set.national.values():
            assert amount.recalled == ("recalled" in amount.source)


def test_once_per_rules_are_data() -> None:
    rule_set = load_rules().on(date(2026, 7, 1))
    assert rule_set is not None
    once = {code: rule.once_per for code, rule in rule_set.codes.items()}
    assert once["98975"] == "episode"
    assert once["98977"] == once["98985"] == "period"
    assert once["98979"] == once["98980"] == "month"
    assert once["98981"] is None
