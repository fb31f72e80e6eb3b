"""The codes in which payers answer, in plain words: data of X12's and CMS's lists."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

CodeList = Literal[
    "interchange_notes",
    "segment_faults",
    "element_faults",
    "transaction_faults",
    "group_faults",
    "statuses",
    "entities",
    "payment_statuses",
    "adjustment_groups",
    "adjustment_reasons",
    "remarks",
    "provider_adjustments",
    "segments",
]


def in_words(code_list: CodeList, code: str) -> str:
    """`code` with its meaning; a code that we have no words for is shown as it is."""
    meaning = _lists()[code_list].get(code)
    return code if meaning is None else f"{code} ({meaning})"


def status_category(code: str) -> tuple[str, bool | None]:
    """A claim status category in words, and whether it rejects; None for a code not known."""
    entry = _lists()["status_categories"].get(code)
    if entry is None:
        return code, None
    return f"{code} ({entry['meaning']})", entry["outcome"] == "rejected"


@cache
def _lists() -> Mapping[str, Mapping[str, Any]]:
    text = files(__package__).joinpath("answer_codes.yaml").read_text("utf-8")
    lists: Mapping[str, Mapping[str, Any]] = yaml.safe_load(text)
    return lists
