"""Domain values as JSON documents in a column, checked on the way out."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Cast, Text, cast
from sqlalchemy.orm import InstrumentedAttribute

T = TypeVar("T")


class JsonText(str):
    """A document that is JSON already: a column of documents takes it as it is."""

    __slots__ = ()


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(kind)  # type: ignore[arg-type]  # always a class


def to_document(value: Any) -> dict[str, Any]:
    """A frozen dataclass as JSON-ready values."""
    document: dict[str, Any] = _adapter(_hashable(type(value))).dump_python(value, mode="json")
    return document


def to_json(value: Any, kind: Any = None) -> JsonText:
    """`to_document` as text; less than half the work where there are many. `kind` is for a value
    whose class does not say all, as a tuple's."""
    return JsonText(_adapter(kind or _hashable(type(value))).dump_json(value).decode())


def serialize(value: Any) -> str:
    """How the engine writes JSON columns."""
    return value if isinstance(value, JsonText) else json.dumps(value)


def from_document(kind: type[T], document: Any) -> T:
    """The inverse of `to_document`. Raises pydantic's ValidationError on a damaged document."""
    value: T = _adapter(_hashable(kind)).validate_python(document, strict=False)
    return value


def as_text(column: InstrumentedAttribute[dict[str, Any]]) -> Cast[str]:
    """The column's documents unread, for `json_reader`, which needs no dictionaries between."""
    return cast(column, Text)


def json_reader(kind: type[T]) -> Callable[[str], T]:
    """`from_document` for documents as text; half the time where there are many."""
    # The adapter's own method would add a call in Python to each.
    return _adapter(_hashable(kind)).validator.validate_json


def _hashable(kind: type) -> Hashable:
    """Every class is hashable; `type` does not say so to the type checker."""
    return kind
