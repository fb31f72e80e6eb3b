"""What every use case needs of the running service, passed in rather than looked up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from app.config import Settings
from app.keys import Keys, load_keys
from app.store import Database
from smart_launch.token_vault import TokenVault


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Context:
    """Settings, keys, database and clock of one process."""

    settings: Settings
    keys: Keys
    database: Database
    vault: TokenVault
    now: Callable[[], datetime] = utc_now


def open_context(settings: Settings, now: Callable[[], datetime] = utc_now) -> Context:
    """Connects; makes the data folder, and keys where none are set."""
    settings.recordings_dir.mkdir(parents=True, exist_ok=True)
    keys = load_keys(settings)
    return Context(
        settings=settings,
        keys=keys,
        database=Database(settings.effective_database_url),
        vault=TokenVault(keys.vault_keys),
        now=now,
    )
