"""Signatures under time: the timer proposes, the person whose time it is signs, nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtm.ledger import (
    Confirmation,
    Correction,
    Fact,
    FactProblem,
    Interaction,
    Ledger,
    MonitoredDay,
    Signature,
    TimeEntry,
    countable,
    is_time_of,
)

AS_OF = date(2026, 3, 31)
NINE = datetime(2026, 3, 5, 9, tzinfo=UTC)
TERRY, ROBIN = "1999999919", "1999999927"
CHART = TimeEntry(
    "timer:a",
    date(2026, 3, 5),
    300,
    "pt",
    "review: chart open and in use",
    NINE,
    NINE + timedelta(minutes=5),
    TERRY,
    "timer",
    author="Terry Alvarez",
)
BY_HAND = replace(
    CHART, id="hand", start=None, end=None, source="manual", signed_at=NINE, activity="call: plan"
)


def signed(
    *entry_ids: str, npi: str | None = TERRY, author: str = "Terry Alvarez", **other: object
) -> Confirmation:
    fields = {
        "id": "s",
        "entry_ids": entry_ids,
        "author": author,
        "by": "pt",
        "at": NINE + timedelta(hours=1),
        "statement": "I confirm that I spent this time on this patient's care.",
        "npi": npi,
    }
    return Confirmation(**{**fields, **other})  # type: ignore[arg-type]


def corrected(
    replacement: TimeEntry | None, *, at_h: int, npi: str | None = TERRY, id: str = "c"
) -> Correction:
    at = NINE + timedelta(hours=at_h)
    return Correction(id, CHART.id, "Terry Alvarez", "typing error", at, replacement, npi)


def test_what_the_timer_logged_waits_and_does_not_count() -> None:
    facts = countable(Ledger(time=(CHART,)), AS_OF)
    assert facts.time == ()
    assert facts.unconfirmed == (CHART,)
    assert facts.problems == ()


def test_confirmed_time_counts_and_names_its_signer() -> None:
    ledger = Ledger(time=(CHART,), confirmations=(signed(CHART.id),))
    facts = countable(ledger, AS_OF)
    assert (facts.time, facts.unconfirmed) == ((CHART,), ())
    (history,), _ = ledger.histories
    at = NINE + timedelta(hours=1)
    assert history.signature == Signature("confirmed", "Terry Alvarez", TERRY, at)


def test_a_confirmation_at_the_months_end_signs_and_keeps_its_own_date() -> None:
    late = signed(CHART.id, at=datetime(2026, 4, 2, 8, tzinfo=UTC))
    ledger = Ledger(time=(CHART,), confirmations=(late,))
    (history,), _ = ledger.histories
    assert countable(ledger, AS_OF).time == (CHART,)
    assert history.signature is not None
    assert history.signature.at == late.at


def test_the_signer_says_what_the_time_was_spent_on() -> None:
    ledger = Ledger(time=(CHART,), confirmations=(signed(CHART.id, activity="program"),))
    assert [entry.activity for entry in countable(ledger, AS_OF).time] == ["program"]
    assert ledger.time == (CHART,)


def test_time_logged_by_hand_is_signed_by_logging_it() -> None:
    (history,), _ = Ledger(time=(BY_HAND,)).histories
    assert history.signature == Signature("logged", "Terry Alvarez", TERRY, NINE)
    assert countable(Ledger(time=(BY_HAND,)), AS_OF).time == (BY_HAND,)


def test_time_logged_by_hand_before_signatures_existed_still_counts() -> None:
    old = replace(BY_HAND, author=None, signed_at=None)
    assert countable(Ledger(time=(old,)), AS_OF).time == (old,)


def test_somebody_elses_confirmation_does_nothing_and_is_reported() -> None:
    other = signed(CHART.id, npi=ROBIN, author="Robin Chen")
    facts = countable(Ledger(time=(CHART,), confirmations=(other,)), AS_OF)
    assert facts.unconfirmed == (CHART,)
    why = "Robin Chen confirms timer:a, which is the time of Terry Alvarez (NPI 1999999919)"
    assert facts.problems == (FactProblem("s", why),)


@pytest.mark.parametrize(
    ("ledger", "why"),
    [
        (Ledger(confirmations=(signed("x"),)), "confirms x, which is not in the ledger"),
        (
            Ledger(
                interactions=(Interaction("talk", NINE, "phone"),), confirmations=(signed("talk"),)
            ),
            "confirms talk, which is no time entry",
        ),
        (
            Ledger(confirmations=(signed("x", at=datetime(2026, 3, 6)),)),
            "the confirmation's time has no time zone",
        ),
    ],
    ids=["unknown", "no time", "naive"],
)
def test_a_confirmation_that_signs_nothing_says_why(ledger: Ledger, why: str) -> None:
    assert countable(ledger, AS_OF).problems == (FactProblem("s", why),)


def test_a_second_confirmation_has_no_effect() -> None:
    once = Ledger(time=(CHART,), confirmations=(signed(CHART.id),))
    again = signed(CHART.id, id="s2", at=NINE + timedelta(hours=5), activity="program")
    twice = replace(once, confirmations=(*once.confirmations, again))
    assert twice.histories == once.histories


def test_an_entry_corrected_after_it_was_shown_is_not_confirmed_unseen() -> None:
    longer = replace(CHART, id="longer", seconds=200)
    ledger = Ledger(
        time=(CHART,),
        corrections=(corrected(longer, at_h=0),),
        confirmations=(signed(CHART.id),),
    )
    facts = countable(ledger, AS_OF)
    assert facts.unconfirmed == (longer,)
    assert facts.problems == ()


def test_what_was_shortened_and_confirmed_in_one_act_counts_as_shortened() -> None:
    shorter = replace(CHART, id="shorter", seconds=120, end=NINE + timedelta(minutes=2))
    ledger = Ledger(
        time=(CHART,),
        corrections=(corrected(shorter, at_h=1),),
        confirmations=(signed("shorter"),),
    )
    assert countable(ledger, AS_OF).time == (shorter,)


def test_who_corrects_his_own_confirmed_time_signs_the_correction() -> None:
    shorter = replace(CHART, id="shorter", seconds=120)
    ledger = Ledger(
        time=(CHART,),
        corrections=(corrected(shorter, at_h=2),),
        confirmations=(signed(CHART.id),),
    )
    (history,), _ = ledger.histories
    assert countable(ledger, AS_OF).time == (shorter,)
    assert history.signature is not None
    assert history.signature.act == "corrected"
    assert [step.id for step in history.steps] == ["s", "c"]


@pytest.mark.parametrize("entry", [CHART, BY_HAND], ids=["timer", "by hand"])
def test_what_somebody_else_changed_waits_for_the_person_whose_time_it_is(entry: TimeEntry) -> None:
    changed = replace(entry, id="changed", seconds=3000)
    ledger = Ledger(
        time=(entry,),
        corrections=(replace(corrected(changed, at_h=2, npi=ROBIN), corrects=entry.id),),
        confirmations=(signed(CHART.id),) if entry is CHART else (),
    )
    assert countable(ledger, AS_OF).unconfirmed == (changed,)
    again = signed("changed", id="s2", at=NINE + timedelta(hours=3))
    signed_again = replace(ledger, confirmations=(*ledger.confirmations, again))
    assert countable(signed_again, AS_OF).time == (changed,)


def test_nobody_takes_anothers_time_over_by_a_correction() -> None:
    taken = replace(BY_HAND, id="taken", npi=ROBIN, author="Robin Chen")
    by_robin = replace(corrected(taken, at_h=1, npi=ROBIN), corrects=BY_HAND.id)
    facts = countable(Ledger(time=(BY_HAND,), corrections=(by_robin,)), AS_OF)
    assert facts.unconfirmed == (taken,)


def test_a_correction_does_not_make_a_proposal_count() -> None:
    as_manual = replace(CHART, id="manual", source="manual", signed_at=NINE)
    ledger = Ledger(time=(CHART,), corrections=(corrected(as_manual, at_h=1),))
    assert countable(ledger, AS_OF).time == ()


@pytest.mark.parametrize(
    ("entry", "npi", "author", "own"),
    [
        (CHART, TERRY, "Terry A. Alvarez", True),
        (CHART, ROBIN, "Terry Alvarez", False),
        (CHART, None, "Terry Alvarez", False),
        (replace(CHART, npi=None), None, "Terry Alvarez", True),
        (replace(CHART, npi=None), TERRY, "Terry Alvarez", False),
        (replace(CHART, npi=None, author=None), None, "Terry Alvarez", False),
    ],
)
def test_whose_time_it_is_goes_by_npi_and_by_name_only_without_one(
    entry: TimeEntry, npi: str | None, author: str, own: bool
) -> None:
    assert is_time_of(entry, npi, author) is own


PEOPLE = ((TERRY, "Terry Alvarez"), (ROBIN, "Robin Chen"))


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    """Three entries of two people, then any corrections and confirmations, one each minute."""
    entries = []
    for n in range(3):
        npi, author = draw(st.sampled_from(PEOPLE))
        timer = draw(st.booleans())
        kind: dict[str, object] = {"source": "timer" if timer else "manual"}
        entries.append(replace(CHART, id=f"e{n}", npi=npi, author=author, **kind))
    ids = [entry.id for entry in entries]
    corrections: list[Correction] = []
    confirmations: list[Confirmation] = []
    for n in range(draw(st.integers(0, 8))):
        npi, author = draw(st.sampled_from(PEOPLE))
        at = NINE + timedelta(minutes=n)
        if draw(st.booleans()):
            named = draw(st.lists(st.sampled_from(ids), max_size=3))
            confirmations.append(signed(*named, npi=npi, author=author, id=f"s{n}", at=at))
            continue
        old = draw(st.sampled_from(ids))
        new = None
        if draw(st.integers(0, 3)):
            seconds = draw(st.integers(1, 300))
            whose, name = draw(st.sampled_from(PEOPLE))
            new = replace(CHART, id=f"n{n}", seconds=seconds, npi=whose, author=name)
            ids.append(new.id)
        corrections.append(Correction(f"c{n}", old, author, "why", at, new, npi))
    return Ledger(
        time=tuple(entries), corrections=tuple(corrections), confirmations=tuple(confirmations)
    )


@given(ledgers())
def test_no_sequence_of_facts_counts_a_minute_that_its_own_person_did_not_sign(
    ledger: Ledger,
) -> None:
    facts = countable(ledger, AS_OF)
    origin = {entry.id: entry for entry in ledger.time}
    by_hand = {entry.id for entry in ledger.time if entry.source == "manual"}
    for entry in facts.time:
        signed_it = any(
            entry.id in s.entry_ids and s.npi == entry.npi for s in ledger.confirmations
        )
        wrote_it = any(
            c.replacement is not None and c.replacement.id == entry.id and c.npi == entry.npi
            for c in ledger.corrections
        )
        untouched = entry.id in by_hand and entry == origin[entry.id]
        assert signed_it or wrote_it or untouched


@given(ledgers())
def test_what_the_timer_logged_never_counts_without_a_confirmation(ledger: Ledger) -> None:
    unsigned = replace(ledger, confirmations=())
    roots = [entry.id for entry in ledger.time if entry.source == "timer"]
    found, _ = unsigned.histories
    assert [h.signature for h in found if h.first.id in roots] == [None] * len(roots)


@given(ledgers())
def test_confirming_twice_is_confirming_once(ledger: Ledger) -> None:
    again = tuple(replace(s, id=f"{s.id}-again") for s in ledger.confirmations)
    twice = replace(ledger, confirmations=(*ledger.confirmations, *again))
    once, both = countable(ledger, AS_OF), countable(twice, AS_OF)
    assert (once.time, once.unconfirmed) == (both.time, both.unconfirmed)


@given(ledgers(), st.randoms())
def test_what_counts_does_not_depend_on_the_order_of_arrival(
    ledger: Ledger, random: object
) -> None:
    corrections, confirmations = list(ledger.corrections), list(ledger.confirmations)
    random.shuffle(confirmations)  # type: ignore[attr-defined]
    random.shuffle(corrections)  # type: ignore[attr-defined]
    moved = replace(ledger, corrections=tuple(corrections), confirmations=tuple(confirmations))
    assert countable(moved, AS_OF) == countable(ledger, AS_OF)


@given(ledgers())
def test_each_fact_counts_or_waits_as_last_corrected_and_a_retracted_one_does_neither(
    ledger: Ledger,
) -> None:
    origin = {entry.id: entry.id for entry in ledger.time}
    standing: dict[str, str | None] = dict(origin)
    for step in sorted(ledger.corrections, key=lambda c: c.at):
        root = origin[step.corrects]
        standing[root] = step.replacement.id if step.replacement else None
        if step.replacement:
            origin[step.replacement.id] = root
    facts = countable(ledger, AS_OF)
    found = sorted(entry.id for entry in (*facts.time, *facts.unconfirmed))
    assert found == sorted(entry_id for entry_id in standing.values() if entry_id)


# Only what is named is followed ------------------------------------------------------------------


IDS = st.sampled_from(["a", "b", "c", "d", "e"])
MOMENTS = st.integers(1, 4).map(lambda hours: NINE + timedelta(hours=hours))
ENTRIES = st.builds(
    lambda id, source, npi: replace(CHART, id=id, source=source, npi=npi),
    IDS,
    st.sampled_from(["timer", "manual"]),
    st.sampled_from([TERRY, ROBIN, None]),
)
FACTS = (
    ENTRIES
    | st.builds(lambda id: MonitoredDay(id, date(2026, 3, 5)), IDS)
    | st.builds(lambda id: Interaction(id, NINE, "phone"), IDS)
)
CORRECTIONS = st.builds(
    Correction,
    IDS.map(lambda id: f"correction of {id}"),
    IDS,
    st.just("Terry Alvarez"),
    st.just("typing error"),
    MOMENTS,
    st.none() | FACTS,
    st.sampled_from([TERRY, ROBIN]),
)
CONFIRMATIONS = st.builds(
    lambda ids, at, npi: signed(*ids, at=at, npi=npi),
    st.lists(IDS, max_size=3),
    MOMENTS,
    st.sampled_from([TERRY, ROBIN]),
)


@given(
    st.lists(FACTS, max_size=6),
    st.lists(CORRECTIONS, max_size=3),
    st.lists(CONFIRMATIONS, max_size=2),
)
def test_what_stands_is_what_the_histories_end_with(
    facts: list[Fact], corrections: list[Correction], confirmations: list[Confirmation]
) -> None:
    ledger = Ledger(
        tuple(fact for fact in facts if isinstance(fact, MonitoredDay)),
        tuple(fact for fact in facts if isinstance(fact, TimeEntry)),
        tuple(fact for fact in facts if isinstance(fact, Interaction)),
        tuple(corrections),
        tuple(confirmations),
    )
    histories, problems = ledger.histories
    ended = tuple(
        (history.standing, history.signature is not None)
        for history in histories
        if history.standing is not None
    )
    assert ledger.standing == (ended, problems)
