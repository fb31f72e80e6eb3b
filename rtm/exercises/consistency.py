"""What a schema can't say of exercises: that phases meet, keyframes follow, and links hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from rtm.exercises.definition import CODE_SYSTEM, Exercise


class InvalidExercise(ValueError):
    """A definition breaks the schema or contradicts itself; the message names file and fault."""


def check_exercise(file: str, exercise: Exercise) -> None:
    """Raises InvalidExercise where one definition contradicts itself."""
    for problem in (*_of_phases(exercise), *_of_keyframes(exercise), *_of_codes(exercise)):
        raise InvalidExercise(f"{file}: {problem}")
    for name, texts in (
        ("steps", exercise.steps),
        ("contraindications", exercise.contraindications),
    ):
        if len(texts["en"]) != len(texts["es"]):
            raise InvalidExercise(f"{file}: {name} differ in number between en and es")


def check_links(by_id: Mapping[str, Exercise]) -> None:
    """Progressions and regressions exist, keep to the region, and never lead in a circle.

    Raises:
        InvalidExercise: otherwise; the message names the exercises.
    """
    harder: dict[str, set[str]] = {exercise_id: set() for exercise_id in by_id}
    for exercise in by_id.values():
        regions = {exercise.region, *exercise.further_regions}
        for kind, links in (
            ("progression", exercise.progressions),
            ("regression", exercise.regressions),
        ):
            for link in links:
                if link not in by_id:
                    raise InvalidExercise(f"{exercise.id}.yaml: unknown {kind} {link}")
                if not regions & {by_id[link].region, *by_id[link].further_regions}:
                    raise InvalidExercise(
                        f"{exercise.id}.yaml: the {kind} {link} is of another region"
                    )
        for link in exercise.progressions:
            harder[exercise.id].add(link)
        for link in exercise.regressions:
            harder[link].add(exercise.id)
    try:
        TopologicalSorter(harder).prepare()
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise InvalidExercise(f"progressions lead in a circle: {circle}") from None


def _of_phases(exercise: Exercise) -> Iterable[str]:
    angle, phases = exercise.primary_angle, exercise.phases
    if angle is None:
        return
    if phases[0].from_deg != angle.rest_deg or phases[-1].to_deg != angle.rest_deg:
        yield f"phases must begin and end at rest ({angle.rest_deg:g}°)"
    if all(phase.to_deg != angle.target_deg for phase in phases):
        yield f"no phase reaches the target ({angle.target_deg:g}°)"
    for before, after in pairwise(phases):
        if before.to_deg != after.from_deg:
            yield f"phase {after.id} does not begin where {before.id} ends"


def _of_keyframes(exercise: Exercise) -> Iterable[str]:
    frames = exercise.demonstration.keyframes
    times = [frame.t for frame in frames]
    if times[0] != 0 or any(b <= a for a, b in pairwise(times)):
        yield "keyframes must begin at t = 0 and follow each other"
    for frame in frames:
        if frame.step > len(exercise.steps["en"]):
            yield f"the keyframe at t = {frame.t:g} shows step {frame.step}, which is not there"


def _of_codes(exercise: Exercise) -> Iterable[str]:
    own = [code.code for code in exercise.codes if code.system == CODE_SYSTEM]
    if own != [exercise.id]:
        yield f"codes must hold {exercise.id} of {CODE_SYSTEM} once"
