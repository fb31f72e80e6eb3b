"""Reading and writing many rows: by the right index, of one tenant, and as they were."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, event, func, select

from app.accounts import read_accounts
from app.demo.tenant import TENANT_ID
from app.rtm_book import read_ledgers
from app.store import (
    LONGEST_ENTRY,
    ClaimLineRow,
    EntryTooLong,
    EpisodeRow,
    LedgerFactRow,
    PatientMonthRow,
    PatientRow,
    Tenant,
    insert_rows,
    to_document,
    to_json,
)
from app.store.base import Database
from app.store.upgrade import upgrade
from bench.billing_practice import people, write_people
from rtm.ledger import Ledger, MonitoredDay, TimeEntry
from tests.app.synthetic_practice import NPI, Monitored, write_practice

MANY = list(range(1, 501))
START = date(2026, 10, 2)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'reads.db'}")
    upgrade(made.engine)
    with made.begin(None) as db:
        db.add(
            Tenant(
                id=TENANT_ID,
                name="Prairie",
                iss="http://127.0.0.1/fhir",
                clinician_client_id="clinician",
                portal_client_id="portal",
                backend_client_id="backend",
                time_zone="America/Chicago",
            )
        )
    yield made
    made.engine.dispose()


def plan(database: Database, query: Select[Any]) -> str:
    """How SQLite means to run `query` as the session sends it."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    with database.begin(TENANT_ID) as db:
        event.listen(database.engine, "before_cursor_execute", note)
        db.execute(query)
        event.remove(database.engine, "before_cursor_execute", note)
        statement, parameters = sent[-1]
        explained = db.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return "; ".join(row[3] for row in explained)


@pytest.mark.parametrize(
    ("query", "way"),
    [
        (
            select(LedgerFactRow.document).where(LedgerFactRow.episode_id.in_(map(str, MANY))),
            "ix_ledger_fact_episode_id",
        ),
        (select(EpisodeRow).where(EpisodeRow.patient_id.in_(MANY)), "ix_episode_patient_id"),
        (select(ClaimLineRow).where(ClaimLineRow.patient_id.in_(MANY)), "ix_claim_line_patient_id"),
        (
            select(func.sum(PatientMonthRow.total_cents)).where(PatientMonthRow.month == "2026-10"),
            "(tenant_id=? AND month=?)",
        ),
        (
            select(PatientMonthRow.id)
            .where(PatientMonthRow.month == "2026-10")
            .order_by(PatientMonthRow.state_rank, PatientMonthRow.name),
            "ix_patient_month_worklist",
        ),
    ],
)
def test_on_sqlite_no_query_reads_the_whole_tenant_for_a_few_of_its_rows(
    database: Database, query: Select[Any], way: str
) -> None:
    assert way in plan(database, query)


def test_rows_written_at_once_are_the_tenants_and_their_documents_are_kept(
    database: Database,
) -> None:
    day = MonitoredDay("day-1", START, captured_at=datetime(2026, 10, 2, 15, tzinfo=UTC))
    at = datetime(2026, 10, 2, 15, tzinfo=UTC)
    with database.begin(TENANT_ID) as db:
        write_practice(db, TENANT_ID, [Monitored("Ada", START, 0)])
        row = {
            "patient_id": 1000,
            "episode_id": "episode-1000",
            "kind": "monitored_day",
            "recorded_at": at,
            "recorded_by": "test",
        }
        insert_rows(
            db,
            LedgerFactRow,
            [
                {**row, "id": "day-1", "document": to_json(day)},
                {**row, "id": "day-2", "document": to_document(day)},
            ],
        )
        insert_rows(db, LedgerFactRow, [])
    with database.begin(TENANT_ID) as db:
        stored = db.scalars(select(LedgerFactRow).order_by(LedgerFactRow.id)).all()
        assert [row.tenant_id for row in stored] == [TENANT_ID] * 2
        assert stored[0].document == stored[1].document == to_document(day)
        ledgers = read_ledgers(db, ["episode-1000"])
    assert ledgers == {"episode-1000": Ledger(days=(day, day))}


def test_a_ledger_is_read_as_it_was_written(database: Database) -> None:
    (person,) = (each for each in people(60) if each.id == 47)
    with database.begin(TENANT_ID) as db:
        write_people(db, [person])
        (ledger,) = read_ledgers(db, [person.episodes[-1].id]).values()
    facts = (
        *(*ledger.days, *ledger.time, *ledger.interactions),
        *(*ledger.corrections, *ledger.confirmations),
    )
    by_id = attrgetter("id")
    assert sorted(facts, key=by_id) == sorted(person.facts, key=by_id)


# Time --------------------------------------------------------------------------------------------


def _entry(id: str, patient_id: int, start: datetime, length: timedelta) -> LedgerFactRow:
    seconds = int(length.total_seconds())
    end = start + length
    entry = TimeEntry(id, start.date(), seconds, "pt", "review", start, end, NPI, "timer")
    return LedgerFactRow(
        id=id,
        patient_id=patient_id,
        episode_id=f"episode-{patient_id}",
        kind="time_entry",
        document=to_document(entry),
        recorded_at=end,
        recorded_by="test",
        npi=NPI,
        began_at=start,
        ended_at=end,
    )


def test_the_longest_entry_for_another_patient_is_found_to_its_last_minute(
    database: Database,
) -> None:
    noon = datetime.combine(START, time(12), UTC)
    with database.begin(TENANT_ID) as db:
        first, second = write_practice(
            db, TENANT_ID, [Monitored("Ada", START, 0), Monitored("Bo", START, 0)]
        )
        db.add(_entry("long", first, noon, LONGEST_ENTRY))
        late = noon + LONGEST_ENTRY - timedelta(minutes=1)
        db.add(_entry("late", second, late, timedelta(minutes=5)))
        db.add(_entry("after", second, noon + LONGEST_ENTRY, timedelta(minutes=5)))
        db.flush()
        patient = db.get_one(PatientRow, second)
        account = read_accounts(db, [patient], date(2026, 11, 5))[second]
    assert [busy.id for busy in account.busy] == ["long"]


def test_an_entry_longer_than_anybody_works_is_refused(database: Database) -> None:
    with database.begin(TENANT_ID) as db:
        (only,) = write_practice(db, TENANT_ID, [Monitored("Ada", START, 0)])
    noon = datetime.combine(START, time(12), UTC)
    with pytest.raises(EntryTooLong, match="too-long"), database.begin(TENANT_ID) as db:
        db.add(_entry("too-long", only, noon, LONGEST_ENTRY + timedelta(seconds=1)))
