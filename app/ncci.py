"""CMS's NCCI tables of this deployment: loaded from what CMS publishes, read for the scrubber."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from app.config import Settings
from billing.edits import Edits, InvalidEdits, load_edits, merged, read_edits
from billing.edits.cms_tables import Kind, NotACmsTable, read_table
from billing.edits.quarter_file import Families, SourceFile, TableRefused, bounds, quarter_table
from billing.rules import load_rules


class LoadRefused(ValueError):
    """Nothing was loaded; the message says why in one line."""


@dataclass(frozen=True)
class Loaded:
    """Where a table was written, how many of its entries touch our codes, and of how many."""

    path: Path
    kind: Kind
    kept: int
    row_count: int
    warnings: tuple[str, ...]


def deployment_edits(settings: Settings) -> Edits:
    """The edits shipped with this release, and over them the tables that were loaded here.

    Raises:
        InvalidEdits: a file of the deployment's folder is broken; the message names it.
    """
    folder = settings.effective_edits_dir
    return merged(load_edits(), read_edits(folder)) if folder.is_dir() else load_edits()


def load_ncci(
    settings: Settings,
    paths: Sequence[Path],
    quarter: str,
    *,
    now: datetime,
    kind: Kind | None = None,
    replace: bool = False,
) -> Loaded:
    """Writes one quarter's table into the deployment's folder, whole or not at all.

    `kind` is what the files must be, if given. A table that is loaded already stays unless
    `replace`.

    Raises:
        LoadRefused: no table of CMS's, of another kind or quarter, not whole, or loaded already.
    """
    families = Families.of(load_rules())
    try:
        bounds(quarter)
        files = [_read(path, families, kind) for path in paths]
        table = quarter_table(files, quarter, families, now)
    except (NotACmsTable, TableRefused) as error:
        raise LoadRefused(str(error)) from None
    path = settings.effective_edits_dir / f"{table.kind}-{quarter}.yaml"
    if path.exists() and not replace:
        why = "is loaded already; with --replace the new one takes its place"
        raise LoadRefused(f"the {table.kind.upper()} table of {quarter} {why}")
    _write_whole(path, yaml.safe_dump(table.document, sort_keys=False, allow_unicode=True))
    rows = sum(file.table.row_count for file in files)
    return Loaded(path, table.kind, table.kept, rows, table.warnings)


def _read(path: Path, families: Families, kind: Kind | None) -> SourceFile:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LoadRefused(f"{path}: {error.strerror}") from None
    table = read_table(data, path.name, families.touch)
    if kind is not None and table.kind != kind:
        raise LoadRefused(f"{path.name}: is a {table.kind.upper()} table, not {kind.upper()}")
    return SourceFile(path.name, hashlib.sha256(data).hexdigest(), table)


def _write_whole(path: Path, text: str) -> None:
    """Checked in a folder of its own beside its place, then moved there in one step.

    Raises:
        LoadRefused: the folder can't be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".loading-", dir=path.parent) as folder:
            draft = Path(folder) / path.name
            with draft.open("w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            try:
                read_edits(Path(folder))
            except InvalidEdits as error:
                raise LoadRefused(f"what was read breaks the house's own schema: {error}") from None
            draft.replace(path)
    except OSError as error:
        raise LoadRefused(f"{path.parent}: {error.strerror}") from None
