"""Rows read for update: whoever comes second reads what the first one wrote."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from sqlalchemy import select

from app.store import CounterRow, Tenant
from app.store.base import Database
from app.store.upgrade import upgrade

WORKERS = 4


def test_on_sqlite_no_two_workers_take_the_same_number(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'locks.db'}")
    upgrade(database.engine)
    with database.begin(None) as db:
        db.add(
            Tenant(
                id="prairie",
                name="Prairie",
                iss="http://127.0.0.1/fhir",
                clinician_client_id="clinician",
                portal_client_id="portal",
                backend_client_id="backend",
                time_zone="America/Chicago",
            )
        )
    with database.begin("prairie") as db:
        db.add(CounterRow(name="interchange", value=0))
    together = threading.Barrier(WORKERS)
    taken: list[int] = []

    def take() -> None:
        together.wait()
        with database.begin("prairie") as db:
            row = db.scalars(select(CounterRow).with_for_update()).one()
            time.sleep(0.05)  # the others come meanwhile
            row.value += 1
            taken.append(row.value)

    workers = [threading.Thread(target=take) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(taken) == list(range(1, WORKERS + 1))
