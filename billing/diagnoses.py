"""Whether a primary diagnosis stands behind a musculoskeletal device: dated house policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

Relevance = Literal["accepted", "ask", "other"]


@dataclass(frozen=True)
class CodeRange:
    """ICD-10-CM codes from `first` to `last`, both with all that is below them; no points."""

    first: str
    last: str
    why: str

    def contains(self, code: str) -> bool:
        """Compares only as many letters as the bounds have: M99 takes in M99.89."""
        return self.first <= code[: len(self.first)] and code[: len(self.last)] <= self.last


@dataclass(frozen=True)
class DiagnosisPolicy:
    """In force for dates of service from `valid_from`."""

    valid_from: date
    accepted: tuple[CodeRange, ...]
    ask: tuple[CodeRange, ...]

    def relevance(self, code: str) -> Relevance:
        """Of an ICD-10-CM `code`, with or without its point, to the musculoskeletal system."""
        plain = code.replace(".", "").upper()
        if any(part.contains(plain) for part in self.accepted):
            return "accepted"
        return "ask" if any(part.contains(plain) for part in self.ask) else "other"


@cache
def load_diagnosis_policy() -> DiagnosisPolicy:
    """The policy shipped with this package."""
    document = yaml.safe_load(files(__package__).joinpath("diagnoses.yaml").read_text("utf-8"))
    return DiagnosisPolicy(
        valid_from=document["valid_from"],
        accepted=tuple(CodeRange(**part) for part in document["accepted"]),
        ask=tuple(CodeRange(**part) for part in document["ask"]),
    )
