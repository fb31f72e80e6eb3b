"""Measuring a received range-of-motion test; a refusal is a result too, told in plain words."""

from __future__ import annotations

from pathlib import Path

import structlog

from app.context import Context
from app.range_tests import conclude_range_test
from app.store import RangeTestRow
from rtm.range_of_motion import RangeResult, load_movements, not_measured
from vision.errors import RecordingProblem
from vision.range_test import measure_range
from vision.recordings import read_recording

log = structlog.get_logger(__name__)


def measure_range_test(context: Context, tenant_id: str, test_id: str) -> int | None:
    """Measures a test still `received`; returns the patient's row id if it now has a value.

    Runs as often as it is asked to: a test already concluded is left alone.
    """
    with context.database.begin(tenant_id) as db:
        row = db.get_one(RangeTestRow, test_id)
    if row.status != "received":
        return None
    result = _measured(row, context.settings.recordings_dir)
    with context.database.begin(tenant_id) as db:
        row = db.get_one(RangeTestRow, test_id, with_for_update=True)
        if row.status == "received":
            conclude_range_test(context, db, row, result)
    log.info("range_test_concluded", test=test_id, status=row.status)
    return row.patient_id if row.status == "measured" else None


def _measured(row: RangeTestRow, folder: Path) -> RangeResult:
    movement = load_movements()[row.movement_id]
    recordings = []
    for number, name in enumerate(row.recordings, start=1):
        try:
            recordings.append(read_recording(folder / name).series)
        except RecordingProblem as problem:
            which = f"Recording {number}: " if len(row.recordings) > 1 else ""
            return not_measured(movement, row.side, f"{which}{problem}")  # type: ignore[arg-type]  # written from a BodySide
    return measure_range(recordings, movement, row.side)  # type: ignore[arg-type]  # written from a BodySide
