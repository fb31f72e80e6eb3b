"""What stands around a session in real Chromium: safety questions, and what is asked after it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.demo import walk
from app.sessions import stored_session
from app.store import SessionRow
from rtm.feedback import Feedback
from tests.app.test_service import PATIENT, sign_program
from tests.conftest import World
from tests.e2e.test_walk import accessible, chromium, picture, sign_in_at_ehr  # noqa: F401  # a fixture

SQUEEZE = "/portal/exercises/scapular_squeeze"


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:  # noqa: F811
    """A small phone, at the width that 200 % zoom leaves of a larger one."""
    context = chromium.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.set_default_timeout(20_000)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


def sign_in(page: Page, world: World) -> None:
    page.goto(f"{world.places.app}/portal")
    page.get_by_role("link", name="Prairie Rehab Clinic").click()
    page.get_by_label("PIN").wait_for()
    sign_in_at_ehr(page, "Samuel Brandt")
    page.get_by_role("heading", name="Hello, Samuel").wait_for()


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def answer(page: Page, yes: str | None = None) -> None:
    """Goes through the questions; the one with the words `yes` is answered so."""
    for _ in range(20):
        question = page.locator("fieldset:visible")
        expect(question).to_have_count(1)
        ends = yes is not None and yes in question.inner_text()
        question.get_by_role("radio", name="Yes" if ends else "No", exact=True).check()
        send = page.get_by_role("button", name="Send my answers")
        if send.is_visible():
            send.click()
            return
        page.get_by_role("button", name="Next question").click()
    raise AssertionError("the questions have no end")


def choose(page: Page, question: str, value: str) -> None:
    group = page.get_by_role("group", name=question).locator("visible=true")
    group.get_by_role("radio", name=value, exact=True).check()


def only_session(world: World) -> SessionRow | None:
    with world.context.database.begin(world.tenant_id) as db:
        return db.scalar(select(SessionRow))


def test_a_red_flag_blocks_and_alerts_and_a_clinician_clears_it(world: World, phone: Page) -> None:
    sign_program(world, screened=False)
    sign_in(phone, world)
    phone.goto(world.places.app + SQUEEZE)
    expect(phone.get_by_text("Question 1 of 5")).to_be_visible()
    accessible(phone)
    fits(phone)
    picture(phone, "safety")
    phone.get_by_role("button", name="Next question").click()
    expect(phone.get_by_text("Please choose yes or no.")).to_be_visible()
    answer(phone, "dizzy or faint")
    expect(phone.get_by_role("heading", name="Please do not exercise now")).to_be_visible()
    expect(phone.get_by_role("link", name="Call your care team: 555-555-0111")).to_be_visible()
    accessible(phone)
    fits(phone)
    phone.goto(f"{world.places.app}/portal/today")
    expect(phone.get_by_text("you should not exercise now")).to_be_visible()
    accessible(phone)
    phone.get_by_role("link", name="Start").first.click()
    expect(phone.get_by_role("heading", name="Please do not exercise now")).to_be_visible()

    browser = phone.context.browser
    assert browser is not None
    chart = browser.new_context(viewport={"width": 1180, "height": 900}).new_page()
    chart.goto(world.places.ehr)
    chart.get_by_label("Patient").select_option(value=PATIENT)
    chart.get_by_role("button", name="Open in this window").click()
    expect(chart.get_by_role("heading", name="Red flag in the safety questions")).to_be_visible()
    expect(chart.get_by_text("Yes to: Do you feel dizzy or faint")).to_be_visible()
    accessible(chart)
    picture(chart, "alert")
    chart.get_by_label("What was done").fill("Called: had not eaten. Feels well.")
    chart.get_by_role("button", name="Acknowledge").click()
    expect(chart.get_by_text("The patient is asked the safety questions again.")).to_be_visible()
    chart.get_by_text("Earlier alerts (1)").click()
    expect(chart.get_by_text("had not eaten")).to_be_visible()
    accessible(chart)
    chart.context.close()

    phone.goto(world.places.app + SQUEEZE)
    answer(phone)
    expect(phone.get_by_role("heading", name="Send your session")).to_be_visible()
    phone.goto(f"{world.places.app}/portal/today")
    phone.get_by_role("link", name="I do not feel well").click()
    expect(phone.get_by_text("Question 1 of 5")).to_be_visible()


def test_an_emergency_can_be_told_with_the_keyboard_at_the_first_question(
    world: World, phone: Page
) -> None:
    sign_program(world, screened=False)
    sign_in(phone, world)
    phone.goto(world.places.app + SQUEEZE)
    expect(phone.get_by_text("pain or pressure in your chest")).to_be_visible()
    phone.get_by_role("radio", name="No").first.focus()
    phone.keyboard.press("ArrowDown")
    expect(phone.get_by_role("radio", name="Yes").first).to_be_checked()
    phone.get_by_role("button", name="Send my answers").focus()
    phone.keyboard.press("Enter")
    expect(phone.get_by_role("link", name="Call 911")).to_have_attribute("href", "tel:911")
    accessible(phone)


def test_a_logged_session_asks_one_short_question_at_a_time(world: World, phone: Page) -> None:
    sign_program(world)
    sign_in(phone, world)
    phone.goto(world.places.app + SQUEEZE)
    choose(phone, "How much pain did you have before?", "2")
    phone.get_by_label("How many did you do?").fill("20")
    phone.get_by_label("For how many minutes?").fill("5")
    choose(phone, "How much pain do you have now?", "2")
    expect(phone.get_by_role("group", name="How was this exercise for you?")).to_be_hidden()
    choose(phone, "How hard did you work?", "6")
    accessible(phone)
    phone.get_by_role("button", name="Next question").click()
    expect(phone.get_by_role("group", name="How hard did you work?")).to_be_hidden()
    accessible(phone)
    phone.get_by_text("Just right").click()
    phone.get_by_role("button", name="Next question").click()
    phone.get_by_label("anything you want to tell your care team").fill("My shoulder clicks.")
    accessible(phone)
    fits(phone)
    picture(phone, "feedback")
    phone.get_by_role("button", name="Send", exact=True).click()
    expect(phone.get_by_text("My shoulder clicks.")).to_be_visible()
    expect(phone.get_by_text("Just right")).to_be_visible()
    accessible(phone)
    row = only_session(world)
    assert row is not None
    session = stored_session(row)
    assert session is not None
    assert session.feedback == Feedback(6, "just_right", "My shoulder clicks.")
    chart = walk.launch_chart(world.places, PATIENT).get(f"{world.places.app}/chart").text
    assert re.search(r"effort 6 of 10, difficulty just right", chart)


def test_an_exercise_by_the_timer_from_start_to_chart(world: World, phone: Page) -> None:
    """Two rounds of ten holds of 5 s with 3 s to let go, and a rest of 30 s: three minutes."""
    sign_program(world)
    sign_in(phone, world)
    phone.clock.install()
    phone.goto(world.places.app + SQUEEZE)
    phone.get_by_role("link", name="Do it with the timer").click()
    accessible(phone)
    fits(phone)
    phone.get_by_role("button", name="Start the timer").click()
    expect(phone.get_by_text("Please choose your pain")).to_be_visible()
    choose(phone, "How much pain do you have now?", "2")
    phone.get_by_role("button", name="Start the timer").click()
    expect(phone.get_by_text("Get ready")).to_be_focused()
    phone.clock.fast_forward(6_000)
    expect(phone.get_by_text("Hold", exact=True)).to_be_visible()
    expect(phone.get_by_text("Round 1 of 2")).to_be_visible()
    expect(phone.get_by_role("button", name="I need to stop")).to_be_in_viewport()
    accessible(phone)
    fits(phone)
    picture(phone, "timer")
    phone.get_by_role("button", name="Sound is on").click()
    phone.get_by_role("button", name="Pause the timer").click()
    phone.clock.fast_forward(600_000)
    expect(phone.get_by_text("Round 1 of 2")).to_be_visible()
    phone.get_by_role("button", name="Go on").click()
    phone.clock.fast_forward(30_000)
    expect(phone.get_by_text(re.compile("^[345] of 10$"))).to_be_visible()
    phone.clock.fast_forward(48_000)
    expect(phone.get_by_text("Rest", exact=True)).to_be_visible()
    phone.get_by_role("button", name="Begin now").click()
    phone.clock.fast_forward(500)
    expect(phone.get_by_text("Round 2 of 2")).to_be_visible()
    phone.clock.fast_forward(120_000)
    expect(phone.get_by_role("heading", name="Well done. You did all of it.")).to_be_focused()
    expect(phone.get_by_text("Why did you stop?")).to_be_hidden()
    expect(phone.get_by_label("How many did you do?")).to_have_value("20")
    expect(phone.get_by_label("For how many minutes?")).to_have_value("3")
    accessible(phone)
    fits(phone)
    picture(phone, "timer_after")
    phone.get_by_label("How many did you do?").fill("18")
    phone.get_by_role("button", name="Next question").click()
    choose(phone, "How hard did you work?", "4")
    accessible(phone)
    choose(phone, "How much pain do you have now?", "3")
    phone.get_by_role("button", name="Send", exact=True).click()
    expect(phone.get_by_text("You told us about this session")).to_be_visible()
    row = only_session(world)
    assert row is not None
    assert (row.source, row.repetitions_reported, row.effort) == ("manual", 18, 4)
    assert row.duration_reported_s == 180


def test_a_stopped_timer_asks_why_and_a_warning_sign_says_whom_to_call(
    world: World, phone: Page
) -> None:
    sign_program(world)
    sign_in(phone, world)
    phone.clock.install()
    phone.goto(f"{world.places.app}{SQUEEZE}/guided")
    choose(phone, "How much pain do you have now?", "2")
    phone.get_by_role("button", name="Start the timer").click()
    phone.clock.fast_forward(3_000)
    phone.get_by_role("button", name="I need to stop").click()
    expect(phone.get_by_role("heading", name="You stopped. That is fine.")).to_be_focused()
    choose(phone, "How much pain do you have now?", "2")
    phone.get_by_role("button", name="Send", exact=True).click()
    expect(phone.get_by_text("Please tell us why you stopped")).to_be_visible()
    phone.get_by_role("radio", name="Chest pain").check()
    expect(phone.get_by_role("link", name="Call 911")).to_be_visible()
    accessible(phone)
    fits(phone)
    picture(phone, "stopped")
    phone.get_by_role("button", name="Send", exact=True).click()
    expect(phone.get_by_text("Call 911 now if you still feel this.")).to_be_visible()
    accessible(phone)
    row = only_session(world)
    assert row is not None
    assert (row.stopped_reason, row.repetitions_reported) == ("chest_pain", 0)
    chart = walk.launch_chart(world.places, PATIENT).get(f"{world.places.app}/chart").text
    assert "Stopped the session: Chest pain" in chart
    phone.goto(world.places.app + SQUEEZE)
    expect(phone.get_by_text("Is it safe to exercise today?")).to_be_visible()


def test_a_session_by_the_timer_outlives_a_lost_connection(world: World, phone: Page) -> None:
    sign_program(world)
    sign_in(phone, world)
    phone.clock.install()
    phone.goto(f"{world.places.app}{SQUEEZE}/guided")
    choose(phone, "How much pain do you have now?", "2")
    phone.get_by_role("button", name="Start the timer").click()
    phone.clock.fast_forward(60_000)
    expect(phone.get_by_text(re.compile("^[67] of 10$"))).to_be_visible()
    phone.context.set_offline(True)
    phone.get_by_role("button", name="I need to stop").click()
    phone.get_by_role("radio", name="Tired").check()
    choose(phone, "How much pain do you have now?", "2")
    phone.get_by_role("button", name="Send", exact=True).click()
    expect(phone.get_by_text("Sending…")).to_be_visible()
    phone.clock.run_for(60_000)
    expect(phone.get_by_text("Your session is kept here.")).to_be_visible()
    assert only_session(world) is None
    phone.context.set_offline(False)
    phone.goto(f"{world.places.app}/portal/today")
    expect(phone.get_by_text("your session was sent")).to_be_visible()
    row = only_session(world)
    assert row is not None
    assert row.stopped_reason == "tired"
    assert row.repetitions_reported in (6, 7)


def test_the_questions_the_timer_and_what_follows_are_there_in_spanish(
    world: World,
    chromium: Browser,  # noqa: F811
) -> None:
    sign_program(world, screened=False)
    context = chromium.new_context(viewport={"width": 360, "height": 740}, locale="es-MX")
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto(f"{world.places.app}/portal")
    page.get_by_role("button", name="Español").click()
    page.get_by_role("link", name="Prairie Rehab Clinic").click()
    page.get_by_label("PIN").wait_for()
    sign_in_at_ehr(page, "Samuel Brandt")
    page.get_by_role("heading", name="Hola, Samuel").wait_for()
    page.goto(f"{world.places.app}{SQUEEZE}/guided")
    expect(page.get_by_text("Pregunta 1 de 5")).to_be_visible()
    expect(page.get_by_text("¿Tiene dolor o presión en el pecho")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "es"
    for _ in range(4):
        page.locator("fieldset:visible").get_by_role("radio", name="No", exact=True).check()
        page.get_by_role("button", name="Siguiente pregunta").click()
    page.locator("fieldset:visible").get_by_role("radio", name="No", exact=True).check()
    page.get_by_role("button", name="Enviar mis respuestas").click()
    choose(page, "¿Cuánto dolor tiene ahora?", "2")
    page.clock.install()
    page.get_by_role("button", name="Empezar").click()
    page.clock.fast_forward(6_000)
    expect(page.get_by_text("Sostenga", exact=True)).to_be_visible()
    page.get_by_role("button", name="Necesito parar").click()
    page.get_by_role("radio", name="Mareo").check()
    expect(page.get_by_text("Llame a su equipo de salud antes")).to_be_visible()
    accessible(page)
    fits(page)
    picture(page, "stopped_es")
    choose(page, "¿Cuánto dolor tiene ahora?", "2")
    page.get_by_role("button", name="Enviar", exact=True).click()
    expect(page.get_by_role("heading", name="Descanse ahora")).to_be_visible()
    context.close()
