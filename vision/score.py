"""Scoring one recording of one exercise: the whole way from file to result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtm.exercises import Exercise, Side
from rtm.session import AngleRange, ExerciseResult, Quality, Repetition
from vision.camera_check import check_camera
from vision.errors import NobodyFound
from vision.estimator import Progress
from vision.form import Assessment, assess
from vision.landmarks import Array, LandmarkSeries
from vision.light import Light
from vision.movement import Movement, follow, primary_angle
from vision.recordings import read_recording
from vision.repetitions import Segmentation
from vision.requirements import Refusal, only_this_exercise

# Below this share of frames the reading is of pieces; the result says so.
_WELL_SEEN_SHARE = 0.7


@dataclass(frozen=True)
class Scored:
    """A result with what it was read from; `angle_deg` (N,) belongs to `series.t_s`.

    `partial_s` are the peaks of the attempts that stayed partial, in s as in the result.
    """

    result: ExerciseResult
    series: LandmarkSeries
    angle_deg: Array
    partial_s: tuple[float, ...] = ()

    @property
    def t_s(self) -> Array:
        return self.series.t_s


def score_file(
    path: Path, exercise: Exercise, side: Side | None = None, *, on_progress: Progress | None = None
) -> Scored:
    """Scores a video (mp4, webm, mov) or landmark series (npz, json, csv) by its extension.

    A video that breaks off is scored as far as it goes, with a warning.

    Raises:
        RecordingProblem: missing, unreadable, nobody in it, or not measurable by camera.
        ModelMissing: a video, and the pose model was not built.
    """
    primary_angle(exercise)
    footage = read_recording(path, on_progress)
    return score_series(
        footage.series,
        exercise,
        side,
        frames_missing=footage.frames_missing,
        luminance=footage.light,
        people=footage.people,
        frames_of_others=footage.frames_of_others,
    )


def score_series(
    series: LandmarkSeries,
    exercise: Exercise,
    side: Side | None = None,
    *,
    frames_missing: int = 0,
    luminance: Sequence[Light] = (),
    people: Sequence[int] = (),
    frames_of_others: int = 0,
) -> Scored:
    """Scores a landmark series; pure.

    `frames_missing` is how many frames the video should have had beyond those decoded; the rest
    is what `vision.camera_check.check_camera` asks of a video.

    Raises:
        NobodyFound: no frame holds a person.
        NotMeasurable: a camera can't measure the exercise.
    """
    if not series.found.any():
        raise NobodyFound("Nobody was found in any frame of this recording.")
    angle = primary_angle(exercise)
    movement = follow(series, exercise, side)
    found, refusals = only_this_exercise(series, exercise, movement)
    assessment = assess(series, exercise, movement, found)
    camera = check_camera(
        series, luminance, people, exercise, side=side, frames_of_others=frames_of_others
    )
    warnings = (
        *(finding.message["en"] for finding in camera),
        *_sight_warnings(movement, frames_missing),
        *_movement_warnings(series, movement, found, refusals),
    )
    result = ExerciseResult(
        exercise_id=exercise.id,
        side=movement.side,
        duration_s=series.duration_s,
        frames=series.frame_count,
        frames_measured=int(np.isfinite(movement.angle_deg).sum()),
        repetitions=_repetitions(series.t_s, movement, found, assessment),
        primary_angle=_range(angle.name, movement.angle_deg),
        score=assessment.parts,
        faults=assessment.faults,
        explanation=assessment.explanation,
        quality=Quality(
            visibility=float(series.visibility[series.found].mean()),
            fps=series.fps,
            warnings=warnings,
        ),
    )
    partial_s = tuple(float(series.t_s[each.peak] - series.t_s[0]) for each in found.partial)
    return Scored(result, series, movement.angle_deg, partial_s)


def _repetitions(
    t_s: Array, movement: Movement, found: Segmentation, assessment: Assessment
) -> tuple[Repetition, ...]:
    repetitions = []
    for cycle, quality in zip(found.complete, assessment.repetitions, strict=True):
        angle_deg = movement.angle_of(cycle)
        piece = angle_deg[cycle.start : cycle.end + 1]
        repetitions.append(
            Repetition(
                start_s=float(t_s[cycle.start] - t_s[0]),
                peak_s=float(t_s[cycle.peak] - t_s[0]),
                end_s=float(t_s[cycle.end] - t_s[0]),
                peak_deg=float(angle_deg[cycle.peak]),
                rom_deg=float(np.nanmax(piece) - np.nanmin(piece)),
                score=quality.score,
                faults=quality.faults,
                concentric_s=quality.tempo.concentric_s,
                eccentric_s=quality.tempo.eccentric_s,
                hold_s=quality.tempo.hold_s,
                smoothness=quality.tempo.smoothness,
                side=cycle.side or movement.side,
            )
        )
    return tuple(repetitions)


def _range(name: str, angle_deg: Array) -> AngleRange | None:
    if not np.isfinite(angle_deg).any():
        return None
    return AngleRange(name, float(np.nanmin(angle_deg)), float(np.nanmax(angle_deg)))


def _sight_warnings(movement: Movement, frames_missing: int) -> Iterator[str]:
    """What the camera could not see, in plain words."""
    measured = np.isfinite(movement.angle_deg) | movement.walking
    if not np.isfinite(movement.angle_deg).any():
        yield "The joint of this exercise could not be seen: nothing was measured."
    elif measured.mean() < _WELL_SEEN_SHARE:
        yield f"The joint could be seen in {measured.mean():.0%} of the frames only."
    if movement.to_vertical:
        yield "The hips were out of view: the arm was measured against the vertical."
    if frames_missing > 0:
        yield f"The video is cut off: {frames_missing} of its frames could not be read."


def _movement_warnings(
    series: LandmarkSeries, movement: Movement, found: Segmentation, refusals: Sequence[Refusal]
) -> Iterator[str]:
    """What was seen and not counted, in plain words."""
    walked_s = float(np.diff(series.t_s)[movement.walking[1:]].sum())
    if walked_s > 0:
        yield f"Walking was left out ({walked_s:.1f} s)."
    if found.partial:
        at = ", ".join(f"{series.t_s[each.peak] - series.t_s[0]:.1f} s" for each in found.partial)
        yield f"Attempts below half of the usual range: {len(found.partial)} (at {at})."
    for refusal in refusals:
        yield f"Movements not counted: {refusal.movements}. {refusal.requirement.cue['en']}"
