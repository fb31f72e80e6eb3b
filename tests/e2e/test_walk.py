"""The three audiences in real Chromium: clicks, screenshots, and axe-core finding nothing.

With HOMESTRETCH_SCREENSHOTS set to a folder, the pictures go there; `make screenshots` does it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.billing_office.export import export_month
from app.demo import walk
from app.demo.browser import wait_for
from app.demo.history import STORIES, history_month, write_history
from smart_launch.sandbox.pages import PIN
from tests.conftest import World

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
STORY = next(story for story in STORIES if story.patient == "samuel-brandt")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1180, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.failed = []  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.failed.append(str(error)))  # type: ignore[attr-defined]
    yield page
    context.close()
    assert page.failed == []  # type: ignore[attr-defined]


def picture(page: Page, name: str) -> None:
    folder = os.environ.get("HOMESTRETCH_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def accessible(page: Page) -> None:
    """axe-core finds no violation of WCAG 2 A and AA."""
    found = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    )
    assert found.violations_count == 0, found.generate_report()


def with_history(world: World) -> None:
    walk.launch_chart(world.places, STORY.patient)
    write_history(world.context, [STORY])


def sign_in_at_ehr(page: Page, label: str) -> None:
    page.get_by_label("You are" if label.startswith("Samuel") else "Practitioner").select_option(
        label=next(
            option
            for option in page.locator("option").all_text_contents()
            if option.startswith(label)
        )
    )
    page.get_by_label("PIN").fill(PIN)
    page.get_by_role("button", name="Sign in").click()


def test_a_clinician_prescribes_inside_the_ehrs_frame(world: World, page: Page) -> None:
    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=STORY.patient)
    page.get_by_role("button", name="Open Homestretch in the chart").click()
    chart = page.frame_locator("iframe")
    expect(chart.get_by_text("No program yet")).to_be_visible()
    chart.get_by_role("link", name="Prescribe").click()
    picture(page, "protocols")
    chart.get_by_role("link", name="Motion and strength").click()
    chart.get_by_label("Sets, Arm raise to the side").fill("2")
    picture(page, "prescribe")
    chart.get_by_role("button", name="Sign program").click()
    expect(chart.get_by_text("Signed. Version 1")).to_be_visible()
    expect(chart.get_by_text("2 × 10, 7 days a week, bilateral")).to_be_visible()
    chart.get_by_label("consents to monitoring").check()
    chart.get_by_label("set up and taught").check()
    chart.get_by_label("nobody else bills").check()
    chart.get_by_role("button", name="Start monitoring").click()
    expect(chart.get_by_text("Remote monitoring has started.")).to_be_visible()


def test_the_chart_shows_a_month_and_counts_time(world: World, page: Page) -> None:
    with_history(world)
    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=STORY.patient)
    page.get_by_role("button", name="Open in this window").click()
    expect(page.get_by_role("heading", name="Sessions")).to_be_visible()
    delivered = page.get_by_text("In the chart: CarePlan/")
    wait_for("the program in the chart", lambda: page.reload() and delivered.is_visible(), 60)
    page.mouse.move(200, 200)
    expect(page.get_by_role("timer")).not_to_have_text("0:00")
    accessible(page)
    picture(page, "chart")
    page.goto(f"{world.places.app}/chart/prescribe/shoulder_pain/motion_strength")
    accessible(page)


def test_a_patient_sends_a_video_from_a_phone(world: World, chromium: Browser) -> None:
    with_history(world)
    context = chromium.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{world.places.app}/portal")
    accessible(page)
    page.get_by_role("link", name="Prairie Rehab Clinic").click()
    sign_in_at_ehr(page, "Samuel Brandt")
    expect(page.get_by_role("heading", name="Hello, Samuel")).to_be_visible()
    accessible(page)
    picture(page, "today")
    walk_page = f"{world.places.app}/portal/exercises/shoulder_abduction"
    page.goto(walk_page)
    accessible(page)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360
    before = page.get_by_role("group", name="How much pain did you have before?")
    now = page.get_by_role("group", name="How much pain do you have now?")
    before.get_by_role("radio", name="4", exact=True).check()
    page.get_by_label("Your video").set_input_files(walk.CLIP)
    now.get_by_role("radio", name="3", exact=True).check()
    picture(page, "exercise")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("What the score is made of")).to_be_visible(timeout=60_000)
    stats = page.locator(".stats")
    expect(stats.get_by_text("2", exact=True)).to_be_visible()
    expect(stats.get_by_text("4 → 3")).to_be_visible()
    expect(page.locator("[data-plot] canvas")).to_be_visible()
    accessible(page)
    picture(page, "result-phone")
    page.set_viewport_size({"width": 900, "height": 900})
    picture(page, "result")
    context.close()


def test_billing_sees_why_and_exports(world: World, page: Page) -> None:
    with_history(world)
    month = f"{history_month(world.context.now().date())[0]:%Y-%m}"
    page.goto(f"{world.places.app}/office")
    page.get_by_role("link", name="Prairie Rehab Clinic").click()
    sign_in_at_ehr(page, "Jordan Ellis")
    expect(page.get_by_role("heading", name="Remote monitoring")).to_be_visible()
    page.goto(f"{world.places.app}/office/month/{month}")
    expect(page.get_by_role("cell", name="98977", exact=True)).to_be_visible()
    page.get_by_text("Reasons").first.click()
    accessible(page)
    picture(page, "billing")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export claims").click()
    assert Path(download.value.path()).read_text().startswith("ISA*00*")


def test_billing_follows_a_claim_and_records_who_certified_the_plan(
    world: World, page: Page
) -> None:
    with_history(world)
    month = f"{history_month(world.context.now().date())[0]:%Y-%m}"
    export_month(world.context, world.tenant_id, month, "837")
    page.goto(f"{world.places.app}/office")
    page.get_by_role("link", name="Prairie Rehab Clinic").click()
    sign_in_at_ehr(page, "Jordan Ellis")
    page.goto(f"{world.places.app}/office/month/{month}")
    page.get_by_role("link", name="Claims of this month").click()
    expect(page.get_by_role("cell", name="Samuel Brandt")).to_be_visible()
    accessible(page)
    page.get_by_role("row", name="Samuel Brandt").get_by_role("link").click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    accessible(page)
    picture(page, "claim")
    claim = page.url
    page.get_by_label("Un-bill: the reason").fill("never uploaded")
    page.get_by_role("button", name="Un-bill").click()
    expect(page.get_by_text("Un-billed; ", exact=False).first).to_be_visible()
    page.get_by_role("link", name="Samuel Brandt").click()
    page.get_by_label("Certified on").fill(f"{month}-01")
    page.get_by_label("First treatment under the plan").fill(f"{month}-01")
    page.get_by_label("Certified by: family name").fill("Osei")
    page.get_by_label("Given name").fill("Dana")
    page.get_by_label("NPI").fill("1999999935")
    page.get_by_role("button", name="Record the certification").click()
    expect(page.get_by_text("by Dana Osei, NPI 1999999935")).to_be_visible()
    accessible(page)
    page.set_viewport_size({"width": 360, "height": 740})
    for url in (page.url, claim, f"{world.places.app}/office/month/{month}/claims"):
        page.goto(url)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        accessible(page)


def test_the_page_works_by_keyboard_alone(world: World, page: Page) -> None:
    with_history(world)
    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=STORY.patient)
    page.get_by_role("button", name="Open in this window").click()
    page.get_by_role("heading", name="Sessions").wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").startswith("Adjust"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Choose a protocol")).to_be_visible()
