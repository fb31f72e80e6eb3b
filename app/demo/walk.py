"""The three audiences' steps over HTTP, as their browsers take them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from requests import Response

from app.demo.browser import Browser, DemoFailed, wait_for
from smart_launch.sandbox.pages import PIN

CLIP = Path(__file__).parent / "data" / "shoulder_abduction" / "clip.mp4"
THERAPIST, BILLER = "terry-alvarez", "jordan-biller"


@dataclass(frozen=True)
class Places:
    """Where the application and the sandbox EHR answer."""

    app: str
    ehr: str


def launch_chart(places: Places, patient: str) -> Browser:
    """The therapist opens `patient` in the EHR and launches the application."""
    browser = Browser()
    page = browser.post(f"{places.ehr}/launch", {"patient": patient, "practitioner": THERAPIST})
    if not page.url.startswith(f"{places.app}/chart"):
        raise DemoFailed(f"the launch ended at {page.url.split('?')[0]}, not at the chart")
    return browser


def prescribe(browser: Browser, places: Places, protocol: str, phase: str) -> dict[str, Any]:
    """Signs the protocol's defaults; the program's status once the EHR has it."""
    page = browser.get(f"{places.app}/chart/prescribe/{protocol}/{phase}")
    before = browser.get_json(f"{places.app}/chart/program.json")["version"]
    browser.submit(page, {})

    def arrived() -> dict[str, Any] | None:
        status = browser.get_json(f"{places.app}/chart/program.json")
        there = status["version"] > before and status["state"] == "in the chart"
        return status if there else None

    status: dict[str, Any] = wait_for("the program in the EHR", arrived)
    return status


def sign_in_patient(places: Places, tenant_id: str, patient: str) -> Browser:
    """The patient signs in at the health system and shares with the portal."""
    browser = Browser()
    page = browser.get(f"{places.app}/portal/launch/{tenant_id}")
    page = browser.submit(page, {"person": patient, "pin": PIN})
    if not page.url.endswith("/portal/today"):
        raise DemoFailed(f"the patient's sign-in ended at {page.url.split('?')[0]}")
    return browser


def open_exercise(browser: Browser, places: Places, exercise_id: str) -> Response:
    """The exercise's page; where the safety questions come first, each is answered with no."""
    page = browser.get(f"{places.app}/portal/exercises/{exercise_id}")
    asked = set(re.findall(r'name="(answer-[a-z_]+)"', page.text))
    return browser.submit(page, dict.fromkeys(asked, "no")) if asked else page


def send_video(browser: Browser, places: Places, exercise_id: str, video: Path) -> str:
    """Uploads a recording with pain 4 before and 3 after; the session id once it is measured."""
    page = open_exercise(browser, places, exercise_id)
    with video.open("rb") as stream:
        page = browser.submit(
            page, {"pain_before": "4", "pain_after": "3"}, {"recording": (video.name, stream)}
        )
    status_url = f"{page.url}/status.json"
    status = wait_for(
        "the measurement",
        lambda: (s := browser.get_json(status_url))["status"] != "received" and s,
    )
    if status["status"] != "scored":
        raise DemoFailed(f"the video was not measured: {status['problem']}")
    return page.url.rpartition("/")[2]


def export_claims(places: Places, tenant_id: str, month: str) -> bytes:
    """Billing signs in and exports the month as 837P."""
    browser = Browser()
    page = browser.get(f"{places.app}/office/launch/{tenant_id}")
    browser.submit(page, {"person": BILLER, "pin": PIN})
    page = browser.get(urljoin(places.app, f"/office/month/{month}"))
    return browser.submit(page, {"format": "837p"}).content
