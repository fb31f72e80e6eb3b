"""The month-end close in several processes: the same as in one, or nothing at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app.billing_office import close
from app.billing_office.close import Close, Part, PartDone, WorkerDied
from app.billing_office.export import ExportDone, export_month
from app.billing_office.month import refresh
from app.config import Settings
from app.context import Context, open_context
from app.demo.tenant import TENANT_ID, register
from app.store import (
    Base,
    ClaimExportRow,
    ClaimLineRow,
    ClaimRow,
    CounterRow,
    PatientMonthChargeRow,
    PatientMonthRow,
)
from app.store.upgrade import upgrade
from bench.billing_practice import CLOSED_AT, MONTH, people, write_people, write_practice

PATIENTS = 90


@pytest.fixture(params=["sqlite", "postgresql"])
def context(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Context]:
    """A practice of which no patient's month was ever tallied."""
    url = request.getfixturevalue("postgresql") if request.param == "postgresql" else ""
    opened = practice_at(tmp_path / "data", url)
    yield opened
    opened.database.engine.dispose()


def practice_at(folder: Path, url: str = "") -> Context:
    opened = open_context(Settings(data_dir=folder, database_url=url), now=lambda: CLOSED_AT)
    upgrade(opened.database.engine)
    register(opened, "http://ehr.test")
    with opened.database.begin(TENANT_ID) as db:
        write_practice(db, PATIENTS)
    return opened


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few patients are many."""
    monkeypatch.setattr(close, "_PART", 20)
    monkeypatch.setattr(close, "_FEW", 20)


def at_rest(context: Context, kind: type[Base]) -> list[dict[str, Any]]:
    """The rows of `kind` but for their own ids."""
    columns = [c for c in kind.__table__.columns if c.name != "id"]
    with context.database.engine.connect() as connection:
        rows = connection.execute(select(*columns)).mappings()
        return sorted((dict(row) for row in rows), key=repr)


def made(context: Context, workers: int) -> ExportDone:
    return export_month(context, TENANT_ID, MONTH, "837", workers=workers)


def test_several_processes_make_byte_for_byte_what_one_makes(
    context: Context, tmp_path: Path
) -> None:
    alone = practice_at(tmp_path / "alone")
    with alone.database.begin(TENANT_ID) as db:
        # As after a night's tally that did not come to its end: some months are stored already.
        refresh(db, MONTH, date(2026, 11, 5), CLOSED_AT, 30)
    first, second = made(alone, 1), made(context, 3)
    assert first.claim_count > 50
    assert second == first
    for kind in (PatientMonthRow, PatientMonthChargeRow, ClaimExportRow, ClaimRow, ClaimLineRow):
        assert at_rest(context, kind) == at_rest(alone, kind) != []


def test_the_second_close_sends_what_has_come_since_and_nothing_twice(context: Context) -> None:
    first = made(context, 2)
    with context.database.begin(TENANT_ID) as db:
        write_people(db, people(30, first_id=PATIENTS + 1))
    second = made(context, 2)
    patients = [int(id_[5:]) for file in second.files for id_ in file.claim_ids]
    assert not second.again
    assert min(patients) > PATIENTS
    assert second.files[0].control_number == first.files[0].control_number + 1
    again = made(context, 2)
    assert (again.again, [file.data for file in again.files]) == (True, [second.files[0].data])


def die(close: Close, part: Part) -> PartDone:
    os._exit(1)


def test_a_process_that_dies_leaves_nothing_half_done(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(close, "_work", die)
        with pytest.raises(WorkerDied, match="nothing was stored"):
            made(context, 2)
    with context.database.begin(TENANT_ID) as db:
        assert db.scalar(select(func.count(PatientMonthRow.id))) == 0
        assert db.scalars(select(CounterRow.value)).one() == 1
        assert db.scalar(select(func.count(ClaimRow.id))) == 0
    assert made(context, 2).files[0].control_number == 2


def fail(close: Close, part: Part) -> PartDone:
    if part.out_of_date[0] > 60:
        raise RuntimeError("a part that fails")
    return close_work(close, part)


close_work = close._work


def test_a_part_that_fails_takes_the_whole_close_with_it(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(close, "_work", fail)
    with pytest.raises(RuntimeError, match="a part that fails"):
        made(context, 2)
    with context.database.begin(TENANT_ID) as db:
        assert db.scalar(select(func.count(PatientMonthRow.id))) == 0
        assert db.scalar(select(func.count(ClaimRow.id))) == 0
