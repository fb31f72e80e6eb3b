"""Whether an exercise keeps to precautions, by what its definition says that it moves and loads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rtm.exercises import Exercise, ExerciseLibrary
from rtm.exercises.movement import Movement, movements
from rtm.protocols.definition import MovementRule, Phase, Precaution, Protocol

# The kinds of work that each rule leaves.
_LEFT = {
    "no_movement": frozenset[str](),
    "passive_only": frozenset({"passive"}),
    "no_active": frozenset({"passive", "assisted"}),
    "no_resisted": frozenset({"passive", "assisted", "active", "isometric"}),
}
# What bears weight where a rule says that its subject must not.
_BEARS = {
    "legs": frozenset({"both_legs", "one_leg"}),
    "one_leg": frozenset({"one_leg"}),
    "knees": frozenset({"knees"}),
    "arms": frozenset({"arms"}),
}


@dataclass(frozen=True)
class Breach:
    """An exercise that a precaution rules out, and why, in words."""

    exercise_id: str
    precaution_id: str
    why: str


def breaches(
    exercise: Exercise,
    precautions: Iterable[Precaution],
    limits: Iterable[MovementRule] = (),
) -> Iterator[Breach]:
    """Each way in which `exercise`, done within `limits`, breaks one of `precautions`."""
    done = _limited(movements(exercise), tuple(limits))
    for precaution in precautions:
        if exercise.id in precaution.forbids:
            yield Breach(exercise.id, precaution.id, "it is forbidden by name")
        for rule in precaution.rules:
            why = _broken(rule, done, exercise)
            if why is not None:
                yield Breach(exercise.id, precaution.id, why)


def breaches_in(protocol: Protocol, phase: Phase, exercises: ExerciseLibrary) -> tuple[Breach, ...]:
    """What `phase` prescribes against its own or the protocol's precautions."""
    heeded = protocol.precautions_in(phase)
    return tuple(
        breach
        for line in phase.exercises
        for breach in breaches(exercises[line.exercise_id], heeded, line.limits)
    )


def _limited(done: dict[str, Movement], limits: tuple[MovementRule, ...]) -> dict[str, Movement]:
    for limit in limits:
        before = done.get(limit.subject)
        if before is None or limit.deg is None:
            continue
        least, most = before.least_deg, before.most_deg
        if limit.kind == "at_most":
            least, most = min(least, limit.deg), min(most, limit.deg)
        else:
            least, most = max(least, limit.deg), max(most, limit.deg)
        done = done | {limit.subject: Movement(least, most, before.work)}
    return done


def _broken(rule: MovementRule, done: dict[str, Movement], exercise: Exercise) -> str | None:
    if rule.kind == "no_weight_bearing":
        borne = _BEARS[rule.subject] & set(exercise.weight_bearing)
        return f"it puts weight on {' and '.join(sorted(borne))}" if borne else None
    movement = done[rule.subject]
    if rule.kind == "at_most" and rule.deg is not None and movement.most_deg > rule.deg:
        return f"{rule.subject} reaches {movement.most_deg:g}°, more than {rule.deg:g}°"
    if rule.kind == "at_least" and rule.deg is not None and movement.least_deg < rule.deg:
        return f"{rule.subject} goes to {movement.least_deg:g}°, less than {rule.deg:g}°"
    left = _LEFT.get(rule.kind)
    if left is not None and movement.work is not None and movement.work not in left:
        return f"its {rule.subject} is {movement.work}"
    return None
