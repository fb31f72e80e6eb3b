"""Fixtures of the running service's tests."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.config import Settings
from app.context import open_context
from app.store.upgrade import upgrade
from tests.app.hl7_clinic import Clinic
from tests.conftest import service_url


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy: migrating one for every test takes longer than the tests."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("empty"))
    database = open_context(settings).database
    upgrade(database.engine)
    database.engine.dispose()
    return settings.data_dir / "homestretch.db"


@pytest.fixture
def clinic(tmp_path: Path, empty_database: Path) -> Clinic:
    shutil.copy(empty_database, tmp_path / "homestretch.db")
    return Clinic(Settings(data_dir=tmp_path))


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
