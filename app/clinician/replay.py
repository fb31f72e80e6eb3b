"""One session to look at again: what was measured, and the landmarks that were kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.context import Context
from app.session_rows import SessionLine, session_line
from app.sessions import stored_session
from app.store import PatientRow, SessionRow
from rtm.exercises import load_library
from rtm.session import ExerciseResult
from vision.errors import RecordingProblem
from vision.kinematics import VISIBLE
from vision.landmarks import LandmarkSeries
from vision.recordings import read_recording

# MediaPipe's indices of shoulders to wrists and hips to feet: what the figure is drawn of.
_DRAWN = (11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 31, 32)
# As smooth as a person moves in rehabilitation, at a quarter of a fast camera's bytes.
_FRAMES_PER_S = 15.0


class NoSuchSession(LookupError):
    """The patient has no session of that id."""


class NoFrames(LookupError):
    """There are no landmarks of this session to show; the message says why."""


@dataclass(frozen=True)
class RepetitionLine:
    """One repetition: `faults` are the cues of what was seen in it."""

    number: int
    start_s: float
    side: str
    peak: str
    rom: str
    score: str
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Replay:
    """A session on the patient's own day; `plot` as `app.jobs.score.plot_document` makes it."""

    line: SessionLine
    plot: dict[str, Any] | None
    angle_name: str
    repetitions: tuple[RepetitionLine, ...]
    has_frames: bool


def read_replay(db: Session, patient_id: int, session_id: str) -> Replay:
    """Raises NoSuchSession, also for another patient's session."""
    row = _row(db, patient_id, session_id)
    zone = ZoneInfo(db.get_one(PatientRow, patient_id).time_zone)
    session = stored_session(row)
    result = session.result if session else None
    angle = result.primary_angle if result else None
    return Replay(
        line=session_line(row, zone),
        plot=row.plot,
        angle_name=angle.name.replace("_", " ").capitalize() if angle else "",
        repetitions=_repetitions(result) if result else (),
        has_frames=_has_frames(row),
    )


def read_frames(
    context: Context, tenant_id: str, patient_id: int, session_id: str
) -> dict[str, Any]:
    """As `app/web/src/replay.ts` reads it.

    `points` has for each time in `tS` (s) x and y of each of `landmarks`, as fractions of the
    picture; both are null where the landmark was not seen.

    Raises:
        NoSuchSession: also for another patient's session.
        NoFrames: a session without landmarks, or whose file is gone.
    """
    with context.database.begin(tenant_id) as db:
        row = _row(db, patient_id, session_id)
        if not _has_frames(row):
            raise NoFrames("No landmarks are kept of this session.")
        path = context.settings.recordings_dir / str(row.recording)
    try:
        return frames_document(read_recording(path).series)
    except RecordingProblem as error:
        raise NoFrames(f"The landmarks of this session can't be read: {error}") from None


def frames_document(series: LandmarkSeries) -> dict[str, Any]:
    """The series at no more than 15 frames a second, of what the figure is drawn of."""
    kept = _thinned(series.t_s)
    places = np.round(series.image[kept][:, _DRAWN], 4)
    places[series.visibility[kept][:, _DRAWN] < VISIBLE] = np.nan
    return {
        "width": series.width,
        "height": series.height,
        "landmarks": list(_DRAWN),
        "tS": [round(float(t), 3) for t in series.t_s[kept]],
        "points": [
            [None if value != value else float(value) for value in frame.ravel()]
            for frame in places
        ],
    }


def _thinned(t_s: np.ndarray[Any, Any]) -> list[int]:
    """Frames at least a fifteenth of a second apart, with the first."""
    kept, next_s = [], -np.inf
    for index, time_s in enumerate(t_s):
        if time_s >= next_s - 1e-6:
            kept.append(index)
            next_s = time_s + 1 / _FRAMES_PER_S
    return kept


def _repetitions(result: ExerciseResult) -> tuple[RepetitionLine, ...]:
    cues = {fault.id: fault.cue["en"] for fault in load_library()[result.exercise_id].faults}
    return tuple(
        RepetitionLine(
            number=number,
            start_s=rep.start_s,
            side=rep.side or result.side,
            peak=f"{rep.peak_deg:.0f}°",
            rom=f"{rep.rom_deg:.0f}°",
            score="–" if rep.score is None else f"{rep.score:.0f}",
            faults=tuple(cues.get(fault, fault) for fault in rep.faults),
        )
        for number, rep in enumerate(result.repetitions, start=1)
    )


def _has_frames(row: SessionRow) -> bool:
    return row.source == "landmarks"


def _row(db: Session, patient_id: int, session_id: str) -> SessionRow:
    mine = select(SessionRow).where(
        SessionRow.id == session_id, SessionRow.patient_id == patient_id
    )
    row = db.scalar(mine)
    if row is None:
        raise NoSuchSession("There is no such session in this chart.")
    return row
