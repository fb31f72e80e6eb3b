"""What a patient declared about being monitored, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from rtm.consent import ConsentEvent, is_stopped, with_declarations
from rtm.episode import Consent, ConsentGap, Device, Episode

CHICAGO = ZoneInfo("America/Chicago")
EPISODE = Episode(
    id="e",
    start=date(2026, 3, 2),
    end=None,
    setup_completed=None,
    consent=Consent(datetime(2026, 3, 2, 15, 0, tzinfo=UTC), "Terry Alvarez"),
    device=Device("Homestretch", "musculoskeletal"),
    therapy_plan="GP",
)


def at(day: int, hour: int = 15) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def yes(when: datetime) -> ConsentEvent:
    return ConsentEvent(f"y{when}", "agreed", when, "es", "2026-12", "Samuel Brandt")


def no(when: datetime) -> ConsentEvent:
    return ConsentEvent(f"n{when}", "withdrawn", when, "es")


def covered(episode: Episode, first: int = 1, last: int = 31) -> set[int]:
    return {d for d in range(first, last + 1) if episode.covers(date(2026, 3, d), CHICAGO)}


def test_without_declarations_an_episode_stays_as_it_is() -> None:
    assert with_declarations(EPISODE, []) == EPISODE
    assert not is_stopped(EPISODE, [])
    assert not is_stopped(None, [])


def test_an_agreement_does_not_move_the_consent_that_counts() -> None:
    agreed = with_declarations(EPISODE, [yes(at(9))])
    assert agreed.consent == EPISODE.consent
    assert agreed.agreements == (Consent(at(9), "Samuel Brandt", "electronic", "2026-12"),)
    assert covered(agreed) == covered(EPISODE)


def test_where_nobody_recorded_a_consent_the_patients_own_is_it() -> None:
    bare = replace(EPISODE, consent=None)
    agreed = with_declarations(bare, [yes(at(9)), yes(at(12))])
    assert agreed.consent is not None
    assert agreed.consent.at == at(9)
    assert covered(agreed) == set(range(9, 32))


def test_nothing_counts_from_the_day_after_a_withdrawal() -> None:
    stopped = with_declarations(EPISODE, [no(at(10))])
    assert stopped.consent_gaps == (ConsentGap(at(10)),)
    assert covered(stopped) == set(range(2, 11))
    assert is_stopped(EPISODE, [no(at(10))])


def test_the_day_is_the_patients_own() -> None:
    evening = with_declarations(EPISODE, [no(at(11, 3))])  # still the 10th in Chicago
    assert covered(evening) == set(range(2, 11))


def test_after_a_new_yes_days_count_again() -> None:
    events = [no(at(10)), yes(at(20))]
    assert covered(with_declarations(EPISODE, events)) == {*range(2, 11), *range(20, 32)}
    assert not is_stopped(EPISODE, events)


def test_a_no_and_a_yes_of_one_day_leave_every_day() -> None:
    assert covered(with_declarations(EPISODE, [no(at(10, 15)), yes(at(10, 16))])) == set(
        range(2, 32)
    )


def test_who_said_no_before_the_care_team_recorded_a_yes_is_monitored() -> None:
    before = [no(datetime(2026, 2, 20, tzinfo=UTC))]
    assert not is_stopped(EPISODE, before)
    assert covered(with_declarations(EPISODE, before)) == covered(EPISODE)


def test_a_no_with_no_episode_stops_what_would_come() -> None:
    assert is_stopped(None, [no(at(1))])


def test_what_is_declared_after_the_end_changes_nothing() -> None:
    ended = replace(EPISODE, end=date(2026, 3, 20))
    assert with_declarations(ended, [no(at(25))]) == ended


_TURNS = st.lists(
    st.tuples(st.integers(0, 60 * 24 * 60), st.booleans()), unique_by=lambda turn: turn[0]
)


@given(_TURNS)
def test_a_day_counts_exactly_where_some_part_of_it_was_wanted(
    turns: list[tuple[int, bool]],
) -> None:
    """Against a count by minutes: a day is left out if it lies wholly in a "no"."""
    start = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)  # midnight in Chicago
    episode = replace(EPISODE, consent=Consent(start))
    events = [
        (yes if wanted else no)(start + timedelta(minutes=minute, seconds=1))
        for minute, wanted in turns
    ]
    found = with_declarations(episode, events)
    for gap in found.consent_gaps:
        assert gap.until is None or gap.since < gap.until
    ordered = sorted((minute, wanted) for minute, wanted in turns)
    for n in range(1, 5):
        day = date(2026, 3, 2) + timedelta(days=n)
        if day >= date(2026, 3, 8):
            break
        first, last = n * 24 * 60, (n + 1) * 24 * 60 - 1
        before = [wanted for minute, wanted in ordered if minute < first]
        within = [wanted for minute, wanted in ordered if first <= minute <= last]
        wanted_at_first = before[-1] if before else True
        assert found.covers(day, CHICAGO) == (wanted_at_first or any(within))


@given(_TURNS)
def test_the_order_in_which_facts_are_read_does_not_matter(turns: list[tuple[int, bool]]) -> None:
    events = [
        (yes if wanted else no)(at(2) + timedelta(minutes=minute)) for minute, wanted in turns
    ]
    assert with_declarations(EPISODE, events) == with_declarations(EPISODE, events[::-1])
    assert is_stopped(EPISODE, events) == is_stopped(EPISODE, events[::-1])
