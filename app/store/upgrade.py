"""Bringing a database to the schema of this release."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

# Any constant: it only has to be the same in every process that migrates.
_UPGRADE_LOCK = 7_223_411


class ReferencesBroken(RuntimeError):
    """A migration left rows that refer to nothing; it was taken back."""


def upgrade(engine: Engine) -> None:
    """Runs every migration not yet applied; safe to call from several processes at once."""
    with migrating(engine) as config:
        command.upgrade(config, "head")


@contextmanager
def migrating(engine: Engine) -> Iterator[Config]:
    """One transaction for Alembic's commands, which no other process has at the same time.

    SQLite changes a table by making it anew, and would refuse to drop the old one for the rows
    that refer to it. They are not watched meanwhile, and looked at in the end.

    Raises:
        ReferencesBroken: rows refer to nothing afterwards.
    """
    with as_file(files("app.store") / "migrations") as folder, engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            _watch_references(connection, False)
        try:
            with connection.begin():
                if not is_sqlite:
                    lock = text("SELECT pg_advisory_xact_lock(:key)")
                    connection.execute(lock, {"key": _UPGRADE_LOCK})
                config = Config()
                config.set_main_option("script_location", str(folder))
                config.attributes["connection"] = connection
                yield config
                if is_sqlite and (left := connection.exec_driver_sql(_CHECK).all()):
                    tables = ", ".join(sorted({row[0] for row in left}))
                    raise ReferencesBroken(f"rows of {tables} refer to nothing")
        finally:
            if is_sqlite:
                _watch_references(connection, True)


_CHECK = "PRAGMA foreign_key_check"


def _watch_references(connection: Connection, on: bool) -> None:
    """Outside of any transaction, where alone SQLite heeds it."""
    connection.exec_driver_sql(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")
    connection.commit()


def is_current(engine: Engine) -> bool:
    """Whether the database has every migration of this release."""
    with as_file(files("app.store") / "migrations") as folder, engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(folder))
        head = ScriptDirectory.from_config(config).get_current_head()
        return MigrationContext.configure(connection).get_current_revision() == head
