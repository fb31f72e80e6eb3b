"""The same code on PostgreSQL, with Redis and with RabbitMQ."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from kombu import Connection
from sqlalchemy import select, text

from app.config import Settings
from app.context import open_context
from app.demo import walk
from app.demo.browser import wait_for
from app.signing_keys import public_jwks
from app.store import OutboxRow, PatientRow, Tenant, TenantMissing
from app.store.base import Database
from app.store.upgrade import is_current, upgrade
from tests.app.test_service import count, open_program, sign_program
from tests.app.test_time_pages import (
    ADA,
    SAMUEL,
    counted_s,
    ledger_of,
    monitored,
    time_page,
    work,
)
from tests.conftest import World, service_url


def _broker(variable: str, default: str) -> str:
    def answers(url: str) -> None:
        with Connection(url, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, timeout=3)

    return service_url(variable, default, answers)


def test_the_service_runs_on_postgresql(make_world: Callable[..., World], postgresql: str) -> None:
    world = make_world(database_url=postgresql)
    browser = sign_program(world)
    url = f"{world.places.app}/chart/program.json"
    wait_for("the plan", lambda: browser.get_json(url)["careplan"], 60)
    world.context.database.engine.dispose()


def test_tabs_that_sign_at_once_on_postgresql_leave_one_signature(
    make_world: Callable[..., World], postgresql: str
) -> None:
    world = make_world(worker=False, database_url=postgresql)
    browser = monitored(world, SAMUEL, ADA)
    work(world, (0, 5), (20, 22), patient=ADA)
    work(world, (3, 8), patient=SAMUEL)
    pages = [time_page(world, browser) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda page: browser.submit(page, {}), pages))
    assert len(ledger_of(world, ADA).confirmations) == 1
    assert counted_s(world, ADA) == 420
    world.context.database.engine.dispose()


def test_processes_that_migrate_at_once_agree(postgresql: str) -> None:
    database = Database(postgresql)
    threads = [threading.Thread(target=upgrade, args=(database.engine,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert is_current(database.engine)
    with database.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    database.engine.dispose()


@pytest.mark.parametrize(
    ("variable", "default"),
    [
        ("REDIS_URL", "redis://127.0.0.1:6379/13"),
        ("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
    ],
)
def test_a_worker_of_its_own_delivers(
    make_world: Callable[..., World], variable: str, default: str
) -> None:
    broker = _broker(variable, default)
    queue = f"homestretch-test-{uuid.uuid4().hex[:8]}"
    world = make_world(worker=False, broker_url=broker, queue=queue)
    settings = world.context.settings
    environment = {
        **os.environ,
        "HOMESTRETCH_DATA_DIR": str(settings.data_dir),
        "HOMESTRETCH_BROKER_URL": broker,
        "HOMESTRETCH_QUEUE": queue,
        "HOMESTRETCH_PUBLIC_URL": world.places.app,
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "worker"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        browser = sign_program(world)
        url = f"{world.places.app}/chart/program.json"
        wait_for("the plan", lambda: browser.get_json(url)["careplan"], 90)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(timeout=30)


def test_a_broker_that_is_down_refuses_nobody(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False, broker_url="redis://127.0.0.1:1/0")
    sign_program(world)
    assert count(world, OutboxRow, OutboxRow.status == "pending") == 1


# Tenants -----------------------------------------------------------------------------------------


def test_a_query_that_names_no_tenant_is_an_error(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False)
    with (
        world.context.database.begin(None) as db,
        pytest.raises(TenantMissing, match="PatientRow"),
    ):
        db.scalars(select(PatientRow)).all()


def test_another_tenant_sees_nothing(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False)
    walk.launch_chart(world.places, "ada-okafor")
    with world.context.database.begin(None) as db:
        own = db.get_one(Tenant, world.tenant_id)
        db.add(
            Tenant(
                id="other",
                name="Other",
                iss="https://other.example/fhir",
                clinician_client_id="a",
                portal_client_id="b",
                backend_client_id="c",
                time_zone=own.time_zone,
            )
        )
    with world.context.database.begin(world.tenant_id) as db:
        patient = db.scalars(select(PatientRow)).one()
    with world.context.database.begin("other") as db:
        assert db.scalars(select(PatientRow)).all() == []
        assert db.get(PatientRow, patient.id) is None


def test_generated_keys_survive_a_restart(tmp_path: object) -> None:
    first = open_context(Settings(data_dir=tmp_path))  # type: ignore[arg-type]
    second = open_context(Settings(data_dir=tmp_path))  # type: ignore[arg-type]
    assert first.keys.secret_key == second.keys.secret_key
    now = first.now()
    assert public_jwks(first.keys.signing, now) == public_jwks(second.keys.signing, now)


def test_the_schedule_outlives_a_database_that_fails_for_a_while(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    def rename(old: str, new: str) -> None:
        with world.context.database.engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    rename("outbox", "outbox_away")
    said: list[str] = []

    def sweep_failed() -> bool:
        said.extend(capfd.readouterr())
        return "sweep_failed" in "".join(said)

    wait_for("the failing sweep", sweep_failed, 20)
    rename("outbox_away", "outbox")
    browser, page = open_program(world)
    world.fail_ehr(500, 4)  # more than one delivery's own tries: only a sweep brings it on
    browser.submit(page, {})
    url = f"{world.places.app}/chart/program.json"
    wait_for("the plan", lambda: browser.get_json(url)["careplan"], 60)
