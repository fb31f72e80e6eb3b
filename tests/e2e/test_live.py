"""The camera coach in real Chromium, before a real person; nothing leaves it but points."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as TooLate

from rtm.feedback import Feedback
from tests.conftest import World
from tests.e2e import films
from tests.e2e.coach import (
    PATIENCE_MS,
    all_scored,
    begin_sets,
    choose_pain,
    chromium,
    from_film,
    message,
    nothing_lost_nothing_doubled,
    open_coach,
    press_send,
    sessions,
    stop,
    turn_on,
    wait_for_count,
    wait_for_result,
)
from tests.e2e.test_walk import accessible, picture
from vision.repetitions import SHORT_GAP_S
from vision.series_files import read_series

# A piece of a session in app/web/src/live/recorder.ts.
PIECE_S = 5.0

# The corner of the counted film's pictures: in which part it is.
BEFORE, STANDING, MOVING, OVER = 0, 80, 160, 240
REPETITIONS = 4
TRIES = 4


@pytest.fixture(scope="module")
def jacks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.write_film(tmp_path_factory.mktemp("camera") / "j.mjpeg", films.jumping_jacks())


@pytest.fixture(scope="module")
def counted_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty room while the coach loads, then a person who does so many repetitions."""
    shots = (
        *films.marked(films.empty_room(25), BEFORE),
        *films.marked(films.standing(8), STANDING),
        *films.marked(films.repetitions(REPETITIONS), MOVING),
        *films.marked(films.standing(20), OVER),
    )
    return films.write_film(tmp_path_factory.mktemp("camera") / "counted.mjpeg", shots)


@pytest.fixture
def page(jacks: Path, world: World) -> Iterator[Page]:
    with chromium(from_film(jacks)) as context:
        yield open_coach(context, world)


def part_of_film(page: Page) -> int:
    """Which part of the counted film the page's video shows."""
    grey = page.evaluate(
        """() => {
            const video = document.querySelector("video");
            const canvas = new OffscreenCanvas(1, 1);
            const brush = canvas.getContext("2d");
            brush.drawImage(video, 8, 8, 16, 16, 0, 0, 1, 1);
            return brush.getImageData(0, 0, 1, 1).data[1];
        }"""
    )
    return min((BEFORE, STANDING, MOVING, OVER), key=lambda part: abs(part - grey))


def wait_for_part(page: Page, part: int) -> None:
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while part_of_film(page) != part:
        if time.monotonic() > deadline:
            raise TooLate(f"the film did not come to its part {part}")
        page.wait_for_timeout(100)


def begin_before_the_movement(page: Page) -> None:
    """Until the coach, on its own, began the sets while the person of the film still stood.

    The film starts with the camera, and a machine under load may take longer to load the coach than
    the film waits. The next time everything is in the browser's cache.
    """
    for _ in range(3):
        turn_on(page)
        page.get_by_role("button", name="I need to stop").wait_for(timeout=PATIENCE_MS)
        if part_of_film(page) == STANDING:
            return
        page.reload()
    pytest.fail("the coach was never ready before the film's movement")


def test_a_session_is_counted_sent_scored_and_in_the_ehr(counted_film: Path, world: World) -> None:
    """The record must agree with the film whatever the machine does, and so must the live count.

    That one may only be behind where pictures came too seldom to be counted as they come, as on a
    machine under load; then the session is done again.
    """
    with chromium(from_film(counted_film)) as context:
        page = open_coach(context, world)
        coach = page.url
        for done in range(1, TRIES + 1):
            page.goto(coach)
            begin_before_the_movement(page)
            wait_for_part(page, OVER)
            wait_for_measured(page, seconds=2)
            live = stop(page)
            press_send(page)
            wait_for_result(page)
            session = nothing_lost_nothing_doubled(world, done)[-1]
            assert session.repetition_count == REPETITIONS
            assert session.repetitions_reported == live
            assert session.source == "landmarks"
            assert session.result is not None
            assert session.result.score.total is not None
            if live == REPETITIONS:
                return
            assert live < REPETITIONS
            assert longest_gap_s(world) > SHORT_GAP_S
        pytest.fail(f"in {TRIES} sessions this machine never followed a camera without a gap")


