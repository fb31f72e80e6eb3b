"""Scoring a received session; a refusal is a result too, told to the patient in plain words."""

from __future__ import annotations

from typing import Any

import structlog

from app.context import Context
from app.prescribing import prescribed_exercise
from app.sessions import conclude
from app.store import SessionRow
from vision.errors import RecordingProblem
from vision.score import Scored, score_file

log = structlog.get_logger(__name__)

# Enough points for a plot on any screen; the full series stays in the recording.
_PLOT_POINTS = 600


def score_session(context: Context, tenant_id: str, session_id: str) -> int | None:
    """Scores a session still `received`; returns the patient's row id if it now has a result.

    Runs as often as it is asked to: a session already concluded is left alone.
    """
    with context.database.begin(tenant_id) as db:
        row = db.get_one(SessionRow, session_id)
        exercise = prescribed_exercise(db, row)
    if row.status != "received" or row.recording is None:
        return None
    path = context.settings.recordings_dir / row.recording
    try:
        scored = score_file(path, exercise, row.side)  # type: ignore[arg-type]  # written from a Side
    except RecordingProblem as problem:
        log.info("session_refused", session=session_id, reason=type(problem).__name__)
        _refuse(context, tenant_id, session_id, str(problem))
        return None
    with context.database.begin(tenant_id) as db:
        row = db.get_one(SessionRow, session_id, with_for_update=True)
        if row.status == "received":
            row.plot = plot_document(scored)
            conclude(context, db, row, scored.result, scored.result.duration_s)
    return row.patient_id


def plot_document(scored: Scored) -> dict[str, Any]:
    """The primary angle over time, thinned, with the repetitions, for the page's plot."""
    step = max(1, len(scored.t_s) // _PLOT_POINTS)
    return {
        "t_s": [round(float(t), 3) for t in scored.t_s[::step]],
        "angle_deg": [
            None if angle != angle else round(float(angle), 1) for angle in scored.angle_deg[::step]
        ],
        "repetitions": [
            {
                "start_s": rep.start_s,
                "peak_s": rep.peak_s,
                "end_s": rep.end_s,
                "peak_deg": rep.peak_deg,
            }
            for rep in scored.result.repetitions
        ],
    }


def _refuse(context: Context, tenant_id: str, session_id: str, problem: str) -> None:
    with context.database.begin(tenant_id) as db:
        row = db.get_one(SessionRow, session_id, with_for_update=True)
        if row.status == "received":
            row.status, row.problem = "refused", problem
