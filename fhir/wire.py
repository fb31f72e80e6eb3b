"""FHIR's JSON form, read and written without loss.

A decimal keeps its digits: `1.10` says more than `1.1` (R4, datatypes.html#decimal), and a
resource that is read, changed in one place and written back must say elsewhere what it said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from typing import Any

# A resource as it is on the wire: a JSON object with a resourceType.
Resource = dict[str, Any]


class NotFhirJson(ValueError):
    """The content is not JSON as FHIR uses it; the message says why, without the content."""


class ExactDecimal(float):
    """A number whose written form a float would not give back. Compares as the float it is."""

    __slots__ = ("text",)

    def __new__(cls, text: str) -> ExactDecimal:
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # float's own gives a float
        return (self.text,)


def parse(content: bytes | str) -> Any:
    """The value in `content`.

    Raises:
        NotFhirJson: no JSON, nested too deeply, a name twice in one object, or not a number of
            JSON (`NaN`).
    """
    try:
        return json.loads(
            content,
            parse_float=_number,
            parse_constant=_no_number,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise NotFhirJson("nested too deeply") from None
    except NotFhirJson:
        raise
    except ValueError:
        raise NotFhirJson("not JSON") from None


def serialise(value: Any) -> bytes:
    """ASCII JSON without spaces, the numbers of `parse` as they were written.

    Raises:
        ValueError: a number that JSON has not, as infinity.
        TypeError: a value that is none of JSON's.
    """
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts).encode("ascii")


def _write(value: Any, write: Callable[[str], None]) -> None:
    if isinstance(value, str):
        write(encode_basestring_ascii(value))
    elif isinstance(value, dict):
        mark = "{"
        for key, part in value.items():
            write(f"{mark}{encode_basestring_ascii(key)}:")
            _write(part, write)
            mark = ","
        write("}" if mark == "," else "{}")
    elif isinstance(value, list | tuple):
        mark = "["
        for part in value:
            write(mark)
            _write(part, write)
            mark = ","
        write("]" if mark == "," else "[]")
    elif isinstance(value, ExactDecimal):
        write(value.text)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("JSON has no such number")
    else:
        write(json.dumps(value))


def _number(text: str) -> float:
    number = float(text)
    return number if repr(number) == text else ExactDecimal(text)


def _no_number(text: str) -> float:
    raise NotFhirJson(f"{text} is no number of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotFhirJson("a name stands twice in one object")
    return found
