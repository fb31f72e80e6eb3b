"""The episode: when monitoring begins, and which days' facts count for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from rtm.episode import Consent, Device, Episode, local_date

CHICAGO, TOKYO = ZoneInfo("America/Chicago"), ZoneInfo("Asia/Tokyo")
EPISODE = Episode(
    id="e",
    start=date(2026, 3, 2),
    end=None,
    setup_completed=datetime(2026, 3, 2, 16, 0, tzinfo=UTC),
    consent=Consent(datetime(2026, 3, 2, 15, 0, tzinfo=UTC)),
    device=Device("Homestretch", "musculoskeletal"),
    therapy_plan="GP",
)


def test_monitoring_begins_with_the_set_up() -> None:
    later = replace(EPISODE, setup_completed=datetime(2026, 3, 5, 16, 0, tzinfo=UTC))
    assert EPISODE.monitoring_from(CHICAGO) == date(2026, 3, 2)
    assert later.monitoring_from(CHICAGO) == date(2026, 3, 5)


def test_a_set_up_before_the_start_does_not_move_the_start() -> None:
    earlier = replace(EPISODE, setup_completed=datetime(2026, 2, 27, 16, 0, tzinfo=UTC))
    assert earlier.monitoring_from(CHICAGO) == date(2026, 3, 2)


def test_without_a_recorded_set_up_monitoring_begins_with_the_episode() -> None:
    bare = replace(EPISODE, setup_completed=None)
    assert bare.monitoring_from(CHICAGO) == date(2026, 3, 2)
    assert bare.set_up_on(CHICAGO) is None


def test_the_set_up_has_the_date_of_the_patients_own_time_zone() -> None:
    evening = replace(EPISODE, setup_completed=datetime(2026, 3, 3, 4, 0, tzinfo=UTC))
    assert evening.set_up_on(CHICAGO) == date(2026, 3, 2)
    assert evening.set_up_on(TOKYO) == date(2026, 3, 3)


def test_nothing_counts_before_consent() -> None:
    late = replace(EPISODE, consent=Consent(datetime(2026, 3, 9, 15, 0, tzinfo=UTC)))
    assert not late.covers(date(2026, 3, 8), CHICAGO)
    assert late.covers(date(2026, 3, 9), CHICAGO)


def test_the_last_day_of_an_episode_still_counts() -> None:
    ended = replace(EPISODE, end=date(2026, 3, 20))
    assert ended.covers(date(2026, 3, 20), CHICAGO)
    assert not ended.covers(date(2026, 3, 21), CHICAGO)
    assert not ended.covers(date(2026, 3, 1), CHICAGO)


def test_an_instant_without_a_time_zone_has_no_date() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        local_date(datetime(2026, 3, 2, 10, 0), CHICAGO)
