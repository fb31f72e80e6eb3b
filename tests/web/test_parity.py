"""The coach on the device counts and measures as the server's does, frame by frame."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.demo.walk import CLIP
from app.patient.coach import coach_definition
from rtm.exercises import Side, load_library
from tests.vision.synthetic_person import record
from tests.vision.test_conditions import VIEWS, scene
from vision.estimator import MediaPipeEstimator, landmarks_of_video
from vision.kinematics import ANGLES, joint_angle
from vision.landmarks import LandmarkSeries
from vision.live_coach import LiveCoach, frames_of
from vision.movement import SIDES
from vision.place import on_the_spot
from vision.series_files import read_series
from vision.skeletons.keraal import read_blazepose

WEB = Path(__file__).parents[2] / "app/web"
DATA = Path(__file__).parents[1] / "vision/data"
LIBRARY = load_library()

# A window as long as the coach's own, from the middle of a recording.
_WINDOW = 60


def numbers(values: np.ndarray) -> list[float | None]:
    """Exact, so that a difference is one of the arithmetic; null where nothing was found."""
    return [None if np.isnan(value) else float(value) for value in values.ravel()]


def case(
    name: str, exercise_id: str, series: LandmarkSeries, side: Side | None = None
) -> dict[str, Any]:
    exercise = LIBRARY[exercise_id]
    coach = LiveCoach(exercise, side, width=series.width, height=series.height)
    readings = [coach.update(frame) for frame in frames_of(series)]
    first = max(0, (series.frame_count - _WINDOW) // 2)
    span = slice(first, first + _WINDOW)
    window = replace(
        series,
        t_s=series.t_s[span],
        image=series.image[span],
        world=series.world[span],
        visibility=series.visibility[span],
    )
    return {
        "name": name,
        "exercise": coach_definition(exercise),
        "side": side,
        "width": series.width,
        "height": series.height,
        "frames": [
            {
                "t": frame.t_s,
                "image": numbers(frame.image),
                "world": numbers(frame.world),
                "visibility": numbers(frame.visibility),
            }
            for frame in frames_of(series)
        ],
        "readings": [
            {
                "count": each.count,
                "partial": each.partial,
                "phase": each.phase,
                "angleDeg": each.angle_deg,
            }
            for each in readings
        ],
        "angles": [
            {
                "name": angle,
                "side": one,
                "from": span.start,
                "to": span.stop,
                "deg": numbers(joint_angle(window, angle, one)),
            }
            for angle in ANGLES
            for one in SIDES
        ],
        "spot": on_the_spot(series).tolist(),
    }


def real_recordings() -> list[dict[str, Any]]:
    with MediaPipeEstimator() as estimator:
        jacks = landmarks_of_video(CLIP, estimator).series
    elbows = read_series(DATA / "elbow_flexion.npz")
    blazepose = [
        case(
            f"KERAAL {name} {side}",
            "shoulder_abduction",
            read_blazepose(
                DATA / f"keraal/G3-BP-{name}-P1T1-Unknown-C-0.json", width=1920, height=1080, fps=30
            ),
            side,
        )
        for name in ("CTK", "ELK")
        for side in SIDES
    ]
    return [
        case("jumping jacks", "shoulder_abduction", jacks),
        case("elbow flexion", "elbow_flexion", elbows),
        *blazepose,
    ]


def invented_recordings() -> list[dict[str, Any]]:
    plain = [
        case(f"{name} at {heading}°", name, record(scene(name, heading, count=3)))
        for name, heading in VIEWS
    ]
    hard = replace(
        scene("squat", 60, count=3),
        walk_in=True,
        missing_block_s=(6.0, 8.5),
        jitter=0.3,
        missing=0.1,
    )
    long = replace(scene("elbow_flexion", 0, count=40), fps=10.0)
    return [
        *plain,
        case("walking in, gaps, uneven frames", "squat", record(hard)),
        case("more repetitions than are kept", "elbow_flexion", record(long)),
    ]


@pytest.mark.parametrize("recordings", [real_recordings, invented_recordings])
def test_the_coach_on_the_device_agrees_with_the_servers(recordings: Any, tmp_path: Path) -> None:
    path = tmp_path / "vectors.json"
    cases = recordings()
    path.write_text(json.dumps(cases))
    assert max(reading["count"] for one in cases for reading in one["readings"]) >= 2
    done = subprocess.run(
        ["npx", "vitest", "run", "--config", "vitest.parity.config.ts"],
        cwd=WEB,
        env={**os.environ, "COACH_VECTORS": str(path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert f"{3 * len(cases)} passed" in done.stdout
