"""Running commands as a person would: from some folder, with a plain environment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

_Found = TypeVar("_Found")

ROOT = Path(__file__).parents[2]
HOSTS = Path(__file__).parent / "hosts"
BIN = Path(sys.executable).parent


def copy_hosts(folder: Path) -> Path:
    """The host modules in `folder`, away from the repository; returns it."""
    for module in HOSTS.glob("*.py"):
        shutil.copy(module, folder)
    return folder


def plain(**extra: str) -> dict[str, str]:
    """The environment without anything that would help Python to find our packages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **extra}


def run(
    *command: str | Path, cwd: Path, env: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """The finished command with its output; its stderr is in the failure's message."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=dict(env or plain()),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{command} exited {done.returncode}: {done.stderr[-2000:]}")
    return done


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[Callable[[], str]]:
    """Starts `command`; yields a function that gives its output so far; ends it with `stop`."""
    log = cwd / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=dict(env or plain()),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield lambda: log.read_text("utf-8", "replace")
        finally:
            process.send_signal(stop)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(
    found: Callable[[], _Found | None], output: Callable[[], str], within_s: float = 30
) -> _Found:
    """The first result of `found` that is something; else fails with the process's output."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if (result := found()) is not None:
            return result
        time.sleep(0.05)
    raise AssertionError(f"nothing within {within_s:g} s; the process said: {output()[-2000:]}")
