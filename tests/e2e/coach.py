"""A patient before the camera coach, in real Chromium with a film as its camera."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect, sync_playwright
from sqlalchemy import select

from app.demo.browser import wait_for
from app.sessions import stored_session
from app.store import LedgerFactRow, SessionRow
from fhir.observation import read_measures
from rtm.session import Session
from tests.app.test_service import start_monitoring
from tests.app.test_write_back import held
from tests.conftest import World
from tests.e2e.test_walk import CHROMIUM, sign_in_at_ehr

# What a loaded machine may take to load the coach, or to count a slow repetition.
PATIENCE_MS = 90_000
# While a session's score and messages are on their way.
DELIVERY_S = 60

NOW = "How much pain do you have now?"
ALLOWED = "--use-fake-ui-for-media-stream"
FAKE = "--use-fake-device-for-media-stream"


def from_film(film: Path) -> tuple[str, ...]:
    """Chromium's flags for a camera that shows `film` and may be used."""
    return ALLOWED, FAKE, f"--use-file-for-fake-video-capture={film}"


@contextmanager
def chromium(flags: Sequence[str], permissions: Sequence[str] = ()) -> Iterator[BrowserContext]:
    """A browser of its own; an error on any of its pages fails the test."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", *flags]
        )
        context = browser.new_context(
            viewport={"width": 1180, "height": 900},
            # An empty list would deny what needs no asking, as the screen's staying on.
            permissions=[*permissions] or None,
        )
        context.set_default_timeout(30_000)
        problems: list[str] = []
        context.on("weberror", lambda each: problems.append(str(each.error)))
        yield context
        browser.close()
    assert problems == []


def open_coach(context: BrowserContext, world: World) -> Page:
    """The therapist signs a program and starts monitoring; the patient signs in and opens the page
    of an exercise."""
    start_monitoring(world)
    page = context.new_page()
    page.goto(f"{world.places.app}/portal")
    page.get_by_role("link", name="Prairie Rehab Clinic").click()
    sign_in_at_ehr(page, "Samuel Brandt")
    page.goto(f"{world.places.app}/portal/exercises/shoulder_abduction")
    page.get_by_role("link", name="Do it with the camera coach").click()
    return page


def choose_pain(page: Page, question: str, value: int) -> None:
    group = page.get_by_role("group", name=question).locator("visible=true")
    group.get_by_role("radio", name=str(value), exact=True).check()


def turn_on(page: Page) -> None:
    choose_pain(page, NOW, 4)
    page.get_by_role("button", name="Turn on the camera").click()


def begin(page: Page) -> None:
    """Up to the first set."""
    turn_on(page)
    begin_sets(page)


def begin_sets(page: Page) -> None:
    page.get_by_role("button", name="I am ready").click(timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="I need to stop")).to_be_visible()


def counted(page: Page) -> int:
    return int(page.locator("[data-live]").get_attribute("data-count") or 0)


def wait_for_count(page: Page, least: int) -> None:
    page.wait_for_function(
        "least => Number(document.querySelector('[data-live]').dataset.count ?? 0) >= least",
        arg=least,
        timeout=PATIENCE_MS,
    )


def stop(page: Page) -> int:
    """Ends the session; returns what was counted."""
    page.get_by_role("button", name="I need to stop").click()
    expect(page.get_by_role("heading", name="You stopped. That is fine.")).to_be_focused()
    return counted(page)


def press_send(page: Page, pain: int = 3) -> None:
    choose_pain(page, NOW, pain)
    page.get_by_role("button", name="Send").click()


def wait_for_result(page: Page) -> None:
    expect(page.get_by_text("What the score is made of")).to_be_visible(timeout=PATIENCE_MS)


def notice(page: Page, words: str) -> None:
    """Waits for a word of the moment, said during the sets."""
    expect(page.locator("[data-text=notice]")).to_contain_text(words, timeout=PATIENCE_MS)


def message(page: Page, words: str | re.Pattern[str]) -> None:
    expect(page.locator("[data-text=message]")).to_contain_text(words, timeout=PATIENCE_MS)


def sessions(world: World) -> list[SessionRow]:
    with world.context.database.begin(world.tenant_id) as db:
        return [*db.scalars(select(SessionRow).order_by(SessionRow.started_at))]


def all_scored(world: World, count: int) -> list[Session]:
    """The sessions that the service has, which must be `count`, once each of them is scored."""

    def found() -> list[Session]:
        stored = [stored_session(row) for row in sessions(world)]
        return [each for each in stored if each is not None]

    wait_for("the scores", lambda: len(found()) >= count, DELIVERY_S)
    assert len(sessions(world)) == count
    return found()


def nothing_lost_nothing_doubled(world: World, count: int = 1) -> list[Session]:
    """Each session is here once, once in the EHR, and once in the ledger of monitored days."""
    scored = all_scored(world, count)
    ids = sorted(each.id for each in scored)

    def in_ehr() -> dict[str, float | None]:
        return {
            name: read_measures(each).get("repetitions")
            for each in held(world, "Observation")
            for name in [value["value"] for value in each["identifier"]]
            if "exercise-session" in each["meta"]["profile"][0]
        }

    parts = [f"{each}{part}" for each in ids for part in ("", ".pain-before", ".pain-after")]
    wait_for("the Observations in the EHR", lambda: _identifiers(world) >= set(parts), DELIVERY_S)
    assert in_ehr() == {each.id: each.repetition_count for each in scored}
    identifiers = [
        value["value"] for each in held(world, "Observation") for value in each["identifier"]
    ]
    assert len(identifiers) == len(set(identifiers))
    assert sorted(_days(world)) == [f"day:{each}" for each in ids]
    return scored


def _identifiers(world: World) -> set[str]:
    found = held(world, "Observation")
    return {value["value"] for each in found for value in each["identifier"]}


def _days(world: World) -> list[str]:
    with world.context.database.begin(world.tenant_id) as db:
        facts = select(LedgerFactRow).where(LedgerFactRow.kind == "monitored_day")
        return [fact.id for fact in db.scalars(facts)]
