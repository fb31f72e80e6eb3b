"""The program builder in real Chromium: quick by default, and its comforts by mouse and keys."""

from __future__ import annotations

import time

from playwright.sync_api import Page, expect

from tests.app.test_service import PATIENT, sign_program
from tests.conftest import World
from tests.e2e.test_walk import accessible, chromium, page, picture

__all__ = ["chromium", "page"]  # fixtures

# What the clinician has: from the EHR's launch button to a signed program.
CLICKS, WITHIN_S = 6, 60.0


def open_builder(world: World, page: Page) -> None:
    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=PATIENT)
    page.get_by_role("button", name="Open in this window").click()
    page.goto(f"{world.places.app}/chart/prescribe/shoulder_pain/motion_strength")


def names(page: Page) -> list[str]:
    return page.locator("[data-line] th").all_inner_texts()


def test_from_the_launch_to_a_signed_program_in_few_clicks(world: World, page: Page) -> None:
    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=PATIENT)
    began, clicks = time.monotonic(), 0
    for role, name in (
        ("button", "Open in this window"),
        ("link", "Prescribe"),
        ("link", "Motion and strength"),
        ("button", "Sign program"),
    ):
        page.get_by_role(role, name=name).click()  # type: ignore[arg-type]
        clicks += 1
    expect(page.get_by_text("Signed. Version 1")).to_be_visible()
    assert clicks <= CLICKS
    assert time.monotonic() - began <= WITHIN_S


def test_a_program_is_built_by_search_keyboard_and_drag(world: World, page: Page) -> None:
    open_builder(world, page)
    page.set_viewport_size({"width": 1440, "height": 1400})
    before = names(page)
    page.get_by_role("button", name=f"Move {before[0]} down").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-line] th").first).to_have_text(before[1])
    expect(page.get_by_role("button", name=f"Move {before[0]} down")).to_be_focused()

    page.get_by_label("Name", exact=True).fill("pendulum")
    expect(page.get_by_text("1 exercise", exact=True)).to_be_visible()
    page.get_by_label("Name", exact=True).fill("")
    page.get_by_label("Region").select_option("knee")
    add = page.get_by_role("button", name="Add Sit to stand")
    expect(page.get_by_role("button", name="Add Chin tuck")).to_be_hidden()
    add.click()
    expect(page.get_by_label("Include Sit to stand")).to_be_focused()
    expect(page.get_by_label("Region")).to_have_value("knee")
    preview = page.get_by_role("region", name="What the patient sees")
    expect(preview.get_by_role("heading", name="Sit to stand")).to_be_visible()
    page.get_by_label("Repetitions, Sit to stand").fill("7")
    page.keyboard.press("Tab")
    expect(preview.get_by_text("7 times")).to_be_visible()
    accessible(page)
    picture(page, "builder")

    page.set_viewport_size({"width": 1440, "height": 2600})  # nothing scrolls under the mouse
    page.locator("[data-line]").last.locator("th").hover()
    page.mouse.down()
    for _ in range(2):  # the second tells Chromium that something is dragged
        page.locator("[data-line]").first.locator("th").hover()
    page.mouse.up()
    expect(page.locator("[data-line] th").first).to_have_text("Sit to stand")
    page.set_viewport_size({"width": 1024, "height": 768})
    accessible(page)
    picture(page, "builder-1024")
    page.get_by_role("button", name="Sign program").click()
    expect(page.get_by_text("Signed. Version 1")).to_be_visible()
    rows = page.get_by_role("region", name="Exercises of the program").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("Sit to stand")


def test_enter_in_a_field_neither_signs_nor_loses_anything(world: World, page: Page) -> None:
    open_builder(world, page)
    note = page.get_by_role("textbox", name="Note").first
    note.fill("Slowly.")
    note.press("Enter")
    expect(page.get_by_role("region", name="What the patient sees")).to_contain_text("Slowly.")
    expect(page.get_by_role("button", name="Sign program")).to_be_visible()


def test_the_versions_and_the_choice_are_read_by_everybody(world: World, page: Page) -> None:
    sign_program(world)
    open_builder(world, page)
    page.get_by_role("button", name="Sign program").click()
    page.get_by_role("link", name="Adjust or replace").click()
    accessible(page)
    page.get_by_role("link", name="Its versions").click()
    expect(page.get_by_role("heading", name="Version 2")).to_be_visible()
    accessible(page)
    picture(page, "versions")
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
