"""What happened in one session at home: measured repetitions, range, score; reported pain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from rtm.exercises.definition import Side
from rtm.feedback import NO_FEEDBACK, Feedback

SessionSource = Literal["video", "landmarks", "manual"]


@dataclass(frozen=True)
class Repetition:
    """One repetition of the primary angle; times in s from the start of the recording.

    `concentric_s`, `eccentric_s` and `hold_s` are its phases; `smoothness` the spectral arc
    length of its speed (about −1.4 at best). None where not measured.
    `side` is None in results made before each repetition told its side: the result's holds.
    """

    start_s: float
    peak_s: float
    end_s: float
    peak_deg: float
    rom_deg: float
    score: float | None
    faults: tuple[str, ...]
    concentric_s: float | None = None
    eccentric_s: float | None = None
    hold_s: float | None = None
    smoothness: float | None = None
    side: Side | None = None


@dataclass(frozen=True)
class AngleRange:
    """Extremes in deg of the primary angle over the measured frames."""

    name: str
    min_deg: float
    max_deg: float

    @property
    def rom_deg(self) -> float:
        return self.max_deg - self.min_deg


@dataclass(frozen=True)
class ScoreParts:
    """Each 0–100, `None` where not measured; `total` is the weighted mean of those measured."""

    total: float | None
    range: float | None
    control: float | None
    form: float | None
    symmetry: float | None
    completeness: float | None


@dataclass(frozen=True)
class PartExplanation:
    """What one part of the score rests on: a measure with its value in `unit`.

    `confidence` 0–1 is how much of it was seen, and how clearly.
    """

    part: Literal["range", "control", "form", "symmetry", "completeness"]
    measure: str
    value: float
    unit: Literal["deg", "s", "repetitions"]
    confidence: float


@dataclass(frozen=True)
class FaultFinding:
    """A fault seen: in which repetitions (counted from 1), with its worst value."""

    id: str
    repetitions: tuple[int, ...]
    measure: str
    value: float
    unit: str
    cue: str


@dataclass(frozen=True)
class Quality:
    """How well it could be seen: mean landmark visibility 0–1, frames per second."""

    visibility: float | None
    fps: float | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ExerciseResult:
    """The score of one recording; `primary_angle` is None where nothing was measured."""

    exercise_id: str
    side: Side
    duration_s: float
    frames: int
    frames_measured: int
    repetitions: tuple[Repetition, ...]
    primary_angle: AngleRange | None
    score: ScoreParts
    faults: tuple[FaultFinding, ...]
    quality: Quality
    explanation: tuple[PartExplanation, ...] = ()


@dataclass(frozen=True)
class Pain:
    """Pain severity on the 0–10 numeric rating scale, before and after the session."""

    before: int
    after: int

    def __post_init__(self) -> None:
        for value in (self.before, self.after):
            if not 0 <= value <= 10:
                raise ValueError(f"pain severity must lie between 0 and 10, got {value}")


@dataclass(frozen=True)
class Session:
    """One exercise done at home. `id` is made by the client and makes an upload idempotent.

    `result` is None for a manual log, which is a session without measurement.
    `repetitions_reported` is the patient's own count, only for a manual log. `feedback` is empty
    in sessions of before it was asked for.
    """

    id: str
    exercise_id: str
    side: Side
    source: SessionSource
    started_at: datetime
    duration_s: float
    pain: Pain
    result: ExerciseResult | None
    repetitions_reported: int | None = None
    feedback: Feedback = NO_FEEDBACK

    def __post_init__(self) -> None:
        if self.started_at.tzinfo is None:
            raise ValueError("started_at must carry a time zone")

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(seconds=self.duration_s)

    @property
    def repetition_count(self) -> int:
        if self.result is not None:
            return len(self.result.repetitions)
        return self.repetitions_reported or 0

    def monitored_day(self, time_zone: ZoneInfo) -> date:
        """The calendar day in the patient's own time zone on which the session began."""
        return self.started_at.astimezone(time_zone).date()
