"""A seeded sandbox for each test, with tokens for it, and a server that answers as it is told."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from joserfc.jwk import ECKey, RSAKey
from werkzeug.serving import make_server

from smart_launch.backend_service import backend_token
from smart_launch.client_authentication import KeyClient
from smart_launch.sandbox.config import SandboxConfig
from smart_launch.sandbox.profiles import OPEN
from smart_launch.sandbox.registration import Client
from smart_launch.sandbox.server import create_sandbox

BACKEND_KEY = RSAKey.generate_key(2048, {"kid": "backend-rsa"})
BACKEND_EC_KEY = ECKey.generate_key("P-384", {"kid": "backend-ec"})
APP = "http://127.0.0.1:9"
SECRET = "s3cret: with a colon, ü and %"

_FULL_SCOPE = "openid fhirUser launch offline_access user/Patient.rs user/Observation.rs"


def _clients() -> tuple[Client, ...]:
    keys = [BACKEND_KEY.as_dict(private=False), BACKEND_EC_KEY.as_dict(private=False)]
    code_flow = ("authorization_code", "refresh_token")
    return (
        Client(
            "homestretch-backend",
            (),
            ("client_credentials",),
            "system/*.cruds",
            jwks={"keys": keys},
        ),
        Client(
            "with-secret",
            (f"{APP}/launch/callback/prairie",),
            code_flow,
            _FULL_SCOPE,
            client_secret=SECRET,
        ),
        Client(
            "with-key",
            (f"{APP}/launch/callback/prairie",),
            code_flow,
            _FULL_SCOPE,
            jwks={"keys": keys},
        ),
        Client(
            "with-posted-secret",
            (f"{APP}/launch/callback/prairie",),
            code_flow,
            _FULL_SCOPE,
            client_secret=SECRET,
            secret_method="client_secret_post",
        ),
    )


@pytest.fixture(scope="session")
def seeded_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sandbox's database as it is after its first start."""
    path = tmp_path_factory.mktemp("seeded") / "sandbox.db"
    create_sandbox(SandboxConfig("http://127.0.0.1", APP, path))
    return path


@pytest.fixture
def sandbox(
    request: pytest.FixtureRequest, tmp_path: Path, seeded_database: Path
) -> Iterator[SandboxConfig]:
    """A sandbox EHR alone, on a socket; the registered app is not there.

    Of the profile that a test's indirect parameter names, else the open one.
    """
    for part in seeded_database.parent.glob(f"{seeded_database.name}*"):
        shutil.copy(part, tmp_path / part.name)
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    config = SandboxConfig(
        f"http://127.0.0.1:{server.port}",
        APP,
        tmp_path / seeded_database.name,
        faults=True,
        clients=_clients(),
        profile=getattr(request, "param", OPEN),
    )
    server.app = create_sandbox(config)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield config
    server.shutdown()
    server.server_close()


@dataclass(frozen=True)
class Rest:
    """The sandbox's FHIR API with a token that may do everything."""

    base: str
    token: str

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/fhir+json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return requests.request(method, f"{self.base}{path}", data=data, headers=sent, timeout=10)


@pytest.fixture
def rest(sandbox: SandboxConfig) -> Rest:
    token = backend_token(
        f"{sandbox.base_url}/auth/token",
        iss=sandbox.fhir_base,
        client_id="homestretch-backend",
        client=KeyClient(BACKEND_KEY),
        scope="system/*.cruds",
        now=datetime.now(UTC),
    )
    return Rest(sandbox.fhir_base, token.access_token)


@dataclass
class Told:
    """A server on a socket that answers each path as told, and keeps what it was asked."""

    base: str
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    def answer(self, path: str, body: Any, status: int = 200) -> None:
        """`body` is sent as JSON, or as it is where it is bytes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[path] = (status, content)

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.asked]


@pytest.fixture
def told() -> Iterator[Told]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            server.asked.append((self.path, form, dict(self.headers)))
            status, content = server.answers.get(self.path, (404, b"not here"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            for name, value in server.headers.get(self.path, {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815  # the name that http.server looks for

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Told(f"http://127.0.0.1:{http.server_port}")
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    http.shutdown()
    http.server_close()


@pytest.fixture
def at_once() -> Callable[[list[Callable[[], Any]]], list[Any]]:
    """Runs every call in a thread of its own, together; each one's result or exception."""

    def run(calls: list[Callable[[], Any]]) -> list[Any]:
        results: list[Any] = [None] * len(calls)
        start = threading.Barrier(len(calls))

        def one(index: int) -> None:
            start.wait()
            try:
                results[index] = calls[index]()
            except Exception as error:
                results[index] = error

        threads = [threading.Thread(target=one, args=(index,)) for index in range(len(calls))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    return run
