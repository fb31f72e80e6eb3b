"""Clients of the FHIR API, with tokens that the sandbox's authorization server made for it."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import numpy as np
import requests
from joserfc.jwk import RSAKey
from sqlalchemy import select

from app import rtm_book
from app.demo import walk
from app.demo.figure import arm_raises
from app.jobs.score import score_session
from app.messages import Person, open_thread, send_message
from app.outcomes import Answers, accept_response
from app.prescribing import sign
from app.sessions import SessionReport, accept_manual_log, accept_recording
from app.store import PatientRow, PractitionerRow
from rtm.protocols import draft_program, load_protocols
from rtm.session import Pain
from smart_launch.client_authentication import KeyClient
from smart_launch.sandbox.pages import PIN
from smart_launch.sandbox.registration import Client
from tests.conftest import World
from vision.series_files import write_npz

SAMUEL, ROSA = "samuel-brandt", "rosa-delgado"
KEY = RSAKey.generate_key(2048, {"kid": "reader"})
REDIRECT = "http://127.0.0.1:9/callback"

_CODE_FLOW = ("authorization_code", "refresh_token")

CLIENTS = (
    Client(
        "warehouse",
        (),
        ("client_credentials",),
        "system/*.cruds",
        jwks={"keys": [KEY.as_dict(private=False)]},
    ),
    Client(
        "other-warehouse",
        (),
        ("client_credentials",),
        "system/*.cruds",
        jwks={"keys": [KEY.as_dict(private=False)]},
    ),
    Client(
        "phone-app",
        (REDIRECT,),
        _CODE_FLOW,
        "openid fhirUser launch/patient patient/*.cruds user/*.cruds",
    ),
    Client("dashboard", (REDIRECT,), _CODE_FLOW, "openid fhirUser user/*.cruds"),
)


def with_readers(_places: object) -> dict[str, Any]:
    """The sandbox EHR's settings that register these clients."""
    return {"clients": CLIENTS}


