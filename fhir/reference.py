"""References: where they point, and all of those in a resource."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def relative_reference(location: str) -> str:
    """`Observation/12` of an absolute or relative URL, also of a version of it; "" of none.

    One within the resource (`#a`) stays as it is.
    """
    if location.startswith("#"):
        return location
    parts = location.split("/_history/")[0].rstrip("/").split("/")
    return "/".join(parts[-2:]) if len(parts) >= 2 else ""


def references(value: object) -> Iterator[dict[str, Any]]:
    """Every Reference within `value` that has a `reference`, for reading or rewriting."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)
