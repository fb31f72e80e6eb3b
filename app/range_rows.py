"""Range-of-motion tests as lines on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.range_tests import change_from, stored_result
from app.store import RangeTestRow
from rtm.range_of_motion import Change, Language, change_in_words, load_movements

_STATES = {
    "received": (_l("Measuring"), "wait"),
    "refused": (_l("Not measured"), "bad"),
    "measured": (_l("Measured"), "good"),
}
_SIDES = {"": "", "left": _l("Left"), "right": _l("Right")}
_NOT_MEASURED = "–"


@dataclass(frozen=True)
class RangeLine:
    """Words and numbers for a table; `tone` is good, wait or bad.

    `change` is against the measured test before of the same joint and side; None for the first.
    """

    id: str
    movement_id: str
    movement_name: str
    side: str
    day: date
    best: str
    change: Change | None
    words: str | None
    mdc: str
    mdc_method: str
    normal: str
    state: str
    tone: str

    @property
    def side_in_words(self) -> str:
        return str(_SIDES[self.side])

    @property
    def measured(self) -> bool:
        return self.best != _NOT_MEASURED

    @property
    def change_text(self) -> str:
        """Signed so that + is further, with whether it is beyond the MDC."""
        if self.change is None:
            return _NOT_MEASURED
        sign = "±" if self.change.shown_deg == 0 else "+" if self.change.gain_deg > 0 else "−"
        certainty = "certain" if self.change.certain else "within MDC"
        return f"{sign}{self.change.shown_deg}° ({certainty})"


def read_range_lines(
    db: Session, patient_id: int, zone: ZoneInfo, language: Language = "en"
) -> tuple[RangeLine, ...]:
    """The patient's tests, newest first; their days are the patient's own."""
    rows = list(
        db.scalars(
            select(RangeTestRow)
            .where(RangeTestRow.patient_id == patient_id)
            .order_by(RangeTestRow.measured_at.desc())
        )
    )
    lines = []
    last: dict[tuple[str, str | None], RangeTestRow] = {}
    for row in reversed(rows):
        joint = (row.movement_id, row.side)
        lines.append(_line(row, last.get(joint), zone, language))
        if row.status == "measured":
            last[joint] = row
    return tuple(reversed(lines))


def newest_of_each(lines: Sequence[RangeLine]) -> tuple[RangeLine, ...]:
    """The newest measured line of each joint and side, in the order of `lines`."""
    newest: dict[tuple[str, str], RangeLine] = {}
    for line in lines:
        if line.measured:
            newest.setdefault((line.movement_id, line.side), line)
    return tuple(newest.values())


def _line(
    row: RangeTestRow, earlier: RangeTestRow | None, zone: ZoneInfo, language: Language
) -> RangeLine:
    movement = load_movements()[row.movement_id]
    result = stored_result(row)
    best = None if result is None else result.best_deg
    change = None if earlier is None else change_from(earlier, row)
    words = None
    if change is not None and earlier is not None:
        words = change_in_words(
            movement,
            change,
            language,
            earlier_on=earlier.measured_at.astimezone(zone).date(),
            later_on=row.measured_at.astimezone(zone).date(),
        )
    state, tone = _STATES[row.status]
    return RangeLine(
        id=row.id,
        movement_id=movement.id,
        movement_name=movement.name[language],
        side=row.side or "",
        day=row.measured_at.astimezone(zone).date(),
        best=_NOT_MEASURED if best is None else f"{best:.0f}°",
        change=change,
        words=words,
        mdc=f"{movement.mdc.value_deg:g}°",
        mdc_method=movement.mdc.method,
        normal=movement.normal.text,
        state=str(state),
        tone=tone,
    )
