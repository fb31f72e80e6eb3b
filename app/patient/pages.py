"""What the portal's pages show."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from sqlalchemy import select

from app.context import Context
from app.languages import language
from app.patient.dose_words import dose_in_plain_words
from app.patient.measured_words import in_patients_words, problem_in_patients_words
from app.patient.names import ANGLES, PARTS
from app.prescribing import current_program
from app.session_rows import SessionLine, session_line
from app.sessions import stored_session
from app.sign_in import SignIn
from app.store import PatientRow, SessionRow
from rtm.exercises import Exercise, Side, load_library
from rtm.exercises.drawing import draw
from rtm.program import Dose, PrescribedExercise, Program, exercise_of, line_key
from rtm.range_limit import within_limit
from rtm.session import ExerciseResult, Session
from vision.coach import cues


@dataclass(frozen=True)
class TodayLine:
    """One exercise of the program as the patient sees it.

    `name_in_url` tells it from the other side of the same exercise, where there is one.
    """

    exercise: Exercise
    name_in_url: str
    side: Side
    name: str
    steps: tuple[str, ...]
    dose: Dose
    dose_text: str
    note: str
    done: bool

    @property
    def equipment(self) -> tuple[str, ...]:
        return self.exercise.equipment[language()]

    @property
    def drawing(self) -> dict[str, Any]:
        """The moving figure and its captions, as JSON for the page."""
        drawing = draw(self.exercise, mirrored=self.side == "left")
        return {**asdict(drawing), "steps": self.steps}


@dataclass(frozen=True)
class Today:
    """The portal's first page. `lines` are due today, `program_lines` the whole program's."""

    given_name: str
    today: date
    lines: tuple[TodayLine, ...]
    program_lines: tuple[TodayLine, ...]
    recent: tuple[SessionLine, ...]

    @property
    def done_count(self) -> int:
        return sum(line.done for line in self.lines)

    def line(self, name: str) -> TodayLine | None:
        """By the name in the URL, else the first of that exercise."""
        lines = self.program_lines
        exercise_id = exercise_of(name)
        return next(
            (line for line in lines if line.name_in_url == name),
            next((line for line in lines if line.exercise.id == exercise_id), None),
        )


@dataclass(frozen=True)
class ResultPage:
    """One session with its result, if there is one yet; `cues` are what to mind next time."""

    row: SessionRow
    day: date
    exercise_name: str
    session: Session | None
    result: ExerciseResult | None
    plot: dict[str, Any] | None
    parts: tuple[tuple[str, int | None], ...]
    cues: tuple[str, ...] = ()

    @property
    def line_name(self) -> str:
        """Leads back to the same side of the exercise."""
        return line_key(self.row.exercise_id, self.row.side)

    @property
    def angle_name(self) -> str:
        angle = self.result.primary_angle if self.result else None
        return str(ANGLES[angle.name]) if angle else ""

    @property
    def count_note(self) -> str:
        return _("counted") if self.result else _("as you told us")

    @property
    def count_differs_text(self) -> str | None:
        """Where the coach on the device had counted otherwise."""
        live = self.row.repetitions_reported
        if self.session is None or self.result is None or live is None:
            return None
        if live == self.session.repetition_count:
            return None
        return _(
            "Your device counted %(live)s as you went. We looked again at the whole session "
            "and counted %(counted)s. That is the number we keep.",
            live=live,
            counted=self.session.repetition_count,
        )

    @property
    def problem(self) -> str | None:
        return problem_in_patients_words(self.row.problem)

    @property
    def warnings(self) -> tuple[str, ...]:
        return in_patients_words(self.result.quality.warnings) if self.result else ()


def read_today(context: Context, sign_in: SignIn) -> Today:
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    with context.database.begin(sign_in.tenant_id) as db:
        patient = db.get_one(PatientRow, sign_in.patient_id)
        current = current_program(db, patient.id)
        rows = list(
            db.scalars(
                select(SessionRow)
                .where(SessionRow.patient_id == patient.id)
                .order_by(SessionRow.started_at.desc())
                .limit(60)
            )
        )
    zone = ZoneInfo(patient.time_zone)
    today = context.now().astimezone(zone).date()
    done = {
        name
        for row in rows
        if row.started_at.astimezone(zone).date() == today and row.status != "refused"
        for name in (row.exercise_id, line_key(row.exercise_id, row.side))
    }
    program = current[1] if current else None
    due = program.due_on(today) if program else ()
    names = _names_in_urls(program)
    return Today(
        given_name=patient.demographics.get("given", ""),
        today=today,
        lines=tuple(today_line(x, names[x.key] in done, names[x.key]) for x in due),
        program_lines=tuple(
            today_line(x, names[x.key] in done, names[x.key]) for x in _all(program)
        ),
        recent=tuple(session_line(row, zone, language()) for row in rows[:8]),
    )


def read_result(context: Context, sign_in: SignIn, session_id: str) -> ResultPage | None:
    """None unless it is this patient's own session."""
    with context.database.begin(sign_in.tenant_id) as db:
        row = db.scalar(
            select(SessionRow).where(
                SessionRow.id == session_id, SessionRow.patient_id == sign_in.patient_id
            )
        )
        if row is None:
            return None
        patient = db.get_one(PatientRow, row.patient_id)
    session = stored_session(row)
    result = session.result if session else None
    exercise = load_library()[row.exercise_id]
    return ResultPage(
        row=row,
        day=row.started_at.astimezone(ZoneInfo(patient.time_zone)).date(),
        exercise_name=exercise.name[language()],
        session=session,
        result=result,
        plot=row.plot,
        parts=_parts(result) if result else (),
        cues=tuple(cues(result, exercise, language())) if result else (),
    )


def _all(program: Program | None) -> tuple[PrescribedExercise, ...]:
    return program.exercises if program else ()


def _names_in_urls(program: Program | None) -> dict[str, str]:
    """By the line's key: the exercise's id, and its side where the program has both."""
    lines = _all(program)
    count = Counter(line.exercise_id for line in lines)
    return {
        line.key: line.key if count[line.exercise_id] > 1 else line.exercise_id for line in lines
    }


def today_line(line: PrescribedExercise, done: bool, name_in_url: str = "") -> TodayLine:
    """A line of a program in the patient's words."""
    exercise = within_limit(load_library()[line.exercise_id], line.limit_deg)
    return TodayLine(
        exercise=exercise,
        name_in_url=name_in_url or line.key,
        side=line.side,
        name=exercise.name[language()],
        steps=exercise.steps[language()],
        dose=line.dose,
        dose_text=dose_in_plain_words(line),
        note=line.note,
        done=done,
    )


def _parts(result: ExerciseResult) -> tuple[tuple[str, int | None], ...]:
    return tuple((str(name), _rounded(getattr(result.score, part))) for part, name in PARTS.items())


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)
