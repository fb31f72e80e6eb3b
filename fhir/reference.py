"""References: where they point, and all of those in a resource."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def relative_reference(location: str) -> str:
    """`Observation/12` of an absolute or relative URL, also of a version of it; "" of none.

    One within the resource (`#a`) stays as it is.
    """
    if location.startswith("#"):
        return location
    parts = location.split("/_history/")[0].rstrip("/").split("/")
    return "/".join(parts[-2:]) if len(parts) >= 2 else ""


def redirected(value: Any, target: Callable[[str], str]) -> Any:
    """A copy of `value` whose references lead where `target` says."""
    if isinstance(value, Mapping):
        return {
            key: target(part)
            if key == "reference" and isinstance(part, str)
            else redirected(part, target)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [redirected(part, target) for part in value]
    return value


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
