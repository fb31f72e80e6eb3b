"""Text files, plain or gzipped, and tables in them, with errors that say what is wrong."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from vision.errors import UnreadableSeries
from vision.landmarks import Array


def text_of(path: Path) -> str:
    """The whole of a text file, unpacked if its name ends in `.gz`.

    Raises:
        UnreadableSeries: not text, or not gzipped.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error):
        raise UnreadableSeries(f"{path.name} is not text.") from None


def lines_of(path: Path) -> list[str]:
    """The lines that are not blank.

    Raises:
        UnreadableSeries: not text, or nothing but blank lines.
    """
    lines = [line for line in text_of(path).splitlines() if line.strip()]
    if not lines:
        raise UnreadableSeries(f"{path.name} is empty.")
    return lines


def table(path: Path, columns: int, delimiter: str | None = None) -> Array:
    """(rows, `columns`) numbers; `delimiter` None is white space.

    Cells after the last are allowed if empty, for some exporters end a row with a comma.

    Raises:
        UnreadableSeries: not text, a row of another length, or a cell not a number.
    """
    lines = enumerate(lines_of(path), start=1)
    return np.array([_row(path, number, line, columns, delimiter) for number, line in lines])


def _row(path: Path, number: int, line: str, columns: int, delimiter: str | None) -> list[float]:
    cells = line.split(delimiter)
    while len(cells) > columns and not cells[-1].strip():
        cells.pop()
    if len(cells) != columns:
        raise UnreadableSeries(
            f"{path.name} has {len(cells)} columns in row {number}, expected {columns}."
        )
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        raise UnreadableSeries(f"{path.name} holds something not a number in row {number}.") from (
            None
        )
