"""Loading the library: YAML in, checked `Exercise` values out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from rtm.exercises.definition import Exercise, Fault, PrimaryAngle, Requirement, Tempo


class UnknownExercise(LookupError):
    """No exercise has this id; the message lists the ids there are."""


class InvalidExercise(ValueError):
    """A definition file breaks the schema; the message names file, place and rule."""


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

    def __len__(self) -> int:
        return len(self.by_id)


@cache
def load_library() -> ExerciseLibrary:
    """The library shipped with this package.

    Raises:
        InvalidExercise: a file breaks the schema or its id differs from its file name.
    """
    return read_library(files(__package__))


def read_library(folder: Traversable) -> ExerciseLibrary:
    """Every `*.yaml` of `folder`, checked. Raises as `load_library`."""
    schema = json.loads(files(__package__).joinpath("schema.json").read_text("utf-8"))
    validator = Draft202012Validator(schema)
    by_id: dict[str, Exercise] = {}
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".yaml"):
            continue
        document = yaml.safe_load(file.read_text("utf-8"))
        for error in validator.iter_errors(document):
            raise InvalidExercise(f"{file.name}: {error.json_path}: {error.message}")
        if file.name != f"{document['id']}.yaml":
            raise InvalidExercise(f"{file.name}: holds the id {document['id']!r}")
        by_id[document["id"]] = _exercise(document)
    return ExerciseLibrary(by_id)


def _exercise(document: dict[str, Any]) -> Exercise:
    camera = document.get("camera", {})
    return Exercise(
        id=document["id"],
        name=document["name"],
        region=document["region"],
        position=document["position"],
        equipment=tuple(document.get("equipment", ())),
        laterality=document["laterality"],
        measurement=document["measurement"],
        measurement_note=document.get("measurement_note"),
        camera_view=camera.get("view"),
        steps={language: tuple(steps) for language, steps in document["steps"].items()},
        primary_angle=PrimaryAngle(**camera["primary_angle"]) if camera else None,
        tempo=_tempo(camera["tempo"]) if camera else None,
        requirements=tuple(Requirement(**each) for each in camera.get("requirements", ())),
        faults=tuple(Fault(**fault) for fault in camera.get("faults", ())),
        contraindications=tuple(document.get("contraindications", ())),
    )


def _tempo(document: dict[str, Any]) -> Tempo:
    def bounds(key: str) -> tuple[float, float] | None:
        value = document.get(key)
        return None if value is None else (float(value[0]), float(value[1]))

    return Tempo(bounds("concentric_s"), bounds("eccentric_s"), document.get("hold_s"))
