"""The R4 store: each operation in one database transaction, with its grant checked."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from smart_launch.sandbox.access import Grant
from smart_launch.sandbox.database import ResourceVersion
from smart_launch.sandbox.outcome import FhirProblem
from smart_launch.sandbox.search import Criteria, sort_key
from smart_launch.sandbox.transaction import run_transaction
from smart_launch.sandbox.versions import (
    Resource,
    Stored,
    check_references,
    create,
    latest,
    matching,
    remove,
    replace,
    stored,
)


@dataclass(frozen=True)
class Page:
    """One page of a search and how many match in all."""

    resources: tuple[Resource, ...]
    total: int


class FhirStore:
    """What the REST API and the seed work on. Every method raises FhirProblem."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(
        self, grant: Grant, resource_type: str, id_: str, version: int | None = None
    ) -> Stored:
        """The current or the given version: 404 unknown, 410 deleted, 403 not in the grant.

        Another patient's resource is a 403.
        """
        with Session(self._engine) as db:
            if version is None:
                row = latest(db, resource_type, id_)
            else:
                row = db.get(ResourceVersion, (resource_type, id_, version))
            if row is None:
                raise FhirProblem(404, "not-found", f"{resource_type}/{id_} is not known here")
            grant.check(resource_type, "r", row.patient)
            if row.document is None:
                raise FhirProblem(410, "deleted", f"{resource_type}/{id_} was deleted")
            return stored(row)

    def history(self, grant: Grant, resource_type: str, id_: str) -> list[Stored]:
        """Every version, newest first; the grant must cover each."""
        with Session(self._engine) as db:
            rows = db.scalars(
                select(ResourceVersion)
                .where(ResourceVersion.resource_type == resource_type, ResourceVersion.id == id_)
                .order_by(ResourceVersion.version.desc())
            ).all()
            if not rows:
                raise FhirProblem(404, "not-found", f"{resource_type}/{id_} is not known here")
            for row in rows:
                grant.check(resource_type, "r", row.patient)
            return [stored(row, created=row.version == 1) for row in rows]

    def create(self, grant: Grant, resource: Resource, if_none_exist: str | None = None) -> Stored:
        with self._writing() as db:
            done = create(db, grant, resource, if_none_exist)
            if done.created:
                check_references(db, [done.resource])
            return done

    def update(
        self, grant: Grant, resource: Resource, id_: str, if_match: int | None = None
    ) -> Stored:
        with self._writing() as db:
            done = replace(db, grant, resource, id_, if_match)
            check_references(db, [done.resource])
            return done

    def delete(
        self, grant: Grant, resource_type: str, id_: str, if_match: int | None = None
    ) -> Stored:
        with self._writing() as db:
            return remove(db, grant, resource_type, id_, if_match)

    def search(self, grant: Grant, criteria: Criteria, offset: int, count: int) -> Page:
        held_to = grant.search_patient(criteria.resource_type)
        with Session(self._engine) as db:
            found = list(matching(db, criteria, held_to))
        keyed = [
            (sort_key(criteria, row.document, row.updated, row.sequence), row.document)
            for row in found
            if row.document is not None
        ]
        keyed.sort(key=lambda pair: pair[0])
        page = keyed[offset : offset + count]
        return Page(tuple(document for _, document in page), len(keyed))

    def current(
        self, resource_type: str, patients: Collection[str] | None, since: datetime | None
    ) -> list[Resource]:
        """Every current resource of a type, of `patients` only, and only if written `since`."""
        query = select(ResourceVersion).where(
            ResourceVersion.resource_type == resource_type, ResourceVersion.current
        )
        with Session(self._engine) as db:
            return [
                row.document
                for row in db.scalars(query.order_by(ResourceVersion.sequence))
                if row.document is not None
                and (patients is None or row.patient in patients)
                and (since is None or row.updated >= since)
            ]

    def transaction(self, grant: Grant, bundle: Resource) -> Resource:
        """All entries or none; the response Bundle."""
        with self._writing() as db:
            return run_transaction(db, grant, bundle)

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        """A session that takes SQLite's write lock at once, so that what it has read holds."""
        with Session(self._engine, expire_on_commit=False) as db:
            db.execute(text("BEGIN IMMEDIATE"))
            yield db
            db.commit()
