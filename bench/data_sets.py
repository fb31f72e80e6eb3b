"""The labelled recordings under a folder: which set, which exercise, whose, and what is known.

A set is known by its published layout and file names; a recording's label is what those say, or
the set's own label file. Exercises that the library does not have are left out. The lists of
exercises are from memory of the sets' papers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rtm.exercises import Side
from vision.landmarks import LandmarkSeries
from vision.skeletons import intellirehabds, kimore, rehab24_6, ui_prmd

KIMORE = {1: "shoulder_flexion", 2: "trunk_side_bend", 5: "squat"}
UI_PRMD = {1: "squat", 3: "split_squat", 5: "sit_to_stand", 7: "shoulder_abduction"}
REHAB24_6 = {
    1: "shoulder_abduction",
    4: "hip_abduction_standing",
    5: "split_squat",
    6: "squat",
}
INTELLIREHABDS: dict[int, tuple[str, Side | None]] = {
    0: ("elbow_flexion", "left"),
    1: ("elbow_flexion", "right"),
    2: ("shoulder_flexion", "left"),
    3: ("shoulder_flexion", "right"),
    4: ("shoulder_abduction", "left"),
    5: ("shoulder_abduction", "right"),
    6: ("shoulder_flexion", None),
}


@dataclass(frozen=True)
class Recording:
    """`repetitions`, `correct` and `clinical_score` are the labels, None where there is none."""

    data_set: str
    exercise_id: str
    subject: str
    read: Callable[[], LandmarkSeries]
    side: Side | None = None
    repetitions: int | None = None
    correct: bool | None = None
    clinical_score: Callable[[], float] | None = None


def recordings(folder: Path) -> Iterator[Recording]:
    """Every labelled recording of the public sets under `folder`, unread."""
    yield from _kimore(folder)
    yield from _ui_prmd(folder)
    yield from _intellirehabds(folder)
    yield from _rehab24_6(folder)


def _kimore(folder: Path) -> Iterator[Recording]:
    for raw in sorted(folder.rglob("Raw")):
        number = kimore.exercise_number(raw.parent)
        if number in KIMORE and (raw.parent / "Label").is_dir():
            yield Recording(
                "KIMORE",
                KIMORE[number],
                raw.parent.parent.name,
                partial(kimore.read_exercise, raw.parent),
                clinical_score=partial(kimore.clinical_score, raw.parent),
            )


def _ui_prmd(folder: Path) -> Iterator[Recording]:
    for path in sorted(folder.rglob("m*_positions*.txt")):
        episode = ui_prmd.episode_of(path)
        if episode and episode.movement in UI_PRMD and "Vicon" not in path.parts:
            yield Recording(
                "UI-PRMD",
                UI_PRMD[episode.movement],
                f"s{episode.subject:02}",
                partial(ui_prmd.read_kinect, path, ui_prmd.angles_beside(path)),
                repetitions=1,
                correct=episode.correct,
            )


def _intellirehabds(folder: Path) -> Iterator[Recording]:
    for path in sorted(folder.rglob("*.txt")):
        gesture = intellirehabds.gesture_of(path)
        if gesture and gesture.gesture in INTELLIREHABDS and gesture.label != "poor":
            exercise_id, side = INTELLIREHABDS[gesture.gesture]
            yield Recording(
                "IntelliRehabDS",
                exercise_id,
                gesture.subject,
                partial(intellirehabds.read_gesture, path),
                side=side,
                repetitions=1,
                correct=gesture.label == "correct",
            )


def _rehab24_6(folder: Path) -> Iterator[Recording]:
    for names in sorted(folder.rglob("joints_names.txt")):
        labels = names.with_name("Segmentation.csv")
        for row in rehab24_6.read_segmentation(labels) if labels.is_file() else ():
            path = names.parent / f"3d_joints/Ex{row.exercise}/{row.video}-30fps.npy"
            if row.exercise in REHAB24_6 and not row.capture_failed and path.is_file():
                yield Recording(
                    "REHAB24-6",
                    REHAB24_6[row.exercise],
                    row.subject,
                    partial(_piece, path, names, row.first_frame, row.last_frame),
                    repetitions=1,
                    correct=row.correct,
                )


def _piece(path: Path, names: Path, first: int, last: int) -> LandmarkSeries:
    whole = rehab24_6.read_joints(path, names)
    frames = slice(first, last + 1)
    return replace(
        whole,
        t_s=whole.t_s[frames],
        image=whole.image[frames],
        world=whole.world[frames],
        visibility=whole.visibility[frames],
    )
