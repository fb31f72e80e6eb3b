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
Position = Literal["standing", "sitting", "supine", "prone", "side_lying", "quadruped"]
DrawnView = Literal["frontal", "sagittal", "transverse"]
CloseUp = Literal["head", "upper_body", "right_arm", "right_leg"]
Work = Literal["passive", "assisted", "active", "isometric", "resisted"]
WeightBearing = Literal["both_legs", "one_leg", "knees", "arms"]
PropKind = Literal["chair", "table", "table_edge", "wall", "step"]

# The system of the library's own codes; the code of an exercise in it is its id.
CODE_SYSTEM = "https://homestretch.health/fhir/CodeSystem/exercise"


@dataclass(frozen=True)
class PrimaryAngle:
    """The joint angle whose cycles are the repetitions.

    `name` is an angle of `vision.kinematics` (for instance `knee_flexion`); `rest_deg` is
    its usual value between repetitions and `target_deg` the value a full repetition
    reaches, both by the clinical convention (0° = anatomical position). `minimum_rom_deg`
    is the least excursion that is a repetition at all: about the minimal detectable change
    of a goniometer for that joint, so that sway and landmark noise never count. `source`
    names the published norm that the target lies within. `counting` is
    `cycle` where a repetition ends back at rest, `rise` where reaching the target is what
    counts, as standing up is in sit-to-stand.
    """

    name: str
    rest_deg: float
    target_deg: float
    minimum_rom_deg: float
    source: str
    counting: Literal["cycle", "rise"] = "cycle"


@dataclass(frozen=True)
class Phase:
    """A named part of a repetition, through which the primary angle goes from one to the other.

    The phases of an exercise follow each other from rest through the target and back to rest;
    one that stays at the target is a hold.
    """

    id: str
    name: dict[str, str]
    from_deg: float
    to_deg: float


@dataclass(frozen=True)
class Tempo:
    """Bounds in seconds for each part of a repetition; `None` where the exercise asks for none."""

    concentric_s: tuple[float, float] | None
    eccentric_s: tuple[float, float] | None
    hold_s: float | None


@dataclass(frozen=True)
class Fault:
    """A movement fault: `measure` beyond `bound` for at least `minimum_duration_s`.

    `measure` is a measure of `vision.form`; `unit` is `deg`, `s`, `ratio` or `deg_per_s`.
    The bounds are house choices unless the definition's file says otherwise: wide enough
    that an ordinary repetition with the error of one camera (5–10°) stays inside.
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
class Code:
    """The exercise in a code system; in the library's own the code is the id."""

    system: str
    code: str
    display: str


@dataclass(frozen=True)
class Keyframe:
    """A pose at the share `t` (0–1) of one repetition, by joint angles in deg.

    `angles_deg` is keyed as `rtm.exercises.figure.ANGLES` names them, with `left_` or `right_`
    before those of limbs, and is complete. `step` is the step of the instructions, from 1,
    that the pose shows.
    """

    t: float
    step: int
    angles_deg: dict[str, float]


@dataclass(frozen=True)
class Prop:
    """What the person uses, set where the joint `at` is at rest."""

    kind: PropKind
    at: str


@dataclass(frozen=True)
class Demonstration:
    """How one repetition looks, for a drawn figure.

    The movement goes from keyframe to keyframe and after the last back to the first, in
    `duration_s`. `contacts` are the joints that keep their place on a support all the while;
    the first is the one held, the angles keep the others. Without any, the lowest joint
    stands on the floor, as in stepping on the spot.
    """

    view: DrawnView
    duration_s: float
    contacts: tuple[str, ...]
    props: tuple[Prop, ...]
    close_up: CloseUp | None
    keyframes: tuple[Keyframe, ...]


@dataclass(frozen=True)
class Exercise:
    """One exercise. Texts are keyed by language (`en`, `es`).

    `feel` is what the patient should feel where it is done well. `weight_bearing` is what carries
    the body's weight; `work` what moves a joint where it is not simply active, by angle as
    `rtm.exercises.figure` names them (`rtm.exercises.movement`).
    `primary_angle`, `phases`, `tempo`, `requirements` and `faults` are present only where
    `measurement` is `camera`. `progressions` and `regressions` are ids of harder and easier
    exercises of the same region or of one of `further_regions`.
    """

    id: str
    name: dict[str, str]
    region: str
    further_regions: tuple[str, ...]
    position: Position
    equipment: dict[str, tuple[str, ...]]
    laterality: Laterality
    weight_bearing: tuple[WeightBearing, ...]
    work: dict[str, Work]
    measurement: Measurement
    measurement_note: str | None
    camera_view: CameraView | None
    steps: dict[str, tuple[str, ...]]
    feel: dict[str, str]
    primary_angle: PrimaryAngle | None
    phases: tuple[Phase, ...]
    tempo: Tempo | None
    requirements: tuple[Requirement, ...]
    faults: tuple[Fault, ...]
    contraindications: dict[str, tuple[str, ...]]
    progressions: tuple[str, ...]
    regressions: tuple[str, ...]
    codes: tuple[Code, ...]
    demonstration: Demonstration
