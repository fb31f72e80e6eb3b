"""Accepting a range-of-motion test from the patient: stored first, measured in the background."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import __version__
from app.context import Context
from app.declarations import STOPPED, is_monitoring_stopped
from app.languages import language
from app.notices import queue_notices
from app.outbox import enqueue
from app.prescribing import current_program
from app.recording_store import store_recording
from app.store import RangeTestRow, from_document, to_document
from rtm.range_of_motion import (
    MOST_ATTEMPTS,
    BodySide,
    Change,
    RangeMovement,
    RangeResult,
    UnknownMovement,
    change_between,
    load_movements,
)
from vision.errors import NotMeasurable
from vision.range_test import require_measurable
from vision.series_files import SERIES_SUFFIXES
from vision.video import VIDEO_SUFFIXES

# A phone's clock may run ahead a little; a test from the future beyond this is an error.
_CLOCK_TOLERANCE = timedelta(minutes=10)
_TEST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class RangeTestRefused(ValueError):
    """The upload can't be a test of this patient; the message says why, in plain words."""


class RangeTestConflict(RangeTestRefused):
    """This test id was used before for something else."""


@dataclass(frozen=True)
class Upload:
    """One recording as the browser names it."""

    file_name: str
    stream: BinaryIO

    @property
    def suffix(self) -> str:
        return "." + self.file_name.rpartition(".")[2].lower()


@dataclass(frozen=True)
class RangeTestReport:
    """What the patient sends besides the recordings. `side` is None where there are no sides."""

    test_id: str
    movement_id: str
    side: BodySide | None
    measured_at: datetime


def measurable_movement(movement_id: str) -> RangeMovement:
    """Raises RangeTestRefused for an unknown movement, or one no camera can measure yet."""
    try:
        movement = load_movements()[movement_id]
        require_measurable(movement)
    except UnknownMovement:
        raise RangeTestRefused(
            _("There is no joint called “%(name)s”.", name=movement_id)
        ) from None
    except NotMeasurable:
        raise RangeTestRefused(
            _(
                "%(joint)s can't be measured by camera yet.",
                joint=load_movements()[movement_id].name[language()],
            )
        ) from None
    return movement


def accept_range_test(
    context: Context,
    tenant_id: str,
    patient_id: int,
    report: RangeTestReport,
    uploads: Sequence[Upload],
) -> RangeTestRow:
    """Stores one to three recordings and their test; the result comes later (`status` received).

    Sending the same test again, or the same recordings of the same joint, returns the first.

    Raises:
        RangeTestRefused: unknown joint or file type, no or too many recordings, a side missing
            or out of place, a date in the future, an id that is not a UUID, a patient who does
            not want to be monitored.
        RangeTestConflict: the id was used for other recordings.
    """
    _check(context, report, uploads)
    with context.database.begin(tenant_id) as db:
        if is_monitoring_stopped(db, patient_id):
            raise RangeTestRefused(STOPPED)
    folder = context.settings.recordings_dir
    stored = [store_recording(folder, tenant_id, each.suffix, each.stream) for each in uploads]
    digests = "".join(each.sha256 for each in stored)
    row = RangeTestRow(
        id=report.test_id,
        patient_id=patient_id,
        movement_id=report.movement_id,
        side=report.side,
        measured_at=report.measured_at,
        received_at=context.now(),
        recordings=[each.name for each in stored],
        recordings_sha256=hashlib.sha256(digests.encode()).hexdigest(),
        status="received",
    )
    return _insert_once(context, tenant_id, row)


def conclude_range_test(
    context: Context, db: Session, row: RangeTestRow, result: RangeResult
) -> None:
    """Writes the result and its messages; a test without a value is refused."""
    now = context.now()
    if result.not_measured is not None:
        row.status, row.problem = "refused", result.not_measured
        return
    row.status, row.document = "measured", to_document(result)
    row.concluded_at, row.software_version = now, __version__
    enqueue(
        db,
        kind="range_test",
        subject=row.id,
        patient_id=row.patient_id,
        idempotency_key=f"range_test:{row.id}",
        now=now,
    )
    queue_notices(db, kind="range_test", subject=row.id, patient_id=row.patient_id, now=now)


