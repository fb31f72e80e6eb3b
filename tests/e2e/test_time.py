"""Chart time in real Chromium: counted while in use, in one tab, signed at the end, corrected."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from playwright.sync_api import Browser, BrowserContext, Page, expect

from rtm.ledger import TimeEntry
from rtm.time_lines import time_lines
from tests.app.test_time_pages import ADA, SAMUEL, counted_s, ledger_of, monitored
from tests.conftest import World
from tests.e2e.test_walk import accessible, chromium, page, picture

__all__ = ["chromium", "page"]  # fixtures

# Three minutes by `work_for`, and less than one more for what the test itself takes.
THREE = re.compile(r"^3:\d\d$")


def open_chart(world: World, page: Page, patient: str) -> None:
    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=patient)
    page.get_by_role("button", name="Open in this window").click()
    expect(page.get_by_role("heading", name="Remote monitoring")).to_be_visible()


def running(page: Page) -> None:
    page.mouse.move(150, 300)
    expect(page.get_by_text("running", exact=True)).to_be_visible()


def work_for(page: Page, half_minutes: int) -> None:
    """So long at the chart, by the page's own clock, with the pointer moving."""
    running(page)
    for n in range(half_minutes):
        page.mouse.move(200 + 10 * n, 300)
        page.clock.run_for(30_000)


def set_back(page: Page, minutes: int) -> None:
    """The page's clock begins so long ago, so that `work_for` may let it run faster."""
    page.clock.install(time=datetime.now(UTC) - timedelta(minutes=minutes))


def fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 1180, "height": 900})


def tab(context: BrowserContext) -> Page:
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    return opened


def test_a_clinician_works_confirms_and_corrects_and_the_history_shows_it(
    world: World, page: Page
) -> None:
    monitored(world, SAMUEL)
    set_back(page, 10)
    open_chart(world, page, SAMUEL)
    work_for(page, 6)
    expect(page.get_by_role("timer")).to_have_text(THREE)
    accessible(page)
    page.get_by_role("button", name="Finish and confirm").click()
    expect(page.get_by_role("heading", name="Confirm your time")).to_be_visible()
    expect(page.locator("fieldset strong")).to_have_text(THREE)
    page.get_by_text("Leave out or shorten").click()
    accessible(page)
    picture(page, "confirm-time")
    fits_a_phone(page)
    page.get_by_label(re.compile("^Spent on")).select_option(
        label="Decided on or changed the program"
    )
    page.get_by_role("button", name="Sign and confirm").click()
    expect(page.get_by_text(re.compile(r"^3:\d\d minutes confirmed and signed.$"))).to_be_visible()
    expect(page.get_by_role("cell", name="✓ Confirmed")).to_be_visible()
    assert 180 <= counted_s(world, SAMUEL) < 240

    page.get_by_role("link", name="Correct").click()
    accessible(page)
    picture(page, "correct-time")
    fits_a_phone(page)
    page.get_by_label("Minutes").fill("2")
    page.get_by_role("button", name="Record the correction").click()
    expect(page.get_by_text("Say why.")).to_be_visible()
    page.get_by_label("Minutes").fill("2")
    page.get_by_label("Why it is corrected").fill("One minute was a phone call.")
    page.get_by_role("button", name="Record the correction").click()
    expect(page.get_by_text("Corrected. The first record and the reason are kept.")).to_be_visible()
    page.locator("summary", has_text="History").click()
    history = page.get_by_role("listitem")
    expect(history.filter(has_text="Recorded: 3:")).to_be_visible()
    expect(history.filter(has_text="Confirmed: 3:")).to_be_visible()
    corrected = re.compile(r"Corrected: 3:\d\d → 2:00. Why: One minute was a phone call.")
    expect(history.filter(has_text=corrected)).to_be_visible()
    accessible(page)
    picture(page, "time-history")
    fits_a_phone(page)
    assert counted_s(world, SAMUEL) == 120


def test_a_stretch_left_out_needs_a_reason_on_the_page_already(world: World, page: Page) -> None:
    monitored(world, SAMUEL)
    set_back(page, 10)
    open_chart(world, page, SAMUEL)
    work_for(page, 3)
    page.get_by_role("button", name="Finish and confirm").click()
    page.get_by_text("Leave out or shorten").click()
    page.get_by_label("Leave this stretch out").check()
    expect(page.locator("[data-confirm-total]")).to_have_text("0:00")
    page.get_by_role("button", name="Sign and confirm").click()
    expect(page.get_by_role("alert")).to_have_text("Say why a stretch is left out or shortened.")
    expect(page.get_by_label("Why", exact=True)).to_be_focused()
    accessible(page)
    page.keyboard.type("It was the wrong chart.")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Left out. Nothing of it counts.")).to_be_visible()
    assert counted_s(world, SAMUEL) == 0
    reasons = {correction.reason for correction in ledger_of(world, SAMUEL).corrections}
    assert reasons == {"It was the wrong chart."}


def test_sixty_seconds_after_the_last_input_the_time_stands_still(world: World, page: Page) -> None:
    monitored(world, SAMUEL)
    set_back(page, 20)
    open_chart(world, page, SAMUEL)
    running(page)
    page.clock.run_for(20_000)
    before = page.evaluate("Date.now()")
    page.mouse.move(220, 300)
    after = page.evaluate("Date.now()")
    page.clock.run_for(300_000)
    expect(page.get_by_text("paused, no activity")).to_be_visible()
    stands_at = page.get_by_role("timer").text_content() or ""
    page.clock.run_for(60_000)
    expect(page.get_by_role("timer")).to_have_text(stands_at)
    running(page)
    page.clock.run_for(30_000)
    page.get_by_role("button", name="Finish and confirm").click()
    expect(page.locator("fieldset")).to_have_count(2)
    first, second = (_line(world, n) for n in (0, 1))
    ended_ms = first[1].timestamp() * 1000
    assert before + 60_000 <= ended_ms <= after + 60_000
    assert second[0] - first[1] > timedelta(minutes=4)


