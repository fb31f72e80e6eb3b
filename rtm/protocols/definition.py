"""What a protocol is. Texts are keyed by language (`en`, `es`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rtm.program import Dose


class UnknownProtocol(LookupError):
    """No protocol or phase has this id; the message lists those there are."""


@dataclass(frozen=True)
class Criterion:
    """What must hold to leave a phase: a measure against a value in `unit`."""

    measure: str
    comparison: Literal["at_least", "at_most"]
    value: float
    unit: Literal["deg", "score", "percent", "weeks"]


@dataclass(frozen=True)
class Precaution:
    """What to heed. `forbids` are ids of exercises that must not be in the same phase."""

    text: dict[str, str]
    forbids: tuple[str, ...]


@dataclass(frozen=True)
class ProtocolLine:
    """One exercise with its default dose."""

    exercise_id: str
    dose: Dose


@dataclass(frozen=True)
class GoalTemplate:
    """A goal to be reached `due_weeks` after the start."""

    id: str
    description: str
    measure: str
    comparison: Literal["at_least", "at_most"]
    value: float
    unit: Literal["deg", "score", "percent"]
    due_weeks: int


@dataclass(frozen=True)
class Phase:
    """A stretch of the protocol, `weeks` long by default."""

    id: str
    title: dict[str, str]
    weeks: int
    exercises: tuple[ProtocolLine, ...]
    goals: tuple[GoalTemplate, ...]
    exit_criteria: tuple[Criterion, ...]


@dataclass(frozen=True)
class Protocol:
    """A condition's protocol. `guideline` names the published source that it rests on."""

    id: str
    title: dict[str, str]
    region: str
    condition_code: str
    condition_display: str
    guideline: str
    precautions: tuple[Precaution, ...]
    red_flags: tuple[dict[str, str], ...]
    phases: tuple[Phase, ...]

    def phase(self, phase_id: str) -> Phase:
        """Raises UnknownProtocol."""
        for phase in self.phases:
            if phase.id == phase_id:
                return phase
        known = ", ".join(phase.id for phase in self.phases)
        raise UnknownProtocol(f"{self.id} has no phase {phase_id!r}; known: {known}")
