"""What reminders say, in the patient's language; `reminder_texts.yaml`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from rtm.reminders import Kind, Language


class InvalidTexts(ValueError):
    """The texts break their schema."""


@dataclass(frozen=True)
class ReminderTexts:
    """`reminders` by kind, then by language; the others by language."""

    reminders: Mapping[Kind, Mapping[Language, str]]
    open: Mapping[Language, str]
    stop_email: Mapping[Language, str]
    stop_sms: Mapping[Language, str]
    code: Mapping[Language, str]


@cache
def load_texts() -> ReminderTexts:
    """The texts shipped with this package. Raises InvalidTexts."""
    return read_texts(yaml.safe_load(_text("reminder_texts.yaml")))


def read_texts(document: Any) -> ReminderTexts:
    """The texts of a parsed document, checked against the schema. Raises InvalidTexts."""
    schema = json.loads(_text("reminder_texts.schema.json"))
    for error in Draft202012Validator(schema).iter_errors(document):
        raise InvalidTexts(f"{error.json_path}: {error.message}")
    return ReminderTexts(**document)


def _text(name: str) -> str:
    return files("rtm").joinpath(name).read_text("utf-8")
