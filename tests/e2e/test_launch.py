"""Launching in real Chromium: a frame that keeps no cookie, what was not granted, signing out."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Browser, Page, expect

from tests.app.launching import clinician, set_tenant
from tests.conftest import World
from tests.e2e.test_walk import STORY, accessible, chromium, page, picture

__all__ = ["chromium", "page"]  # fixtures


def test_a_frame_of_another_site_offers_a_window_that_works_by_keyboard(
    make_world: Callable[..., World], page: Page
) -> None:
    """`localhost` and `127.0.0.1` are two sites, so the browser drops our cookie in the frame."""
    world = make_world(worker=False)
    elsewhere = world.places.ehr.replace("127.0.0.1", "localhost")
    set_tenant(world, frame_ancestors=[elsewhere])
    page.goto(elsewhere)
    page.get_by_label("Patient").select_option(value=STORY.patient)
    page.get_by_role("button", name="Open Homestretch in the chart").click()
    frame = page.frame_locator("iframe")
    way_out = frame.get_by_role("link", name="Open in a new window")
    expect(way_out).to_be_visible()
    picture(page, "way-out")
    for _ in range(6):
        page.keyboard.press("Tab")
        if way_out.evaluate("element => element === document.activeElement"):
            break
    expect(way_out).to_be_focused()
    with page.expect_popup() as popup:
        page.keyboard.press("Enter")
    window = popup.value
    expect(window.get_by_text("No program yet")).to_be_visible()
    accessible(window)


def test_the_page_that_offers_a_window_is_accessible(
    make_world: Callable[..., World], chromium: Browser
) -> None:
    world = make_world(worker=False)
    context = chromium.new_context(viewport={"width": 360, "height": 740})
    plain = context.new_page()
    url = f"{world.places.app}/launch/frame?iss={world.sandbox.fhir_base}&launch=x"
    plain.goto(url)
    expect(plain.get_by_role("link", name="Open in a new window")).to_be_visible()
    box = plain.get_by_role("link", name="Open in a new window").bounding_box()
    assert box is not None
    assert box["height"] >= 44
    assert plain.evaluate("document.documentElement.scrollWidth") <= 360
    accessible(plain)
    context.close()


def test_notes_on_what_was_not_granted_and_signing_out_are_accessible(
    make_world: Callable[..., World], page: Page
) -> None:
    narrow = "openid fhirUser launch user/Patient.rs user/Practitioner.rs"
    world = make_world(worker=False, ehr=lambda places: {"clients": (clinician(places, narrow),)})
    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=STORY.patient)
    page.get_by_role("button", name="Open in this window").click()
    notes = page.get_by_role("region", name="What the health system did not let us do")
    expect(notes.get_by_text("did not let us read conditions")).to_be_visible()
    accessible(page)
    picture(page, "not-granted")
    notes.get_by_role("button", name="Read again from the EHR").click()
    expect(page.get_by_text("still does not let us read everything")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    accessible(page)
    page.goto(f"{world.places.app}/chart")
    expect(page.get_by_text("You are not signed in here")).to_be_visible()


def test_the_ehrs_colours_are_shown(make_world: Callable[..., World], page: Page) -> None:
    world = make_world(worker=False)
    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=STORY.patient)
    page.get_by_role("button", name="Open in this window").click()
    expect(page.get_by_text("No program yet")).to_be_visible()
    expect(page.locator("body")).to_have_css("background-color", "rgb(244, 241, 234)")
    accessible(page)
