"""Loading the protocols: YAML in, checked `Protocol` values out."""

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

from rtm.exercises import ExerciseLibrary, load_library
from rtm.program import EVERY_DAY, Dose
from rtm.protocols.definition import (
    Criterion,
    GoalTemplate,
    Phase,
    Precaution,
    Protocol,
    ProtocolLine,
    UnknownProtocol,
)

__all__ = ["InvalidProtocol", "ProtocolLibrary", "UnknownProtocol", "load_protocols"]


class InvalidProtocol(ValueError):
    """A protocol breaks the schema, names an unknown exercise, or prescribes what it forbids."""


@dataclass(frozen=True)
class ProtocolLibrary:
    """Every protocol by id, iterated in the order of ids."""

    by_id: Mapping[str, Protocol]

    def __getitem__(self, protocol_id: str) -> Protocol:
        try:
            return self.by_id[protocol_id]
        except KeyError:
            known = ", ".join(sorted(self.by_id))
            raise UnknownProtocol(f"unknown protocol {protocol_id!r}; known: {known}") from None

    def __iter__(self) -> Iterator[Protocol]:
        return iter(self.by_id[key] for key in sorted(self.by_id))

    def __len__(self) -> int:
        return len(self.by_id)


@cache
def load_protocols() -> ProtocolLibrary:
    """The protocols shipped with this package. Raises InvalidProtocol."""
    return read_protocols(files(__package__), load_library())


def read_protocols(folder: Traversable, exercises: ExerciseLibrary) -> ProtocolLibrary:
    """Every `*.yaml` of `folder`, checked against `exercises`. Raises InvalidProtocol."""
    schema = json.loads(files(__package__).joinpath("schema.json").read_text("utf-8"))
    validator = Draft202012Validator(schema)
    by_id: dict[str, Protocol] = {}
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".yaml"):
            continue
        document = yaml.safe_load(file.read_text("utf-8"))
        for error in validator.iter_errors(document):
            raise InvalidProtocol(f"{file.name}: {error.json_path}: {error.message}")
        if file.name != f"{document['id']}.yaml":
            raise InvalidProtocol(f"{file.name}: holds the id {document['id']!r}")
        protocol = _protocol(document)
        _check(file.name, protocol, exercises)
        by_id[protocol.id] = protocol
    return ProtocolLibrary(by_id)


def _check(name: str, protocol: Protocol, exercises: ExerciseLibrary) -> None:
    forbidden = {exercise for item in protocol.precautions for exercise in item.forbids}
    for exercise_id in forbidden - set(exercises.by_id):
        raise InvalidProtocol(f"{name}: forbids the unknown exercise {exercise_id}")
    for phase in protocol.phases:
        for line in phase.exercises:
            if line.exercise_id not in exercises.by_id:
                raise InvalidProtocol(f"{name}: unknown exercise {line.exercise_id}")
            if line.exercise_id in forbidden:
                raise InvalidProtocol(
                    f"{name}: phase {phase.id} prescribes {line.exercise_id}, which it forbids"
                )


def _protocol(document: dict[str, Any]) -> Protocol:
    return Protocol(
        id=document["id"],
        title=document["title"],
        region=document["region"],
        condition_code=document["condition"]["code"],
        condition_display=document["condition"]["display"],
        guideline=document["guideline"],
        precautions=tuple(
            Precaution(item["text"], tuple(item.get("forbids", ())))
            for item in document.get("precautions", ())
        ),
        red_flags=tuple(document["red_flags"]),
        phases=tuple(_phase(item) for item in document["phases"]),
    )


def _phase(document: dict[str, Any]) -> Phase:
    return Phase(
        id=document["id"],
        title=document["title"],
        weeks=document["weeks"],
        exercises=tuple(
            ProtocolLine(
                item["exercise"],
                Dose(
                    sets=item["sets"],
                    repetitions=item["repetitions"],
                    hold_s=float(item.get("hold_s", 0)),
                    times_per_day=item.get("times_per_day", 1),
                    weekdays=frozenset(item["weekdays"]) if "weekdays" in item else EVERY_DAY,
                ),
            )
            for item in document["exercises"]
        ),
        goals=tuple(GoalTemplate(**item) for item in document["goals"]),
        exit_criteria=tuple(Criterion(**item) for item in document["exit_criteria"]),
    )
