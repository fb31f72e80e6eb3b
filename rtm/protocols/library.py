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
from rtm.program import InvalidDose
from rtm.protocols.consistency import InvalidProtocol, check_protocol
from rtm.protocols.definition import Protocol, UnknownProtocol, Variant
from rtm.protocols.reading import protocol_from

__all__ = [
    "InvalidProtocol",
    "ProtocolLibrary",
    "UnknownProtocol",
    "load_protocols",
    "read_document",
    "read_protocols",
]


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


def shipped_document(protocol_id: str) -> dict[str, Any]:
    """The YAML of a shipped protocol. Raises UnknownProtocol."""
    load_protocols()[protocol_id]
    text = files(__package__).joinpath(f"{protocol_id}.yaml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def read_protocols(folder: Traversable, exercises: ExerciseLibrary) -> ProtocolLibrary:
    """Every `*.yaml` of `folder`, checked against `exercises`. Raises InvalidProtocol."""
    by_id: dict[str, Protocol] = {}
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".yaml"):
            continue
        document = yaml.safe_load(file.read_text("utf-8"))
        protocol = read_document(file.name, document, exercises)
        if file.name != f"{protocol.id}.yaml":
            raise InvalidProtocol(f"{file.name}: holds the id {protocol.id!r}")
        by_id[protocol.id] = protocol
    return ProtocolLibrary(by_id)


def read_document(
    file: str, document: Any, exercises: ExerciseLibrary, variant: Variant | None = None
) -> Protocol:
    """One protocol, checked; `file` names it in errors. Raises InvalidProtocol."""
    for error in _validator().iter_errors(document):
        raise InvalidProtocol(f"{file}: {error.json_path}: {error.message}")
    try:
        protocol = protocol_from(document, variant)
    except InvalidDose as error:
        raise InvalidProtocol(f"{file}: {error}") from None
    check_protocol(file, protocol, exercises)
    return protocol


@cache
def _validator() -> Draft202012Validator:
    schema = json.loads(files(__package__).joinpath("schema.json").read_text("utf-8"))
    return Draft202012Validator(schema)