def stored_result(row: RangeTestRow) -> RangeResult | None:
    """The domain value of a measured test, else None."""
    return None if row.document is None else from_document(RangeResult, row.document)


def change_since_last(db: Session, row: RangeTestRow) -> Change | None:
    """Against the last measured test of this joint and side before `row`; None for the first."""
    earlier = db.scalar(
        select(RangeTestRow)
        .where(
            RangeTestRow.patient_id == row.patient_id,
            RangeTestRow.movement_id == row.movement_id,
            RangeTestRow.side.is_not_distinct_from(row.side),
            RangeTestRow.status == "measured",
            RangeTestRow.measured_at < row.measured_at,
        )
        .order_by(RangeTestRow.measured_at.desc())
        .limit(1)
    )
    return None if earlier is None else change_from(earlier, row)


def change_from(earlier: RangeTestRow, later: RangeTestRow) -> Change | None:
    """Between two tests of one joint and side; None unless both were measured."""
    before, after = stored_result(earlier), stored_result(later)
    if before is None or after is None or before.best_deg is None or after.best_deg is None:
        return None
    return change_between(load_movements()[later.movement_id], before.best_deg, after.best_deg)


def _check(context: Context, report: RangeTestReport, uploads: Sequence[Upload]) -> None:
    if not _TEST_ID.fullmatch(report.test_id):
        raise RangeTestRefused(_("The test id must be a UUID in lower case."))
    movement = measurable_movement(report.movement_id)
    if movement.bilateral and report.side is None:
        raise RangeTestRefused(_("Please choose the side that you measure, left or right."))
    if not movement.bilateral and report.side is not None:
        raise RangeTestRefused(_("This joint has no left or right side."))
    if report.measured_at > context.now() + _CLOCK_TOLERANCE:
        raise RangeTestRefused(
            _("This test starts in the future. Please check your device's clock.")
        )
    if not uploads:
        raise RangeTestRefused(_("Please choose a video of you doing the movement."))
    if len(uploads) > MOST_ATTEMPTS:
        raise RangeTestRefused(_("Please send %(most)s videos at most.", most=MOST_ATTEMPTS))
    if any(each.suffix not in VIDEO_SUFFIXES | SERIES_SUFFIXES for each in uploads):
        known = ", ".join(sorted(VIDEO_SUFFIXES | SERIES_SUFFIXES))
        raise RangeTestRefused(
            _("This kind of file can't be used. Send one of: %(kinds)s.", kinds=known)
        )


def _insert_once(context: Context, tenant_id: str, row: RangeTestRow) -> RangeTestRow:
    try:
        with context.database.begin(tenant_id) as db:
            earlier = db.get(RangeTestRow, row.id) or _same_recordings(db, row)
            if earlier is None:
                program = current_program(db, row.patient_id)
                row.program_row_id = None if program is None else program[0].id
                db.add(row)
                return row
    except IntegrityError:
        with context.database.begin(tenant_id) as db:
            earlier = db.get(RangeTestRow, row.id)
        if earlier is None:  # the id exists, but at another health system
            raise RangeTestConflict(
                _("This test id is taken. Please start the test again.")
            ) from None
    if _content(earlier) != _content(row):
        raise RangeTestConflict(_("This test was already sent with other content."))
    return earlier


def _same_recordings(db: Session, row: RangeTestRow) -> RangeTestRow | None:
    return db.scalar(
        select(RangeTestRow).where(
            RangeTestRow.patient_id == row.patient_id,
            RangeTestRow.movement_id == row.movement_id,
            RangeTestRow.side.is_not_distinct_from(row.side),
            RangeTestRow.recordings_sha256 == row.recordings_sha256,
            RangeTestRow.status != "refused",
        )
    )


def _content(row: RangeTestRow) -> tuple[int, str, str | None, str]:
    return (row.patient_id, row.movement_id, row.side, row.recordings_sha256)
