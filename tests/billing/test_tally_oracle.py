"""The tally against a slow reading of the fact sheet, over ledgers that nobody would think of."""

from __future__ import annotations

import ast
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.case import read_case, tally_json
from billing.tally import tally
from tests.billing import oracle

OURS, ANOTHER = "1999999919", "1999999927"
ZONES = [
    "America/New_York",
    "America/Los_Angeles",
    "Asia/Kolkata",
    "Pacific/Auckland",
    "Europe/Lisbon",
]
EXAMPLES = [
    example
    for example in yaml.safe_load(
        (Path(__file__).parent / "cases" / "worked_examples.yaml").read_text("utf-8")
    )
    if example["case"]["payer"] == "medicare"
]


def charged(case: dict[str, Any]) -> list[oracle.Line]:
    return [
        (c.code, c.units, tuple(m for m in c.modifiers if m != "KX"), c.service_date.isoformat())
        for c in tally(read_case(case)).charges
    ]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: str(e["example"]))
def test_the_oracle_agrees_with_every_worked_example(example: dict[str, Any]) -> None:
    expected = sorted(line.replace(",KX", "") for line in example["expected"]["charges"])
    seconds = any(t.get("minutes") and t["minutes"] % 1 for t in example["case"]["time"])
    case = json.loads(json.dumps(example["case"]))
    if seconds:  # the oracle counts whole minutes
        case["time"] = [{**t, "minutes": int(t["minutes"])} for t in case["time"]]
    found = [f"{c} x{n} {','.join(m) or '-'} {day}" for c, n, m, day in oracle.charges(case)]
    assert sorted(found) == expected


def test_the_oracle_shares_no_code_with_the_tally() -> None:
    tree = ast.parse(Path(oracle.__file__).read_text("utf-8"))
    modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    modules |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert modules == {"__future__", "datetime", "typing", "zoneinfo"}


