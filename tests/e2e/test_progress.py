"""What a patient sees of the way back, on a phone: progress, questionnaires, teaching, paper."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time

from playwright.sync_api import Browser, Page, expect

from app.demo.history import history_month
from tests.conftest import World
from tests.e2e.test_walk import accessible, chromium, page, picture, sign_in_at_ehr, with_history

__all__ = ["chromium", "page"]  # fixtures


def phone_of(world: World, chromium: Browser) -> Page:
    """Samuel's phone in the evening of the last day of a month of exercise."""
    with_history(world)
    context = chromium.new_context(viewport={"width": 360, "height": 740})
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
    phone = phone_of(world, chromium)
    phone.goto(f"{world.places.app}/portal/progress")
    phone.get_by_role("button", name="Español").click()
    expect(phone.get_by_role("heading", name="Mi progreso")).to_be_visible()
    expect(phone.get_by_text("grados más que cuando empezó")).to_be_visible()
    accessible(phone)
    phone.context.close()


def test_a_patient_answers_a_questionnaire_and_the_clinician_sees_the_score(
    world: World, chromium: Browser, page: Page
) -> None:
    phone = phone_of(world, chromium)
    phone.goto(f"{world.places.app}/portal/today")
    phone.get_by_role("link", name="Things that are hard to do").click()
    fits(phone)
    picture(phone, "questionnaire")
    first = phone.get_by_role("group", name="First thing")
    first.get_by_label("What is it?").fill("Comb my hair")
    first.get_by_role("radio", name="4", exact=True).check()
    phone.get_by_role("button", name="Keep them and go on later").click()
    expect(phone.get_by_text("We kept your answers")).to_be_visible()
    phone.get_by_role("link", name="Things that are hard to do").click()
    expect(phone.get_by_label("What is it?").first).to_have_value("Comb my hair")
    expect(phone.get_by_role("radio", name="4", exact=True).first).to_be_checked()
    second = phone.get_by_role("group", name="Second thing")
    second.get_by_role("radio", name="6", exact=True).check()
    phone.get_by_role("button", name="Send my answers").click()
    expect(phone.get_by_role("alert")).to_have_text("Each thing needs a name and a number.")
    fits(phone)
    second.get_by_label("What is it?").fill("Reach a shelf")
    phone.get_by_role("button", name="Send my answers").click()
    expect(phone.get_by_text("Your care team can see your answers")).to_be_visible()
    phone.context.close()

    world.app.extensions["homestretch"] = world.context  # the EHR's clock knows no other time
    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value="samuel-brandt")
    page.get_by_role("button", name="Open in this window").click()
    table = page.get_by_role("region", name="Outcome measures, answered by the patient").last
    expect(table.get_by_text("5 of 0 to 10")).to_be_visible()
    accessible(page)


def test_a_patient_reads_and_takes_the_program_along_on_paper(
    world: World, chromium: Browser
) -> None:
    phone = phone_of(world, chromium)
    phone.get_by_role("link", name="Learn").click()
    fits(phone)
    phone.get_by_role("link", name="Shoulder pain").click()
    expect(phone.get_by_role("heading", name="When to call")).to_be_visible()
    fits(phone)
    picture(phone, "article")
    phone.get_by_role("link", name="My progress").click()
    link = phone.get_by_role("link", name="My program on paper (PDF)")
    paper = phone.request.get(world.places.app + (link.get_attribute("href") or ""))
    assert paper.headers["content-type"] == "application/pdf"
    assert paper.body().startswith(b"%PDF-")
    phone.goto(f"{world.places.app}/portal/exercises/shoulder_abduction")
    expect(phone.get_by_role("heading", name="What you should feel")).to_be_visible()
    fits(phone)
    phone.context.close()
