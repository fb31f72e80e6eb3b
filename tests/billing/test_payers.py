"""Payer profiles: departures from Medicare by named settings, each with its ground."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from billing.case import read_case
from billing.payers import (
    InvalidPayers,
    PayerProfile,
    Settings,
    load_payers,
    read_payers,
)
from billing.rules import load_rules
from billing.tally import tally

_EDGES = yaml.safe_load((Path(__file__).parent / "cases" / "edges.yaml").read_text("utf-8"))
CASE: dict[str, Any] = _EDGES[0]["case"]


def with_settings(**changes: Any) -> dict[str, PayerProfile]:
    """Medicare's profile with some settings changed, beside the one for unknown payers."""
    payers = load_payers()
    medicare = payers["medicare"]
    return {
        **payers,
        "medicare": replace(medicare, settings=replace(medicare.settings, **changes)),
    }


def codes(case: dict[str, Any], **settings: Any) -> list[str]:
    result = tally(read_case(case), payers=with_settings(**settings))
    return [charge.code for charge in result.charges]


def test_each_example_says_that_it_is_one() -> None:
    payers = load_payers()
    examples = {payer.id for payer in payers.values() if payer.example}
    assert examples == {"commercial", "medicaid-example", "workers-comp-example"}
    assert all("example" in payers[id].title for id in examples)


def test_every_setting_of_every_payer_has_a_ground() -> None:
    for payer in load_payers().values():
        for setting in Settings.__dataclass_fields__:
            assert len(payer.basis[setting]) > 10


def test_what_a_profile_does_not_set_is_medicares_except_amounts() -> None:
    medicare, other = load_payers()["medicare"], load_payers()["other"]
    assert replace(other.settings, amounts=None) == medicare.settings
    assert other.settings.amounts == ()


@pytest.mark.parametrize(
    ("policy", "device", "set_up"),
    [
        ("last_day", ("2026-03-31", "2026-03-31"), ("2026-03-03", "2026-03-03")),
        ("threshold_day", ("2026-03-03", "2026-03-03"), ("2026-03-03", "2026-03-03")),
        ("range", ("2026-03-02", "2026-03-31"), ("2026-03-02", "2026-03-03")),
    ],
)
def test_the_date_of_service_is_the_payers_choice(
    policy: str, device: tuple[str, str], set_up: tuple[str, str]
) -> None:
    result = tally(read_case(CASE), payers=with_settings(date_of_service=policy))
    dated = {c.code: (str(c.service_from), str(c.service_date)) for c in result.charges}
    assert (dated["98985"], dated["98975"]) == (device, set_up)


def test_management_reaches_its_threshold_when_both_minutes_and_talk_are_there() -> None:
    result = tally(read_case(CASE), payers=with_settings(date_of_service="threshold_day"))
    (management,) = [c for c in result.charges if c.code == "98979"]
    assert str(management.service_date) == "2026-03-10"


def test_a_payer_billed_at_the_threshold_waits_until_the_tier_is_settled() -> None:
    early = {"device_billable": "threshold", "date_of_service": "threshold_day"}
    # Five days so far: on the 20th eleven more are still possible, on the 22nd no longer.
    assert "98985" not in codes({**CASE, "as_of": "2026-03-20"}, **early)
    assert "98985" in codes({**CASE, "as_of": "2026-03-22"}, **early)
    assert "98985" not in codes({**CASE, "as_of": "2026-03-22"})
    sixteen = [f"2026-03-{day:02}" for day in range(2, 18)]
    assert "98977" in codes({**CASE, "as_of": "2026-03-17", "days": sixteen}, **early)


def test_a_message_opens_the_month_only_where_the_payer_says_so() -> None:
    case = {**CASE, "interactions": [{"at": "2026-03-10T15:00:00", "kind": "message"}]}
    assert "98979" not in codes(case)
    assert "98979" in codes(case, message_is_interaction=True)


def test_a_talk_in_person_opens_the_month_unless_the_payer_says_no() -> None:
    case = {**CASE, "interactions": [{"at": "2026-03-10T15:00:00", "kind": "in_person"}]}
    assert "98979" in codes(case)
    assert "98979" not in codes(case, in_person_is_interaction=False)


def test_a_log_in_alone_is_no_data_whatever_the_setting() -> None:
    case = {**CASE, "days": [{"date": f"2026-03-0{n}", "kind": "log_in"} for n in range(2, 9)]}
    assert codes(case, day_of_data=frozenset({"log_in", "message"})) == ["98979"]


def test_an_organisation_may_count_messages_as_days_of_data() -> None:
    case = {**CASE, "days": [{"date": f"2026-03-0{n}", "kind": "message"} for n in (2, 3)]}
    assert "98985" not in codes(case)
    assert "98985" in codes(case, day_of_data=frozenset({"message"}))


