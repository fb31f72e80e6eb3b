"""Bulk export: kick-off, status, files, cancelling, expiry."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.api import bulk
from app.api.registry import RECORD, SERVED
from app.jobs import bulk_export
from app.jobs.bulk_export import make_export, remove_expired
from app.store import BulkExportRow
from tests.app.api.readers import (
    ROSA,
    SAMUEL,
    Reader,
    fill,
    patient_reader,
    report_session,
    system_reader,
)
from tests.conftest import World
from tests.fhir.r4 import r4_issues

ASYNC = {"Prefer": "respond-async", "Accept": "application/fhir+json"}


@pytest.fixture
def filled(own_world: Callable[..., World]) -> World:
    world = own_world(worker=False)
    fill(world)
    return world


def kick_off(reader: Reader, path: str = "$export") -> str:
    answer = reader.get(path, headers=ASYNC)
    assert answer.status_code == 202, answer.text
    return answer.headers["Content-Location"]


def work(world: World) -> None:
    with world.context.database.begin(world.tenant_id) as db:
        ids = list(db.scalars(select(BulkExportRow.id)))
    for export_id in ids:
        make_export(world.context, world.tenant_id, export_id)


def exported(world: World, reader: Reader, path: str = "$export") -> dict[str, list[Any]]:
    """The resources of a whole export by type."""
    location = kick_off(reader, path)
    work(world)
    manifest = reader.get(location)
    assert manifest.status_code == 200, manifest.text
    found = {}
    for file in manifest.json()["output"]:
        answer = reader.get(file["url"], headers={"Accept": "application/fhir+ndjson"})
        assert answer.headers["Content-Type"].startswith("application/fhir+ndjson")
        assert answer.headers["Cache-Control"] == "no-store"
        found[file["type"]] = [json.loads(line) for line in answer.text.splitlines()]
        assert len(found[file["type"]]) == file["count"]
    return found


def test_an_export_gives_everything_that_a_search_gives(filled: World) -> None:
    reader = system_reader(filled)
    found = exported(filled, reader)
    assert set(found) == set(SERVED)
    for kind, resources in found.items():
        assert resources == reader.found(f"{kind}?_count=200"), kind
    assert r4_issues([resource for resources in found.values() for resource in resources]) == []


def test_a_patient_level_export_leaves_the_library_out(filled: World) -> None:
    assert set(exported(filled, system_reader(filled), "Patient/$export")) == set(RECORD)


def test_an_export_runs_in_the_background_and_tells_how_far_it_is(
    own_world: Callable[..., World],
) -> None:
    world = own_world(worker=False)
    reader = system_reader(world)
    location = kick_off(reader)
    waiting = reader.get(location)
    assert waiting.status_code == 202
    assert waiting.headers["X-Progress"] == "waiting"
    assert int(waiting.headers["Retry-After"]) > 0
    work(world)
    manifest = reader.get(location).json()
    assert manifest["requiresAccessToken"] is True
    assert manifest["request"] == f"{reader.base}/$export"
    assert manifest["error"] == []


def test_a_worker_finds_an_export_whose_task_was_lost(own_world: Callable[..., World]) -> None:
    world = own_world(worker=True)
    with world.context.database.begin(world.tenant_id) as db:
        db.add(
            BulkExportRow(
                id="lost",
                client_id="warehouse",
                request_url="u",
                types=["Patient"],
                created_at=world.context.now(),
                expires_at=world.context.now() + timedelta(hours=1),
            )
        )
    reader = system_reader(world)
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while (answer := reader.get("$export/lost")).status_code == 202:
        assert datetime.now(UTC) < deadline
    assert answer.status_code == 200


def test_the_next_export_since_this_ones_time_misses_nothing(filled: World) -> None:
    reader = system_reader(filled)
    location = kick_off(reader)
    work(filled)
    since = reader.get(location).json()["transactionTime"]
    new = report_session(filled, ROSA, datetime(2026, 11, 4, tzinfo=UTC))
    found = exported(filled, reader, f"$export?_type=Observation&_since={since}")
    assert f"session-{new}" in [resource["id"] for resource in found["Observation"]]


def test_since_leaves_out_what_is_older(filled: World) -> None:
    path = "$export?_type=Observation,Patient&_since=2099-01-01T00:00:00Z"
    assert exported(filled, system_reader(filled), path) == {}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("$export?_type=Practitioner", 400),
        ("$export?_since=yesterday", 400),
        ("$export?_since=2026-11-01", 400),
        ("$export?_outputFormat=csv", 400),
        ("$export?_typeFilter=Observation%3Fstatus%3Dfinal", 400),
        ("Patient/$export?_type=PlanDefinition", 400),
        ("$export?_outputFormat=application/fhir%2Bndjson", 202),
    ],
)
def test_what_an_export_cannot_be_is_said_at_once(
    own_world: Callable[..., World], path: str, status: int
) -> None:
    reader = system_reader(own_world(worker=False))
    answer = reader.get(path, headers=ASYNC)
    assert answer.status_code == status
    if status != 202:
        assert answer.json()["resourceType"] == "OperationOutcome"


def test_an_export_must_be_asked_for_asynchronously(record: World, system: Reader) -> None:
    assert system.get("$export").status_code == 400


def test_only_system_scopes_export_and_only_their_types(filled: World) -> None:
    own = patient_reader(filled, SAMUEL)
    assert own.get("$export", headers=ASYNC).status_code == 403
    narrow = system_reader(filled, "system/Goal.rs system/CarePlan.rs")
    assert set(exported(filled, narrow)) == {"Goal", "CarePlan"}
    assert narrow.get("$export?_type=Observation", headers=ASYNC).status_code == 403


def test_an_export_is_its_own_clients_alone(filled: World) -> None:
    reader = system_reader(filled)
    location = kick_off(reader)
    work(filled)
    url = reader.get(location).json()["output"][0]["url"]
    other = system_reader(filled, client_id="other-warehouse")
    assert other.get(location).status_code == 404
    assert other.get(url).status_code == 404
    assert other("DELETE", location).status_code == 404
    assert Reader(reader.base, None).get(url).status_code == 401
    narrow = system_reader(filled, "system/Goal.rs")
    assert narrow.get(url).status_code == 403
    assert reader.get(f"{location}/..%2f..%2fkeys%2fsecret").status_code == 404
    assert reader.get(f"{location}/homestretch.db").status_code == 404


def files(world: World) -> list[Path]:
    return [path for path in world.context.settings.exports_dir.rglob("*") if path.is_file()]


def test_a_cancelled_export_leaves_nothing(filled: World) -> None:
    reader = system_reader(filled)
    location = kick_off(reader)
    work(filled)
    assert files(filled)
    assert reader("DELETE", location).status_code == 202
    assert files(filled) == []
    assert reader.get(location).status_code == 404
    assert reader("DELETE", location).status_code == 404


def test_an_export_that_is_cancelled_under_way_stops(
    filled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = system_reader(filled)
    location = kick_off(reader)
    told = bulk_export._tell

    def cancel_then_tell(*arguments: Any) -> None:
        if reader.get(location).status_code == 202:
            reader("DELETE", location)
        told(*arguments)

    monkeypatch.setattr(bulk_export, "_tell", cancel_then_tell)
    work(filled)
    assert reader.get(location).status_code == 404
    assert files(filled) == []


def test_an_expired_export_is_removed(filled: World) -> None:
    reader = system_reader(filled)
    location = kick_off(reader)
    work(filled)
    later = replace(filled.context, now=lambda: datetime.now(UTC) + timedelta(hours=25))
    remove_expired(later)
    assert files(filled) == []
    assert reader.get(location).status_code == 404


def test_an_export_that_fails_says_so_and_leaves_no_files(
    filled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = system_reader(filled)
    location = kick_off(reader)

    def broken(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(bulk_export, "every", broken)
    work(filled)
    answer = reader.get(location)
    assert answer.status_code == 500
    assert "disk" not in answer.text
    assert files(filled) == []


def test_a_client_has_few_exports_under_way(own_world: Callable[..., World]) -> None:
    world = own_world(worker=False)
    reader = system_reader(world)
    for _ in range(bulk._MOST_UNDER_WAY):
        kick_off(reader)
    answer = reader.get("$export", headers=ASYNC)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"]
    assert (
        system_reader(world, client_id="other-warehouse").get("$export", headers=ASYNC).status_code
        == 202
    )


def test_two_workers_make_an_export_once(filled: World) -> None:
    reader = system_reader(filled)
    kick_off(reader)
    work(filled)
    before = {path: path.stat().st_mtime_ns for path in files(filled)}
    work(filled)
    assert {path: path.stat().st_mtime_ns for path in files(filled)} == before
