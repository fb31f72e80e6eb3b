"""The main job against an authorization server and a FHIR server that we did not write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from app.config import Settings
from app.context import Context, open_context
from app.demo.browser import Browser, wait_for
from app.demo.tenant import TENANT_ID, register
from app.demo.walk import Places, send_video
from app.ehr import backend_client
from app.jobs.embedded import EmbeddedWorker
from app.service import create_app
from app.signing_keys import public_jwks
from app.store import OutboxRow, Tenant
from app.store.upgrade import upgrade
from tests.conftest import free_port, serve
from tests.fhir.r4 import r4_issues
from tests.interop.independent_ehr import independent_ehr
from tests.vision.figure import cycles, figure
from vision.series_files import write_npz

PATIENT = "samuel-brandt"


@dataclass(frozen=True)
class Meeting:
    """The service, and the EHR's FHIR base."""

    context: Context
    places: Places
    iss: str


@pytest.fixture
def meeting(tmp_path: Path) -> Iterator[Meeting]:
    app_port, ehr_port = free_port(), free_port()
    places = Places(f"http://127.0.0.1:{app_port}", f"http://127.0.0.1:{ehr_port}")
    settings = Settings(data_dir=tmp_path / "data", public_url=places.app, outbox_sweep_s=0.2)
    context = open_context(settings)
    upgrade(context.database.engine)
    app = create_app(context=context)
    web = make_server("127.0.0.1", app_port, app, threaded=True)
    serve(web)
    worker = EmbeddedWorker(context, app.extensions["homestretch_jobs"].celery)
    worker.start()
    keys = public_jwks(context.keys.signing, context.now())
    with independent_ehr(ehr_port, places.app, keys, PATIENT) as iss:
        register(context, iss)
        yield Meeting(context, places, iss)
    worker.stop()
    web.shutdown()
    web.server_close()


def sign_in(browser: Browser, url: str) -> str:
    """Follows `url` through the authorization server's own pages; where the browser ends."""
    page = browser.get(url)
    while "/interaction/" in page.url:
        page = browser.submit(page, {"login": "terry", "password": "any"})
    return page.url


def test_launch_program_session_and_observations(meeting: Meeting, tmp_path: Path) -> None:
    app, browser = meeting.places.app, Browser()
    landed = sign_in(browser, f"{app}/launch?iss={meeting.iss}&launch=chart")
    assert landed == f"{app}/chart"
    assert "Brandt" in browser.get(landed).text

    page = browser.get(f"{app}/chart/prescribe/shoulder_pain/motion_strength")
    browser.submit(page, {})
    status = wait_for(
        "the program",
        lambda: (
            (s := browser.get_json(f"{app}/chart/program.json"))["state"] == "in the chart" and s
        ),
        30,
    )
    assert status["read_back_at"]

    patient = Browser()
    assert sign_in(patient, f"{app}/portal/launch/{TENANT_ID}") == f"{app}/portal/today"
    path = tmp_path / "session.npz"
    write_npz(figure({"shoulder_abduction": cycles([140.0] * 3, rest=10.0)}), path)
    send_video(patient, meeting.places, "shoulder_abduction", path)

    def settled() -> bool:
        with meeting.context.database.begin(TENANT_ID) as db:
            rows = db.scalars(select(OutboxRow)).all()
        assert not [row.last_error for row in rows if row.status == "stuck"]
        return len(rows) == 2 and all(row.status == "delivered" for row in rows)

    wait_for("the session", settled, 30)
    with meeting.context.database.begin(None) as db:
        client = backend_client(meeting.context, db.get_one(Tenant, TENANT_ID))
    found = list(client.search("Observation", {"based-on": status["careplan"]}))
    assert len(found) == 4
    assert r4_issues(found) == []
