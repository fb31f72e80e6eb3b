"""Reading YAML files that a JSON schema checks: a folder of them, or one of this package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml
from jsonschema import Draft202012Validator


class PlainDates(yaml.SafeLoader):
    """Leaves dates as text, as JSON Schema knows them."""


PlainDates.add_constructor("tag:yaml.org,2002:timestamp", lambda _loader, node: str(node.value))


def checked_documents(
    folder: Traversable,
    package: str,
    invalid: type[ValueError],
    loader: type[yaml.SafeLoader] = yaml.SafeLoader,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and content of every `*.yaml` of `folder`, by name, each as `package`'s schema asks.

    Raises:
        invalid: a file is no YAML or breaks `schema.json`; the message names file and place.
    """
    schema = json.loads(files(package).joinpath("schema.json").read_text("utf-8"))
    validator = Draft202012Validator(schema)
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".yaml"):
            continue
        try:
            document = yaml.load(file.read_text("utf-8"), Loader=loader)
        except yaml.YAMLError as error:
            raise invalid(f"{file.name}: {' '.join(str(error).split())}") from None
        for fault in validator.iter_errors(document):
            raise invalid(f"{file.name}: {fault.json_path}: {fault.message}")
        yield file.name, document


def shipped_document(name: str) -> Any:
    """The parsed content of the YAML file `name` that lies in `rtm`."""
    return yaml.safe_load(_shipped_text(name))


def check_document(document: Any, schema: str, invalid: type[ValueError], where: str = "") -> None:
    """That a parsed document is as the schema file of that name in `rtm` asks.

    Raises:
        invalid: it is not; the message names the first place, after `where`.
    """
    for fault in Draft202012Validator(json.loads(_shipped_text(schema))).iter_errors(document):
        raise invalid(f"{where}{fault.json_path}: {fault.message}")


def _shipped_text(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
