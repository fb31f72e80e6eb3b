"""What a patient sees of the way back, on a phone: progress, questionnaires, teaching, paper."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time

from playwright.sync_api import Browser, Page, expect

from app.demo.history import history_month
from tests.conftest import World
from tests.e2e.test_walk import accessible, chromium, picture, sign_in_at_ehr, with_history

__all__ = ["chromium"]  # fixture


def phone_of(world: World, chromium: Browser, **options: str) -> Page:
    """Samuel's phone in the evening of the last day of a month of exercise."""
    with_history(world)
    context = chromium.new_context(viewport={"width": 360, "height": 740}, **options)
    phone = context.new_page()
    phone.set_default_timeout(30_000)
    phone.goto(f"{world.places.app}/portal")
    phone.get_by_role("link", name="Prairie Rehab Clinic").click()
    sign_in_at_ehr(phone, "Samuel Brandt")
    expect(phone.get_by_role("heading", name="Samuel")).to_be_visible()
    _, last = history_month(world.context.now().date())
    evening = datetime.combine(last, time(23, 30), UTC)
    world.app.extensions["homestretch"] = replace(world.context, now=lambda: evening)
    return phone


def fits(phone: Page) -> None:
    accessible(phone)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_patient_sees_the_month_in_words_and_pictures(world: World, chromium: Browser) -> None:
    phone = phone_of(world, chromium)
    phone.get_by_role("link", name="My progress").click()
    expect(phone.get_by_text("In the last 7 days you did")).to_be_visible()
    expect(phone.get_by_text("Your arm lifts to the side")).to_be_visible()
    expect(phone.get_by_text("degrees further than when you began")).to_be_visible()
    expect(phone.locator("[data-trend-plot] canvas")).to_have_count(2)
    fits(phone)
    picture(phone, "progress")
    phone.get_by_role("navigation", name="Other months").get_by_text("→").click()
    expect(phone.get_by_role("table").first.get_by_text("still to come").first).to_be_attached()
    fits(phone)
    phone.get_by_text("The same as a table").first.click()
    expect(phone.get_by_role("columnheader", name="How far")).to_be_visible()
    fits(phone)
    phone.context.close()


def test_a_patient_reads_the_progress_in_spanish(world: World, chromium: Browser) -> None:
    phone = phone_of(world, chromium, locale="es-US")
    phone.goto(f"{world.places.app}/portal/progress")
    expect(phone.get_by_role("heading", name="Mi progreso")).to_be_visible()
    expect(phone.get_by_text("grados más que cuando empezó")).to_be_visible()
    accessible(phone)
    phone.context.close()
