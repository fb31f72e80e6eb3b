"""A surgeon's or clinic's variants of the shipped protocols, from a deployment's own folder.

A variant is a YAML file `ID.yaml` that names the protocol it is `of`, its `author` and `reason`,
and what it changes. Lists are changed by id: `remove` takes items out, `put` replaces the item of
the same id in its place or appends a new one. The id of an exercise's line is its exercise, that
of a criterion its measure, with its exercise or instrument after a colon where it has one
(`repetitions_in_30_s:sit_to_stand`). What comes of it is a protocol of its own and must pass every
check that a shipped one passes.
"""

from __future__ import annotations

import copy
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from rtm.exercises import load_library
from rtm.protocols.definition import Protocol, UnknownProtocol, Variant
from rtm.protocols.library import (
    InvalidProtocol,
    ProtocolLibrary,
    load_protocols,
    read_document,
    shipped_document,
)

_LISTS = ("exercises", "goals", "entry_criteria", "exit_criteria", "precautions")


def with_variants(folder: Path) -> ProtocolLibrary:
    """The shipped protocols and the variants in `folder`; no folder is no variants.

    Raises:
        InvalidProtocol: naming file and path of what is wrong.
    """
    by_id = dict(load_protocols().by_id)
    for file in sorted(folder.glob("*.yaml")):
        protocol = read_variant(file)
        if protocol.id in by_id:
            raise InvalidProtocol(f"{file}: $.id: {protocol.id} is the id of another protocol")
        by_id[protocol.id] = protocol
    return ProtocolLibrary(by_id)


def read_variant(file: Path) -> Protocol:
    """One variant, whole and checked. Raises InvalidProtocol."""
    try:
        override = yaml.safe_load(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidProtocol(f"{file}: not YAML: {error}") from None
    for problem in _validator().iter_errors(override):
        raise InvalidProtocol(f"{file}: {problem.json_path}: {problem.message}")
    if file.name != f"{override['id']}.yaml":
        raise InvalidProtocol(f"{file}: $.id: the file must be named {override['id']}.yaml")
    try:
        shipped = shipped_document(override["of"])
    except UnknownProtocol as error:
        raise InvalidProtocol(f"{file}: $.of: {error}") from None
    variant = Variant(override["of"], override["author"], override["reason"])
    return read_document(str(file), merged(shipped, override, str(file)), load_library(), variant)


def merged(shipped: dict[str, Any], override: dict[str, Any], file: str) -> dict[str, Any]:
    """The document of a protocol with `override` laid over it.

    Raises:
        InvalidProtocol: it changes or removes what is not there; the message names the path.
    """
    document = copy.deepcopy(shipped)
    for key in ("id", "title", "note", "pain"):
        if key in override:
            document[key] = override[key]
    if "precautions" in override:
        document["precautions"] = _changed(
            document["precautions"], override["precautions"], f"{file}: $.precautions"
        )
    phases = {phase["id"]: phase for phase in document["phases"]}
    for phase_id, changes in override.get("phases", {}).items():
        where = f"{file}: $.phases.{phase_id}"
        if phase_id not in phases:
            raise InvalidProtocol(f"{where}: no such phase; known: {', '.join(phases)}")
        if changes == "remove":
            document["phases"].remove(phases[phase_id])
            continue
        for key, change in changes.items():
            phase = phases[phase_id]
            phase[key] = (
                _changed(phase.get(key, []), change, f"{where}.{key}") if key in _LISTS else change
            )
    return document


def _changed(
    items: list[dict[str, Any]], changes: dict[str, Any], where: str
) -> list[dict[str, Any]]:
    by_id = {_id(item): item for item in items}
    for index, item_id in enumerate(changes.get("remove", ())):
        if item_id not in by_id:
            raise InvalidProtocol(
                f"{where}.remove[{index}]: there is no {item_id}; known: {', '.join(by_id)}"
            )
        del by_id[item_id]
    for index, item in enumerate(changes.get("put", ())):
        if not _id(item):
            raise InvalidProtocol(f"{where}.put[{index}]: it names no id, exercise or measure")
        by_id[_id(item)] = item
    return list(by_id.values())


def _id(item: dict[str, Any]) -> str:
    if "measure" in item and "id" not in item:
        parts = (item["measure"], item.get("exercise"), item.get("instrument"))
        return ":".join(str(part) for part in parts if part)
    return str(item.get("id") or item.get("exercise") or "")


@cache
def _validator() -> Draft202012Validator:
    schema = json.loads(files(__package__).joinpath("variant.schema.json").read_text("utf-8"))
    return Draft202012Validator(schema)
