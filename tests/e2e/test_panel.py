"""The panel of alerts in real Chromium: in the EHR's frame and wider, by keyboard."""

from __future__ import annotations

from datetime import timedelta

from playwright.sync_api import Page, expect
from sqlalchemy import select

from app.alerts import raise_alert
from app.store import PatientRow
from rtm.alerts import AlertFacts
from rtm.safety import Outcome, Reason
from tests.app.test_service import PATIENT, sign_program
from tests.conftest import World
from tests.e2e.test_walk import accessible, chromium, page, picture

__all__ = ["chromium", "page"]  # fixtures

# By patient: kind, what was found, and what the patient was told.
FOUND: tuple[tuple[str, str, str, Outcome], ...] = (
    (PATIENT, "missed_days", "No session on 4 due days in a row, since 2026-10-30", "go_on"),
    (PATIENT, "pain_jump", "Pain 7 on 2026-11-02; usual in the 14 days before: 3", "go_on"),
    (PATIENT, "red_flag", "Calf swollen, red or warm", "stop_call_care_team"),
)


def write_alerts(world: World) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        for number, (fhir_id, kind, text, outcome) in enumerate(FOUND):
            patient = db.scalars(select(PatientRow).where(PatientRow.fhir_id == fhir_id)).one()
            facts = AlertFacts(f"x:{number}", outcome, (Reason(kind, text),))
            raised_at = world.context.now() - timedelta(hours=30 - number)
            raise_alert(db, patient.id, kind, facts, raised_at)


def test_alerts_are_put_off_handed_on_and_taken_over_by_keyboard(world: World, page: Page) -> None:
    sign_program(world)
    write_alerts(world)
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=PATIENT)
    page.get_by_role("button", name="Open in this window").click()
    page.get_by_role("link", name="3 alerts wait for you").click()
    expect(page.get_by_role("heading", name="Waiting now: 3 alerts")).to_be_visible()
    kinds = page.get_by_role("row").locator(".badge")
    expect(kinds.first).to_contain_text("Red flag")
    accessible(page)
    picture(page, "panel-1024")
    page.set_viewport_size({"width": 1440, "height": 900})
    picture(page, "panel")

    page.get_by_text("Note, later, hand on").first.focus()
    page.keyboard.press("Enter")
    accessible(page)
    page.get_by_role("button", name="Put off").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Put off until")).to_be_visible()
    expect(page.get_by_role("heading", name="Waiting now: 2 alerts")).to_be_visible()
    page.get_by_role("button", name="Acknowledge Red flag").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Waiting now: 1 alert")).to_be_visible()
    page.get_by_label("Show").select_option("snoozed")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="Put off: 1 alert")).to_be_visible()
