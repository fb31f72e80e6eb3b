"""What a schema can't say of protocols: that names are known, criteria measured, rules kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from rtm.education import load_articles
from rtm.exercises import ExerciseLibrary
from rtm.protocols.definition import Criterion, Phase, Precaution, Protocol
from rtm.protocols.heed import breaches_in
from rtm.protocols.measures import TIMES, problem_of
from rtm.range_of_motion import load_movements


class InvalidProtocol(ValueError):
    """A protocol breaks the schema, names something unknown, or prescribes what it forbids."""


def check_protocol(file: str, protocol: Protocol, exercises: ExerciseLibrary) -> None:
    """Raises InvalidProtocol, with `file`, phase and fault, where `protocol` contradicts itself."""
    for problem in _problems(protocol, exercises):
        raise InvalidProtocol(f"{file}: {problem}")


def _problems(protocol: Protocol, exercises: ExerciseLibrary) -> Iterator[str]:
    yield from _twice("phase", (phase.id for phase in protocol.phases))
    yield from _forbidden_names(protocol, exercises)
    yield from _unknown_articles(protocol)
    for phase in protocol.phases:
        unknown = [
            line.exercise_id for line in phase.exercises if line.exercise_id not in exercises.by_id
        ]
        if unknown:
            yield f"phase {phase.id}: unknown exercise {unknown[0]}"
            return
        yield from (f"phase {phase.id}: {what}" for what in _of_phase(protocol, phase, exercises))


def _forbidden_names(protocol: Protocol, exercises: ExerciseLibrary) -> Iterator[str]:
    for phase in protocol.phases:
        for precaution in protocol.precautions_in(phase):
            for exercise_id in precaution.forbids:
                if exercise_id not in exercises.by_id:
                    yield f"{precaution.id} forbids the unknown exercise {exercise_id}"


def _unknown_articles(protocol: Protocol) -> Iterator[str]:
    named = (*protocol.education, *(id_ for phase in protocol.phases for id_ in phase.education))
    for article_id in named:
        if article_id not in load_articles().by_id:
            yield f"education names the unknown article {article_id}"


def _of_phase(protocol: Protocol, phase: Phase, exercises: ExerciseLibrary) -> Iterator[str]:
    yield from _twice("exercise", (line.exercise_id for line in phase.exercises))
    yield from _twice("goal", (goal.id for goal in phase.goals))
    yield from _twice("precaution", (each.id for each in protocol.precautions_in(phase)))
    instruments = frozenset(each.instrument_id for each in protocol.outcomes)
    before, _ = protocol.neighbours(phase)
    # A phase is entered with what was measured in the one before.
    for kind, criteria, measured_in in (
        ("entry", phase.entry_criteria, before or phase),
        ("exit", phase.exit_criteria, phase),
    ):
        yield from _twice(f"{kind} criterion", (each.key for each in criteria))
        for criterion in criteria:
            problem = problem_of(criterion, measured_in, instruments, exercises)
            problem = problem or _forbidden_test(criterion, protocol.precautions_in(measured_in))
            if problem:
                yield f"{kind} criterion {criterion.key}: {problem}"
    for breach in breaches_in(protocol, phase, exercises):
        yield (
            f"prescribes {breach.exercise_id}, which its precaution {breach.precaution_id} "
            f"forbids: {breach.why}"
        )
    if before is None and any(each.measure not in TIMES for each in phase.entry_criteria):
        yield "the first phase can be entered by time only: nothing was measured before it"


def _forbidden_test(criterion: Criterion, precautions: Iterable[Precaution]) -> str | None:
    """Why measuring would break a precaution: a range test asks to go as far as one can."""
    if criterion.unit != "deg":
        return None
    named = {movement.id: movement for movement in load_movements()}
    movement = named.get(criterion.measure)
    angle = movement.angle if movement else criterion.measure
    end = "at_least" if movement and movement.direction == "minimum" else "at_most"
    for precaution in precautions:
        for rule in precaution.rules:
            if rule.subject == angle and rule.kind in ("no_movement", "passive_only", "no_active"):
                return f"{precaution.id} forbids moving it actively, so it can't be tested"
            if rule.subject == angle and rule.kind == end:
                return f"{precaution.id} forbids going as far as one can, so it can't be tested"
    return None


def _twice(kind: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{kind} {name} is there {count} times"
