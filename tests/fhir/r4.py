"""An R4 validator that is not ours: medplum's structure checks and the required bindings."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "r4_validator"


def r4_issues(resources: Sequence[dict[str, Any]]) -> list[str]:
    """What is not valid R4 (4.0.1), or against a claimed profile, each issue with its path."""
    return [issue for issues in r4_issues_each(resources) for issue in issues]


def r4_issues_each(resources: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The issues of each resource. One process validates them all: starting it takes seconds."""
    if not (_FOLDER / "node_modules").is_dir():
        raise RuntimeError("the R4 validator is not installed: run `make test-setup`")
    done = subprocess.run(
        ["node", *node_flags(), "validate.mjs"],
        cwd=_FOLDER,
        input=json.dumps(list(resources)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the R4 validator failed: {done.stderr[-500:]}")
    found: list[list[str]] = json.loads(done.stdout)
    return found


def node_flags() -> list[str]:
    """medplum touches WebSocket on import, which Node 20 has behind a flag only."""
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    return ["--experimental-websocket"] if version.stdout.startswith("v20.") else []
