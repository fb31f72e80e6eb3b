"""The service and a sandbox EHR on real sockets, and the outside services that tests may use."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from app.config import Settings
from app.context import Context, open_context
from app.demo.tenant import TENANT_ID, register
from app.demo.walk import Places
from app.jobs.embedded import EmbeddedWorker
from app.service import create_app
from app.store.upgrade import upgrade
from smart_launch.sandbox.config import SandboxConfig
from smart_launch.sandbox.profiles import OPEN
from smart_launch.sandbox.server import make_sandbox_server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _can_bind(probe: socket.socket, port: int) -> bool:
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def serve_again(port: int, app: Any) -> BaseWSGIServer:
    """A server at a port that another one had; a passing connection may hold it for a moment."""
    until = time.monotonic() + 20
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            is_free = _can_bind(probe, port)
        if is_free or time.monotonic() > until:
            break
        time.sleep(0.1)
    server = make_server("127.0.0.1", port, app, threaded=True)
    serve(server)
    return server


class WebProcess:
    """The service's process, as it were: its web server and, where wanted, its worker.

    It can be stopped and started again at the same address.
    """

    def __init__(self, port: int, worker: bool) -> None:
        self._port, self._has_worker = port, worker
        self._stops: list[Callable[[], None]] = []

    def start(self, context: Context, app: Flask) -> None:
        web = serve_again(self._port, app)
        self._stops = [web.server_close, web.shutdown]
        if self._has_worker:
            worker = EmbeddedWorker(context, app.extensions["homestretch_jobs"].celery)
            worker.start()
            self._stops.append(worker.stop)

    def stop(self) -> None:
        while self._stops:
            self._stops.pop()()


@dataclass
class World:
    """A running service with its sandbox EHR and a registered health system."""

    places: Places
    context: Context
    app: Flask
    sandbox: SandboxConfig
    process: WebProcess
    tenant_id: str = TENANT_ID

    def start_again(self) -> None:
        """After `process.stop`: everything is read again from the same settings and disk."""
        context = open_context(self.context.settings)
        self.process.start(context, create_app(context=context))

    def fail_ehr(self, status: int, count: int) -> None:
        """The EHR's next `count` FHIR requests answer `status`."""
        self.plan_faults(status=status, count=count)

    def plan_faults(self, **plan: object) -> None:
        """What goes wrong at the EHR from now on (`smart_launch.sandbox.faults.Plan`)."""
        requests.post(f"{self.sandbox.fhir_base}/_faults", json=plan, timeout=5).raise_for_status()


def serve(server: BaseWSGIServer) -> None:
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxConfig]:
    """A sandbox EHR alone; the registered app is not there."""
    port = free_port()
    config = SandboxConfig(
        f"http://127.0.0.1:{port}", "http://127.0.0.1:9", tmp_path / "sandbox.db", faults=True
    )
    server = make_sandbox_server(config, "127.0.0.1", port)
    serve(server)
    yield config
    server.shutdown()
    server.server_close()


@contextmanager
def worlds(folder: Path) -> Iterator[Callable[..., World]]:
    """Starts worlds in `folder`, and stops them at the end.

    Arguments override a world's settings, `ehr` those of the sandbox EHR, and `profile` says what
    kind of EHR that is.
    """
    stops: list[Callable[[], None]] = []

    def make(
        worker: bool = True,
        profile: str = OPEN,
        ehr: Callable[[Places], Mapping[str, Any]] = lambda places: {},
        **overrides: object,
    ) -> World:
        app_port, ehr_port = free_port(), free_port()
        places = Places(f"http://127.0.0.1:{app_port}", f"http://127.0.0.1:{ehr_port}")
        settings = Settings(
            **{
                "data_dir": folder / "data",
                "public_url": places.app,
                "outbox_sweep_s": 0.2,
                **overrides,
            }
        )
        context = open_context(settings)
        upgrade(context.database.engine)
        config = SandboxConfig(
            places.ehr, places.app, folder / "sandbox.db", faults=True, profile=profile
        )
        ehr_server = make_sandbox_server(replace(config, **ehr(places)), "127.0.0.1", ehr_port)
        app = create_app(context=context)
        serve(ehr_server)
        stops.extend((ehr_server.server_close, ehr_server.shutdown))
        process = WebProcess(app_port, worker)
        process.start(context, app)
        stops.append(process.stop)
        register(context, config.fhir_base)
        return World(places, context, app, config, process)

    try:
        yield make
    finally:
        for stop in reversed(stops):
            stop()


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    with worlds(tmp_path) as make:
        yield make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


def service_url(variable: str, default: str, answers: Callable[[str], None]) -> str:
    """The URL of an outside service if it answers; else skips and says so, or fails where
    REQUIRE_SERVICES promises it."""
    url = os.environ.get(variable, default)
    try:
        answers(url)
    except Exception as error:
        reason = f"{variable}: no answer from {url.split('@')[-1]} ({type(error).__name__})"
        if os.environ.get("REQUIRE_SERVICES"):
            pytest.fail(reason)
        pytest.skip(reason)
    return url


@pytest.fixture
def postgresql() -> Iterator[str]:
    """A database of its own on the server at POSTGRESQL_URL."""
    server = service_url(
        "POSTGRESQL_URL",
        "postgresql://postgres@127.0.0.1:5432/postgres",
        lambda url: psycopg.connect(url, connect_timeout=3).close(),
    )
    name = f"homestretch_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
    yield server.rsplit("/", 1)[0].replace("postgresql://", "postgresql+psycopg://") + f"/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[arg-type]
