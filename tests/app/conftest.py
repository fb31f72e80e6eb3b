"""Fixtures of the running service's tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.config import Settings
from app.context import open_context
from app.store.upgrade import upgrade
from tests.app.hl7_clinic import Clinic


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
