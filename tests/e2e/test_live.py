"""The camera coach in real Chromium, before a real person; nothing leaves it but points."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import select

from app.demo import walk
from app.demo.browser import wait_for
from app.sessions import stored_session
from app.store import SessionRow
from rtm.feedback import Feedback
from tests.app.test_service import sign_program
from tests.conftest import World
from tests.e2e.test_walk import CHROMIUM, accessible, picture, sign_in_at_ehr

# A piece of a session in app/web/src/live/recorder.ts.
PIECE_S = 5.0


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The jumping jacks, slowed to what a shared machine can follow, as a camera's film."""
    path = tmp_path_factory.mktemp("camera") / "jacks.mjpeg"
    source = cv2.VideoCapture(str(walk.CLIP))
    frames = []
    while (read := source.read())[0]:
        frames.append(read[1])
    there_and_back = [*frames[:75], *frames[74::-1]]
    with path.open("wb") as film:
        for frame in there_and_back:
            good, jpeg = cv2.imencode(".jpg", frame)
            assert good
            for _ in range(6):
                film.write(jpeg.tobytes())
    return path


@pytest.fixture
def page(film: Path) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={film}",
            ],
        )
        context = browser.new_context(viewport={"width": 1180, "height": 900})
        page = context.new_page()
        page.set_default_timeout(30_000)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        yield page
        browser.close()
        assert problems == []


def open_coach(page: Page, world: World) -> None:
    sign_program(world)
    page.goto(f"{world.places.app}/portal")
    page.get_by_role("link", name="Prairie Rehab Clinic").click()
    sign_in_at_ehr(page, "Samuel Brandt")
    page.goto(f"{world.places.app}/portal/exercises/shoulder_abduction")
    page.get_by_role("link", name="Do it with the camera coach").click()


def choose_pain(page: Page, question: str, value: int) -> None:
    group = page.get_by_role("group", name=question).locator("visible=true")
    group.get_by_role("radio", name=str(value), exact=True).check()


def session_row(world: World) -> SessionRow | None:
    with world.context.database.begin(world.tenant_id) as db:
        return db.scalar(select(SessionRow))


def test_a_session_with_the_camera_coach(page: Page, world: World) -> None:
    sent: list[tuple[str, str]] = []
    page.on("request", lambda r: sent.append((r.url, r.headers.get("content-type", ""))))
    open_coach(page, world)
    accessible(page)
    page.get_by_role("button", name="Turn on the camera").click()
    expect(page.get_by_text("Please choose your pain")).to_be_visible()
    choose_pain(page, "How much pain do you have now?", 4)
    page.get_by_role("button", name="Turn on the camera").click()
    ready = page.get_by_role("button", name="I am ready")
    ready.wait_for(timeout=60_000)
    accessible(page)
    ready.click()
    coach = page.locator("[data-live]")
    expect(coach).to_have_attribute("data-count", re.compile("[2-9]"), timeout=60_000)
    picture(page, "coach")
    accessible(page)
    page.get_by_role("button", name="Sound is on").click()
    expect(page.get_by_role("button", name="Sound is off")).to_be_visible()
    page.get_by_role("button", name="I need to stop").click()
    counted = int(coach.get_attribute("data-count") or 0)
    expect(page.get_by_role("heading", name="You stopped. That is fine.")).to_be_focused()
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
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("What the score is made of")).to_be_visible(timeout=60_000)
    row = session_row(world)
    assert row is not None
    assert (row.source, row.pain_before, row.pain_after) == ("landmarks", 4, 3)
    assert row.repetitions_reported == counted
    session = stored_session(row)
    assert session is not None
    assert abs(session.repetition_count - counted) <= 1
    assert session.feedback == Feedback(8, "too_hard", None, "tired")
    told = page.get_by_text(f"Your device counted {counted} as you went").is_visible()
    assert told == (session.repetition_count != counted)
    assert {url for url, _ in sent if not url.startswith(world.places.app)} <= {
        url for url, _ in sent if url.startswith((world.places.ehr, "data:", "blob:"))
    }
    assert not [kind for _, kind in sent if kind.startswith(("image/", "video/"))]


def test_a_tab_closed_in_mid_session_loses_at_most_the_last_piece(page: Page, world: World) -> None:
    open_coach(page, world)
    choose_pain(page, "How much pain do you have now?", 2)
    page.get_by_role("button", name="Turn on the camera").click()
    ready = page.get_by_role("button", name="I am ready")
    ready.wait_for(timeout=60_000)
    page.context.set_offline(True)
    ready.click()
    began = time.monotonic()
    expect(page.locator("[data-live]")).to_have_attribute(
        "data-count", re.compile("[1-9]"), timeout=60_000
    )
    page.wait_for_timeout(6_000)
    lasted_s = time.monotonic() - began
    again = page.context.new_page()
    page.close()
    again.context.set_offline(False)
    again.goto(f"{world.places.app}/portal/today")
    expect(again.get_by_text("this session stopped before its end")).to_be_visible()
    accessible(again)
    choose_pain(again, "How much pain did you have after it?", 5)
    again.get_by_role("button", name="Send it").click()
    expect(again.get_by_text("your session was sent")).to_be_visible(timeout=30_000)
    row = wait_for("the score", lambda: (r := session_row(world)) and r.document and r, 60)
    session = stored_session(row)
    assert session is not None
    assert session.pain.after == 5
    assert session.duration_s >= lasted_s - PIECE_S - 1
