"""How fast sessions go through the outbox to an EHR, beside a bare HTTP client's posting.

    python -m bench.outbox [--sessions 100] [--rounds 5]

The EHR is the sandbox, in a process of its own. Both send session Bundles that it has not seen,
in turns, so that a growing store and a busy machine slow them alike. The outbox leases, builds,
checks, keeps, sends and notes each; the bare client only posts Bundles that were built before.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import requests
import structlog
from sqlalchemy import select

from app.config import Settings
from app.context import Context, open_context
from app.demo.figure import arm_raises
from app.demo.tenant import TENANT_ID, register
from app.ehr import backend_client
from app.jobs.deliver import DEVICE, deliver_due
from app.prescribing import sign
from app.sessions import conclude
from app.signing_keys import public_jwks
from app.store import OutboxRow, PatientRow, PractitionerRow, ProgramRow, SessionRow, Tenant
from app.store.upgrade import upgrade
from fhir.client import JSON
from fhir.observation import session_bundle
from rtm.exercises import load_library
from rtm.protocols import draft_program, load_protocols
from rtm.session import ExerciseResult, Pain, Session
from smart_launch.sandbox.config import SandboxConfig
from smart_launch.sandbox.registration import Client
from smart_launch.sandbox.server import make_sandbox_server
from vision.score import score_series

EXERCISE = "shoulder_abduction"
PATIENT = "samuel-brandt"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=100, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    result = score_series(arm_raises([140.0] * 8, np.random.default_rng(1)), _exercise()).result
    with tempfile.TemporaryDirectory() as folder, _ehr(Path(folder)) as (context, token):
        row = _prepared(context)
        through, bare = [], []
        for _ in range(asked.rounds):
            _queue(context, row, result, asked.sessions)
            through.append(asked.sessions / _timed(deliver_due, context, TENANT_ID, row.patient_id))
            bundles = [_bundle(row, result) for _ in range(asked.sessions)]
            bare.append(asked.sessions / _timed(_post, bundles, token, _iss(context)))
        with context.database.begin(TENANT_ID) as db:
            unsent = db.scalars(select(OutboxRow).where(OutboxRow.status != "delivered")).all()
        if unsent:
            raise SystemExit(f"{len(unsent)} messages were not delivered: {unsent[0].last_error}")
    ratio = statistics.median(a / b for a, b in zip(through, bare, strict=True))
    print(f"through the outbox    {statistics.median(through):6.1f} sessions/s")
    print(f"bare HTTP client      {statistics.median(bare):6.1f} sessions/s")
    print(f"outbox ÷ bare         {ratio:6.2f} (median of {asked.rounds} rounds, aim ≥ 0.7)")


def _timed(run: Any, *arguments: Any) -> float:
    began = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - began


@contextmanager
def _ehr(folder: Path) -> Iterator[tuple[Context, str]]:
    """The service on a new database, and the sandbox in another process, with a token for it."""
    context = open_context(Settings(data_dir=folder / "data"))
    upgrade(context.database.engine)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    keys = public_jwks(context.keys.signing, context.now())
    server = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(port, folder / "sandbox.db", keys), daemon=True
    )
    server.start()
    try:
        base = f"http://127.0.0.1:{port}"
        _await(f"{base}/fhir/metadata")
        register(context, f"{base}/fhir")
        with context.database.begin(None) as db:
            client = backend_client(context, db.get_one(Tenant, TENANT_ID))
        yield context, client.token(False)
    finally:
        server.terminate()
        server.join()


def _serve(port: int, database: Path, keys: dict[str, Any]) -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    scope = "system/*.cruds"
    client = Client("homestretch-backend", (), ("client_credentials",), scope, jwks=keys)
    config = SandboxConfig(
        f"http://127.0.0.1:{port}", "http://127.0.0.1:9", database, clients=(client,)
    )
    make_sandbox_server(config, "127.0.0.1", port).serve_forever()


def _await(url: str) -> None:
    for _ in range(200):
        try:
            requests.get(url, timeout=2).raise_for_status()
            return
        except requests.RequestException:
            time.sleep(0.1)
    raise SystemExit("the sandbox did not start")


def _prepared(context: Context) -> ProgramRow:
    """A patient with a program that has reached the EHR."""
    now = context.now()
    with context.database.begin(TENANT_ID) as db:
        therapist = PractitionerRow(
            fhir_user="Practitioner/terry-alvarez",
            name="Terry Alvarez",
            family="Alvarez",
            given="Terry",
            npi="1999999919",
            taxonomy="225100000X",
            provider_kind="pt",
        )
        patient = PatientRow(
            fhir_id=PATIENT,
            name="Samuel Brandt",
            birth_date=now.date() - timedelta(days=25_000),
            time_zone="America/Chicago",
            demographics={},
            billing={},
            seen_at=now,
        )
        db.add_all([therapist, patient])
    protocol = load_protocols()["shoulder_pain"]
    phase = protocol.phase("motion_strength")
    row = sign(
        context,
        TENANT_ID,
        patient_id=patient.id,
        practitioner_id=therapist.id,
        draft=draft_program(protocol, phase, id=str(uuid4()), start=now.date(), side="right"),
        signing_key=str(uuid4()),
    )
    deliver_due(context, TENANT_ID, patient.id)
    with context.database.begin(TENANT_ID) as db:
        return db.get_one(ProgramRow, row.id)


def _queue(context: Context, program: ProgramRow, result: ExerciseResult, count: int) -> None:
    with context.database.begin(TENANT_ID) as db:
        for _ in range(count):
            row = SessionRow(
                id=str(uuid4()),
                patient_id=program.patient_id,
                program_row_id=program.id,
                exercise_id=EXERCISE,
                side="right",
                source="landmarks",
                started_at=context.now(),
                received_at=context.now(),
                pain_before=4,
                pain_after=3,
                status="received",
            )
            db.add(row)
            db.flush()
            conclude(context, db, row, result, result.duration_s)


def _bundle(program: ProgramRow, result: ExerciseResult) -> dict[str, Any]:
    now = datetime.now(UTC)
    session = Session(
        str(uuid4()), EXERCISE, "right", "landmarks", now, result.duration_s, Pain(4, 3), result
    )
    return session_bundle(
        session,
        patient=f"Patient/{PATIENT}",
        careplan=program.careplan_reference,
        program_id=program.program_id,
        exercise_name=_exercise().name["en"],
        device=DEVICE,
        recorded=now,
    )


def _post(bundles: Sequence[dict[str, Any]], token: str, url: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": JSON, "Accept": JSON}
    with requests.Session() as http:
        for bundle in bundles:
            answer = http.post(url, data=json.dumps(bundle), headers=headers, timeout=30)
            answer.raise_for_status()
            answer.json()


def _iss(context: Context) -> str:
    with context.database.begin(None) as db:
        return db.get_one(Tenant, TENANT_ID).iss


def _exercise() -> Any:
    return load_library()[EXERCISE]


if __name__ == "__main__":
    main()
