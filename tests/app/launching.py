"""Launching step by step, and changing how a world is registered."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests
from sqlalchemy import select

from app.demo import walk
from app.demo.browser import Browser
from app.demo.walk import Places
from app.store import SignInRow, Tenant
from smart_launch.sandbox.registration import Client
from tests.app.test_service import PATIENT
from tests.conftest import World

FLOW = ("authorization_code", "refresh_token")
ALL_SCOPES = (
    "openid fhirUser launch launch/patient offline_access user/Patient.rs user/Practitioner.rs "
    "user/PractitionerRole.rs user/Condition.rs user/Coverage.rs"
)


def clinician(places: Places, scope: str = ALL_SCOPES, **options: Any) -> Client:
    """The clinicians' registration at the EHR, otherwise than usual."""
    callback = f"{places.app}/launch/callback/prairie"
    return Client("homestretch-clinician", (callback,), FLOW, scope, **options)


def set_tenant(world: World, **values: Any) -> Tenant:
    with world.context.database.begin(None) as db:
        tenant = db.get_one(Tenant, world.tenant_id)
        for name, value in values.items():
            setattr(tenant, name, value)
    return tenant


def sign_in_row(world: World) -> SignInRow:
    with world.context.database.begin(world.tenant_id) as db:
        return db.scalars(select(SignInRow).order_by(SignInRow.created_at.desc())).first()  # type: ignore[return-value]


def opened(world: World, browser: requests.Session, patient: str = PATIENT) -> str:
    """Our launch URL, as the EHR gives it to the browser."""
    form = {"patient": patient, "practitioner": walk.THERAPIST}
    answer = browser.post(
        f"{world.places.ehr}/launch", data=form, allow_redirects=False, timeout=10
    )
    return answer.headers["Location"]


def callback_of(world: World, browser: requests.Session, patient: str = PATIENT) -> str:
    """Launches up to the EHR's answer, and returns the callback URL unvisited."""
    url = opened(world, browser, patient)
    for _ in range(2):
        url = browser.get(url, allow_redirects=False, timeout=10).headers["Location"]
    assert "/launch/callback/prairie?" in url
    return url


def changed(url: str, **parameters: str | None) -> str:
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **parameters}
    return urlunsplit(parts._replace(query=urlencode({k: v for k, v in query.items() if v})))


def later(world: World) -> None:
    """The service's clock goes on, so that the access token has ended and the sign-in has not."""
    moved = replace(world.context, now=lambda: datetime.now(UTC) + timedelta(hours=2))
    world.context = moved
    world.app.extensions["homestretch"] = moved


def other_tenant(**values: Any) -> Tenant:
    """A second health system, whose EHR is not there."""
    return Tenant(
        **{
            "id": "other",
            "name": "Other",
            "iss": "https://other.example/fhir",
            "clinician_client_id": "homestretch-clinician",
            "portal_client_id": "b",
            "backend_client_id": "c",
            "time_zone": "America/Chicago",
            **values,
        }
    )


def choose_language(world: World, browser: Browser, language: str) -> None:
    """The signed-in patient's own choice, which counts more than the record's."""
    place = f"{world.places.app}/portal"
    token = form_token(browser.get(f"{place}/settings").text)
    browser.post(
        f"{place}/language", {"csrf_token": token, "language": language, "back": "/portal/today"}
    )


def form_token(page: str) -> str:
    """The page's token against forged requests."""
    return page.partition('name="csrf-token" content="')[2].partition('"')[0]


FRAME = {"Sec-Fetch-Dest": "iframe"}
