"""The tally by worked examples, and by what no charge may ever break."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.account import BusyTime, Charge, OtherService, Tally
from billing.case import InvalidCase, read_case, tally_json
from billing.rules import NcciPair, Rules, load_rules
from billing.tally import tally

EXAMPLES = [
    example
    for name in ("worked_examples.yaml", "edges.yaml")
    for example in yaml.safe_load((Path(__file__).parent / "cases" / name).read_text("utf-8"))
]


def _as_text(charge: Charge) -> str:
    modifiers = ",".join(charge.modifiers) or "-"
    return f"{charge.code} x{charge.units} {modifiers} {charge.service_date}"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e['example']}: {e['title']}")
def test_worked_example(example: dict[str, Any]) -> None:
    result = tally(read_case(example["case"]))
    expected = example["expected"]
    assert sorted(_as_text(c) for c in result.charges) == sorted(expected["charges"])
    if "shortfalls" in expected:
        assert sorted(f"{s.code}: {s.needs}" for s in result.shortfalls) == sorted(
            expected["shortfalls"]
        )
    assert sorted({b.rule for b in result.blocked}) == expected.get("blocked_rules", [])
    if "needs_review" in expected:
        assert any(charge.needs_review for charge in result.charges)


def test_every_charge_names_rule_facts_and_source() -> None:
    result = tally_json(tally(read_case(EXAMPLES[0]["case"])))
    assert [c["amount"] for c in result["charges"]] == ["21.71", "40.08", "54.11"]
    for charge in result["charges"]:
        for reason in charge["reasons"]:
            assert reason["rule"]
            assert reason["facts"]
            assert len(reason["source"]) > 10


def test_the_answer_has_the_documented_fields_and_no_other() -> None:
    example = next(e for e in EXAMPLES if e["example"] == "j")
    result = tally_json(tally(read_case(example["case"])))
    assert set(result) == {"charges", "shortfalls", "blocked"}
    assert set(result["charges"][0]) == {
        "code", "units", "modifiers", "from", "to", "amount", "reasons",
    }  # fmt: skip
    assert result["shortfalls"][-1] == {"code": "98977", "needs": "3 more days", "by": "2026-03-31"}
    assert json.loads(json.dumps(result)) == result


def test_a_case_may_leave_out_whatever_is_empty() -> None:
    case = {
        "time_zone": "America/Chicago",
        "as_of": "2026-03-31",
        "episode": {"start": "2026-03-02"},
    }
    result = tally_json(tally(read_case(case)))
    assert result["charges"] == []
    assert [block["rule"] for block in result["blocked"]] == ["consent"]


def test_without_consent_each_charge_that_waits_for_it_is_named() -> None:
    case = next(e for e in EXAMPLES if e["example"] == "a")["case"]
    result = tally(read_case(case))
    assert [block.code for block in result.blocked] == ["98975", "98977", "98980"]


def test_a_bad_fact_is_named_by_its_place_in_the_case() -> None:
    case = next(e for e in EXAMPLES if e["example"] == "f")["case"]
    (block,) = tally(read_case(case)).blocked
    assert block.why.startswith("time[")


def test_several_units_cost_their_sum() -> None:
    case = next(e for e in EXAMPLES if e["example"] == 11)["case"]
    amounts = {c["code"]: c["amount"] for c in tally_json(tally(read_case(case)))["charges"]}
    assert amounts == {"98980": "54.11", "98981": "83.50"}


def test_a_commercial_payer_gets_no_national_amount() -> None:
    example = next(e for e in EXAMPLES if e["example"] == "h")
    assert {c.amount for c in tally(read_case(example["case"])).charges} == {None}


def _beside_an_edit(indicator: Literal[0, 1], **service: str) -> Tally:
    """The base case with 97750 on the day of 98979, and an edit between the two."""
    case = next(e for e in EXAMPLES if e["example"] == "k")["case"]
    beside = {"date": "2026-03-31", "code": "97750", **service}
    pair = NcciPair("97750", "98979", indicator, "an edit invented for this test")
    sets = tuple(replace(rule_set, ncci_pairs=(pair,)) for rule_set in load_rules().sets)
    return tally(read_case({**case, "other_services": [beside]}), Rules(sets))


def test_a_distinct_service_is_said_so_only_by_an_edit_with_a_justification() -> None:
    result = _beside_an_edit(1, distinct_because="another session", distinct_modifier="XE")
    modifiers = {charge.code: charge.modifiers for charge in result.charges}
    assert modifiers == {"98975": ("GP",), "98985": ("GP",), "98979": ("GP", "XE")}


@pytest.mark.parametrize(
    ("indicator", "service"), [(1, {}), (0, {"distinct_because": "another session"})]
)
def test_an_edit_without_justification_or_exception_holds_the_line(
    indicator: Literal[0, 1], service: dict[str, str]
) -> None:
    result = _beside_an_edit(indicator, **service)
    assert [block.rule for block in result.blocked] == ["rtm-2026.ncci"]
    assert "98979" not in {charge.code for charge in result.charges}


def test_no_shipped_rule_adds_59() -> None:
    for example in EXAMPLES:
        for charge in tally(read_case(example["case"])).charges:
            assert not {"59", "XE", "XP", "XS", "XU"} & set(charge.modifiers)


def test_an_instant_without_a_time_zone_is_named_and_stops_nothing_else() -> None:
    account = read_case(EXAMPLES[0]["case"])
    naive = datetime(2026, 3, 12, 10, 0)
    talk = replace(account.ledger.interactions[0], id="naive", at=naive)
    busy = BusyTime("busy", "1999999919", naive, naive)
    visit = OtherService(date(2026, 3, 12), "97110", None, naive, naive)
    broken = replace(
        account,
        ledger=replace(account.ledger, interactions=(*account.ledger.interactions, talk)),
        busy=(busy,),
        other_services=(visit,),
    )
    result = tally(broken)
    assert result.charges == tally(account).charges
    assert sorted(block.rule for block in result.blocked) == ["busy", "ledger", "other_services"]


def test_a_kind_of_practitioner_who_may_not_bill_is_held() -> None:
    account = replace(read_case(EXAMPLES[0]["case"]), practitioner_kind="pta")
    result = tally(account)
    assert result.charges == ()
    assert {block.rule for block in result.blocked} == {"rtm-2026.providers.may_bill"}


def test_a_minute_of_two_patients_goes_to_one_of_them_whichever_is_asked() -> None:
    case = next(e for e in EXAMPLES if e["example"] == "ag")["case"]
    mine, theirs = case["time"][0], case["busy"][0]
    here = tally(read_case(case)).charges
    there = tally(
        read_case(
            {
                **case,
                "time": [{**mine, "start": theirs["start"], "end": theirs["end"]}],
                "busy": [{**theirs, "start": mine["start"], "end": mine["end"]}],
            }
        )
    ).charges
    minutes = [c.reasons[0].facts["minutes"] for c in (*here, *there) if c.code == "98979"]
    assert minutes == [15, 10]  # 20 and 10 minutes, of which five were the same


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"days": [{"kind": "session"}]}, "days.0"),
        ({"days": [{"date": "2026-03-02", "kind": "nap"}]}, "days.0"),
        ({"billed": [{"date": "2026-03-31", "code": "98977", "status": "lost"}]}, "billed.0.stat"),
        ({"facility": "garage"}, "facility"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"as_of": "yesterday"}, "as_of"),
        ({"days": ["2026-13-01"]}, "days.0"),
        ({"time": [{"date": "2026-03-05", "minutes": 5, "by": "barber"}]}, "time.0.by"),
        ({"time": [{"date": "2026-03-05", "by": "pt"}]}, "time.0"),
        ({"surprise": 1}, "surprise"),
        ({"episode": {}}, "episode.start"),
        ({"episode": {"start": "2026-03-02", "end": "2026-03-01"}}, "episode: end 2026-03-01"),
        ({"as_of": 0}, "as_of: needs text"),
        ({"as_of": "9999-12-31"}, "as_of: the year 9999"),
        ({"interactions": [{"at": "9999-12-31T23:00:00-12:00", "kind": "phone"}]}, "year 9999"),
        ({"time": [{"date": "2026-03-05", "minutes": float("nan"), "by": "pt"}]}, "time.0.minutes"),
        (
            {"time": [{"date": "2026-03-05", "by": "pt", "start": "2026-03-05T10:00:00"}]},
            "time.0: start and end come together",
        ),
        ({"billed": [{"date": "2026-03-31", "code": "9897"}]}, "billed.0.code"),
        ({"billed": [{"date": "2026-03-31", "code": "98977", "units": 0}]}, "billed.0.units"),
        ({"interactions": [{"at": "2026-03-10T15:00:00", "kind": "fax"}]}, "interactions.0.kind"),
    ],
)
def test_an_ill_formed_case_names_the_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidCase, match=message) as refused:
        read_case({**EXAMPLES[0]["case"], **change})
    assert "\n" not in str(refused.value)


def test_what_is_not_an_object_is_no_case() -> None:
    with pytest.raises(InvalidCase):
        read_case([])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(field=st.sampled_from(sorted(EXAMPLES[0]["case"])), value=json_values)
def test_whatever_stands_in_a_field_the_answer_is_a_tally_or_an_invalid_case(
    field: str, value: Any
) -> None:
    refusal = None
    try:
        account = read_case({**EXAMPLES[0]["case"], field: value})
    except InvalidCase as refused:
        refusal = str(refused)
    if refusal is None:
        assert set(tally_json(tally(account))) == {"charges", "shortfalls", "blocked"}
    else:
        assert refusal.startswith(field)
        assert "\n" not in refusal


START = date(2026, 2, 1)
dates = st.integers(0, 140).map(lambda n: (START + timedelta(days=n)).isoformat())


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    start = date.fromisoformat(draw(dates))
    return {
        "time_zone": "America/New_York",
        "as_of": (START + timedelta(days=draw(st.integers(60, 300)))).isoformat(),
        "payer": "medicare",
        "therapy_plan": "GP",
        "episode": {
            "start": start.isoformat(),
            "end": None,
            "setup_completed": f"{start}T10:00:00" if draw(st.booleans()) else None,
            "consent": f"{start}T09:00:00",
            "device": {"name": "H", "system": "musculoskeletal", "self_report": True},
        },
        "days": draw(st.lists(dates, max_size=60)),
        "time": [
            {"date": day, "minutes": minutes, "by": by, "activity": "review"}
            for day, minutes, by in draw(
                st.lists(
                    st.tuples(dates, st.integers(1, 30), st.sampled_from(["pt", "pta"])),
                    max_size=12,
                )
            )
        ],
        "interactions": [
            {"at": f"{day}T12:00:00", "kind": kind, "minutes": 4}
            for day, kind in draw(
                st.lists(st.tuples(dates, st.sampled_from(["phone", "message"])), max_size=6)
            )
        ],
        "other_services": [],
        "billed": [],
    }


@st.composite
def crowded_cases(draw: st.DrawFn) -> dict[str, Any]:
    """Any year, plan and system, with services of others and what was billed before."""
    case = draw(cases())
    other = st.sampled_from(["97110", "97110", "97110", "99454", "99457", "98977"])
    ours = st.sampled_from(["98975", "98977", "98985", "98979", "98980", "98981"])
    shift = draw(st.sampled_from([0, 0, 0, 0, 0, -1, -2, -3, -4, -5, 1]))
    kinds = st.sampled_from(["pt", "pta", "ota", "physician", "clinical_staff"])
    case["therapy_plan"] = draw(st.sampled_from(["GP", "GP", "GO", "GN", None]))
    case["episode"]["device"]["system"] = draw(
        st.sampled_from(["musculoskeletal", "respiratory", "cbt"])
    )
    case["episode"]["end"] = draw(st.sampled_from([None, "2026-08-20"]))
    case["time"] = [{**entry, "by": draw(kinds)} for entry in case["time"]]
    case["other_services"] = [
        {"date": day, "code": code, "npi": None}
        for day, code in draw(st.lists(st.tuples(dates, other), max_size=1))
    ]
    case["billed"] = [
        {"date": day, "code": code, "units": 1}
        for day, code in draw(st.lists(st.tuples(dates, ours), max_size=2))
    ]
    if draw(st.integers(0, 9)) == 0:
        case["episode"]["consent"] = None
    moved: dict[str, Any] = json.loads(json.dumps(case).replace("2026-", f"{2026 + shift}-"))
    return moved


DEVICE = {
    "musculoskeletal": ("98985", "98977"),
    "respiratory": ("98984", "98976"),
    "cbt": ("98986", "98978"),
}
RPM = {"99453", "99454", "99445", "99457", "99458", "99470"}

# Whose minutes are therapy under each plan: no aides and no other discipline's assistants
# (Medicare Benefit Policy Manual ch. 15, 230).
THERAPY = {
    "GP": {"physician", "npp", "pt", "pta"},
    "GO": {"physician", "npp", "ot", "ota"},
    "GN": {"physician", "npp", "slp"},
    None: {"physician", "npp", "clinical_staff"},
}


@settings(max_examples=400, deadline=None)
@given(crowded_cases())
def test_no_charge_breaks_a_threshold_an_exclusion_or_a_once_per_rule(
    case: dict[str, Any],
) -> None:
    result = tally_json(tally(read_case(case)))
    charges = result["charges"]
    lower, upper = DEVICE[case["episode"]["device"]["system"]]
    if case["episode"]["consent"] is None:
        assert charges == []
    until = min(case["episode"]["end"] or case["as_of"], case["as_of"])
    inside = {day for day in case["days"] if case["episode"]["start"] <= day <= until}
    worked = [
        t
        for t in case["time"]
        if case["episode"]["start"] <= t["date"] <= until
        and t["by"] in THERAPY[case["therapy_plan"]]
    ]
    for charge in charges:
        first, last = charge["from"], charge["to"]
        assert "2022-01-01" <= last <= min("2026-12-31", case["as_of"])
        days = sum(first <= day <= last for day in inside)
        minutes = sum(t["minutes"] for t in worked if t["date"][:7] == last[:7])
        talks = [i for i in case["interactions"] if i["at"][:7] == last[:7]]
        new_rules = last >= "2026-01-01"
        if charge["code"] in (lower, upper):
            assert days >= (16 if charge["code"] == upper else 2)
            assert charge["code"] == upper or (days < 16 and new_rules)
            assert not {"CQ", "CO"} & set(charge["modifiers"])
        elif charge["code"] == "98975":
            assert case["episode"]["setup_completed"]
            assert days >= (2 if first >= "2026-01-01" else 16)
        else:
            assert any(talk["kind"] == "phone" for talk in talks)
            least = {"98979": 10, "98980": 20, "98981": 20 + 20 * charge["units"]}[charge["code"]]
            assert minutes >= least
            assert charge["code"] != "98979" or (minutes < 20 and new_rules)
        rpm = [s for s in (*case["other_services"], *case["billed"]) if s["code"] in RPM]
        assert not any(first <= service["date"] <= last for service in rpm)
        for once in case["billed"]:
            again = once["code"] == charge["code"] and first <= once["date"] <= last
            assert not again or charge["code"] == "98981"
    lines = [(c["code"], c["from"], c["to"]) for c in charges if not c["modifiers"][1:]]
    assert len(lines) == len(set(lines))
    assert sum(c["code"] == "98975" for c in charges) <= 1
    months = {(c["code"], c["to"][:7]) for c in charges}
    assert not {m for code, m in months if code == "98979"} & {
        m for code, m in months if code in ("98980", "98981")
    }
    periods = [c["from"] for c in charges if c["code"] in (lower, upper)]
    assert len(periods) == len(set(periods))


@settings(max_examples=60, deadline=None)
@given(crowded_cases())
def test_the_order_in_which_days_were_recorded_changes_no_line(case: dict[str, Any]) -> None:
    forwards = tally(read_case(case))
    backwards = tally(read_case({**case, "days": case["days"][::-1]}))
    assert forwards.charges == backwards.charges
    assert forwards.shortfalls == backwards.shortfalls


@settings(max_examples=60, deadline=None)
@given(cases())
def test_a_second_tally_after_billing_everything_is_empty(case: dict[str, Any]) -> None:
    first = tally(read_case(case))
    billed = [
        {"date": c.service_date.isoformat(), "code": c.code, "units": c.units}
        for c in first.charges
    ]
    assert tally(read_case({**case, "billed": billed})).charges == ()
