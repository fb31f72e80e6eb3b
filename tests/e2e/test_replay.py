"""A session looked at again in real Chromium: sought by repetition, played, by keyboard."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from app.demo import walk
from app.demo.browser import wait_for
from app.store import SessionRow
from tests.app.test_service import PATIENT, count, series_file, sign_program, upload
from tests.conftest import World
from tests.e2e.test_walk import accessible, chromium, page, picture

__all__ = ["chromium", "page"]  # fixtures

# How many of the canvas's points are drawn.
PAINTED = """canvas => {
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, place) => place % 4 === 3 && value > 0).length;
}"""


def test_a_session_is_sought_and_played(world: World, page: Page, tmp_path: Path) -> None:
    sign_program(world)
    patient = walk.sign_in_patient(world.places, world.tenant_id, PATIENT)
    upload(patient, world, series_file(tmp_path))
    wait_for("the result", lambda: count(world, SessionRow, SessionRow.status == "scored"))
    page.set_viewport_size({"width": 1024, "height": 1100})
    page.goto(world.places.ehr)
    page.get_by_label("Patient").select_option(value=PATIENT)
    page.get_by_role("button", name="Open in this window").click()
    sessions = page.get_by_role("region", name="Sessions", exact=True)
    sessions.get_by_role("link").first.click()
    second = page.get_by_role("button", name="Show 2")
    expect(second).to_be_enabled()
    second.focus()
    page.keyboard.press("Enter")
    seek = page.get_by_role("slider", name="Time in the session")
    expect(seek).to_be_focused()
    sought = float(seek.input_value())
    assert sought > 1
    assert page.locator("canvas[role=img]").evaluate(PAINTED) > 1000
    expect(page.get_by_text("Shoulder abduction over time.")).to_be_visible()
    accessible(page)
    picture(page, "replay")
    page.keyboard.press("ArrowRight")
    assert float(seek.input_value()) > sought
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.wait_for_function(
        "([from]) => Number(document.querySelector('[data-replay-seek]').value) > from + 0.5",
        arg=[sought],
    )
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
