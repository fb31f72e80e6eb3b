"""Measuring a range in real Chromium from a phone's screen, and what the clinician then sees."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from app.demo import walk
from tests.app.test_range_tests import arm_raises
from tests.conftest import World
from tests.e2e.test_walk import STORY, accessible, chromium, page, picture, sign_in_at_ehr

__all__ = ["chromium", "page"]  # fixtures


def test_a_patient_measures_an_arm_and_the_clinician_sees_it(
    world: World, chromium: Browser, page: Page, tmp_path: Path
) -> None:
    walk.launch_chart(world.places, STORY.patient)
    context = chromium.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    phone = context.new_page()
    phone.set_default_timeout(30_000)
    phone.goto(f"{world.places.app}/portal")
    phone.get_by_role("link", name="Prairie Rehab Clinic").click()
    sign_in_at_ehr(phone, "Samuel Brandt")
    phone.get_by_role("link", name="Measure my range").click()
    expect(phone.get_by_role("heading", name="Measure my range")).to_be_visible()
    accessible(phone)
    picture(phone, "range-joints")
    for peaks in ((90.0, 100.0), (120.0, 130.0, 125.0)):
        phone.goto(f"{world.places.app}/portal/range")
        phone.get_by_role("link", name="Arm raise to the side").click()
        accessible(phone)
        phone.get_by_text("I have one video for each try").click()
        accessible(phone)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 360
        phone.get_by_role("radio", name="Left").check()
        phone.get_by_label("Your video").set_input_files(arm_raises(tmp_path, *peaks))
        picture(phone, "range-joint")
        phone.get_by_role("button", name="Send").click()
        expect(phone.get_by_role("heading", name="Your tries")).to_be_visible(timeout=30_000)
    expect(phone.get_by_text("Your arm lifts to the side 30° more than last time")).to_be_visible()
    accessible(phone)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    picture(phone, "range-result")
    context.close()

    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=STORY.patient)
    page.get_by_role("button", name="Open in this window").click()
    table = page.get_by_role("region", name="Range of motion, measured by the patient").last
    expect(table.get_by_text("+30° (certain)")).to_be_visible()
    accessible(page)


def test_the_pages_work_without_javascript(world: World, chromium: Browser, tmp_path: Path) -> None:
    walk.launch_chart(world.places, STORY.patient)
    context = chromium.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.set_default_timeout(30_000)
    plain.goto(f"{world.places.app}/portal")
    plain.get_by_role("link", name="Prairie Rehab Clinic").click()
    sign_in_at_ehr(plain, "Samuel Brandt")
    plain.goto(f"{world.places.app}/portal/range/shoulder_abduction")
    plain.get_by_role("radio", name="Left").check()
    plain.get_by_label("Your video").set_input_files(arm_raises(tmp_path, 100.0))
    plain.get_by_role("button", name="Send").click()
    expect(plain.get_by_role("heading", name="Arm raise to the side, left side")).to_be_visible()
    for _ in range(20):
        if plain.get_by_role("heading", name="Your tries").is_visible():
            break
        plain.wait_for_timeout(500)
        plain.reload()
    expect(plain.get_by_role("heading", name="Your tries")).to_be_visible()
    context.close()
