"""Accepting a session from the patient: stored first, then scored in the background."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import __version__
from app.alerts import alerts_of, blocking_alert
from app.context import Context
from app.declarations import STOPPED, is_monitoring_stopped
from app.languages import language
from app.notices import queue_notices
from app.outbox import enqueue
from app.recording_store import StoredRecording, store_recording
from app.rtm_book import record_monitored_day
from app.safety import watch_session
from app.store import PatientRow, ProgramRow, SessionRow, from_document, to_document
from rtm.exercises import load_library
from rtm.feedback import NO_FEEDBACK, Feedback
from rtm.program import PrescribedExercise, Program, exercise_of
from rtm.safety import load_safety
from rtm.session import ExerciseResult, Pain
from rtm.session import Session as ExerciseSession
from vision.series_files import SERIES_SUFFIXES
from vision.video import VIDEO_SUFFIXES

# A phone's clock may run ahead a little; a session from the future beyond this is an error.
_CLOCK_TOLERANCE = timedelta(minutes=10)
_SESSION_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class SessionRefused(ValueError):
    """The upload can't be a session of this patient; the message says why, in plain words."""


class SessionNotWanted(SessionRefused):
    """The patient said no to monitoring: nothing new is taken."""


class SessionHeld(SessionRefused):
    """A safety answer says to stop, and the care team has not cleared it: no new session."""


class SessionConflict(SessionRefused):
    """This session id was used before for something else."""


@dataclass(frozen=True)
class SessionReport:
    """What the patient sends besides the recording.

    `line` names the line of the program that was done: its key, or the exercise's id alone.
    """

    session_id: str
    line: str
    started_at: datetime
    pain: Pain
    repetitions_reported: int | None = None
    duration_reported_s: float | None = None
    feedback: Feedback = NO_FEEDBACK

    @property
    def exercise_id(self) -> str:
        return exercise_of(self.line)


def accept_recording(
    context: Context,
    tenant_id: str,
    patient_id: int,
    report: SessionReport,
    file_name: str,
    stream: BinaryIO,
) -> SessionRow:
    """Stores a recording and its session; the result comes later (`status` received).

    Sending the same session again, or the same recording of the same exercise, returns the
    first; nothing is counted twice.

    Raises:
        SessionRefused: unknown file type, an exercise not in the program, a date in the
            future, an id that is not a UUID, a patient who does not want to be monitored.
        SessionHeld: it began after a safety answer that says to stop.
        SessionConflict: the id was used for another recording.
    """
    suffix = "." + file_name.rpartition(".")[2].lower()
    if suffix not in VIDEO_SUFFIXES | SERIES_SUFFIXES:
        known = ", ".join(sorted(VIDEO_SUFFIXES | SERIES_SUFFIXES))
        raise SessionRefused(
            _("This kind of file can't be used. Send one of: %(kinds)s.", kinds=known)
        )
    _check(context, report)
    with context.database.begin(tenant_id) as db:
        program_row, line = _prescribed(db, patient_id, report.line)
        if db.get(SessionRow, report.session_id) is None:
            _hold(db, patient_id, report)
    stored = store_recording(context.settings.recordings_dir, tenant_id, suffix, stream)
    source = "video" if suffix in VIDEO_SUFFIXES else "landmarks"
    row = _row(context, patient_id, report, program_row, line, source)
    row.recording, row.recording_sha256 = stored.name, stored.sha256
    return _insert_once(context, tenant_id, row, stored)


def accept_manual_log(
    context: Context, tenant_id: str, patient_id: int, report: SessionReport
) -> SessionRow:
    """Stores a session that the patient reports without a recording; final at once.

    Raises:
        SessionRefused: as `accept_recording`, or no repetitions or duration given; none at all
            may be reported where it says why it was stopped.
    """
    _check(context, report)
    some = report.repetitions_reported or (
        report.repetitions_reported == 0 and report.feedback.stopped_reason
    )
    if not some or report.duration_reported_s is None:
        raise SessionRefused(_("Please tell us how many times you did it and for how long."))
    with context.database.begin(tenant_id) as db:
        program_row, line = _prescribed(db, patient_id, report.line)
        earlier = db.get(SessionRow, report.session_id)
        if earlier is not None:
            return _same_session(earlier, patient_id, line.exercise_id, None)
        _hold(db, patient_id, report)
        row = _row(context, patient_id, report, program_row, line, "manual")
        db.add(row)
        db.flush()
        watch_session(db, row)
        conclude(context, db, row, None, report.duration_reported_s)
        return row


def conclude(
    context: Context,
    db: Session,
    row: SessionRow,
    result: ExerciseResult | None,
    duration_s: float,
) -> None:
    """Writes the session's result, its messages and its monitored day together."""
    now = context.now()
    patient = db.get_one(PatientRow, row.patient_id)
    session = ExerciseSession(
        id=row.id,
        exercise_id=row.exercise_id,
        side=row.side,  # type: ignore[arg-type]  # written from a Side
        source=row.source,  # type: ignore[arg-type]  # written from a SessionSource
        started_at=row.started_at,
        duration_s=duration_s,
        pain=Pain(row.pain_before, row.pain_after),
        result=result,
        repetitions_reported=row.repetitions_reported,
        feedback=row_feedback(row),
    )
    row.document = to_document(session)
    row.status = "scored"
    row.concluded_at, row.software_version = now, __version__
    enqueue(
        db,
        kind="session",
        subject=row.id,
        patient_id=row.patient_id,
        idempotency_key=f"session:{row.id}",
        now=now,
    )
    queue_notices(db, kind="session", subject=row.id, patient_id=row.patient_id, now=now)
    record_monitored_day(db, patient, session, received_at=row.received_at, now=now)


