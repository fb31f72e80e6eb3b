"""`homestretch score`: one recording to JSON, with plot, report and overlay video where asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from app.cli import CliError, CliFailure
from rtm.exercises import UnknownExercise, load_library
from vision.draw import annotate_video, plot_angle
from vision.errors import RecordingProblem
from vision.estimator import ModelMissing
from vision.report import result_json
from vision.score import score_file
from vision.session_picture import draw_report
from vision.video import VIDEO_SUFFIXES


def score_to_folder(
    file: Path, exercise_id: str, side: str | None, out: Path | None
) -> dict[str, Any]:
    """The score of `file` as in `vision.report.result_json`; writes into `out` if given.

    Raises:
        CliError: unknown exercise, or a recording that can't be measured.
        CliFailure: the pose model is missing.
    """
    try:
        exercise = load_library()[exercise_id]
        with tqdm(unit="frame", disable=None, leave=False, file=sys.stderr) as bar:

            def advance(done: int, total: int | None) -> None:
                bar.total = total
                bar.update(done - bar.n)

            scored = score_file(file, exercise, side, on_progress=advance)  # type: ignore[arg-type]  # click checked it
    except UnknownExercise as error:
        raise CliError(str(error.args[0])) from None
    except RecordingProblem as error:
        raise CliError(f"{file}: {error}") from None
    except ModelMissing as error:
        raise CliFailure(str(error)) from None
    result = result_json(scored.result)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "session.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
        plot_angle(scored, out / "session.png", exercise, partial_s=scored.partial_s)
        draw_report(scored, exercise, out / "report.png", partial_s=scored.partial_s)
        if file.suffix.lower() in VIDEO_SUFFIXES:
            annotate_video(file, scored, out / "annotated.mp4", exercise)
    return result