@dataclass(frozen=True)
class Reader:
    """One client with a token, or without one."""

    base: str
    token: str | None

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = dict(options.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        url = path if path.startswith("http") else f"{self.base}/{path}"
        return requests.request(method, url, headers=headers, timeout=20, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self("GET", path, **options)

    def found(self, path: str) -> list[dict[str, Any]]:
        """The matches over every page."""
        found: list[dict[str, Any]] = []
        url: str | None = path
        while url is not None:
            answer = self.get(url)
            assert answer.status_code == 200, answer.text
            bundle = answer.json()
            found += [
                entry["resource"]
                for entry in bundle.get("entry", ())
                if entry["search"]["mode"] == "match"
            ]
            url = next((li["url"] for li in bundle["link"] if li["relation"] == "next"), None)
        return found


def facade_of(world: World, tenant_id: str | None = None) -> str:
    return f"{world.places.app}/fhir/{tenant_id or world.tenant_id}"


def system_reader(
    world: World, scope: str = "system/*.cruds", client_id: str = "warehouse", **form: str
) -> Reader:
    token_endpoint = f"{world.places.ehr}/auth/token"
    request = KeyClient(KEY).token_request(client_id, token_endpoint, datetime.now(UTC))
    answer = requests.post(
        token_endpoint,
        data={
            "grant_type": "client_credentials",
            "scope": scope,
            "resource": facade_of(world),
            **request.form,
            **form,
        },
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    return Reader(facade_of(world), answer.json()["access_token"])


def signed_in_reader(
    world: World, person: str, scope: str, client_id: str = "phone-app", aud: str | None = None
) -> Reader:
    """A person signs in at the health system and lets the client read."""
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    parameters = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT,
        "scope": scope,
        "state": "x" * 32,
        "aud": aud or facade_of(world),
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    answer = requests.post(
        f"{world.places.ehr}/auth/authorize",
        params=parameters,
        data={"person": person, "pin": PIN},
        allow_redirects=False,
        timeout=10,
    )
    assert answer.status_code == 302, answer.text
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    token = requests.post(
        f"{world.places.ehr}/auth/token",
        data={
            "grant_type": "authorization_code",
            "client_id": client_id,
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": verifier,
        },
        timeout=10,
    )
    assert token.status_code == 200, token.text
    return Reader(facade_of(world), token.json()["access_token"])


def patient_reader(world: World, patient: str, scope: str = "patient/*.rs") -> Reader:
    return signed_in_reader(world, patient, f"launch/patient {scope}")


def fill(world: World, patients: Sequence[str] = (SAMUEL, ROSA)) -> None:
    """Two versions of a program, an episode, a measured and two reported sessions, and an answered
    outcome measure for each."""
    for number, patient in enumerate(patients):
        walk.launch_chart(world.places, patient)
        with world.context.database.begin(world.tenant_id) as db:
            row = db.scalars(select(PatientRow).where(PatientRow.fhir_id == patient)).one()
            therapist = db.scalars(select(PractitionerRow)).first()
            assert therapist is not None
            rtm_book.start_episode(
                db,
                row,
                therapist,
                start=date(2026, 11, 1),
                set_up=True,
                therapy_plan="GP",
                now=world.context.now(),
            )
        protocol = load_protocols()["shoulder_pain"]
        draft = draft_program(
            protocol,
            protocol.phase("motion_strength"),
            id=str(uuid4()),
            start=date(2026, 11, 1),
            side="right",
        )
        for version in (draft, replace(draft, exercises=draft.exercises[:-1])):
            sign(
                world.context,
                world.tenant_id,
                patient_id=row.id,
                practitioner_id=therapist.id,
                draft=version,
                signing_key=str(uuid4()),
            )
        for day in (1, 2):
            report_session(world, patient, datetime(2026, 11, day, 15 + number, tzinfo=UTC))
        measured_session(world, patient, datetime(2026, 11, 3, 15 + number, tzinfo=UTC))
        exchange_messages(world, Person(row.id), Person(row.id, therapist.id))
        answers = Answers(str(uuid4()), {"activity_1": 4}, {"activity_1": "Reach a shelf"})
        accept_response(world.context, world.tenant_id, row.id, "psfs", answers, "en")


def exchange_messages(world: World, patient: Person, therapist: Person) -> None:
    """A question of the patient's, which was opened and answered; the answer was not opened."""
    question = send_message(
        world.context,
        world.tenant_id,
        patient,
        message_id=str(uuid4()),
        subject="My shoulder",
        text="May I swim?",
    )
    open_thread(world.context, world.tenant_id, therapist, question.id)
    send_message(
        world.context,
        world.tenant_id,
        therapist,
        message_id=str(uuid4()),
        thread_id=question.id,
        text="Yes, gently.",
    )


def report_session(world: World, patient: str, started: datetime) -> str:
    """A session by the patient's own account; its id."""
    with world.context.database.begin(world.tenant_id) as db:
        patient_id = db.scalars(select(PatientRow.id).where(PatientRow.fhir_id == patient)).one()
    report = _report(started)
    accept_manual_log(world.context, world.tenant_id, patient_id, report)
    return report.session_id


def measured_session(world: World, patient: str, started: datetime) -> str:
    with world.context.database.begin(world.tenant_id) as db:
        patient_id = db.scalars(select(PatientRow.id).where(PatientRow.fhir_id == patient)).one()
    path = Path(world.context.settings.data_dir) / f"{uuid4()}.npz"
    write_npz(arm_raises([120.0, 125.0, 130.0], np.random.default_rng(started.day)), path)
    report = replace(_report(started), repetitions_reported=None, duration_reported_s=None)
    with path.open("rb") as stream:
        row = accept_recording(
            world.context, world.tenant_id, patient_id, report, path.name, stream
        )
    score_session(world.context, world.tenant_id, row.id)
    return row.id


def _report(started: datetime) -> SessionReport:
    return SessionReport(
        session_id=str(uuid4()),
        line="shoulder_abduction",
        started_at=started,
        pain=Pain(5, 4),
        repetitions_reported=20,
        duration_reported_s=timedelta(minutes=8).total_seconds(),
    )
