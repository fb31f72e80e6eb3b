"""A clinician invites, a patient joins on a phone, says yes, saves a copy, and says no again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.demo import walk
from app.demo.history import STORIES, write_history
from tests.app.joining import patient_row
from tests.conftest import World
from tests.e2e.test_walk import accessible, chromium, page, picture  # noqa: F401  # fixtures
from tests.fhir.r4 import r4_issues

PATIENT = "samuel-brandt"
PASSWORD = "quiet maple river stone"
LEAST_TARGET_PX = 44


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:  # noqa: F811
    context = chromium.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, locale="en-US"
    )
    page = context.new_page()  # noqa: F811
    page.set_default_timeout(20_000)
    yield page
    context.close()


def fit_for_a_phone(page: Page) -> None:  # noqa: F811
    """axe finds nothing, nothing is wider than the screen, also at 200 %, and targets are large."""
    accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.evaluate("document.documentElement.style.fontSize = ''")
    for target in page.locator("main .button, main input:visible, main select, nav a").all():
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= LEAST_TARGET_PX, target.inner_text()


def code_on(chart: Page) -> str:
    chart.get_by_role("button", name=re.compile("invitation|Invite")).click()
    expect(chart.get_by_text("The code is shown this once")).to_be_visible()
    return chart.locator(".code").inner_text()


def join(phone: Page, world: World, code: str) -> None:
    phone.goto(f"{world.places.app}/portal")
    phone.get_by_role("link", name="I have a code from my clinic").click()
    fit_for_a_phone(phone)
    phone.get_by_label("Your code").fill(code.lower())
    phone.get_by_label("Month").select_option(label="May")
    phone.get_by_label("Day").fill("5")
    phone.get_by_label("Year").fill("1955")
    picture(phone, "join")
    phone.get_by_role("button", name="Go on").click()
    expect(phone.get_by_role("heading", name="Choose your sign-in")).to_be_visible()
    fit_for_a_phone(phone)
    phone.get_by_label("Your sign-in name").fill("samuel@example.org")
    phone.get_by_label("Your password").fill(PASSWORD)
    phone.get_by_label("The password once more").fill(PASSWORD)
    phone.get_by_role("button", name="Save and go on").click()


def test_from_the_invitation_to_a_copy_of_the_record_and_back_out(
    world: World,
    page: Page,  # noqa: F811
    phone: Page,
) -> None:
    walk.launch_chart(world.places, PATIENT)
    write_history(world.context, [story for story in STORIES if story.patient == PATIENT])
    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=PATIENT)
    page.get_by_role("button", name="Open in this window").click()
    expect(page.get_by_text("Not invited yet.")).to_be_visible()
    accessible(page)
    code = code_on(page)
    accessible(page)
    picture(page, "invitation")

    join(phone, world, code)
    expect(phone.get_by_role("heading", name="Please read this before you start")).to_be_visible()
    fit_for_a_phone(phone)
    picture(phone, "consent")
    phone.get_by_role("button", name="Yes, I agree").click()
    expect(phone.get_by_text("Please type your name.")).to_be_visible()
    fit_for_a_phone(phone)
    phone.get_by_label("Type your full name").fill("Samuel Brandt")
    phone.get_by_role("button", name="Yes, I agree").click()
    expect(phone.get_by_role("heading", name="Hello, Samuel")).to_be_visible()
    fit_for_a_phone(phone)

    phone.get_by_role("link", name="Settings").click()
    expect(phone.get_by_text("You said yes on")).to_be_visible()
    fit_for_a_phone(phone)
    picture(phone, "settings")
    with phone.expect_download() as download:
        phone.get_by_role("button", name="Save a copy of my data").click()
    bundle = json.loads(download.value.path().read_text("utf-8"))
    assert download.value.suggested_filename.endswith(".json")
    assert bundle["total"] == len(bundle["entry"]) > 50
    assert r4_issues([bundle]) == []

    phone.get_by_role("link", name="Ask to delete my data").click()
    expect(phone.get_by_label("Why?")).to_be_visible()
    fit_for_a_phone(phone)
    phone.get_by_label("Why?").fill("I am moving away")
    phone.get_by_role("button", name="Send my request").click()
    expect(phone.get_by_text("has not answered yet")).to_be_visible()
    phone.get_by_role("link", name="Stop the monitoring").click()
    expect(phone.get_by_role("button", name="Yes, stop it")).to_be_visible()
    fit_for_a_phone(phone)
    phone.get_by_role("button", name="Yes, stop it").click()
    expect(phone.get_by_text("You said no on")).to_be_visible()
    phone.goto(f"{world.places.app}/portal/exercises/shoulder_abduction")
    expect(phone.get_by_role("heading", name="Monitoring is stopped")).to_be_visible()
    fit_for_a_phone(phone)

    page.get_by_role("link", name="Back to the chart").click()
    expect(page.get_by_text("does not want to be monitored")).to_be_visible()
    expect(page.get_by_text("Reason: I am moving away")).to_be_visible()
    accessible(page)
    page.get_by_label("Answer to the patient").fill("Your sign-in goes on Friday.")
    page.get_by_role("button", name="Send the answer").click()
    phone.goto(f"{world.places.app}/portal/settings")
    expect(phone.get_by_text("Your sign-in goes on Friday.")).to_be_visible()

    phone.get_by_role("button", name="Sign out").click()
    expect(phone.get_by_text("Your sign-in here has ended.")).to_be_visible()
    phone.goto(f"{world.places.app}/portal")
    phone.get_by_role("link", name="Sign in with my own name and password").click()
    fit_for_a_phone(phone)
    phone.get_by_label("Your sign-in name").fill("samuel@example.org")
    phone.get_by_label("Your password").fill("not the right one")
    phone.get_by_role("button", name="Sign in").click()
    expect(phone.get_by_text("do not match")).to_be_visible()
    fit_for_a_phone(phone)
    phone.get_by_label("Your password").fill(PASSWORD)
    phone.get_by_role("button", name="Sign in").click()
    expect(phone.get_by_role("heading", name="Hello, Samuel")).to_be_visible()


def test_joining_by_keyboard_alone_in_spanish(
    world: World,
    page: Page,  # noqa: F811
    chromium: Browser,  # noqa: F811
) -> None:
    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=PATIENT)
    page.get_by_role("button", name="Open in this window").click()
    page.get_by_label("Language of the page").select_option(label="Spanish")
    code = code_on(page)
    expect(page.locator("section.invitation")).to_have_attribute("lang", "es")
    accessible(page)

    context = chromium.new_context(viewport={"width": 360, "height": 740}, locale="es-MX")
    phone = context.new_page()
    phone.goto(f"{world.places.app}/portal/join")
    assert phone.locator("html").get_attribute("lang") == "es"
    # Kept in this browser, it counts more than the language of the record.
    phone.get_by_role("button", name="Español").click()
    born = patient_row(world).birth_date
    phone.locator("input[name=code]").focus()
    phone.keyboard.type(code)
    phone.keyboard.press("Tab")
    phone.keyboard.type("mayo")
    phone.keyboard.press("Tab")
    phone.keyboard.type(str(born.day))
    phone.keyboard.press("Tab")
    phone.keyboard.type(str(born.year))
    phone.keyboard.press("Enter")
    expect(phone.locator("input[name=again]")).to_be_visible()
    phone.locator("input[name=name]").focus()
    for typed in ("samuel", PASSWORD, PASSWORD):
        phone.keyboard.type(typed)
        phone.keyboard.press("Tab")
    phone.keyboard.press("Enter")
    expect(phone.get_by_text("Por favor, lea esto antes de empezar")).to_be_visible()
    fit_for_a_phone(phone)
    context.close()
