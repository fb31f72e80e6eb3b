"""Alembic's entry: runs migrations on the connection that `app.store.upgrade` hands over."""

from typing import Any, Literal

from alembic import context

from app.store import Base
from app.store.base import UtcDateTime


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """A migration stands on SQLAlchemy alone: our types may change, it may not."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_item=render_item,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
