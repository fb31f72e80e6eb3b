"""What "My progress" shows: a month of days, and the ways of range and pain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.context import Context
from app.languages import Language
from app.patient.names import SIDES
from app.patient.progress_words import pain_sentence, range_sentence, streak_sentence, week_sentence
from app.sessions import stored_session
from app.sign_in import SignIn
from app.store import PatientRow, ProgramRow, SessionRow, from_document
from rtm.adherence import CalendarDay, calendar, streak
from rtm.exercises import Exercise, Side, load_library
from rtm.instruments import load_measures
from rtm.program import Program
from rtm.progress import RangePoint, pain_change, range_change, reach_deg, target_deg, week_done

# A streak is looked for so far back; a longer one is a year's work and told as such.
_LOOK_BACK = timedelta(days=366)


class NoSuchMonth(ValueError):
    """The month asked for is not one, or lies outside the patient's program."""


@dataclass(frozen=True)
class MonthView:
    """One month in weeks from Sunday; None fills up the first and the last week."""

    first: date
    weeks: tuple[tuple[CalendarDay | None, ...], ...]
    previous: date | None
    following: date | None


@dataclass(frozen=True)
class PainView:
    """Pain after each session, newest first in `rows`."""

    sentence: str | None
    plot: dict[str, Any]
    rows: tuple[tuple[date, int], ...]


@dataclass(frozen=True)
class RangeView:
    """How far one exercise's joint went by day, newest first in `rows`, beside its target."""

    exercise_name: str
    side: str
    sentence: str | None
    target_deg: int | None
    target_is_least: bool
    plot: dict[str, Any]
    rows: tuple[RangePoint, ...]


@dataclass(frozen=True)
class ProgressPage:
    """All of it; `sentences` say it in words first."""

    today: date
    sentences: tuple[str, ...]
    month: MonthView | None
    ranges: tuple[RangeView, ...]
    pain: PainView | None


def read_progress(
    context: Context, sign_in: SignIn, language: Language, month: str | None
) -> ProgressPage:
    """`month` is YYYY-MM; None is the current one, or the nearest of the program.

    Raises:
        NoSuchMonth: see there.
    """
    assert sign_in.patient_id is not None, "a patient's sign-in always names one"
    with context.database.begin(sign_in.tenant_id) as db:
        patient = db.get_one(PatientRow, sign_in.patient_id)
        programs = _programs(db, patient.id)
        rows = list(
            db.scalars(
                select(SessionRow)
                .where(SessionRow.patient_id == patient.id, SessionRow.status != "refused")
                .order_by(SessionRow.started_at)
            )
        )
    zone = ZoneInfo(patient.time_zone)
    today = context.now().astimezone(zone).date()
    done: dict[date, set[str]] = defaultdict(set)
    for row in rows:
        done[_day(row, zone)].add(row.exercise_id)
    days = calendar(programs, done, today - _LOOK_BACK, today, today)
    pain = [(_day(row, zone), row.pain_after) for row in rows]
    important = load_measures()["nprs"].important_change
    assert important is not None, "the pain scale has one"
    change = pain_change(pain, today, important.points)
    sentences = (week_sentence(week_done(days, today)), streak_sentence(streak(days, today)))
    return ProgressPage(
        today=today,
        sentences=tuple(sentence for sentence in sentences if sentence),
        month=_month(programs, done, today, month) if programs else None,
        ranges=_ranges(rows, zone, programs[-1] if programs else None, language),
        pain=PainView(
            pain_sentence(change) if change else None,
            {
                "t_s": [int(row.started_at.timestamp()) for row in rows],
                "pain": [p for _, p in pain],
            },
            tuple(reversed(pain)),
        )
        if pain
        else None,
    )


def _programs(db: Session, patient_id: int) -> tuple[Program, ...]:
    """Every signed version, the newest last."""
    rows = db.scalars(
        select(ProgramRow)
        .where(ProgramRow.patient_id == patient_id)
        .order_by(ProgramRow.signed_at, ProgramRow.version)
    )
    return tuple(from_document(Program, row.document) for row in rows)


def _day(row: SessionRow, zone: ZoneInfo) -> date:
    return row.started_at.astimezone(zone).date()


def _month(
    programs: Sequence[Program],
    done: dict[date, set[str]],
    today: date,
    wanted: str | None,
) -> MonthView:
    earliest = min(program.start for program in programs).replace(day=1)
    latest = max(*(program.end for program in programs), today).replace(day=1)
    first = max(today.replace(day=1), earliest)
    if wanted is not None:
        try:
            first = datetime.strptime(wanted, "%Y-%m").date()
        except ValueError:
            raise NoSuchMonth(wanted) from None
        if not earliest <= first <= latest:
            raise NoSuchMonth(wanted)
    following = (first + timedelta(days=31)).replace(day=1)
    days = calendar(programs, done, first, following - timedelta(days=1), today)
    before = (first.weekday() + 1) % 7
    cells: list[CalendarDay | None] = [*[None] * before, *days]
    cells += [None] * (-len(cells) % 7)
    return MonthView(
        first=first,
        weeks=tuple(tuple(cells[start : start + 7]) for start in range(0, len(cells), 7)),
        previous=(first - timedelta(days=1)).replace(day=1) if first > earliest else None,
        following=following if following <= latest else None,
    )


def _ranges(
    rows: Sequence[SessionRow], zone: ZoneInfo, program: Program | None, language: Language
) -> tuple[RangeView, ...]:
    """One for each exercise and side that was measured on two days, by the exercise's name."""
    reached: dict[tuple[str, str], dict[date, float]] = defaultdict(dict)
    for row in rows:
        session = stored_session(row)
        exercise = load_library()[row.exercise_id]
        if session is None or session.result is None:
            continue
        reach = reach_deg(exercise, session.result)
        if reach is not None:
            reached[row.exercise_id, row.side][_day(row, zone)] = reach
    views = [
        _range_view(load_library()[exercise_id], side, by_day, program, language)  # type: ignore[arg-type]  # stored from a Side
        for (exercise_id, side), by_day in reached.items()
        if len(by_day) > 1
    ]
    return tuple(sorted(views, key=lambda view: (view.exercise_name, view.side)))


def _range_view(
    exercise: Exercise,
    side: Side,
    by_day: dict[date, float],
    program: Program | None,
    language: Language,
) -> RangeView:
    points = [RangePoint(day, reach) for day, reach in sorted(by_day.items())]
    change = range_change(exercise, points)
    target = target_deg(exercise, program)
    angle = exercise.primary_angle
    assert angle is not None, "measured by it"
    upwards = angle.target_deg > angle.rest_deg
    return RangeView(
        exercise_name=exercise.name[language],
        side=str(SIDES[side]),
        sentence=range_sentence(change, language) if change else None,
        target_deg=None if target is None else round(target),
        target_is_least=upwards,
        plot={
            "t_s": [_noon(point.day) for point in points],
            "rom_deg": [round(point.reach_deg, 1) for point in points],
            "target_deg": None if target is None else {"at": target, "upwards": upwards},
        },
        rows=tuple(reversed(points)),
    )


def _noon(day: date) -> int:
    """An instant in the middle of `day` for an axis of days."""
    return int((day - date(1970, 1, 1)) / timedelta(seconds=1)) + 12 * 3600
