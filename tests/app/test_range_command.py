"""`homestretch range`: its answer, and its one-line errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.demo.walk import CLIP
from tests.app.test_cli import homestretch
from tests.packaging.processes import ROOT
from tests.vision.figure import figure
from tests.vision.test_range_test import holds
from vision.series_files import write_npz

ELBOW = ROOT / "tests/vision/data/elbow_flexion.npz"


def arm_raises(folder: Path) -> Path:
    path = folder / "arms.npz"
    write_npz(figure({"shoulder_abduction": holds([120.0, 130.0], rest=10.0)}), path)
    return path


def answer(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    done = homestretch("range", *arguments, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_the_best_of_the_attempts_is_compared_with_the_previous(tmp_path: Path) -> None:
    series = arm_raises(tmp_path)
    joint = ("--joint", "shoulder_abduction", "--side", "left")
    result = answer(tmp_path, series, *joint, "--previous", "100")
    assert (result["joint"], result["side"]) == ("shoulder_abduction", "left")
    assert result["best_deg"] == max(result["attempts_deg"])
    assert len(result["attempts_deg"]) == 2
    change = result["change"]
    assert change["gain_deg"] == pytest.approx(result["best_deg"] - 100, abs=0.11)
    assert change["certain"] is True
    assert change["words"]["en"].startswith("Your arm lifts to the side")
    assert change["words"]["es"].startswith("Su brazo se levanta de lado")
    assert answer(tmp_path, series, *joint)["change"] is None


def test_a_video_is_measured_as_well(tmp_path: Path) -> None:
    result = answer(tmp_path, CLIP, "--joint", "shoulder_abduction")
    assert len(result["attempts_deg"]) == 2
    assert result["mdc"]["source"]


def test_what_the_camera_did_not_see_is_null_with_the_reason(tmp_path: Path) -> None:
    result = answer(tmp_path, arm_raises(tmp_path), "--joint", "knee_flexion", "--side", "left")
    assert result["best_deg"] is None
    assert "turn your side to the camera" in result["not_measured"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nothing.mp4", "--joint", "knee_flexion"), "no such file"),
        ((ELBOW, "--joint", "toe_flexion"), "unknown joint 'toe_flexion'; known:"),
        ((ELBOW,), "Missing option '--joint'"),
        ((ELBOW, "--joint", "knee_flexion", "--side", "bilateral"), "is not one of"),
        ((ELBOW, "--joint", "trunk_flexion", "--side", "left"), "has no sides"),
        ((ELBOW, "--joint", "knee_flexion", "--previous", "far"), "not a valid float"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    tmp_path: Path, arguments: tuple[str | Path, ...], says: str
) -> None:
    done = homestretch("range", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr
