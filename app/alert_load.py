"""`homestretch alerts load`: how many alerts each clinician gets, and how soon they are seen to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from app.store import (
    AlertAcknowledgementRow,
    AlertRow,
    AlertStepRow,
    PractitionerRow,
    newest_alert_step,
)

LOAD_HEADER = ("clinician", "raised", "open", "acknowledged", "median_hours_to_acknowledge")


@dataclass
class Load:
    """The alerts of one clinician that were raised in the window; `hours` to each acknowledgement.

    An alert counts for whose it is now: who was handed it, else who signed the program.
    """

    clinician: str
    raised: int = 0
    hours: list[float] = field(default_factory=list)

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        """As `LOAD_HEADER` has it; no median where nothing was acknowledged."""
        acknowledged = len(self.hours)
        typical = f"{median(self.hours):.1f}" if self.hours else ""
        left = self.raised - acknowledged
        return self.clinician, str(self.raised), str(left), str(acknowledged), typical


def read_loads(db: Session, now: datetime, days: int) -> Sequence[Load]:
    """Each clinician's load of alerts raised in the last `days`, the heaviest first."""
    handed = aliased(AlertStepRow)
    whose = func.coalesce(handed.to_practitioner_id, AlertRow.practitioner_id)
    found = db.execute(
        select(
            PractitionerRow.id,
            PractitionerRow.name,
            AlertRow.raised_at,
            AlertAcknowledgementRow.acknowledged_at,
        )
        .select_from(AlertRow)
        .outerjoin(handed, handed.id == newest_alert_step("handed_on"))
        .join(PractitionerRow, PractitionerRow.id == whose)
        .outerjoin(AlertAcknowledgementRow, AlertAcknowledgementRow.alert_id == AlertRow.id)
        .where(AlertRow.raised_at > now - timedelta(days=days))
    )
    loads: defaultdict[int, Load] = defaultdict(lambda: Load(""))
    for practitioner_id, name, raised_at, acknowledged_at in found:
        load = loads[practitioner_id]
        load.clinician = name
        load.raised += 1
        if acknowledged_at is not None:
            load.hours.append((acknowledged_at - raised_at).total_seconds() / 3600)
    return sorted(loads.values(), key=lambda load: (-load.raised, load.clinician))


def load_lines(loads: Sequence[Load]) -> Iterator[str]:
    """A table for people."""
    if not loads:
        yield "no alerts in this time"
        return
    rows = [tuple(name.replace("_", " ") for name in LOAD_HEADER), *(load.row for load in loads)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(LOAD_HEADER))]
    for row in rows:
        first, *rest = row
        numbers = "  ".join(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        yield f"{first.ljust(widths[0])}  {numbers}"
