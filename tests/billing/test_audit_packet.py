"""The audit packet: the claim beside its facts, each once, and every difference said aloud."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from billing.account import Account
from billing.attribution import attribute
from billing.audit_model import AuditPacket, Evidence, Export, LineEvidence, Recorded
from billing.audit_packet import audit_packet, packet_json
from billing.case import read_case
from billing.claim_model import Claim, ClaimLine
from billing.management import month_of
from rtm.ledger import (
    Confirmation,
    Correction,
    Ledger,
    MonitoredDay,
    TimeEntry,
    without_overlap,
)
from tests.billing.audit_sample import (
    EXPORT,
    LEFT_AT,
    MADE,
    RULES,
    as_claimed,
    story_account,
    story_claim,
    story_evidence,
    story_ledger,
    story_packet,
)
from tests.billing.test_tally_oracle import ledgers

GOLDEN = Path(__file__).parent / "golden" / "audit_packet.json"
SCHEMA = json.loads(files("billing").joinpath("audit_packet.schema.json").read_text("utf-8"))


def line(packet: AuditPacket, code: str) -> LineEvidence:
    return next(shown for shown in packet.lines if shown.code == code)


def seconds(work: Any) -> dict[str, float]:
    summed: dict[str, float] = {}
    for part in work:
        summed[part.entry_id] = summed.get(part.entry_id, 0.0) + part.seconds
    return summed


# What a packet shows ------------------------------------------------------------------------------


def test_the_json_is_the_golden_file() -> None:
    assert packet_json(story_packet()) == json.loads(GOLDEN.read_text("utf-8"))


def test_the_json_is_as_the_schema_says() -> None:
    document = json.loads(json.dumps(packet_json(story_packet())))
    assert [fault.message for fault in Draft202012Validator(SCHEMA).iter_errors(document)] == []


def test_a_sound_claim_has_no_finding() -> None:
    assert story_packet().findings == ()


def test_a_device_line_lists_its_days_and_the_facts_of_each() -> None:
    shown = line(story_packet(), "98977")
    assert len(shown.days) == 18
    second = next(day for day in shown.days if day.date == date(2026, 3, 3))
    assert second.fact_ids == ("day:s1", "day:again")


def test_a_day_that_is_no_data_says_by_which_definition() -> None:
    (left,) = line(story_packet(), "98977").not_counted
    assert left.fact_id == "day:log"
    assert "definition of a day of data (prom, self_report, session)" in left.why


def test_each_line_of_a_month_shows_the_minutes_that_fill_it() -> None:
    packet = story_packet()
    base, further = line(packet, "98980"), line(packet, "98981")
    assert seconds(base.work) == {"time:first": 540, "timer:a": 660}
    assert seconds(further.work) == {
        "timer:a": 60,
        "time:pta": 180,
        "time:typed-2": 780,
        "timer:visit": 180,
    }
    assert further.modifiers == ("GP", "CQ")
    assert further.counted.startswith("47 min counted in the month, of which 20 min fill this line")


def test_minutes_that_fill_no_whole_unit_are_shown_as_that() -> None:
    ledger = story_ledger()
    signed = replace(ledger.confirmations[0], id="sign:2", entry_ids=("timer:open",))
    ledger = replace(ledger, confirmations=(*ledger.confirmations, signed))
    packet = audit_packet(
        story_claim(), story_account(ledger), EXPORT, story_evidence(), MADE, RULES
    )
    record = next(r for r in packet.time if r.original.id == "timer:open")
    assert (record.counted_in, record.counted_seconds) == ((), 300)
    assert "fills no whole unit" in record.not_counted[0]


def test_minutes_left_out_say_how_many_and_why() -> None:
    left = {item.fact_id: item for item in line(story_packet(), "98980").not_counted}
    assert (left["time:pta"].seconds, left["timer:visit"].seconds) == (420, 600)
    assert "also in timer:a (PT, 10:00:00-10:12:00)" in left["time:pta"].why
    assert "a visit billed otherwise" in left["timer:visit"].why
    assert "not signed" in left["timer:open"].why
    assert "logged for another patient" in left["time:gone"].why
    assert "administrative" in left["time:desk"].why
    assert "message" in left["talk:text"].why


def test_a_correction_stands_beside_the_original_with_author_and_reason() -> None:
    record = next(r for r in story_packet().time if r.original.id == "time:typed")
    assert isinstance(record.original, TimeEntry)
    assert isinstance(record.when_claimed, TimeEntry)
    assert (record.original.seconds, record.when_claimed.seconds) == (130 * 60, 13 * 60)
    (revision,) = record.revisions
    assert revision.correction.reason == "typed 130 for 13"


def test_who_signed_each_minute_and_when_is_shown() -> None:
    signed = {r.original.id: r.signature for r in story_packet().time}
    timer = signed["timer:a"]
    assert timer is not None
    assert (timer.act, timer.author, timer.at) == (
        "confirmed",
        "Terry Álvarez",
        datetime(2026, 3, 17, 21, tzinfo=UTC),
    )
    assert signed["timer:open"] is None


def test_what_came_after_the_claim_left_is_shown_and_does_not_count() -> None:
    packet = story_packet()
    assert line(packet, "98977").after_claim == ("day:s4", "day:late")
    late = next(r for r in packet.days if r.original.id == "day:late")
    assert (late.after_claim, late.counted_in, late.when_claimed) == (True, (), None)
    assert late.not_counted == ("recorded after this claim left",)
    retracted = next(r for r in packet.days if r.original.id == "day:s4")
    assert retracted.counted_in == ("HS-7-2",)
    assert (retracted.now, retracted.revisions[0].after_claim) == (None, True)


def test_a_correction_that_changes_nothing_is_shown_with_why() -> None:
    (lost,) = story_packet().unapplied
    assert lost.problem == "corrects time:nowhere, which is not in the ledger"


def test_what_nobody_recorded_is_named() -> None:
    gaps = story_packet().gaps
    assert any("what was taught at set-up" in gap for gap in gaps)
    bare = audit_packet(story_claim(), story_account(), EXPORT, Evidence(), MADE, RULES)
    assert "no signed home program is recorded" in bare.gaps


def test_the_review_and_the_state_of_the_claim_are_shown() -> None:
    packet = story_packet()
    approval = line(packet, "98980").approval
    assert approval is not None
    assert approval.approved.by == "Robin Biller"
    assert packet.state.status == "accepted"


# Where claim and facts differ ---------------------------------------------------------------------


def changed(claim: Claim, of: str, **changes: Any) -> Claim:
    lines = tuple(
        replace(entry, charge=replace(entry.charge, **changes))
        if entry.charge.code == of
        else entry
        for entry in claim.lines
    )
    return replace(claim, lines=lines)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"units": 2}, "98981: units 2 on the claim, 1 by the recount"),
        ({"amount": Decimal("99.00")}, "98981: amount 99.00 on the claim"),
        ({"modifiers": ("GP",)}, "98981: modifiers GP on the claim, GP CQ by the recount"),
        ({"last": date(2026, 3, 30)}, "98981: last day 2026-03-30 on the claim"),
    ],
)
def test_a_line_that_the_facts_do_not_give_is_a_finding(
    changes: dict[str, Any], words: str
) -> None:
    findings = story_packet(changed(story_claim(), "98981", **changes)).findings
    assert any(words in finding.why for finding in findings)
    assert {finding.line_id for finding in findings} == {"HS-7-4"}


def test_a_code_that_the_facts_do_not_give_at_all_is_a_finding() -> None:
    packet = story_packet(changed(story_claim(), "98977", code="98985"))
    (finding,) = packet.findings
    assert "give no 98985 of 2026-03-31" in finding.why
    assert line(packet, "98985").recount is None


def test_a_claim_made_by_rules_that_are_gone_is_a_finding() -> None:
    claim = story_claim()
    (first, *_) = claim.lines[1].charge.reasons
    gone = changed(claim, "98977", reasons=(replace(first, rule="rtm-2019.98977.days"),))
    packet = story_packet(gone)
    assert [f.why for f in packet.findings] == ["98977 was made by rtm-2019, which are not loaded"]


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("day:s7", "days of data"),
        ("timer:a", "98980: entries"),
        ("talk:call", "give no 98980"),
    ],
)
def test_a_fact_that_is_gone_from_the_ledger_is_found(missing: str, words: str) -> None:
    ledger = story_ledger()
    without = replace(
        ledger,
        days=tuple(fact for fact in ledger.days if fact.id != missing),
        time=tuple(fact for fact in ledger.time if fact.id != missing),
        interactions=tuple(fact for fact in ledger.interactions if fact.id != missing),
    )
    packet = audit_packet(
        story_claim(), story_account(without), EXPORT, story_evidence(), MADE, RULES
    )
    assert any(words in finding.why for finding in packet.findings)


def test_a_second_fact_of_one_id_is_shown_and_not_counted() -> None:
    ledger = story_ledger()
    twice = replace(ledger, days=(*ledger.days, MonitoredDay("day:s0", date(2026, 3, 25))))
    packet = audit_packet(
        story_claim(), story_account(twice), EXPORT, story_evidence(), MADE, RULES
    )
    twin = [r for r in packet.days if r.original.id == "day:s0"][-1]
    assert twin.not_counted == ("an earlier fact bears this id",)
    assert packet.findings == ()


# For any ledger -----------------------------------------------------------------------------------


@st.composite
def cases(draw: st.DrawFn) -> tuple[Account, Evidence]:
    """Any account, with corrections and signatures that fit, miss or come after the claim."""
    account = read_case(draw(ledgers()))
    ledger = account.ledger
    facts = [*ledger.days, *ledger.time, *ledger.interactions]
    ids = st.sampled_from([fact.id for fact in facts] or ["nothing"])
    corrections = tuple(
        Correction(
            f"fix{n}",
            draw(st.one_of(ids, st.sampled_from([f"new{n - 1}", "nowhere"]))),
            "Terry",
            "typed wrong",
            LEFT_AT + timedelta(hours=draw(st.integers(-50, 5))),
            draw(
                st.one_of(
                    st.none(),
                    *(
                        st.sampled_from([replace(fact, id=f"new{n}") for fact in kind])
                        for kind in (ledger.days, ledger.time, ledger.interactions)
                        if kind
                    ),
                )
            ),
        )
        for n in range(draw(st.integers(0, 4)))
    )
    timed = tuple(
        replace(entry, source=draw(st.sampled_from(["manual", "timer"])), author="Terry")
        for entry in ledger.time
    )
    signed = st.lists(st.sampled_from([e.id for e in timed] or ["nothing"]), max_size=4).map(tuple)
    confirmations = tuple(
        Confirmation(
            f"sign{n}",
            draw(signed),
            "Terry",
            "pt",
            LEFT_AT + timedelta(hours=draw(st.integers(-50, 5))),
            "mine",
            draw(st.sampled_from([None, "1999999919"])),
        )
        for n in range(draw(st.integers(0, 2)))
    )
    ledger = replace(ledger, time=timed, corrections=corrections, confirmations=confirmations)
    written = [*facts, *corrections, *confirmations]
    hours = draw(st.lists(st.integers(-9, 1), min_size=len(written), max_size=len(written)))
    recorded = {
        fact.id: Recorded(LEFT_AT + timedelta(hours=hour), "Terry")
        for fact, hour in zip(written, hours, strict=True)
    }
    return replace(account, ledger=ledger), Evidence(recorded)


def as_it_stood(account: Account, evidence: Evidence) -> Account:
    """Said once more, plainly: without what was written down after the claim left."""

    def before(facts: Any) -> tuple[Any, ...]:
        return tuple(fact for fact in facts if evidence.recorded[fact.id].at <= LEFT_AT)

    ledger = account.ledger
    return replace(
        account,
        ledger=Ledger(
            before(ledger.days),
            before(ledger.time),
            before(ledger.interactions),
            before(ledger.corrections),
            before(ledger.confirmations),
        ),
    )


EXAMPLES = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def packets(case: tuple[Account, Evidence]) -> Iterator[tuple[AuditPacket, Account]]:
    """The packet of the claim that the facts gave when it left, if they gave any."""
    account, evidence = case
    then = as_it_stood(account, evidence)
    claim = as_claimed(then)
    if claim.lines:
        yield audit_packet(claim, account, EXPORT, evidence, MADE, RULES), then


@EXAMPLES
@given(cases())
def test_the_recount_of_a_sound_claim_is_the_claim(case: tuple[Account, Evidence]) -> None:
    for packet, _ in packets(case):
        assert packet.findings == ()


@EXAMPLES
@given(cases())
def test_each_counted_minute_of_a_month_is_shown_once(case: tuple[Account, Evidence]) -> None:
    for packet, then in packets(case):
        attributed = attribute(then, RULES)
        months = [shown for shown in packet.lines if shown.period == "month"]
        for first in {shown.first for shown in months}:
            lines = [shown for shown in months if shown.first == first]
            entries = [e for e in attributed.facts.time if e.local_date in month_of(first)]
            counted = without_overlap(entries, attributed.visits, attributed.taken_from)
            for shown in lines:
                both = seconds([*shown.work, *shown.month_work_elsewhere])
                assert both == pytest.approx(seconds(counted))
            # No minute fills two lines: what one shows as elsewhere holds what the others have.
            mine = sum((Counter(seconds(shown.work)) for shown in lines), Counter())
            assert all(mine[id_] <= total + 1e-6 for id_, total in seconds(counted).items())


@EXAMPLES
@given(cases())
def test_each_counted_day_of_a_line_is_shown_once_with_its_facts(
    case: tuple[Account, Evidence],
) -> None:
    for packet, then in packets(case):
        for shown in packet.lines:
            if shown.period == "month":
                continue
            claimed = shown.reasons[0].facts["days_of_data"]
            assert [day.date.isoformat() for day in shown.days] == claimed
            standing = {fact.id: fact for fact in then.ledger.facts()}
            for day in shown.days:
                assert day.fact_ids
                assert len(set(day.fact_ids)) == len(day.fact_ids)
                for fact_id in day.fact_ids:
                    fact = standing[fact_id]
                    assert isinstance(fact, MonitoredDay)
                    assert fact.local_date == day.date


@EXAMPLES
@given(cases())
def test_each_fact_of_the_ledger_is_in_the_packet_once(case: tuple[Account, Evidence]) -> None:
    for packet, _ in packets(case):
        ledger = case[0].ledger
        written = [*ledger.days, *ledger.time, *ledger.interactions]
        assert Counter(r.original for r in packet.facts) == Counter(written)
        revisions = [r for record in packet.facts for r in record.revisions]
        shown = Counter(r.correction.id for r in (*revisions, *packet.unapplied))
        assert shown == Counter(correction.id for correction in ledger.corrections)
        signed = [record.confirmation for record in packet.confirmations]
        assert signed == list(ledger.confirmations)
        assert len({record.label for record in packet.facts}) == len(packet.facts)
        # Each says what became of it: it counts somewhere, or there is a reason.
        assert all(record.counted_in or record.not_counted for record in packet.facts)


@EXAMPLES
@given(cases())
def test_any_packet_is_as_the_schema_says(case: tuple[Account, Evidence]) -> None:
    for packet, _ in packets(case):
        document = json.loads(json.dumps(packet_json(packet)))
        assert list(Draft202012Validator(SCHEMA).iter_errors(document)) == []


@EXAMPLES
@given(cases(), st.sampled_from(["units", "day", "entry"]))
def test_whatever_is_changed_on_a_claim_is_found(case: tuple[Account, Evidence], what: str) -> None:
    account, evidence = case
    claim = as_claimed(as_it_stood(account, evidence))
    if not claim.lines:
        return
    first, *rest = claim.lines
    reason, *reasons = first.charge.reasons
    charge = first.charge
    if what == "units":
        charge = replace(charge, units=charge.units + 1)
    else:
        key = "days_of_data" if "days_of_data" in reason.facts else "entries"
        listed = reason.facts[key]
        assert isinstance(listed, list)
        more = {**reason.facts, key: [*listed, "2026-03-31" if what == "day" else "time:none"]}
        charge = replace(charge, reasons=(replace(reason, facts=more), *reasons))
    tampered = replace(claim, lines=(ClaimLine(first.id, charge, first.pointers), *rest))
    packet = audit_packet(tampered, account, EXPORT, evidence, MADE, RULES)
    assert any(finding.line_id == first.id for finding in packet.findings)


def test_an_export_nobody_is_named_for_is_a_gap() -> None:
    nobody = Export("837p", 7, "5e" * 32, LEFT_AT)
    packet = audit_packet(story_claim(), story_account(), nobody, Evidence(), MADE, RULES)
    assert "who exported the claim is not recorded" in packet.gaps