def row_feedback(row: SessionRow) -> Feedback:
    """What the patient said, as accepted with the session."""
    return Feedback(row.effort, row.difficulty, row.note, row.stopped_reason)  # type: ignore[arg-type]  # written from a Feedback


def stored_session(row: SessionRow) -> ExerciseSession | None:
    """The domain value of a concluded session, else None."""
    return None if row.document is None else from_document(ExerciseSession, row.document)


def concluded_session(row: SessionRow) -> ExerciseSession:
    """As `stored_session`, of a session that is known to be concluded."""
    session = stored_session(row)
    assert session is not None, "queued only once concluded"
    return session


def _check(context: Context, report: SessionReport) -> None:
    if not _SESSION_ID.fullmatch(report.session_id):
        raise SessionRefused(_("The session id must be a UUID in lower case."))
    if report.exercise_id not in load_library().by_id:
        raise SessionRefused(_("There is no exercise called “%(name)s”.", name=report.line))
    reason = report.feedback.stopped_reason
    if reason is not None and load_safety().stop_reason(reason) is None:
        known = ", ".join(one.id for one in load_safety().stop_reasons)
        raise SessionRefused(_("The reason to stop must be one of: %(known)s.", known=known))
    if report.started_at > context.now() + _CLOCK_TOLERANCE:
        raise SessionRefused(
            _("This session starts in the future. Please check your device's clock.")
        )


def _hold(db: Session, patient_id: int, report: SessionReport) -> None:
    """Raises SessionHeld. What was done before the answer is always taken."""
    alert = blocking_alert(alerts_of(db, patient_id))
    if alert is not None and alert.raised_at <= report.started_at:
        raise SessionHeld(
            _(
                "This was not sent. Your answers say that you should not exercise now. "
                "Please call your care team first."
            )
        )


def _prescribed(db: Session, patient_id: int, name: str) -> tuple[ProgramRow, PrescribedExercise]:
    """The newest line of that name. Raises SessionRefused."""
    if is_monitoring_stopped(db, patient_id):
        raise SessionNotWanted(STOPPED)
    rows = db.scalars(
        select(ProgramRow)
        .where(ProgramRow.patient_id == patient_id)
        .order_by(ProgramRow.signed_at.desc(), ProgramRow.version.desc())
    )
    for row in rows:
        for line in from_document(Program, row.document).exercises:
            if line.is_named(name):
                return row, line
    exercise = load_library()[exercise_of(name)].name[language()]
    raise SessionRefused(
        _("%(exercise)s is not in your program. Please ask your care team.", exercise=exercise)
    )


def _row(
    context: Context,
    patient_id: int,
    report: SessionReport,
    program_row: ProgramRow,
    line: PrescribedExercise,
    source: str,
) -> SessionRow:
    return SessionRow(
        id=report.session_id,
        patient_id=patient_id,
        program_row_id=program_row.id,
        exercise_id=report.exercise_id,
        side=line.side,
        source=source,
        started_at=report.started_at,
        received_at=context.now(),
        pain_before=report.pain.before,
        pain_after=report.pain.after,
        repetitions_reported=report.repetitions_reported,
        duration_reported_s=report.duration_reported_s,
        effort=report.feedback.effort,
        difficulty=report.feedback.difficulty,
        note=report.feedback.note,
        stopped_reason=report.feedback.stopped_reason,
        status="received",
    )


def _insert_once(
    context: Context, tenant_id: str, row: SessionRow, stored: StoredRecording
) -> SessionRow:
    try:
        with context.database.begin(tenant_id) as db:
            earlier = db.get(SessionRow, row.id) or db.scalar(
                select(SessionRow).where(
                    SessionRow.patient_id == row.patient_id,
                    SessionRow.exercise_id == row.exercise_id,
                    SessionRow.recording_sha256 == stored.sha256,
                    SessionRow.status != "refused",
                )
            )
            if earlier is None:
                db.add(row)
                watch_session(db, row)
                return row
    except IntegrityError:
        with context.database.begin(tenant_id) as db:
            earlier = db.get(SessionRow, row.id)
        if earlier is None:  # the id exists, but at another health system
            raise SessionConflict(
                _("This session id is taken. Please start the session again.")
            ) from None
    return _same_session(earlier, row.patient_id, row.exercise_id, stored.sha256)


def _same_session(
    earlier: SessionRow, patient_id: int, exercise_id: str, sha256: str | None
) -> SessionRow:
    same = (earlier.patient_id, earlier.exercise_id, earlier.recording_sha256)
    if same != (patient_id, exercise_id, sha256):
        raise SessionConflict(_("This session was already sent with other content."))
    return earlier
