"""The database: engine, column types, and the guard that no query forgets its tenant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar, cast

from psycopg import sql
from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    Connection,
    DateTime,
    Engine,
    ForeignKey,
    MetaData,
    Table,
    any_,
    create_engine,
    event,
    func,
    insert,
    literal,
    literal_column,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import (
    DeclarativeBase,
    InstrumentedAttribute,
    Mapped,
    ORMExecuteState,
    Session,
    mapped_column,
    with_loader_criteria,
)
from sqlalchemy.types import JSON, TypeDecorator

from app.store.documents import serialize

T = TypeVar("T")

ALL_TENANTS = "all_tenants"
_QUARTER: ColumnClause[float] = literal_column("0.25")


class TenantMissing(RuntimeError):
    """A query reached a tenant's rows without saying which tenant: a bug in the caller."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, stored as UTC; naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored instant must carry a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON}


class TenantOwned:
    """A row of one health system; the session's tenant filters every query for it."""

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"), index=True)


class Database:
    """One engine and the sessions on it."""

    def __init__(self, url: str) -> None:
        self.engine = _make_engine(url)

    @contextmanager
    def begin(self, tenant_id: str | None) -> Iterator[Session]:
        """A session in one transaction, committed at the end, rolled back on error.

        `tenant_id` None sees only rows that belong to no tenant, unless a statement carries
        the execution option `all_tenants`.
        """
        session = Session(self.engine, expire_on_commit=False, info={"tenant_id": tenant_id})
        with session, session.begin():
            yield session


@event.listens_for(Session, "do_orm_execute")
def _hold_to_tenant(state: ORMExecuteState) -> None:
    if state.execution_options.get(ALL_TENANTS) or state.is_column_load:
        return
    touched = [m for m in state.all_mappers if issubclass(m.class_, TenantOwned)]
    if not touched:
        return
    tenant_id = state.session.info.get("tenant_id")
    if tenant_id is None:
        names = ", ".join(sorted(mapper.class_.__name__ for mapper in touched))
        raise TenantMissing(f"a query for {names} names no tenant")
    if state.session.get_bind().dialect.name == "sqlite":
        # Else SQLite, which has no statistics, takes a tenant to have ten rows, and reads all that
        # it has to find those of one patient. The hint takes no bound value.
        rows = with_loader_criteria(
            TenantOwned,
            lambda cls: func.likelihood(cls.tenant_id == tenant_id, _QUARTER),
            include_aliases=True,
        )
    else:
        rows = with_loader_criteria(
            TenantOwned, lambda cls: cls.tenant_id == tenant_id, include_aliases=True
        )
    state.statement = state.statement.options(rows)


@event.listens_for(Session, "do_orm_execute")
def _lock_where_rows_have_no_locks(state: ORMExecuteState) -> None:
    """SQLite passes over FOR UPDATE: there the whole file is locked for writing before the read.

    Else two workers could both read a row as not yet done, and both do it.
    """
    if getattr(state.statement, "_for_update_arg", None) is None:
        return
    connection = state.session.connection()
    if connection.dialect.name != "sqlite":
        return
    sqlite: Any = connection.connection.dbapi_connection
    if not sqlite.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@event.listens_for(Session, "before_flush")
def _stamp_tenant(session: Session, context: Any, instances: Any) -> None:
    tenant_id = session.info.get("tenant_id")
    for row in session.new:
        if isinstance(row, TenantOwned):
            if row.tenant_id is None and tenant_id is not None:
                row.tenant_id = tenant_id
            if row.tenant_id is None or (tenant_id and row.tenant_id != tenant_id):
                raise TenantMissing(f"a new {type(row).__name__} names no or another tenant")


def in_parts(values: Sequence[T], size: int = 500) -> Iterator[Sequence[T]]:
    """`values`, so many at once as a database surely takes in one query."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def among(
    session: Session,
    column: InstrumentedAttribute[T] | InstrumentedAttribute[T | None],
    values: Collection[T],
) -> ColumnElement[bool]:
    """That `column` is one of many `values`.

    PostgreSQL gets them as one array: a parameter for each costs more than the query.
    """
    if session.get_bind().dialect.name == "postgresql":
        return column == any_(literal(list(values), ARRAY(column.type)))
    return column.in_(values)


def insert_rows(
    session: Session, kind: type[TenantOwned], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Inserts many rows of `kind` at once, each stamped with the session's tenant.

    The session knows nothing of them; they take a fifth of the time of as many objects. Each has
    the same columns, and all that have no default of the database's. PostgreSQL gets them by COPY.
    """
    stamped = [{**row, "tenant_id": session.info["tenant_id"]} for row in rows]
    if not stamped:
        return
    table, connection = cast(Table, cast(Any, kind).__table__), session.connection()
    if connection.dialect.name == "postgresql":
        _copy(connection, table, stamped)
    else:
        connection.execute(insert(table), stamped)


def _copy(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raises KeyError where a row lacks a column that the first has, and the driver's errors."""
    names = tuple(rows[0])
    processors = [table.columns[name].type.bind_processor(connection.dialect) for name in names]
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), columns)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(into) as copy:
        for row in rows:
            copy.write_row(
                [
                    process(row[name]) if process else row[name]
                    for name, process in zip(names, processors, strict=True)
                ]
            )


def _make_engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, json_serializer=serialize)
    engine = create_engine(url, connect_args={"timeout": 30}, json_serializer=serialize)

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # an acknowledged session survives power loss
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    return engine
