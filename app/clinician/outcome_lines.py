"""Outcome measures as lines on the chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.context import Context
from app.outcomes import measures
from app.store import OutcomeResponseRow
from rtm.instruments import Measure

_SAME = "–"


@dataclass(frozen=True)
class OutcomeLine:
    """One measure: its newest score, and what became of it since the first.

    `tone` is good, wait or bad as the change is important and for the better, is not (or not yet)
    important, or is for the worse. `scores` are all of them, newest first.
    """

    title: str
    latest: str
    day: date
    change: str
    verdict: str
    tone: str
    important: str
    source: str
    scores: tuple[tuple[date, str], ...]


def read_outcome_lines(
    context: Context, db: Session, patient_id: int, zone: ZoneInfo
) -> tuple[OutcomeLine, ...]:
    """One for each measure that the patient has answered, by its title."""
    by_measure: dict[str, list[OutcomeResponseRow]] = {}
    for row in db.scalars(
        select(OutcomeResponseRow)
        .where(OutcomeResponseRow.patient_id == patient_id)
        .order_by(OutcomeResponseRow.answered_at)
    ):
        by_measure.setdefault(row.instrument_id, []).append(row)
    library = measures(context)
    lines = [_line(library[key], rows, zone) for key, rows in by_measure.items()]
    return tuple(sorted(lines, key=lambda line: line.title))


def _line(measure: Measure, rows: Sequence[OutcomeResponseRow], zone: ZoneInfo) -> OutcomeLine:
    instrument, important = measure.instrument, measure.important_change
    least, most = instrument.score_bounds
    scores = [(row.answered_at.astimezone(zone).date(), row.score or 0.0) for row in rows]
    first, latest = scores[0][1], scores[-1][1]
    moved: float | None = None
    if measure.measures == "change":
        moved = latest
    elif len(scores) > 1:
        moved = latest - first
    verdict, tone = _verdict(measure, moved)
    since = "the start" if measure.measures == "change" else str(scores[0][0])
    return OutcomeLine(
        title=instrument.title["en"],
        latest=f"{_shown(latest)} of {_shown(least)} to {_shown(most)}",
        day=scores[-1][0],
        change=_SAME if moved is None else f"{_signed(moved)} since {since}",
        verdict=verdict,
        tone=tone,
        important="–" if important is None else f"{important.name} {important.points:g}",
        source="" if important is None else important.source,
        scores=tuple((day, _shown(score)) for day, score in reversed(scores)),
    )


def _verdict(measure: Measure, moved: float | None) -> tuple[str, str]:
    if moved is None:
        return "first score", "wait"
    important = measure.important_change
    if important is None:
        return "no published threshold", "wait"
    if abs(moved) < important.points:
        return f"within {important.name}", "wait"
    better = (moved > 0) == (measure.instrument.better == "higher")
    return ("better", "good") if better else ("worse", "bad")


def _shown(score: float) -> str:
    return f"{round(score, 1):g}".replace("-", "−")


def _signed(change: float) -> str:
    return f"+{_shown(change)}" if change > 0 else _shown(change)