def longest_gap_s(world: World) -> float:
    """Between two pictures of the last session."""
    recordings = world.context.settings.recordings_dir.glob("*.npz")
    latest = max(recordings, key=lambda path: path.stat().st_mtime_ns)
    return float(np.diff(read_series(latest).t_s).max())


def wait_for_measured(page: Page, seconds: float) -> None:
    """Until the coach has looked at so much more of the film."""
    page.evaluate(
        """seconds => new Promise((resolve) => {
            const video = document.querySelector("video");
            const until = video.currentTime + seconds;
            const look = () => video.currentTime >= until ? resolve() : setTimeout(look, 50);
            look();
        })""",
        seconds,
    )


def test_a_session_with_the_camera_coach(page: Page, world: World) -> None:
    sent: list[tuple[str, str]] = []
    page.on("request", lambda r: sent.append((r.url, r.headers.get("content-type", ""))))
    accessible(page)
    page.get_by_role("button", name="Turn on the camera").click()
    message(page, "Please choose your pain")
    turn_on(page)
    page.get_by_role("button", name="I am ready").wait_for(timeout=PATIENCE_MS)
    accessible(page)
    begin_sets(page)
    wait_for_count(page, 2)
    picture(page, "coach")
    accessible(page)
    page.get_by_role("button", name="Sound is on").click()
    expect(page.get_by_role("button", name="Sound is off")).to_be_visible()
    count = stop(page)
    accessible(page)
    page.get_by_role("radio", name="Dizzy").check()
    expect(page.get_by_text("Call your care team before you exercise again.")).to_be_visible()
    page.get_by_role("radio", name="Tired").check()
    expect(page.get_by_text("Call your care team before you exercise again.")).to_be_hidden()
    choose_pain(page, "How much pain do you have now?", 3)
    choose_pain(page, "How hard did you work?", 8)
    page.get_by_role("button", name="Next question").click()
    page.get_by_role("radio", name="Too hard").check()
    picture(page, "coach_after")
    accessible(page)
    press_send(page)
    wait_for_result(page)
    [session] = all_scored(world, 1)
    [row] = sessions(world)
    assert (row.source, row.pain_before, row.pain_after) == ("landmarks", 4, 3)
    assert row.repetitions_reported == count
    assert abs(session.repetition_count - count) <= 1
    assert session.feedback == Feedback(8, "too_hard", None, "tired")
    told = page.get_by_text(f"Your device counted {count} as you went").is_visible()
    assert told == (session.repetition_count != count)
    assert {url for url, _ in sent if not url.startswith(world.places.app)} <= {
        url for url, _ in sent if url.startswith((world.places.ehr, "data:", "blob:"))
    }
    assert not [kind for _, kind in sent if kind.startswith(("image/", "video/"))]


def test_a_tab_closed_in_mid_session_loses_at_most_the_last_piece(page: Page, world: World) -> None:
    turn_on(page)
    page.get_by_role("button", name="I am ready").wait_for(timeout=PATIENCE_MS)
    page.context.set_offline(True)
    begin_sets(page)
    began = time.monotonic()
    wait_for_count(page, 1)
    message(page, "No connection")  # a piece is whole, and could not be sent
    lasted_s = time.monotonic() - began
    again = page.context.new_page()
    page.close()
    again.context.set_offline(False)
    again.goto(f"{world.places.app}/portal/today")
    expect(again.get_by_text("this session stopped before its end")).to_be_visible()
    accessible(again)
    choose_pain(again, "How much pain did you have after it?", 5)
    again.get_by_role("button", name="Send it").click()
    expect(again.get_by_text("your session was sent")).to_be_visible(timeout=PATIENCE_MS)
    [session] = nothing_lost_nothing_doubled(world)
    assert session.pain.after == 5
    assert session.duration_s >= lasted_s - PIECE_S - 1
