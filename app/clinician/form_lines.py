"""Adding to and reordering the lines of a program's form as it came, before anything is checked.

So that what was typed stays as it was typed, whether or not it can be used yet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from werkzeug.datastructures import MultiDict

Line = dict[str, list[str]]
FormData = MultiDict[str, str]

_FIELD = re.compile(r"lines-(\d+)-(\w+)")


def lines_in(data: FormData) -> list[Line]:
    """The lines in the order of their numbers, each with its fields as they came."""
    lines: dict[int, Line] = {}
    for name, values in data.lists():
        if match := _FIELD.fullmatch(name):
            lines.setdefault(int(match[1]), {})[match[2]] = values
    return [lines[number] for number in sorted(lines)]


def with_lines(data: FormData, lines: Sequence[Line]) -> FormData:
    """`data` with `lines` in the place of its own, numbered from 0."""
    changed: FormData = MultiDict(
        (name, value) for name, value in data.items(multi=True) if not _FIELD.fullmatch(name)
    )
    for number, line in enumerate(lines):
        for field, values in line.items():
            changed.setlist(f"lines-{number}-{field}", values)
    return changed


def moved(data: FormData, number: int, by: int) -> FormData:
    """The line `number` (from 0) `by` places further down, as far as there are places."""
    lines = lines_in(data)
    if not 0 <= number < len(lines):
        return data
    line = lines.pop(number)
    lines.insert(max(0, min(number + by, len(lines))), line)
    return with_lines(data, lines)


def appended(data: FormData, fields: Mapping[str, object]) -> FormData:
    """A further line; a field that is False is left out, as a browser leaves out a box."""
    line = {name: [str(value)] for name, value in fields.items() if value is not False}
    return with_lines(data, [*lines_in(data), line])
