"""Who a prescription is for and from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Parties:
    """References (`Patient/1`) that every resource of a prescription carries."""

    patient: str
    practitioner: str
    encounter: str | None = None
