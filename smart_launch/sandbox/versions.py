"""The versions of resources in one database session: reading, matching, and writing them.

Every function checks the grant on what it touches; the caller commits or rolls back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from smart_launch.sandbox.access import SHARED_TYPES, Grant
from smart_launch.sandbox.database import ResourceIdentifier, ResourceVersion
from smart_launch.sandbox.outcome import FhirProblem
from smart_launch.sandbox.search import Criteria, matches
from smart_launch.sandbox.validation import patient_of, references

Resource = dict[str, Any]


@dataclass(frozen=True)
class Stored:
    """A version as stored; `document` None is a deletion. `created`: it did not exist before."""

    resource_type: str
    id: str
    version: int
    updated: datetime
    document: Resource | None
    created: bool = False

    @property
    def reference(self) -> str:
        return f"{self.resource_type}/{self.id}"

    @property
    def resource(self) -> Resource:
        """The content of a version that is no deletion."""
        assert self.document is not None, f"{self.reference} is a deletion"
        return self.document


def stored(row: ResourceVersion, *, created: bool = False) -> Stored:
    """A row as a value that outlives its session."""
    return Stored(row.resource_type, row.id, row.version, row.updated, row.document, created)


def latest(db: Session, resource_type: str, id_: str) -> ResourceVersion | None:
    """The newest version, which may be a deletion."""
    return db.scalar(
        select(ResourceVersion).where(
            ResourceVersion.resource_type == resource_type,
            ResourceVersion.id == id_,
            ResourceVersion.current.is_(True),
        )
    )


def exists(db: Session, resource_type: str, id_: str) -> bool:
    row = latest(db, resource_type, id_)
    return row is not None and row.document is not None


def matching(
    db: Session, criteria: Criteria, held_to: str | None = None
) -> Iterator[ResourceVersion]:
    """Current versions that meet `criteria`, of the patient `held_to` as `Grant` says."""
    resource_type = criteria.resource_type
    query = select(ResourceVersion).where(
        ResourceVersion.resource_type == resource_type, ResourceVersion.current.is_(True)
    )
    if held_to is not None:
        own = ResourceVersion.patient == held_to
        shared = resource_type in SHARED_TYPES
        query = query.where(or_(own, ResourceVersion.patient.is_(None)) if shared else own)
    for system, value in criteria.identifiers():
        ids = select(ResourceIdentifier.id).where(
            ResourceIdentifier.resource_type == resource_type,
            ResourceIdentifier.value == value,
        )
        if system is not None:
            ids = ids.where(ResourceIdentifier.system == system)
        query = query.where(ResourceVersion.id.in_(ids))
    for row in db.scalars(query):
        if row.document is not None and matches(criteria, row.document, row.updated):
            yield row


def matching_one(
    db: Session, grant: Grant, resource_type: str, query: str | None
) -> ResourceVersion | None:
    """The single match of a condition, which may be absent.

    Raises:
        FhirProblem: 400 for a condition that asks nothing, 412 for several matches, 403 for a
            match that the grant may not read.
    """
    if query is None:
        return None
    criteria = Criteria(resource_type, tuple(parse_qsl(query)))
    if criteria.is_empty:
        raise FhirProblem(400, "invalid", "the condition has no search parameter")
    found = list(matching(db, criteria))
    if len(found) > 1:
        raise FhirProblem(412, "multiple-matches", f"several {resource_type} match the condition")
    if found:
        grant.check(resource_type, "r", found[0].patient)
    return found[0] if found else None


def create(db: Session, grant: Grant, resource: Resource, if_none_exist: str | None) -> Stored:
    existing = matching_one(db, grant, resource["resourceType"], if_none_exist)
    if existing is not None:
        return stored(existing)
    return _write(db, grant, {**resource, "id": str(uuid4())}, None)


def replace(
    db: Session, grant: Grant, resource: Resource, id_: str, if_match: int | None
) -> Stored:
    """Update, or create where nothing has this id (FHIR's "update as create")."""
    if resource.get("id") != id_:
        raise FhirProblem(400, "invalid", "the resource's id is not the one in the URL")
    row = latest(db, resource["resourceType"], id_)
    _check_match(row, f"{resource['resourceType']}/{id_}", if_match)
    return _write(db, grant, resource, row)


def remove(db: Session, grant: Grant, resource_type: str, id_: str, if_match: int | None) -> Stored:
    """A deletion as a new version; its history stays. Raises FhirProblem 404."""
    row = latest(db, resource_type, id_)
    _check_match(row, f"{resource_type}/{id_}", if_match)
    if row is None:
        raise FhirProblem(404, "not-found", f"{resource_type}/{id_} is not known here")
    grant.check(resource_type, "d", row.patient)
    if row.document is None:
        return stored(row)
    return _add(db, row.resource_type, row.id, row.version + 1, row.patient, None)


def check_references(db: Session, resources: list[Resource]) -> None:
    """Raises FhirProblem 422 for a reference within this server to nothing."""
    for resource in resources:
        for reference in references(resource):
            target = reference["reference"]
            parts = target.split("/")
            local = len(parts) in (2, 4) and parts[0][:1].isupper()
            dangling = local and not exists(db, parts[0], parts[1])
            if dangling or target.startswith("urn:uuid:"):
                raise FhirProblem(
                    422,
                    "not-found",
                    f"{target} is referred to but does not exist",
                    resource["resourceType"],
                )


def read_etag(header: str | None) -> int | None:
    """The version in an If-Match header. Raises FhirProblem 400."""
    if header is None:
        return None
    digits = header.strip().removeprefix("W/").strip('"')
    if not digits.isdigit():
        raise FhirProblem(400, "invalid", 'If-Match must be of the form W/"1"')
    return int(digits)


def _check_match(row: ResourceVersion | None, reference: str, if_match: int | None) -> None:
    if if_match is not None and (row is None or row.version != if_match):
        raise FhirProblem(412, "conflict", f"{reference} was changed meanwhile")


def _write(
    db: Session, grant: Grant, resource: Resource, previous: ResourceVersion | None
) -> Stored:
    """The next version. Nobody may take a resource out of another patient's record."""
    resource_type, id_ = resource["resourceType"], resource["id"]
    patient = patient_of(resource)
    is_new = previous is None or previous.document is None
    if previous is not None:
        grant.check(resource_type, "u", previous.patient)
    grant.check(resource_type, "c" if is_new else "u", patient)
    version = previous.version + 1 if previous else 1
    written = _add(db, resource_type, id_, version, patient, resource)
    return Stored(resource_type, id_, version, written.updated, written.document, created=is_new)


def _add(
    db: Session,
    resource_type: str,
    id_: str,
    version: int,
    patient: str | None,
    resource: Resource | None,
) -> Stored:
    now = datetime.now(UTC)
    document = resource and {
        **resource,
        "meta": {
            **resource.get("meta", {}),
            "versionId": str(version),
            "lastUpdated": now.isoformat(),
        },
    }
    of_this = (ResourceVersion.resource_type == resource_type, ResourceVersion.id == id_)
    db.execute(update(ResourceVersion).where(*of_this).values(current=False))
    row = ResourceVersion(
        resource_type=resource_type,
        id=id_,
        version=version,
        current=True,
        patient=patient,
        document=document,
        updated=now,
        sequence=(db.scalar(select(func.max(ResourceVersion.sequence))) or 0) + 1,
    )
    db.add(row)
    db.execute(
        delete(ResourceIdentifier).where(
            ResourceIdentifier.resource_type == resource_type, ResourceIdentifier.id == id_
        )
    )
    for system, value in _identifiers(document or {}):
        db.add(ResourceIdentifier(resource_type=resource_type, id=id_, system=system, value=value))
    db.flush()
    return Stored(resource_type, id_, version, now, document)


def _identifiers(resource: Resource) -> Iterator[tuple[str, str]]:
    found = resource.get("identifier", ())
    for item in found if isinstance(found, list) else [found]:
        if isinstance(item, dict) and item.get("value"):
            yield item.get("system", ""), item["value"]
