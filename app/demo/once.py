"""`make demo-once`: the whole path headless, on a real video, into six files."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import sys
import threading
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from werkzeug.serving import WSGIRequestHandler, make_server

from app import logs
from app.accounts import read_account
from app.config import Settings
from app.context import Context, open_context
from app.demo import walk
from app.demo.browser import DemoFailed, wait_for
from app.demo.history import STORIES, history_month, write_history
from app.demo.tenant import TENANT_ID, register
from app.ehr import backend_client
from app.jobs.embedded import EmbeddedWorker
from app.service import create_app
from app.sessions import stored_session
from app.store import OutboxRow, PatientRow, SessionRow, Tenant
from app.store.upgrade import upgrade
from billing.case import tally_json
from billing.tally import tally
from rtm.exercises import load_library
from smart_launch.sandbox.config import SandboxConfig
from smart_launch.sandbox.server import create_sandbox
from vision.draw import plot_angle
from vision.report import result_json
from vision.score import score_file

_PATIENT, _PROTOCOL, _PHASE = "samuel-brandt", "shoulder_pain", "motion_strength"
_EXERCISE = "shoulder_abduction"


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """The summary is what is printed."""


def run_once(out: Path) -> int:
    """Runs launch → prescribe → score → Observations → tally → claim; 0 only if all happened."""
    logs.configure(logging.WARNING)
    if out.exists():
        shutil.rmtree(out)
    work = out / "work"
    work.mkdir(parents=True)
    try:
        _run(out, work)
    except DemoFailed as error:
        print(f"homestretch: the demonstration failed: {error}", file=sys.stderr)
        return 1
    return 0


def _run(out: Path, work: Path) -> None:
    app_port, ehr_port = _free_port(), _free_port()
    places = walk.Places(f"http://127.0.0.1:{app_port}", f"http://127.0.0.1:{ehr_port}")
    context = open_context(Settings(_env_file=None, data_dir=work, public_url=places.app))
    upgrade(context.database.engine)
    config = SandboxConfig(places.ehr, places.app, work / "sandbox.db")
    _serve(create_sandbox(config), ehr_port)
    app = create_app(context=context)
    EmbeddedWorker(context, app.extensions["homestretch_jobs"].celery).start()
    _serve(app, app_port)
    register(context, config.fhir_base)

    _say("1 launch", f"{_PATIENT} opened in the sandbox EHR by {walk.THERAPIST}")
    clinician = walk.launch_chart(places, _PATIENT)
    write_history(context, [story for story in STORIES if story.patient == _PATIENT])
    status = walk.prescribe(clinician, places, _PROTOCOL, _PHASE)
    _say("2 prescribe", f"version {status['version']} signed, read back as {status['careplan']}")

    patient = walk.sign_in_patient(places, TENANT_ID, _PATIENT)
    session_id = walk.send_video(patient, places, _EXERCISE, walk.CLIP)
    result = _session_files(context, session_id, out)
    _say(
        "3 score",
        f"{result['repetition_count']} repetitions, "
        f"ROM {result['primary_angle']['rom_deg']}°, score {result['score']['total']}",
    )

    wait_for("the outbox", lambda: _undelivered(context) == 0)
    observations = _fhir_files(context, str(status["careplan"]), session_id, out)
    _say("4 Observations", f"{observations} in the EHR for this session")

    today = context.now().date()
    month = f"{history_month(today)[0]:%Y-%m}"
    charges = _tally_file(context, today, out)
    _say("5 tally", ", ".join(f"{c['code']}×{c['units']}" for c in charges))
    (out / "claims.837").write_bytes(walk.export_claims(places, TENANT_ID, month))
    _say("6 claim", f"837P for {month}: {(out / 'claims.837').stat().st_size} bytes")
    print(f"all written to {out}/")


def _session_files(context: Context, session_id: str, out: Path) -> dict[str, Any]:
    with context.database.begin(TENANT_ID) as db:
        row = db.get_one(SessionRow, session_id)
    session = stored_session(row)
    if session is None or session.result is None:
        raise DemoFailed("the session has no result")
    result = result_json(session.result)
    _write(out / "session.json", result)
    recording = context.settings.recordings_dir / str(row.recording)
    exercise = load_library()[_EXERCISE]
    plot_angle(score_file(recording, exercise), out / "session.png", exercise)
    return result


def _fhir_files(context: Context, careplan: str, session_id: str, out: Path) -> int:
    with context.database.begin(None) as db:
        tenant = db.get_one(Tenant, TENANT_ID)
    client = backend_client(context, tenant)
    _write(out / "careplan.json", client.read(careplan))
    found = [
        observation
        for observation in client.search("Observation", {"based-on": careplan, "_count": "200"})
        if any(i["value"].startswith(session_id) for i in observation.get("identifier", ()))
    ]
    if not found:
        raise DemoFailed("the EHR has no Observation of the session")
    _write(out / "observations.json", found)
    return len(found)


def _tally_file(context: Context, today: date, out: Path) -> list[dict[str, Any]]:
    with context.database.begin(TENANT_ID) as db:
        patient = db.scalar(select(PatientRow).where(PatientRow.fhir_id == _PATIENT))
        assert patient is not None, "was launched above"
        account = read_account(db, patient, today)
    if account is None:
        raise DemoFailed("the patient has no episode to tally")
    document = tally_json(tally(account))
    if not document["charges"]:
        raise DemoFailed(f"nothing is billable: {document['shortfalls']} {document['blocked']}")
    _write(out / "tally.json", document)
    charges: list[dict[str, Any]] = document["charges"]
    return charges


def _undelivered(context: Context) -> int:
    with context.database.begin(TENANT_ID) as db:
        stuck = db.scalar(select(OutboxRow.last_error).where(OutboxRow.status == "stuck"))
        if stuck:
            raise DemoFailed(f"a message to the EHR is stuck: {stuck}")
        return (
            db.scalar(
                select(func.count()).select_from(OutboxRow).where(OutboxRow.status == "pending")
            )
            or 0
        )


def _serve(app: Any, port: int) -> None:
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def _say(step: str, what: str) -> None:
    print(f"{step:15} {what}", flush=True)
