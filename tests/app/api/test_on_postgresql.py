"""The FHIR API on PostgreSQL: its cursors, orders and locks are not SQLite's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from app.api.registry import SERVED
from app.jobs.notify import notify_due
from tests.app.api.hooks import listening
from tests.app.api.readers import SAMUEL, fill, patient_reader, report_session, system_reader
from tests.app.api.test_bulk import exported
from tests.app.api.test_subscriptions import subscribe, subscription, waiting
from tests.conftest import World


def test_reading_exporting_and_telling_work_on_postgresql(
    own_world: Callable[..., World], postgresql: str
) -> None:
    world = own_world(worker=False, database_url=postgresql)
    fill(world)
    reader = system_reader(world)
    for sort in ("_lastUpdated", "-_lastUpdated", "date", "-date"):
        whole = reader.found(f"Observation?_sort={sort}")
        assert len(whole) == 22
        assert reader.found(f"Observation?_sort={sort}&_count=3") == whole
    own = patient_reader(world, SAMUEL)
    assert len(own.found("Observation?date=ge2026-11-02&_lastUpdated=ge2026-01-01")) == 8
    assert own.found(f"Patient/{SAMUEL}/$everything?_count=7")
    assert set(exported(world, reader)) == set(SERVED)
    with listening() as hook:
        id_ = subscribe(reader, subscription(hook.url))
        report_session(world, SAMUEL, datetime(2026, 11, 10, tzinfo=UTC))
        notify_due(world.context, world.tenant_id, id_)
        assert len(hook.calls) == 1
    assert waiting(world) == ["delivered"]
    world.context.database.engine.dispose()
