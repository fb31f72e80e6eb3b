"""Loading the library: YAML in, checked `Exercise` values out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from rtm.checked_yaml import checked_documents
from rtm.exercises.consistency import InvalidExercise, check_exercise, check_links
from rtm.exercises.definition import (
    Code,
    Demonstration,
    Exercise,
    Fault,
    Keyframe,
    Phase,
    Position,
    PrimaryAngle,
    Prop,
    Requirement,
    Tempo,
)
from rtm.exercises.poses import base_pose, sided

__all__ = ["ExerciseLibrary", "InvalidExercise", "UnknownExercise", "load_library", "read_library"]


class UnknownExercise(LookupError):
    """No exercise has this id; the message lists the ids there are."""


@dataclass(frozen=True)
class ExerciseLibrary:
    """Every exercise by id, iterated in the order of ids."""

    by_id: Mapping[str, Exercise]

    def __getitem__(self, exercise_id: str) -> Exercise:
        try:
            return self.by_id[exercise_id]
        except KeyError:
            known = ", ".join(sorted(self.by_id))
            raise UnknownExercise(f"unknown exercise {exercise_id!r}; known: {known}") from None

    def __iter__(self) -> Iterator[Exercise]:
        return iter(self.by_id[key] for key in sorted(self.by_id))

    def names(self) -> dict[str, str]:
        """The English name of each exercise by id."""
        return {exercise.id: exercise.name["en"] for exercise in self}

    def __len__(self) -> int:
        return len(self.by_id)


@cache
def load_library() -> ExerciseLibrary:
    """The library shipped with this package.

    Raises:
        InvalidExercise: a file breaks the schema, contradicts itself, has an id that differs
            from its file name, or names a progression that is not there.
    """
    return read_library(files(__package__))


def read_library(folder: Traversable) -> ExerciseLibrary:
    """Every `*.yaml` of `folder`, checked. Raises as `load_library`."""
    by_id: dict[str, Exercise] = {}
    for file_name, document in checked_documents(folder, __package__, InvalidExercise):
        if file_name != f"{document['id']}.yaml":
            raise InvalidExercise(f"{file_name}: holds the id {document['id']!r}")
        by_id[document["id"]] = _exercise(document)
        check_exercise(file_name, by_id[document["id"]])
    check_links(by_id)
    return ExerciseLibrary(by_id)


def _exercise(document: dict[str, Any]) -> Exercise:
    camera = document.get("camera", {})
    return Exercise(
        id=document["id"],
        name=document["name"],
        region=document["region"],
        further_regions=tuple(document.get("further_regions", ())),
        position=document["position"],
        equipment=_texts(document.get("equipment", {"en": [], "es": []})),
        laterality=document["laterality"],
        weight_bearing=tuple(document["weight_bearing"]),
        work=document.get("work", {}),
        measurement=document["measurement"],
        measurement_note=document.get("measurement_note"),
        camera_view=camera.get("view"),
        steps=_texts(document["steps"]),
        feel=document["feel"],
        primary_angle=PrimaryAngle(**camera["primary_angle"]) if camera else None,
        phases=tuple(Phase(**phase) for phase in camera.get("phases", ())),
        tempo=_tempo(camera["tempo"]) if camera else None,
        requirements=tuple(Requirement(**each) for each in camera.get("requirements", ())),
        faults=tuple(Fault(**fault) for fault in camera.get("faults", ())),
        contraindications=_texts(document["contraindications"]),
        progressions=tuple(document.get("progressions", ())),
        regressions=tuple(document.get("regressions", ())),
        codes=tuple(Code(**code) for code in document["codes"]),
        demonstration=_demonstration(document["demonstration"], document["position"]),
    )


def _texts(document: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {language: tuple(texts) for language, texts in document.items()}


def _tempo(document: dict[str, Any]) -> Tempo:
    def bounds(key: str) -> tuple[float, float] | None:
        value = document.get(key)
        return None if value is None else (float(value[0]), float(value[1]))

    return Tempo(bounds("concentric_s"), bounds("eccentric_s"), document.get("hold_s"))


def _demonstration(document: dict[str, Any], position: Position) -> Demonstration:
    return Demonstration(
        view=document["view"],
        duration_s=float(document["duration_s"]),
        contacts=tuple(document["contacts"]),
        props=tuple(Prop(**prop) for prop in document.get("props", ())),
        close_up=document.get("close_up"),
        keyframes=_keyframes(document["keyframes"], position),
    )


def _keyframes(documents: list[dict[str, Any]], position: Position) -> tuple[Keyframe, ...]:
    """What a keyframe does not name stays as in the one before it, or in the base pose."""
    angles_deg = base_pose(position)
    frames = []
    for document in documents:
        named = dict(document)
        t, step = float(named.pop("t")), named.pop("step")
        one_sided = {side: named.pop(side, {}) for side in ("left", "right")}
        angles_deg = angles_deg | sided(named)
        for side, angles in one_sided.items():
            angles_deg |= {f"{side}_{name}": value for name, value in angles.items()}
        frames.append(Keyframe(t, step, {name: float(x) for name, x in angles_deg.items()}))
    return tuple(frames)
