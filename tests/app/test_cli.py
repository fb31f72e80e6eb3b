"""The `homestretch` command: its answers, its one-line errors, and that the README knows it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import yaml

from app.cli import main
from app.config import Settings
from app.demo.walk import CLIP
from tests.packaging.processes import BIN, ROOT

README = (ROOT / "README.md").read_text("utf-8")


def homestretch(
    *arguments: str | Path, cwd: Path, **settings: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "homestretch"), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "HOMESTRETCH_DATA_DIR": str(cwd / "data"), **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def case() -> dict[str, Any]:
    """The first worked example of the fact sheet."""
    examples = yaml.safe_load((ROOT / "tests/billing/cases/worked_examples.yaml").read_text())
    document: dict[str, Any] = examples[0]["case"]
    return document


def test_a_score_is_json_on_standard_output_and_pictures_in_a_folder(tmp_path: Path) -> None:
    done = homestretch(
        "score", CLIP, "--exercise", "shoulder_abduction", "--json", "--out", "result", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert result["repetition_count"] == 2
    assert json.loads((tmp_path / "result/session.json").read_text()) == result
    assert (tmp_path / "result/session.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "result/annotated.mp4").stat().st_size > 10_000


@pytest.mark.parametrize("side", ["left", "right", "bilateral"])
def test_a_landmark_series_is_scored_for_the_side_asked(tmp_path: Path, side: str) -> None:
    series = ROOT / "tests/vision/data/elbow_flexion.npz"
    done = homestretch("score", series, "--exercise", "elbow_flexion", "--side", side, cwd=tmp_path)
    result = json.loads(done.stdout)
    assert (result["side"], result["repetition_count"]) == (side, 5)


def test_a_tally_answers_as_documented(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text(json.dumps(case(), default=str))
    done = homestretch("tally", "case.json", "--json", cwd=tmp_path)
    result = json.loads(done.stdout)
    assert set(result) == {"charges", "shortfalls", "blocked"}
    assert [charge["code"] for charge in result["charges"]] == ["98975", "98977", "98980"]
    assert not (tmp_path / "data").exists(), "the tally needs no database"


@pytest.mark.parametrize("name", ["exercises", "protocols"])
def test_the_libraries_are_listed_for_people_and_programs(tmp_path: Path, name: str) -> None:
    listed = json.loads(homestretch(name, "--json", cwd=tmp_path).stdout)
    lines = homestretch(name, cwd=tmp_path).stdout.splitlines()
    assert {item["id"] for item in listed} == {line.split()[0] for line in lines}


def _text_as_video(folder: Path) -> None:
    (folder / "notes.mp4").write_text("this is text")
    (folder / "empty.mp4").touch()
    (folder / "case.json").write_text("{")
    (folder / "odd.json").write_text(json.dumps({**case(), "color": "red"}, default=str))
    np.savez(folder / "bad.npz", x=np.zeros(3))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("score notes.mp4 --exercise squat", "not a video"),
        ("score empty.mp4 --exercise squat", "empty"),
        ("score bad.npz --exercise squat", "lacks"),
        ("score nothing.mp4 --exercise squat", "no such file"),
        ("score notes.mp4 --exercise moonwalk", "unknown exercise 'moonwalk'; known:"),
        ("score notes.mp4 --exercise quad_set", "can't be measured by camera"),
        ("score notes.mp4", "Missing option '--exercise'"),
        ("score notes.mp4 --exercise squat --side up", "'up' is not one of"),
        ("tally case.json", "not JSON"),
        ("tally odd.json", "color"),
        ("tally nothing.json", "No such file"),
        ("claims export --month 2026-10 --format 837p --out nowhere/x.837", "no folder"),
        ("claims export --month 2026-10 --format pdf --out x", "'pdf' is not one of"),
        ("worker", "homestretch serve"),
        ("dance", "No such command 'dance'"),
    ],
)
def test_bad_input_is_one_line_that_says_what_and_exit_2(
    tmp_path: Path, arguments: str, says: str
) -> None:
    _text_as_video(tmp_path)
    done = homestretch(*arguments.split(), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOMESTRETCH_MAX_UPLOAD_BYTES", "-1"),
        ("HOMESTRETCH_PUBLIC_URL", "not a url"),
        ("HOMESTRETCH_OUTBOX_SWEEP_S", "often"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(tmp_path: Path, name: str, value: str) -> None:
    done = homestretch("db", "upgrade", cwd=tmp_path, **{name: value})
    assert done.returncode == 2
    assert name in done.stderr
    assert len(done.stderr.splitlines()) == 1


EXPORT = ("claims", "export", "--month", "2026-10", "--format", "837p", "--out", "x.837")


def test_a_database_without_the_schema_says_how_to_mend_it(tmp_path: Path) -> None:
    done = homestretch(*EXPORT, cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "homestretch db upgrade" in done.stderr
    assert homestretch("db", "upgrade", cwd=tmp_path).returncode == 0
    after = homestretch(*EXPORT, cwd=tmp_path)
    assert (after.returncode, len(after.stderr.splitlines())) == (2, 1)
    assert "--tenant" in after.stderr


def test_a_database_that_is_away_is_a_failure_of_one_line(tmp_path: Path) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    done = homestretch(*EXPORT, cwd=tmp_path, HOMESTRETCH_DATABASE_URL=url)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


# The README ---------------------------------------------------------------------------------------


def _commands(group: click.Group, prefix: str = "") -> list[str]:
    names = []
    for name, command in group.commands.items():
        path = f"{prefix}{name}"
        names += _commands(command, f"{path} ") if isinstance(command, click.Group) else [path]
    return names


@pytest.mark.parametrize("command", _commands(main))
def test_the_readme_names_every_command(command: str) -> None:
    table = README.split("## Command line")[1].split("## Settings")[0]
    assert re.search(rf"`(homestretch )?{command}\b", table)


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_the_readme_names_every_setting(setting: str) -> None:
    table = README.split("## Settings")[1].split("\n## ")[0]
    assert re.search(rf"`(HOMESTRETCH)?_{setting.upper()}`", table)
