"""`homestretch range`: the range of motion of one joint in one recording, as JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from app.cli import CliError, CliFailure
from rtm.range_of_motion import (
    BodySide,
    RangeMovement,
    RangeResult,
    UnknownMovement,
    change_between,
    change_in_words,
    load_movements,
)
from vision.errors import RecordingProblem
from vision.estimator import ModelMissing
from vision.range_test import measure_range, require_measurable
from vision.recordings import read_recording


def measure_to_json(
    file: Path, movement_id: str, side: BodySide | None, previous_deg: float | None
) -> dict[str, Any]:
    """The best of up to three attempts in `file`; angles to 0.1°, null = not measured.

    Raises:
        CliError: unknown joint, one without sides or not measurable yet, or an unusable file.
        CliFailure: the pose model is missing.
    """
    try:
        movement = load_movements()[movement_id]
        require_measurable(movement)
        if side is not None and not movement.bilateral:
            raise CliError(f"{movement_id} has no sides: leave --side out")
        with tqdm(unit="frame", disable=None, leave=False, file=sys.stderr) as bar:

            def advance(done: int, total: int | None) -> None:
                bar.total = total
                bar.update(done - bar.n)

            series = read_recording(file, advance).series
        result = measure_range([series], movement, side)
    except UnknownMovement as error:
        raise CliError(str(error.args[0])) from None
    except RecordingProblem as error:
        raise CliError(f"{file}: {error}") from None
    except ModelMissing as error:
        raise CliFailure(str(error)) from None
    return _json(movement, result, previous_deg)


def _json(
    movement: RangeMovement, result: RangeResult, previous_deg: float | None
) -> dict[str, Any]:
    change: dict[str, Any] | None = None
    if previous_deg is not None and result.best_deg is not None:
        found = change_between(movement, previous_deg, result.best_deg)
        change = {
            "previous_deg": round(previous_deg, 1),
            "gain_deg": round(found.gain_deg, 1),
            "certain": found.certain,
            "words": {
                "en": change_in_words(movement, found, "en"),
                "es": change_in_words(movement, found, "es"),
            },
        }
    return {
        "joint": movement.id,
        "side": result.side,
        "best_deg": _rounded(result.best_deg),
        "attempts_deg": [_rounded(value) for value in result.attempts_deg],
        "standard_deviation_deg": _rounded(result.standard_deviation_deg),
        "not_measured": result.not_measured,
        "change": change,
        "mdc": {
            "value_deg": movement.mdc.value_deg,
            "method": movement.mdc.method,
            "source": movement.mdc.source,
        },
        "normal_deg": [movement.normal.low_deg, movement.normal.high_deg],
        "warnings": list(result.warnings),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
