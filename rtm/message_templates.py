"""Answers that a care team writes often, in the patient's language; `message_templates.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from rtm.checked_yaml import check_document, shipped_document


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
    return read_templates(shipped_document("message_templates.yaml"))


def read_templates(document: Any) -> tuple[MessageTemplate, ...]:
    """The templates of a parsed document, checked against the schema. Raises InvalidTemplates."""
    check_document(document, "message_templates.schema.json", InvalidTemplates)
    found = tuple(MessageTemplate(**item) for item in document["templates"])
    ids = [template.id for template in found]
    if len(set(ids)) < len(ids):
        raise InvalidTemplates("two templates have one id")
    return found
