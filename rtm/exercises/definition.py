"""What an exercise is: names, plain-language steps, and what a camera may measure of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["left", "right", "bilateral"]
Measurement = Literal["camera", "timer", "self_report"]
CameraView = Literal["frontal", "sagittal", "any"]
Laterality = Literal["bilateral", "unilateral"]
Comparison = Literal["above", "below"]
Moment = Literal["rest", "peak", "during", "change"]


@dataclass(frozen=True)
class PrimaryAngle:
    """The joint angle whose cycles are the repetitions.

    `name` is an angle of `vision.kinematics` (for instance `knee_flexion`); `rest_deg` is
    its usual value between repetitions and `target_deg` the value a full repetition
    reaches, both by the clinical convention (0° = anatomical position). `minimum_rom_deg`
    is the least excursion that is a repetition at all: about the minimal detectable change
    of a goniometer for that joint, so that sway and landmark noise never count. `counting` is
    `cycle` where a repetition ends back at rest, `rise` where reaching the target is what
    counts, as standing up is in sit-to-stand.
    """

    name: str
    rest_deg: float
    target_deg: float
    minimum_rom_deg: float
    counting: Literal["cycle", "rise"] = "cycle"


@dataclass(frozen=True)
class Tempo:
    """Bounds in seconds for each part of a repetition; `None` where the exercise asks for none."""

    concentric_s: tuple[float, float] | None
    eccentric_s: tuple[float, float] | None
    hold_s: float | None


@dataclass(frozen=True)
class Fault:
    """A movement fault: `measure` beyond `bound` for at least `minimum_duration_s`.

    `measure` is a measure of `vision.form`; `unit` is `deg`, `s` or `ratio`.
    """

    id: str
    measure: str
    comparison: Comparison
    bound: float
    unit: str
    minimum_duration_s: float
    cue: dict[str, str]


@dataclass(frozen=True)
class Requirement:
    """What makes a movement this exercise at all: `measure` beyond `bound_deg` at a moment.

    `measure` is an angle of `vision.kinematics`, of the side measured. `at` is `rest` (before
    and after the repetition), `peak`, `during` (the median over it) or `change` (peak less
    rest). A movement that breaks a requirement is not counted; one in which `measure` could
    not be seen is. `cue` says to the patient what is asked for.
    """

    measure: str
    at: Moment
    comparison: Comparison
    bound_deg: float
    cue: dict[str, str]


@dataclass(frozen=True)
class Exercise:
    """One exercise. Texts are keyed by language (`en`, `es`).

    `primary_angle`, `tempo`, `requirements` and `faults` are present only where `measurement`
    is `camera`.
    """

    id: str
    name: dict[str, str]
    region: str
    position: str
    equipment: tuple[str, ...]
    laterality: Laterality
    measurement: Measurement
    measurement_note: str | None
    camera_view: CameraView | None
    steps: dict[str, tuple[str, ...]]
    primary_angle: PrimaryAngle | None
    tempo: Tempo | None
    requirements: tuple[Requirement, ...]
    faults: tuple[Fault, ...]
    contraindications: tuple[str, ...]