@st.composite
def ledgers(draw: st.DrawFn) -> dict[str, Any]:
    """A patient of any year from 2021 to 2027, with everything that may go wrong at once."""
    name = draw(st.sampled_from(ZONES))
    zone = ZoneInfo(name)
    start = date(2021, 11, 20) + timedelta(days=draw(st.integers(0, 1860)))
    if draw(st.booleans()):  # near the change of rules and of clocks
        start = draw(st.sampled_from([date(2025, 12, 10), date(2026, 2, 20), date(2026, 10, 20)]))
    length = draw(st.integers(25, 130))
    day = st.integers(-3, length).map(lambda n: start + timedelta(days=n))
    plan = draw(st.sampled_from(["GP", "GP", "GP", "GO", "GN", None]))
    known = draw(st.booleans())

    def instant(on: date, minute: int) -> datetime:
        local = datetime(on.year, on.month, on.day, tzinfo=zone)
        return local.astimezone(UTC) + timedelta(minutes=minute)

    def span(on: date, minute: int, length: int) -> dict[str, str]:
        begun = instant(on, minute)
        return {
            "start": begun.isoformat(),
            "end": (begun + timedelta(minutes=length)).isoformat(),
        }

    team = {"GP": ["pt", "pta"], "GO": ["ot", "ota"], "GN": ["slp"]}.get(
        plan or "", ["physician", "npp", "clinical_staff"]
    )
    worthless = list(oracle.WORTHLESS)
    # Few hours of few days, so that entries meet.
    busy_days = draw(st.lists(day, min_size=1, max_size=3, unique=True))
    meeting = st.sampled_from(busy_days)
    morning = st.integers(90, 150)

    def time_entry() -> dict[str, Any]:
        on = draw(meeting)
        entry: dict[str, Any] = {
            "date": on.isoformat(),
            "by": draw(st.sampled_from([*team, *team, *team, "pt", "ota", "physician"])),
            "activity": draw(st.sampled_from(["review", "call", "program"] * 3 + worthless)),
            "npi": draw(st.sampled_from([None, None, None, OURS, OURS, ANOTHER])),
            "source": draw(st.sampled_from(["manual", "manual", "timer"])),
            "author": draw(st.sampled_from([None, "Terry"])),
        }
        if entry["by"] == "pta" and draw(st.booleans()):
            entry["supervised_by"] = draw(st.sampled_from([OURS, ANOTHER]))
        if draw(st.booleans()):
            entry |= span(on, draw(morning), draw(st.integers(1, 40)))
        if "start" not in entry or draw(st.integers(0, 3)) == 0:
            entry["minutes"] = draw(st.integers(-1, 35))
        return entry

    # What is done to the entries afterwards, each act at an instant of its own.
    recorded = [time_entry() for _ in range(draw(st.integers(0, 9)))]
    names = [f"time[{n}]" for n in range(len(recorded))]
    later = iter(draw(st.permutations(range(20))))
    first_act = instant(start + timedelta(days=length), 0)

    def act() -> dict[str, Any]:
        at = first_act + timedelta(minutes=next(later))
        npi = draw(st.sampled_from([OURS, OURS, ANOTHER, None]))
        return {"author": "Terry", "npi": npi, "at": at.isoformat()}

    corrections = []
    for n in range(draw(st.integers(0, 3)) if names else 0):
        new = time_entry() if draw(st.integers(0, 3)) else None
        old = draw(st.sampled_from(names))
        names.append(f"corrections[{n}]")
        corrections.append(act() | {"corrects": old, "reason": "typing", "replacement": new})
    confirmations = [
        act()
        | {
            "entries": draw(st.lists(st.sampled_from([*names, "nobody"]), max_size=6)),
            "activity": draw(st.sampled_from([None, "program", "administrative"])),
        }
        for _ in range(draw(st.integers(0, 3)))
    ]

    def other_service() -> dict[str, Any]:
        on = draw(meeting)
        code = draw(st.sampled_from(["97110", "97110", "97110", "99454", "99457", "98977"]))
        service = {
            "date": on.isoformat(),
            "code": code,
            "npi": draw(st.sampled_from([OURS, ANOTHER])),
        }
        return service | (span(on, draw(morning), 20) if code == "97110" else {})

    first = draw(st.integers(0, 3))
    dense = [start + timedelta(days=n) for n in range(draw(st.integers(0, 25)))]
    days: list[Any] = [on.isoformat() for on in [*dense, *draw(st.lists(day, max_size=15))]]
    days += [
        {"at": instant(on, minute).isoformat(), "kind": kind}
        for on, minute, kind in draw(
            st.lists(
                st.tuples(
                    day,
                    st.sampled_from([1, 119, 121, 179, 181, 1439]),
                    st.sampled_from(["session", "prom", "self_report", "message", "log_in"]),
                ),
                max_size=6,
            )
        )
    ]
    ours = st.sampled_from(["98975", "98977", "98985", "98979", "98980", "98981", "99454"])
    return {
        "time_zone": name,
        "as_of": (start + timedelta(days=draw(st.integers(20, 180)))).isoformat(),
        "payer": "medicare",
        "therapy_plan": plan,
        "episode": {
            "start": start.isoformat(),
            "end": draw(
                st.one_of(st.none(), st.just((start + timedelta(days=length)).isoformat()))
            ),
            "setup_completed": draw(
                st.one_of(
                    st.none(), st.just(instant(start + timedelta(days=first), 600).isoformat())
                )
            ),
            "consent": None
            if draw(st.integers(0, 15)) == 0
            else instant(
                start + timedelta(days=draw(st.sampled_from([0, 0, 0, 2]))), 540
            ).isoformat(),
            "device": {
                "name": "H",
                "system": draw(
                    st.sampled_from(["musculoskeletal", "musculoskeletal", "respiratory", "cbt"])
                ),
            },
            "practitioner_npi": OURS if known else None,
        },
        "days": days,
        "time": recorded,
        "corrections": corrections,
        "confirmations": confirmations,
        "interactions": [
            {
                "at": instant(on, minute).isoformat(),
                "kind": draw(st.sampled_from(["phone", "phone", "video", "in_person", "message"])),
                "npi": draw(st.sampled_from([None, None, OURS, ANOTHER])),
                "by": draw(st.sampled_from([None, "pt", "pta"])),
            }
            for on, minute in draw(
                st.lists(st.tuples(meeting, st.sampled_from([1, 700, 1439])), max_size=6)
            )
        ],
        "other_services": [other_service() for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2])))],
        "billed": [
            {
                "date": draw(day).isoformat(),
                "code": draw(ours),
                "units": 1,
                "status": draw(st.sampled_from(["sent", "paid", "denied", "rejected", "voided"])),
            }
            for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2])))
        ],
        "busy": [
            {"id": f"b{n}", "npi": draw(st.sampled_from([OURS, ANOTHER]))}
            | span(draw(meeting), draw(morning), 15)
            for n in range(draw(st.integers(0, 2)))
        ],
        "facility": draw(st.sampled_from(["office"] * 7 + ["fqhc"])),
        "diagnoses": draw(st.sampled_from([[], ["M1711"], ["S83511A"]])),
        "surgeries": draw(
            st.sampled_from(
                [
                    *[[]] * 6,
                    [
                        {
                            "npi": OURS,
                            "first": start.isoformat(),
                            "last": (start + timedelta(days=45)).isoformat(),
                            "diagnoses": ["M1711"],
                        }
                    ],
                ]
            )
        ),
    }


@settings(max_examples=400, deadline=None)
@given(ledgers())
def test_no_ledger_divides_the_tally_and_the_oracle(case: dict[str, Any]) -> None:
    assert sorted(charged(case)) == sorted(oracle.charges(case))


@settings(max_examples=150, deadline=None)
@given(ledgers())
def test_every_answer_names_its_rule_its_facts_and_its_source(case: dict[str, Any]) -> None:
    result = tally(read_case(case))
    for charge in result.charges:
        assert all(r.rule and r.facts and len(r.source) > 10 for r in charge.reasons)
    for shortfall in result.shortfalls:
        assert shortfall.rule
        assert shortfall.facts
        assert len(shortfall.source) > 10
    for block in result.blocked:
        assert block.rule
        assert block.why
        assert block.facts
        assert len(block.source) > 10
    json.dumps(tally_json(result))