def test_time_that_could_not_be_sent_is_sent_before_the_work_is_finished(
    world: World, page: Page
) -> None:
    monitored(world, SAMUEL)
    set_back(page, 10)
    open_chart(world, page, SAMUEL)
    page.route("**/chart/time/heartbeat", lambda route: route.abort())
    work_for(page, 2)
    expect(page.get_by_text("not saved yet: no connection")).to_be_visible()
    page.get_by_role("button", name="Finish and confirm").click()
    expect(page.get_by_role("button", name="Finish and confirm")).to_be_visible()
    assert ledger_of(world, SAMUEL).time == ()
    page.unroute("**/chart/time/heartbeat")
    page.get_by_role("button", name="Finish and confirm").click()
    expect(page.locator("fieldset strong")).to_have_text(re.compile(r"^1:\d\d$"))


def test_two_tabs_with_two_patients_never_count_the_same_moment(
    world: World, chromium: Browser
) -> None:
    monitored(world, SAMUEL, ADA)
    context = chromium.new_context(viewport={"width": 1180, "height": 900})
    first, second = tab(context), tab(context)
    open_chart(world, first, SAMUEL)
    running(first)
    open_chart(world, second, ADA)
    for n in range(4):
        for each in (first, second):
            each.mouse.move(200 + 20 * n, 300)
            each.wait_for_timeout(400)
    expect(second.get_by_text("paused, another chart is in use")).to_be_visible()
    expect(second.get_by_role("timer")).to_have_text("0:00")
    expect(first.get_by_role("timer")).not_to_have_text("0:00")
    first.close(run_before_unload=True)
    running(second)
    second.wait_for_timeout(2500)
    second.get_by_role("button", name="Finish and confirm").click()
    expect(second.get_by_role("heading", name="Confirm your time")).to_be_visible()
    context.close()
    samuel, ada = ledger_of(world, SAMUEL).time, ledger_of(world, ADA).time
    assert samuel, "the first tab's time was lost"
    assert ada, "the second tab never had the clock"
    assert _overlap(samuel, ada) == timedelta(0)


def test_two_tabs_of_one_patient_never_count_the_same_moment(
    world: World, chromium: Browser
) -> None:
    monitored(world, SAMUEL)
    context = chromium.new_context()
    tabs = [tab(context) for _ in range(3)]
    for each in tabs:
        open_chart(world, each, SAMUEL)
    for n in range(6):
        for each in tabs:
            each.mouse.move(200 + 20 * n, 300)
            each.wait_for_timeout(150)
    states = [each.locator("[data-chart-timer-state]").text_content() for each in tabs]
    assert states.count("running") == 1
    for each in tabs:
        each.close(run_before_unload=True)
    context.close()
    entries = ledger_of(world, SAMUEL).time
    pairs = [(a, b) for n, a in enumerate(entries) for b in entries[n + 1 :]]
    assert all(_overlap((a,), (b,)) == timedelta(0) for a, b in pairs)


def test_two_browsers_of_one_clinician_count_each_minute_for_one_patient(
    world: World, chromium: Browser
) -> None:
    monitored(world, SAMUEL, ADA)
    contexts = [chromium.new_context() for _ in range(2)]
    pages = [tab(context) for context in contexts]
    for each, patient in zip(pages, (SAMUEL, ADA), strict=True):
        set_back(each, 30)
        open_chart(world, each, patient)
        work_for(each, 4)
        each.get_by_role("button", name="Finish and confirm").click()
        each.get_by_role("button", name="Sign and confirm").click()
        expect(each.get_by_text("minutes confirmed and signed.")).to_be_visible()
    for context in contexts:
        context.close()
    samuel, ada = ledger_of(world, SAMUEL).time, ledger_of(world, ADA).time
    assert _overlap(samuel, ada) > timedelta(seconds=90)
    # To the second below: each patient's total is cut down to whole ones.
    covered = _union([*samuel, *ada])
    counted = timedelta(seconds=counted_s(world, SAMUEL) + counted_s(world, ADA))
    assert covered - timedelta(seconds=2) <= counted <= covered


def test_nothing_of_the_timer_is_on_the_chart_before_monitoring(world: World, page: Page) -> None:
    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=SAMUEL)
    page.get_by_role("button", name="Open in this window").click()
    expect(page.get_by_text("is recorded once monitoring has started")).to_be_visible()
    expect(page.get_by_role("timer")).to_have_count(0)


def _line(world: World, number: int) -> tuple[datetime, datetime]:
    """Begin and end of a stretch of Samuel's recorded time, the first being number 0."""
    lines = time_lines(ledger_of(world, SAMUEL).histories[0])
    stretches = [(line.start, line.end) for line in lines if line.start and line.end]
    return sorted(stretches)[number]


def _overlap(some: tuple[TimeEntry, ...], others: tuple[TimeEntry, ...]) -> timedelta:
    """How long both were counted."""
    return _union(some) + _union(others) - _union([*some, *others])


def _union(entries: object) -> timedelta:
    total, until = timedelta(0), datetime.combine(date.min, datetime.min.time(), UTC)
    for start, end in sorted((e.start, e.end) for e in entries):  # type: ignore[attr-defined]
        total += max(timedelta(0), end - max(start, until))
        until = max(until, end)
    return total
