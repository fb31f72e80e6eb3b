"""A session as one line on a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l

from app.languages import Language
from app.sessions import row_feedback, stored_session
from app.store import SessionRow
from rtm.exercises import load_library
from rtm.feedback import MOST_EFFORT, Feedback, load_scales
from rtm.safety import load_safety

_STATES = {"received": (_l("Measuring"), "wait"), "refused": (_l("Not measured"), "bad")}
_REPORTED, _MEASURED = (_l("Reported"), "wait"), (_l("Measured"), "good")
_NOT_MEASURED = "–"


@dataclass(frozen=True)
class SessionLine:
    """Words and numbers for a table; `tone` is good, wait or bad."""

    id: str
    day: date
    exercise_name: str
    repetitions: str
    rom_deg: float | None
    score_total: float | None
    pain_before: int
    pain_after: int
    state: str
    tone: str
    feedback: Feedback

    @property
    def answers(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in feedback_texts(self.feedback))

    @property
    def rom(self) -> str:
        return _NOT_MEASURED if self.rom_deg is None else f"{self.rom_deg:.0f}°"

    @property
    def score(self) -> str:
        return _NOT_MEASURED if self.score_total is None else f"{self.score_total:.0f}"

    @property
    def pain(self) -> str:
        return f"{self.pain_before} → {self.pain_after}"


def session_line(row: SessionRow, zone: ZoneInfo, language: Language = "en") -> SessionLine:
    """`row` in words; its day is the patient's own."""
    session = stored_session(row)
    result = session.result if session else None
    state, tone = _STATES.get(row.status, _REPORTED if row.source == "manual" else _MEASURED)
    return SessionLine(
        id=row.id,
        day=row.started_at.astimezone(zone).date(),
        exercise_name=load_library()[row.exercise_id].name[language],
        repetitions=_NOT_MEASURED if session is None else str(session.repetition_count),
        rom_deg=result.primary_angle.rom_deg if result and result.primary_angle else None,
        score_total=result.score.total if result else None,
        pain_before=row.pain_before,
        pain_after=row.pain_after,
        state=str(state),
        tone=tone,
        feedback=row_feedback(row),
    )


def feedback_texts(feedback: Feedback) -> tuple[tuple[str, str], ...]:
    """Each answer that was given, but for the note, with its name; for the clinician."""
    found = []
    if feedback.effort is not None:
        found.append(("effort", f"{feedback.effort} of {MOST_EFFORT}"))
    if feedback.difficulty is not None:
        found.append(("difficulty", load_scales().difficulty_text(feedback.difficulty).lower()))
    if feedback.stopped_reason is not None:
        reason = load_safety().stop_reason(feedback.stopped_reason)
        words = reason.text["en"].lower() if reason else feedback.stopped_reason
        found.append(("stopped", words))
    return tuple(found)
