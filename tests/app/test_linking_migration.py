"""The migration to invitations and consents on a database that has episodes already."""

from __future__ import annotations

from alembic import command
from sqlalchemy import Engine, text

from app.store.upgrade import upgrade
from tests.app.test_hl7_migration import add_patients, engine, migrate  # noqa: F401  # a fixture

BEFORE = "0011"
AT = "2026-04-02 10:00:00+00:00"


def test_episodes_already_there_were_last_changed_when_they_were_recorded(
    engine: Engine,  # noqa: F811
) -> None:
    migrate(engine, lambda config: command.upgrade(config, BEFORE))
    add_patients(engine)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO episode (id, tenant_id, patient_id, document, recorded_at) "
                f"VALUES ('e', 'prairie', 1, '{{}}', '{AT}')"
            )
        )
    upgrade(engine)
    with engine.connect() as connection:
        updated = connection.execute(text("SELECT updated_at FROM episode")).scalar_one()
    assert str(updated)[:16] == "2026-04-02 10:00"
    migrate(engine, lambda config: command.downgrade(config, BEFORE))
    engine.dispose()
