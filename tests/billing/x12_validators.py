"""The two independent validators of X12 files, called so that both are believed.

`python -m tests.billing.x12_validators FILE...` prints what they reject and exits 1 if anything.

Neither alone sees enough: pyx12 knows the code lists, x12sdk the totals. pyx12's own command
line always exits 1, so its function is called and its answer read.
"""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path

import pyx12.errors
import pyx12.params
import pyx12.x12n_document
from pydantic import ValidationError
from x12sdk.io import X12ModelReader


def pyx12_errors(path: Path) -> list[str]:
    """What pyx12 rejects in `path`; empty if it accepts the file."""
    acknowledgment, findings = io.StringIO(), io.StringIO()
    try:
        accepted = pyx12.x12n_document.x12n_document(
            pyx12.params.params(), str(path), acknowledgment, None, None, findings
        )
    except pyx12.errors.EngineError as error:
        return [str(error)]
    sets = sum(line.startswith("ST*") for line in path.read_text().splitlines())
    if accepted and 0 < sets == acknowledgment.getvalue().count("IK5*A~"):
        return []
    return [acknowledgment.getvalue() + findings.getvalue()]


def x12sdk_errors(path: Path) -> list[str]:
    """What x12sdk rejects in `path`; empty if it accepts the file."""
    try:
        with X12ModelReader(str(path)) as reader:
            models = list(reader.models())
            for model in models:
                model.x12()
    except (ValidationError, ValueError) as error:
        return [str(error)]
    return [] if models else ["no transaction set was found"]


def x12_errors(path: Path) -> list[str]:
    """The findings of both validators."""
    return [f"pyx12: {e}" for e in pyx12_errors(path)] + [
        f"x12sdk: {e}" for e in x12sdk_errors(path)
    ]


def main(paths: list[str]) -> int:
    """Exit status 0 if both validators accept every file, 1 if not, 2 without files."""
    logging.getLogger("pyx12").setLevel(logging.CRITICAL)  # it logs what it also returns
    for path in paths:
        errors = x12_errors(Path(path))
        for error in errors or ["accepted by pyx12 and x12sdk"]:
            print(f"{path}: {error}")
        if errors:
            return 1
    return 0 if paths else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
