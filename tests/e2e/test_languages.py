"""A Spanish-speaking patient in real Chromium, and the way between the languages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.demo import walk
from smart_launch.sandbox.pages import PIN
from tests.app.test_service import SHOULDER, say_safe
from tests.conftest import World
from tests.e2e.test_walk import accessible, chromium, picture

__all__ = ["chromium"]

PATIENT = "rosa-delgado"
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    """A phone that prefers Mexican Spanish."""
    context = chromium.new_context(viewport=PHONE, has_touch=True, locale="es-MX")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(30_000)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


def with_program(world: World) -> None:
    chart = walk.launch_chart(world.places, PATIENT)
    chart.submit(chart.get(f"{world.places.app}/chart/prescribe/{'/'.join(SHOULDER)}"), {})
    say_safe(world, PATIENT)


def in_spanish(page: Page) -> None:
    assert page.locator("html").get_attribute("lang") == "es"
    expect(page.get_by_role("button", name="Español")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    accessible(page)


def test_a_patient_reads_spanish_on_every_page_and_may_change(world: World, phone: Page) -> None:
    with_program(world)
    page = phone
    page.goto(f"{world.places.app}/portal")
    expect(page.get_by_role("heading", name="Sus ejercicios en casa")).to_be_visible()
    in_spanish(page)
    page.get_by_role("link", name="Prairie Rehab Clinic").click()
    page.get_by_label("You are").select_option(value=PATIENT)
    page.get_by_label("PIN").fill(PIN)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", name="Hola, Rosa")).to_be_visible()
    expect(page.get_by_role("heading", name="Levantar los brazos de lado")).to_be_visible()
    in_spanish(page)
    picture(page, "today-spanish")
    page.get_by_role("listitem").filter(has_text="los brazos de lado").get_by_role("link").click()
    expect(page.get_by_role("heading", name="Cómo hacerlo")).to_be_visible()
    expect(page.get_by_role("button", name="Pausa")).to_be_visible()
    in_spanish(page)

    page.get_by_role("link", name="Hacerlo con el entrenador con cámara").click()
    page.get_by_role("button", name="Encender la cámara").click()
    expect(page.get_by_role("alert")).to_have_text(
        "Antes de empezar, elija cuánto dolor tiene, del 0 al 10."
    )
    in_spanish(page)

    page.evaluate("document.body.dataset.liveStep = 'moving'")
    expect(page.get_by_role("button", name="English")).to_be_hidden()
    page.evaluate("document.body.dataset.liveStep = 'before'")

    page.get_by_role("link", name="Volver", exact=True).click()
    before = page.get_by_role("group", name="¿Cuánto dolor tenía antes?")
    now = page.get_by_role("group", name="¿Cuánto dolor tiene ahora?")
    before.get_by_role("radio", name="4", exact=True).check()
    now.get_by_role("radio", name="3", exact=True).check()
    page.get_by_text("No tengo video").click()
    page.get_by_label("¿Cuántas veces lo hizo?").fill("10")
    page.get_by_label("¿Por cuántos minutos?").fill("5")
    page.get_by_role("button", name="Enviar", exact=True).click()
    expect(page.get_by_text("Usted nos contó de esta sesión. No se midió.")).to_be_visible()
    in_spanish(page)
    picture(page, "result-spanish")

    result = page.url
    english = page.get_by_role("button", name="English")
    english.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("You told us about this session. It was not measured.")).to_be_visible()
    assert page.url == result
    assert page.locator("html").get_attribute("lang") == "en"
    accessible(page)
    page.get_by_role("link", name="Back to today").click()
    expect(page.get_by_role("heading", name="Hello, Rosa")).to_be_visible()
    page.get_by_role("button", name="Español").click()
    expect(page.get_by_role("heading", name="Hola, Rosa")).to_be_visible()


def test_the_switch_works_without_script(world: World, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="en-US")
    page = context.new_page()
    page.goto(f"{world.places.app}/portal")
    page.get_by_role("button", name="Español").click()
    expect(page.get_by_role("heading", name="Sus ejercicios en casa")).to_be_visible()
    assert page.url == f"{world.places.app}/portal"
    context.close()
