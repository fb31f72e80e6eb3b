"""Every page of the portal, in both languages, on a phone and on a wide screen: readable by all.

With HOMESTRETCH_SCREENSHOTS each page becomes one sheet of its four pictures.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from app.demo import walk
from app.messages import Person, send_message
from app.safety import answer
from app.store import MessageRow, PatientRow, PractitionerRow, RangeTestRow, SessionRow
from smart_launch.sandbox.pages import PIN
from tests.app.test_range_tests import arm_raises, measured, page_of, send
from tests.conftest import World
from tests.e2e.test_walk import STORY, accessible, chromium, with_history

__all__ = ["chromium"]  # a fixture

LANGUAGES, WIDTHS = ("en", "es"), (360, 1280)
# Of a sheet: how far a page is seen, and the scale of its pictures.
MOST_HEIGHT, SCALE = 1700, 0.6

# What answers GET below /portal and is no page of words.
NO_PAGES = {
    "installable.icon",
    "installable.manifest",
    "installable.open_portal",
    "installable.service_worker",
    "launch.portal_callback",
    "launch.portal_launch",
    "language_portal.choose",
    "portal.status",
    "progress_portal.program",
    "range_portal.status",
}
# Shown only on a way that the tests of joining and of reminders go.
ELSEWHERE = {"join_portal.set_sign_in", "join_portal.choose", "stops.stop_emails"}


def addresses(world: World) -> dict[str, str]:
    """Each page's name and address, before the sign-in ends with the last."""
    with world.context.database.begin(world.tenant_id) as db:
        session = db.scalars(select(SessionRow.id).order_by(SessionRow.started_at.desc())).first()
        thread = db.scalars(select(MessageRow.thread_id)).first()
        test = db.scalars(select(RangeTestRow.id)).first()
    values = {
        "portal.exercise": {"exercise_id": "shoulder_abduction"},
        "live_portal.live": {"exercise_id": "shoulder_abduction"},
        "guided_portal.guided": {"exercise_id": "shoulder_external_rotation_isometric"},
        "learn_portal.article": {"article_id": "shoulder_pain"},
        "patient_messages.thread": {"thread_id": thread},
        "questionnaire_portal.questionnaire": {"instrument_id": "psfs"},
        "range_portal.joint": {"joint_id": "shoulder_abduction"},
        "range_portal.result": {"test_id": test},
        "portal.result": {"session_id": session},
        "join_portal.sign_in": {"tenant_id": world.tenant_id},
    }
    rules = [rule for rule in world.app.url_map.iter_rules() if rule.rule.startswith("/portal")]
    pages = {
        rule.endpoint
        for rule in rules
        if rule.methods and "GET" in rule.methods and rule.endpoint not in NO_PAGES | ELSEWHERE
    }
    with world.app.test_request_context():
        return {
            name: f"{world.places.app}{world.app.url_for(name, **values.get(name, {}))}"
            for name in sorted(pages - {"safety_portal.stop"})
        }


def fill(world: World, folder: Path) -> None:
    """A month of sessions, a talk with the care team, and a measured range."""
    with_history(world)
    with world.context.database.begin(world.tenant_id) as db:
        patient = db.scalars(select(PatientRow).where(PatientRow.fhir_id == STORY.patient)).one()
        therapist = db.scalars(select(PractitionerRow)).first()
    assert therapist is not None
    thread = str(uuid4())
    me, them = Person(patient.id), Person(patient.id, therapist.id)
    for sender, first, text in ((me, True, "May I swim?"), (them, False, "Yes, gently.")):
        send_message(
            world.context,
            world.tenant_id,
            sender,
            message_id=thread if first else str(uuid4()),
            subject="My shoulder" if first else None,
            thread_id=None if first else thread,
            text=text,
        )
    browser = walk.sign_in_patient(world.places, world.tenant_id, STORY.patient)
    measured(browser, send(browser, page_of(browser, world), [arm_raises(folder, 120.0, 135.0)]))


@pytest.fixture
def page(world: World, chromium: Browser) -> Iterator[Page]:
    """The patient's, who is signed in."""
    context = chromium.new_context()
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(f"{world.places.app}/portal/launch/{world.tenant_id}")
    page.get_by_label("You are").select_option(value=STORY.patient)
    page.get_by_label("PIN").fill(PIN)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/portal/**")
    yield page
    context.close()


def choose(page: Page, world: World, language: str) -> None:
    page.goto(f"{world.places.app}/portal/settings")
    page.locator(f'button[name="language"][value="{language}"]').click()
    page.wait_for_function(f"document.documentElement.lang === '{language}'")


def look(page: Page, address: str, language: str, width: int) -> bytes:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(address)
    assert page.evaluate("document.documentElement.lang") == language, address
    assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    accessible(page)
    return page.screenshot(full_page=True)


def keep_sheet(name: str, pictures: list[bytes]) -> None:
    folder = os.environ.get("HOMESTRETCH_SCREENSHOTS")
    if not folder:
        return
    images = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    images = [image.crop((0, 0, image.width, min(image.height, MOST_HEIGHT))) for image in images]
    images = [
        image.resize((int(image.width * SCALE), int(image.height * SCALE))) for image in images
    ]
    gap = 12
    size = (sum(i.width + gap for i in images) - gap, max(image.height for image in images))
    sheet, left = Image.new("RGB", size, "#888"), 0
    for image in images:
        sheet.paste(image, (left, 0))
        left += image.width + gap
    path = Path(folder) / "portal" / f"{name.replace('.', '-')}.png"
    path.parent.mkdir(exist_ok=True)
    sheet.quantize(96).save(path, optimize=True)


@pytest.fixture
def world(make_world: Callable[..., World], tmp_path: Path) -> World:
    made = make_world(smtp_host="127.0.0.1", mail_from="rtm@example.org")
    fill(made, tmp_path)
    return made


def stop_for_chest_pain(world: World) -> str:
    """The patient says so; the address of what they then see."""
    with world.context.database.begin(world.tenant_id) as db:
        patient = db.scalars(select(PatientRow).where(PatientRow.fhir_id == STORY.patient)).one()
    said = {"chest_pain": True}
    answer(
        world.context,
        world.tenant_id,
        patient.id,
        screen_id=str(uuid4()),
        answers=said,
        language="en",
    )
    return f"{world.places.app}/portal/safety/stop"


def test_every_page_reads_well_on_a_phone_and_a_wide_screen_in_both_languages(
    world: World, page: Page
) -> None:
    pictures: dict[str, list[bytes]] = {}
    everywhere = addresses(world)
    for language in LANGUAGES:
        choose(page, world, language)
        for name, address in everywhere.items():
            pictures.setdefault(name, []).extend(
                look(page, address, language, width) for width in WIDTHS
            )
    address = stop_for_chest_pain(world)
    for language in LANGUAGES:
        choose(page, world, language)
        pictures.setdefault("safety_portal.stop", []).extend(
            look(page, address, language, width) for width in WIDTHS
        )
    for name, four in pictures.items():
        keep_sheet(name, four)
