"""A clinician's and a patient's steps of joining the portal by invitation."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import requests

from app.demo import walk
from app.demo.browser import Browser
from app.store import PatientRow
from tests.app.launching import form_token
from tests.conftest import World

PATIENT = "samuel-brandt"
BORN = (1955, 5, 5)
NAME, PASSWORD = "Samuel@Example.org", "quiet maple river stone"

_CODE = re.compile(r'class="code">([0-9A-Z-]+)<')


def post(browser: Browser, url: str, **fields: object) -> requests.Response:
    """Sends a form to `url` with the token of this browser's open pages; does not follow."""
    http = browser._http
    page = http.get(url, timeout=30) if "csrf" not in fields else None
    token = fields.pop("csrf", None) or form_token(page.text)  # type: ignore[union-attr]
    return http.post(url, data={"csrf_token": token, **fields}, timeout=30, allow_redirects=False)


def chart_post(world: World, browser: Browser, path: str, **fields: object) -> requests.Response:
    """Sends a form of the chart that is open in `browser`."""
    chart = browser.get(f"{world.places.app}/chart").text
    patient = re.search(r'name="patient" value="(\d+)"', chart)
    assert patient is not None
    return browser._http.post(
        f"{world.places.app}/chart{path}",
        data={"csrf_token": form_token(chart), "patient": patient[1], **fields},
        timeout=30,
    )


def invite(world: World, browser: Browser, language: str = "en") -> str:
    """The code of a new invitation for the patient whose chart is open."""
    page = chart_post(world, browser, "/portal/invitation", language=language)
    assert page.status_code == 200, page.text
    found = _CODE.search(page.text)
    assert found is not None
    return found[1]


def enter(
    world: World, browser: Browser, code: str, born: tuple[int, int, int] = BORN
) -> requests.Response:
    year, month, day = born
    url = f"{world.places.app}/portal/join"
    return post(browser, url, code=code, year=year, month=month, day=day)


def choose(
    world: World, browser: Browser, name: str = NAME, password: str = PASSWORD
) -> requests.Response:
    url = f"{world.places.app}/portal/join/sign-in"
    return post(browser, url, name=name, password=password, again=password)


def sign_in(
    world: World,
    browser: Browser,
    name: str = NAME,
    password: str = PASSWORD,
    tenant: str | None = None,
) -> requests.Response:
    url = f"{world.places.app}/portal/sign-in/{tenant or world.tenant_id}"
    return post(browser, url, name=name, password=password)


def joined(world: World, chart: Browser | None = None) -> Browser:
    """A patient's browser that has just joined, with monitoring not yet answered."""
    chart = chart or walk.launch_chart(world.places, PATIENT)
    patient = Browser()
    assert enter(world, patient, invite(world, chart)).status_code == 303
    assert choose(world, patient).status_code == 303
    return patient


def agree(world: World, browser: Browser, name: str = "Samuel Brandt") -> requests.Response:
    """Says yes on the page that is read first."""
    page = browser.get(f"{world.places.app}/portal/consent")
    hidden = dict(re.findall(r'name="(event_id|version)" type="hidden" value="([^"]+)"', page.text))
    return post(
        browser,
        f"{world.places.app}/portal/consent",
        csrf=form_token(page.text),
        name=name,
        **hidden,
    )


def withdraw(world: World, browser: Browser) -> requests.Response:
    page = browser.get(f"{world.places.app}/portal/consent/withdraw")
    return browser.submit(page, {}, form=0)


def is_signed_in(world: World, browser: Browser) -> bool:
    answer = browser._http.get(f"{world.places.app}/portal/settings", timeout=30)
    assert answer.status_code in (200, 401)
    return bool(answer.status_code == 200)


def move_clock(world: World, by: timedelta) -> None:
    moved = replace(world.context, now=lambda: datetime.now(UTC) + by)
    world.context = moved
    world.app.extensions["homestretch"] = moved


def patient_row(world: World, fhir_id: str = PATIENT) -> PatientRow:
    with world.context.database.begin(world.tenant_id) as db:
        from sqlalchemy import select

        return db.scalars(select(PatientRow).where(PatientRow.fhir_id == fhir_id)).one()
