"""What a protocol is. Texts are keyed by language (`en`, `es`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rtm.program import Dose

Comparison = Literal["at_least", "at_most"]
CriterionUnit = Literal["deg", "score", "percent", "weeks", "repetitions"]
RuleKind = Literal[
    "no_movement",
    "passive_only",
    "no_active",
    "no_resisted",
    "at_most",
    "at_least",
    "no_weight_bearing",
]
Reading = Literal["full_text", "excerpt", "abstract", "recalled"]


class UnknownProtocol(LookupError):
    """No protocol or phase has this id; the message lists those there are."""


@dataclass(frozen=True)
class Criterion:
    """What must hold to enter or leave a phase: a measure against a value in `unit`.

    `measure` is a movement of `rtm.range_of_motion` or the primary angle of an exercise (deg),
    or one of `rtm.protocols.measures.UNIT_OF`. `exercise_id` names whose repetitions or score
    are meant, `instrument_id` whose outcome score.
    """

    measure: str
    comparison: Comparison
    value: float
    unit: CriterionUnit
    exercise_id: str | None = None
    instrument_id: str | None = None

    @property
    def key(self) -> str:
        """What tells it from the other criteria of its list, for instance `knee_flexion`."""
        return ":".join(
            part for part in (self.measure, self.exercise_id, self.instrument_id) if part
        )

    def holds(self, value: float) -> bool:
        """Whether a measured `value` in `unit` meets it."""
        return value >= self.value if self.comparison == "at_least" else value <= self.value


@dataclass(frozen=True)
class MovementRule:
    """What a precaution says of a movement, in terms that an exercise can be checked against.

    | kind | of the angle `subject`, an angle of `rtm.exercises.figure` |
    |---|---|
    | no_movement | it must not move at all |
    | passive_only | it may be moved, by no muscle of its own |
    | no_active | it may be moved passively or with help |
    | no_resisted | no weight, band or hand may resist it |
    | at_most, at_least | it must not go beyond `deg`, whoever moves it |

    `no_weight_bearing` has as `subject` what must carry no weight: `legs`, `one_leg`, `knees` or
    `arms`.
    """

    kind: RuleKind
    subject: str
    deg: float | None = None


@dataclass(frozen=True)
class Precaution:
    """What to heed, within a protocol or a phase.

    `forbids` are ids of exercises and `rules` movements that must not be in the same scope.
    """

    id: str
    text: dict[str, str]
    forbids: tuple[str, ...] = ()
    rules: tuple[MovementRule, ...] = ()


@dataclass(frozen=True)
class ProtocolLine:
    """One exercise with its default dose.

    `limits` (`at_most`, `at_least`) keep the exercise within a part of its range; `note` tells
    the patient so, and is there wherever there are limits.
    """

    exercise_id: str
    dose: Dose
    limits: tuple[MovementRule, ...] = ()
    note: dict[str, str] | None = None


@dataclass(frozen=True)
class GoalTemplate:
    """A goal to be reached `due_weeks` after the start."""

    id: str
    description: str
    measure: str
    comparison: Comparison
    value: float
    unit: Literal["deg", "score", "percent"]
    due_weeks: int


@dataclass(frozen=True)
class Phase:
    """A stretch of the protocol, `weeks` long by default.

    `precautions` hold in this phase only, beside the protocol's. `education` are ids of texts
    for the patient; a deployment may not have them all.
    """

    id: str
    title: dict[str, str]
    weeks: int
    exercises: tuple[ProtocolLine, ...]
    goals: tuple[GoalTemplate, ...]
    exit_criteria: tuple[Criterion, ...]
    entry_criteria: tuple[Criterion, ...] = ()
    precautions: tuple[Precaution, ...] = ()
    education: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A published guideline. `read` is how much of it could be read when this was written.

    `section` is what the protocol rests on in it; `body` the society or author that answers for
    it; `url` its DOI or address. `year` is None where it carries no date.
    """

    title: str
    body: str
    citation: str
    section: str
    read: Reading
    year: int | None = None
    url: str | None = None


@dataclass(frozen=True)
class PainBounds:
    """Pain, 0–10: above `limit` nothing progresses; a rise of `jump`, or `severe`, is a call."""

    limit: int
    jump: int
    severe: int


@dataclass(frozen=True)
class OutcomeSchedule:
    """An outcome measure, asked at the start and every `every_weeks`."""

    instrument_id: str
    every_weeks: int


@dataclass(frozen=True)
class Variant:
    """Whose change of which shipped protocol this is, and why."""

    of: str
    author: str
    reason: str


@dataclass(frozen=True)
class Protocol:
    """A condition's protocol; its first source is the guideline that it rests on.

    `note` says to the clinician where sources disagree and what was chosen. `variant` is None for
    a protocol that ships.
    """

    id: str
    title: dict[str, str]
    region: str
    condition_code: str
    condition_display: str
    sources: tuple[Source, ...]
    note: str
    pain: PainBounds
    precautions: tuple[Precaution, ...]
    red_flags: tuple[dict[str, str], ...]
    phases: tuple[Phase, ...]
    outcomes: tuple[OutcomeSchedule, ...] = ()
    education: tuple[str, ...] = ()
    variant: Variant | None = None

    @property
    def guideline(self) -> str:
        """The citation of the guideline, in one line."""
        source = self.sources[0]
        answers_for_it = f"{source.body}, {source.year}" if source.year else source.body
        return f"{source.title}. {answers_for_it}. {source.citation}"

    def phase(self, phase_id: str) -> Phase:
        """Raises UnknownProtocol."""
        for phase in self.phases:
            if phase.id == phase_id:
                return phase
        known = ", ".join(phase.id for phase in self.phases)
        raise UnknownProtocol(f"{self.id} has no phase {phase_id!r}; known: {known}")

    def precautions_in(self, phase: Phase) -> tuple[Precaution, ...]:
        """The protocol's precautions and those of `phase`."""
        return (*self.precautions, *phase.precautions)

    def neighbours(self, phase: Phase) -> tuple[Phase | None, Phase | None]:
        """The phases before and after `phase`; None at either end."""
        at = self.phases.index(phase)
        before = self.phases[at - 1] if at else None
        after = self.phases[at + 1] if at + 1 < len(self.phases) else None
        return before, after

    def phase_at(self, weeks: float | None) -> Phase:
        """The phase for `weeks` since surgery or onset: the last whose time gate has passed.

        The first where `weeks` is not known or no gate has passed. Only time is looked at; the
        clinician judges the other criteria of entry.
        """
        found = self.phases[0]
        if weeks is None:
            return found
        for phase in self.phases:
            gates = tuple(_time_gates(phase))
            if gates and all(gate.holds(weeks) for gate in gates):
                found = phase
        return found


def _time_gates(phase: Phase) -> Iterator[Criterion]:
    """`phase`'s criteria of entry that are weeks since surgery or onset."""
    for criterion in phase.entry_criteria:
        if criterion.measure in ("time_since_surgery", "time_since_onset"):
            yield criterion
