"""The columns of what is asked after a session, on a database that has sessions already."""

from __future__ import annotations

from alembic import command
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from app.sessions import row_feedback
from app.store import SessionRow
from app.store.upgrade import upgrade
from rtm.feedback import NO_FEEDBACK
from tests.app.test_facade_migration import add_sessions
from tests.app.test_hl7_migration import add_patients, engine, migrate  # noqa: F401  # a fixture


def test_sessions_already_there_were_not_asked_and_come_through_there_and_back(
    engine: Engine,  # noqa: F811
) -> None:
    migrate(engine, lambda config: command.upgrade(config, "0010"))
    add_patients(engine)
    add_sessions(engine)
    upgrade(engine)
    with Session(engine) as db:
        rows = db.scalars(select(SessionRow), execution_options={"all_tenants": True}).all()
        assert len(rows) == 3
        assert {row_feedback(row) for row in rows} == {NO_FEEDBACK}
    migrate(engine, lambda config: command.downgrade(config, "0011"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM session")).scalar() == 3
    upgrade(engine)
    engine.dispose()
