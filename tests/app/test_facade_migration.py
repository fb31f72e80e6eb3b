"""The FHIR API's migration on a database that has results already."""

from __future__ import annotations

from alembic import command
from sqlalchemy import Engine, text

from app.store.upgrade import upgrade
from tests.app.test_hl7_migration import add_patients, engine, migrate  # noqa: F401  # a fixture

BEFORE = "0010"
AT = "2026-04-02 10:00:00+00:00"


def add_sessions(engine: Engine) -> None:  # noqa: F811
    """One with its message to the EHR, one whose message is gone, one without a result."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO practitioner (id, tenant_id, fhir_user, name, family, given, "
                "provider_kind) VALUES (1, 'prairie', 'Practitioner/1', 'T', 'T', '', 'pt')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO program (id, tenant_id, patient_id, program_id, version, document, "
                "signing_key, signed_by, signed_at) "
                f"VALUES (1, 'prairie', 1, 'p', 1, '{{}}', 'k', 1, '{AT}')"
            )
        )
        for id_, document in (("told", "'{}'"), ("untold", "'{}'"), ("waiting", "NULL")):
            connection.execute(
                text(
                    "INSERT INTO session (id, tenant_id, patient_id, program_row_id, exercise_id, "
                    "side, source, started_at, received_at, pain_before, pain_after, status, "
                    f"document) VALUES ('{id_}', 'prairie', 1, 1, 'squat', 'left', 'video', "
                    f"'{AT}', '{AT}', 1, 1, 'scored', {document})"
                )
            )
        connection.execute(
            text(
                "INSERT INTO outbox (id, tenant_id, idempotency_key, kind, subject, patient_id, "
                "status, attempts, created_at, next_attempt_at) VALUES (1, 'prairie', "
                f"'session:told', 'session', 'told', 1, 'delivered', 1, "
                f"'2026-04-02 10:05:00+00:00', '{AT}')"
            )
        )


def test_results_already_there_have_a_time_and_a_software_version(
    engine: Engine,  # noqa: F811
) -> None:
    migrate(engine, lambda config: command.upgrade(config, BEFORE))
    add_patients(engine)
    add_sessions(engine)
    upgrade(engine)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT id, concluded_at, software_version FROM session ORDER BY id")
        ).all()
    engine.dispose()
    told = {row[0]: (row[1] and str(row[1])[11:16], row[2]) for row in rows}
    assert told == {
        "told": ("10:05", "0.1.0"),
        "untold": ("10:00", "0.1.0"),
        "waiting": (None, None),
    }
