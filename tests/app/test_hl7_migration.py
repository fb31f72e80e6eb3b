"""The HL7 v2 migration on a database that has patients already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from app.store.base import Database
from app.store.upgrade import migrating, upgrade

BEFORE = "0004"


def migrate(engine: Engine, run: Callable[[Config], None]) -> None:
    with migrating(engine) as config:
        run(config)


def add_patients(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tenant (id, name, iss, clinician_client_id, portal_client_id, "
                "backend_client_id, time_zone, billing_fhir_users, practice) VALUES "
                "('prairie', 'Prairie', 'https://x', 'a', 'b', 'c', 'UTC', '[]', '{}')"
            )
        )
        for number, facts in enumerate(('{"mrn": "SYN-0001"}', '{"mrn": null}', "{}"), start=1):
            connection.execute(
                text(
                    "INSERT INTO patient (id, tenant_id, fhir_id, name, birth_date, time_zone, "
                    "demographics, billing, seen_at) VALUES (:id, 'prairie', :fhir_id, 'A', "
                    "'1958-02-14', 'UTC', :facts, '{}', '2026-04-01 00:00:00+00:00')"
                ),
                {"id": number, "fhir_id": f"p{number}", "facts": facts},
            )


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    if request.param == "sqlite":
        return Database(f"sqlite:///{tmp_path / 'old.db'}").engine
    return Database(request.getfixturevalue("postgresql")).engine


def test_patients_already_there_are_found_by_their_record_number(engine: Engine) -> None:
    migrate(engine, lambda config: command.upgrade(config, BEFORE))
    add_patients(engine)
    upgrade(engine)
    with engine.connect() as connection:
        numbers = connection.execute(text("SELECT mrn FROM patient ORDER BY id")).scalars().all()
        settings = connection.execute(text("SELECT hl7 FROM tenant")).scalar_one()
    assert numbers == ["SYN-0001", None, None]
    assert settings in ("{}", {})
    migrate(engine, lambda config: command.downgrade(config, BEFORE))
    engine.dispose()
