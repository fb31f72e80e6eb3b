"""The sandbox's tables: resource versions, their identifiers, launches, codes and tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import Dialect, Engine, Index, Table, create_engine, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import JSON, DateTime, TypeDecorator

# Counts changes to the tables of sign-ins, which live for hours and are made anew after one.
_SIGN_IN_SCHEMA = 3


class UtcDateTime(TypeDecorator[datetime]):
    """SQLite forgets time zones; everything here is UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value else None


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {dict[str, Any]: JSON, datetime: UtcDateTime}


class ResourceVersion(Base):
    """One version of a resource; a deletion is a version whose `document` is JSON's null."""

    __tablename__ = "resource_version"
    __table_args__ = (Index("ix_current", "resource_type", "current", "patient"),)

    resource_type: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    current: Mapped[bool]
    patient: Mapped[str | None]
    document: Mapped[dict[str, Any] | None] = mapped_column(JSON, nullable=False)
    updated: Mapped[datetime]
    sequence: Mapped[int] = mapped_column(index=True)


class ResourceIdentifier(Base):
    """`system|value` of a resource's current version."""

    __tablename__ = "resource_identifier"
    __table_args__ = (Index("ix_identifier", "resource_type", "value", "system"),)

    key: Mapped[int] = mapped_column(primary_key=True)
    resource_type: Mapped[str]
    id: Mapped[str]
    system: Mapped[str]
    value: Mapped[str]


class LaunchRow(Base):
    """An opaque `launch` handed to the app; single-use."""

    __tablename__ = "launch"

    id: Mapped[str] = mapped_column(primary_key=True)
    fhir_user: Mapped[str]
    patient: Mapped[str | None]
    encounter: Mapped[str | None]
    expires_at: Mapped[float]


class CodeRow(Base):
    """An authorization code and what it stands for; `family` will tie its tokens to it.

    `audience` is the FHIR API that the tokens are for.
    """

    __tablename__ = "authorization_code"

    code: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str]
    redirect_uri: Mapped[str]
    scope: Mapped[str]
    nonce: Mapped[str | None]
    code_challenge: Mapped[str]
    code_challenge_method: Mapped[str]
    fhir_user: Mapped[str]
    patient: Mapped[str | None]
    encounter: Mapped[str | None]
    auth_time: Mapped[int]
    expires_at: Mapped[float]
    family: Mapped[str]
    audience: Mapped[str]
    used: Mapped[bool] = mapped_column(default=False)


class TokenRow(Base):
    """An access token with its refresh token; `family` ties the rotations of one sign-in."""

    __tablename__ = "token"

    access_token: Mapped[str] = mapped_column(primary_key=True)
    refresh_token: Mapped[str | None] = mapped_column(index=True)
    client_id: Mapped[str]
    scope: Mapped[str]
    fhir_user: Mapped[str | None]
    patient: Mapped[str | None]
    encounter: Mapped[str | None]
    family: Mapped[str] = mapped_column(index=True)
    audience: Mapped[str]
    issued_at: Mapped[float]
    expires_in: Mapped[int]
    revoked: Mapped[bool] = mapped_column(default=False)


class UsedAssertion(Base):
    """The `jti` of a client assertion, kept while the assertion lasts: none is accepted twice."""

    __tablename__ = "used_assertion"

    jti: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[float]


class KeyRow(Base):
    """The signing key of the id_tokens, kept so that tokens survive a restart."""

    __tablename__ = "signing_key"

    kid: Mapped[str] = mapped_column(primary_key=True)
    jwk: Mapped[dict[str, Any]]


def open_engine(path: Path) -> Engine:
    """A SQLite engine with every table; one writer at a time, readers never wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    with engine.begin() as connection:
        if connection.scalar(text("PRAGMA user_version")) != _SIGN_IN_SCHEMA:
            for model in (LaunchRow, CodeRow, TokenRow, UsedAssertion):
                assert isinstance(model.__table__, Table)
                model.__table__.drop(connection, checkfirst=True)
            connection.execute(text(f"PRAGMA user_version = {_SIGN_IN_SCHEMA}"))
        Base.metadata.create_all(connection)
    return engine