def test_a_payer_without_therapy_modifiers_gets_none() -> None:
    case = {**CASE, "time": [{"date": "2026-03-05", "minutes": 12, "by": "pta"}]}
    result = tally(read_case(case), payers=with_settings(therapy_modifiers=False))
    assert {charge.modifiers for charge in result.charges} == {()}


def test_a_payer_without_kx_gets_none() -> None:
    case = {**CASE, "therapy_allowed_to_date": "9000"}
    result = tally(read_case(case), payers=with_settings(kx=False))
    assert not any("KX" in charge.modifiers for charge in result.charges)


def test_a_payer_may_let_rpm_and_rtm_stand_together() -> None:
    case = {**CASE, "other_services": [{"date": "2026-03-20", "code": "99454"}]}
    assert codes(case) == []
    assert codes(case, rpm_exclusion=False) == ["98975", "98979", "98985"]


def test_a_payer_may_do_without_consent() -> None:
    case = {**CASE, "episode": {**CASE["episode"], "consent": None}}
    assert codes(case) == []
    assert "98985" in codes(case, consent_required=False)


def test_a_payer_without_a_profile_is_looked_at_before_it_leaves() -> None:
    result = tally(read_case({**CASE, "payer": "acme health"}))
    assert all(charge.needs_review and charge.amount is None for charge in result.charges)


def _changed(tmp_path: Path, name: str, change: Callable[[dict[str, Any]], None]) -> Path:
    for file in files("billing.payers").iterdir():
        if file.name.endswith(".yaml"):
            (tmp_path / file.name).write_text(file.read_text("utf-8"))
    document = yaml.safe_load((tmp_path / name).read_text())
    change(document)
    (tmp_path / name).write_text(yaml.safe_dump(document))
    return tmp_path


def _set(setting: str, value: Any, **basis: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["settings"][setting] = {"value": value, **basis}

    return change


FEE = {"code": "98977", "amount": "45.00", "valid_from": "2026-01-01", "valid_to": "2026-12-31"}
HOUSE = {"house_policy": "for this test"}


def test_a_payers_own_amount_is_used_in_its_time(tmp_path: Path) -> None:
    folder = _changed(tmp_path, "commercial.yaml", _set("amounts", [FEE], **HOUSE))
    payers = read_payers(folder, load_rules())
    days = [f"2026-03-{day:02}" for day in range(2, 20)]
    result = tally(read_case({**CASE, "payer": "commercial", "days": days}), payers=payers)
    amounts = {charge.code: charge.amount for charge in result.charges}
    assert amounts == {"98975": None, "98977": Decimal("45.00"), "98979": None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("generosity", True, **HOUSE), r"settings.*generosity"),
        (_set("kx", True), r"settings\.kx.*source"),
        (_set("kx", "often", **HOUSE), r"settings\.kx\.value.*often"),
        (_set("covered_codes", ["98999"], **HOUSE), r"settings\.covered_codes: 98999"),
        (_set("covered_codes", "some", **HOUSE), r"settings\.covered_codes"),
        (_set("amounts", [{**FEE, "code": "97110"}], **HOUSE), r"settings\.amounts: 97110"),
        (_set("amounts", [FEE, FEE], **HOUSE), "98977 twice"),
        (_set("amounts", [{**FEE, "valid_to": "2026-02-30"}], **HOUSE), "98977"),
        (_set("amounts", [{**FEE, "valid_to": "2025-12-31"}], **HOUSE), "ends before it begins"),
        (_set("device_billable", "threshold", **HOUSE), r"settings\.device_billable"),
        (_set("day_of_data", ["log_in"], **HOUSE), r"settings\.day_of_data.*log_in"),
        (lambda document: document["settings"].pop("amounts"), "lacks amounts"),
        (lambda document: document.update(id="medicare"), r"\$\.id: medicare is in"),
    ],
)
def test_a_broken_profile_names_file_and_place(
    change: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidPayers, match=message) as refused:
        read_payers(_changed(tmp_path, "commercial.yaml", change), load_rules())
    assert ".yaml: " in str(refused.value)
    assert "\n" not in str(refused.value)


def test_medicares_own_profile_must_be_there_and_complete(tmp_path: Path) -> None:
    with pytest.raises(InvalidPayers, match="no profile medicare"):
        read_payers(tmp_path, load_rules())
    folder = _changed(tmp_path, "medicare.yaml", lambda document: document["settings"].pop("kx"))
    with pytest.raises(InvalidPayers, match="lacks kx"):
        read_payers(folder, load_rules())
