"""What reminders say, in the patient's language; `reminder_texts.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from rtm.checked_yaml import check_document, shipped_document
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
    return read_texts(shipped_document("reminder_texts.yaml"))


def read_texts(document: Any) -> ReminderTexts:
    """The texts of a parsed document, checked against the schema. Raises InvalidTexts."""
    check_document(document, "reminder_texts.schema.json", InvalidTexts)
    return ReminderTexts(**document)
