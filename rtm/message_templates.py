"""Answers that a care team writes often, in the patient's language; `message_templates.yaml`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator


class InvalidTemplates(ValueError):
    """The templates break their schema, or two have one id."""


@dataclass(frozen=True)
class MessageTemplate:
    """`title` is for the clinician; `subject` and `text` are by language (`en`, `es`)."""

    id: str
    title: str
    subject: Mapping[str, str]
    text: Mapping[str, str]


@cache
def load_templates() -> tuple[MessageTemplate, ...]:
    """The templates shipped with this package. Raises InvalidTemplates."""
    return read_templates(yaml.safe_load(_text("message_templates.yaml")))


def read_templates(document: Any) -> tuple[MessageTemplate, ...]:
    """The templates of a parsed document, checked against the schema. Raises InvalidTemplates."""
    schema = json.loads(_text("message_templates.schema.json"))
    for error in Draft202012Validator(schema).iter_errors(document):
        raise InvalidTemplates(f"{error.json_path}: {error.message}")
    found = tuple(MessageTemplate(**item) for item in document["templates"])
    ids = [template.id for template in found]
    if len(set(ids)) < len(ids):
        raise InvalidTemplates("two templates have one id")
    return found


def _text(name: str) -> str:
    return files("rtm").joinpath(name).read_text("utf-8")
