"""Counts, joint angles and scores against the labels of every data set found in a folder.

    python -m bench.vision_accuracy [DATA_DIR]

DATA_DIR holds public data sets in their published layouts; without it, what is shipped here is
measured. No constant was fitted to any of them, but for the linear map from the score's parts to
a clinician's points, which is fitted on other subjects than it is tested on.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bench import keraal_performances
from bench.data_sets import Recording, recordings
from bench.metrics import auc, predicted_for_unseen_subjects, spearman
from rtm.exercises import Side, load_library
from rtm.session import ScoreParts
from vision.errors import RecordingProblem
from vision.live_coach import replay
from vision.score import Scored, score_file, score_series
from vision.smoothing import smooth

ROOT = Path(__file__).parent.parent
CLIP = ROOT / "app/demo/data/shoulder_abduction/clip.mp4"
SHIPPED = ROOT / "tests/vision/data"

PARTS = ("range", "control", "form", "symmetry", "completeness")

# As the project's fact sheet has them, from memory of the literature: to compare, not to quote.
PUBLISHED_ANGLES = (
    "published: a goniometer's minimal detectable change is 5–10° (knee), 5–15° (shoulder);"
    " two phones against motion capture (OpenCap) about 4.5°; one camera from the side 5–10°"
)
PUBLISHED_SCORES = (
    "published on KIMORE: mean absolute deviation under 1 point by graph networks,"
    " on splits that often mix subjects; not comparable with the split used here"
)
NONE_HERE = "no recording of this kind here"


@dataclass(frozen=True)
class Counted:
    """A recording with the repetitions that a person counted in it, and ours.

    `live` is the count of the causal counter, None where it was not asked.
    """

    name: str
    exercise_id: str
    side: Side | None
    truth: int
    counted: int
    rom_deg: tuple[float, ...] = ()
    live: int | None = None


@dataclass(frozen=True)
class Judged:
    """A labelled recording with our score; `clinical` is a clinician's."""

    recording: Recording
    score: ScoreParts
    clinical: float | None


def main() -> None:
    shipped = len(sys.argv) < 2
    folder = SHIPPED if shipped else Path(sys.argv[1])
    counts = list(_counts_of_single_files(folder, CLIP if shipped else None))
    judged, more_counts, refused = judge(recordings(folder))
    print_counts([*counts, *more_counts])
    print_angles(folder)
    print_discrimination(judged)
    print_clinical(judged)
    for message in refused:
        print(f"left out: {message}")


def judge(found: Iterable[Recording]) -> tuple[list[Judged], list[Counted], list[str]]:
    """Every recording scored; those that can't be are named with the reason."""
    judged, counts, refused = [], [], []
    for recording in found:
        exercise = load_library()[recording.exercise_id]
        try:
            scored = score_series(recording.read(), exercise, recording.side)
            clinical = recording.clinical_score() if recording.clinical_score else None
        except RecordingProblem as problem:
            refused.append(f"{recording.data_set} {recording.exercise_id}: {problem}")
            continue
        result = scored.result
        judged.append(Judged(recording, result.score, clinical))
        if recording.repetitions is not None:
            counts.append(
                Counted(
                    recording.data_set,
                    recording.exercise_id,
                    recording.side,
                    recording.repetitions,
                    len(result.repetitions),
                    live=replay(scored.series, exercise, recording.side).count,
                )
            )
    return judged, counts, refused


def _counts_of_single_files(folder: Path, clip: Path | None) -> Iterable[Counted]:
    """The recordings whose repetitions were counted by eye, KERAAL's in its motion capture."""
    library = load_library()
    sides: tuple[Side | None, ...] = (None, "left", "right")

    def counted(
        name: str, exercise_id: str, side: Side | None, truth: int, score: Callable[[], Scored]
    ) -> Counted:
        scored = score()
        repetitions = scored.result.repetitions
        roms = tuple(repetition.rom_deg for repetition in repetitions)
        live = replay(scored.series, library[exercise_id], side).count
        return Counted(name, exercise_id, side, truth, len(repetitions), roms, live)

    for name, exercise_id, truth, path in (
        ("jumping jacks", "shoulder_abduction", 2, folder / "sports2d_jumping_jacks/clip.mp4"),
        ("jumping jacks", "shoulder_abduction", 2, clip),
        ("elbow flexion", "elbow_flexion", 5, folder / "elbow_flexion_landmarks/series.npz"),
        ("elbow flexion", "elbow_flexion", 5, folder / "elbow_flexion.npz"),
    ):
        if path is None or not path.is_file():
            continue
        for side in sides:
            exercise = library[exercise_id]
            yield counted(
                name,
                exercise_id,
                side,
                truth,
                partial(score_file, path, exercise, side),
            )
    for (exercise_name, *rest), paths in keraal_performances.recordings(folder).items():
        both: tuple[Side | None, ...] = ("left", "right")
        seen_from = {"CTK": sides, "ELK": both}.get(exercise_name, ())
        for modality, path in paths.items() if rest == [1, 1] else ():
            series = keraal_performances.read(path, modality)
            for side in seen_from:
                exercise = library["shoulder_abduction"]
                yield counted(
                    f"KERAAL {exercise_name} {modality}",
                    exercise.id,
                    side,
                    1,
                    partial(score_series, series, exercise, side),
                )


def print_counts(counts: Sequence[Counted]) -> None:
    print("Repetitions against labels")
    if not counts:
        print(NONE_HERE)
        return
    groups = defaultdict(list)
    for each in counts:
        groups[each.name, each.exercise_id].append(each)
    print(
        f"{'recordings':20} {'exercise':24} {'n':>5} {'exact':>7} {'mean error':>11}"
        "  range of motion"
    )
    for (name, exercise_id), group in groups.items():
        motion = ", ".join(f"{rom:.0f}°" for rom in group[0].rom_deg)
        print(
            f"{name:20} {exercise_id:24} {len(group):5} {exact_rate(group):7.0%}"
            f" {mean_count_error(group):11.2f}  {motion}"
        )
    print(
        f"all: exact {exact_rate(counts):.0%} of {len(counts)},"
        f" mean absolute error {mean_count_error(counts):.2f}"
    )
    apart = [abs(each.counted - each.live) for each in counts if each.live is not None]
    print(
        f"live counter: the same as the record in {apart.count(0)} of {len(apart)},"
        f" within one in {sum(each <= 1 for each in apart)}"
    )


def exact_rate(counts: Sequence[Counted]) -> float:
    """Share of recordings counted exactly."""
    return float(np.mean([each.counted == each.truth for each in counts]))


def mean_count_error(counts: Sequence[Counted]) -> float:
    """Mean absolute error in repetitions."""
    return float(np.mean([abs(each.counted - each.truth) for each in counts]))


def print_angles(folder: Path) -> None:
    print("\nJoint angles against motion capture, deg: MAE, RMSE (and less the constant offset)")
    print(PUBLISHED_ANGLES)
    groups = defaultdict(list)
    apart: dict[tuple[str, str], int] = defaultdict(int)
    for pair in keraal_performances.comparisons(folder):
        if pair.follows:
            groups[pair.modality, pair.angle].append(pair.errors(smooth))
        else:
            apart[pair.modality, pair.angle] += 1
    if not groups:
        print(NONE_HERE)
    for (modality, angle), errors in sorted(groups.items()):
        every = np.concatenate(errors)
        level = np.concatenate([error - np.nanmean(error) for error in errors])
        print(
            f"KERAAL {modality:8} {angle:24} n {len(errors):3}"
            f"  MAE {np.nanmean(np.abs(every)):5.1f} ({np.nanmean(np.abs(level)):.1f})"
            f"  RMSE {np.sqrt(np.nanmean(every**2)):5.1f} ({np.sqrt(np.nanmean(level**2)):.1f})"
        )
    for (modality, angle), number in sorted(apart.items()):
        print(f"KERAAL {modality:8} {angle:24} {number} curves do not follow it: not compared")


def print_discrimination(judged: Sequence[Judged]) -> None:
    print("\nCorrect against incorrect: AUC of the total score, by exercise")
    groups = defaultdict(list)
    for each in judged:
        if each.recording.correct is not None:
            groups[each.recording.data_set, each.recording.exercise_id].append(each)
    if not groups:
        print(NONE_HERE)
    for (data_set, exercise_id), group in sorted(groups.items()):
        scored = [each for each in group if each.score.total is not None]
        area = auc(
            [each.score.total or 0.0 for each in scored],
            [bool(each.recording.correct) for each in scored],
        )
        print(
            f"{data_set:15} {exercise_id:24} AUC {area:.2f}, {len(scored)} scored,"
            f" {len(group) - len(scored)} without a score"
        )


def print_clinical(judged: Sequence[Judged]) -> None:
    print("\nClinicians' scores: a linear map of the parts, each subject tested on all others")
    print(PUBLISHED_SCORES)
    groups = defaultdict(list)
    for each in judged:
        if each.clinical is not None:
            groups[each.recording.data_set, each.recording.exercise_id].append(each)
    if not groups:
        print(NONE_HERE)
    for (data_set, exercise_id), group in sorted(groups.items()):
        scored = [each for each in group if each.score.total is not None]
        rank, error, number = clinical_agreement(scored)
        print(
            f"{data_set:15} {exercise_id:24} Spearman {rank:.2f}, MAE {error:.1f} points,"
            f" {number} predicted, {len(group) - number} not"
        )


def clinical_agreement(scored: Sequence[Judged]) -> tuple[float, float, int]:
    """Spearman, MAE in the clinician's points, and how many could be predicted."""
    parts = np.array(
        [[getattr(each.score, part) for part in PARTS] for each in scored], dtype=np.float64
    ).reshape(len(scored), len(PARTS))
    target = np.array([each.clinical for each in scored], dtype=np.float64)
    predicted = predicted_for_unseen_subjects(
        parts, target, [each.recording.subject for each in scored]
    )
    known = np.isfinite(predicted)
    if not known.any():
        return float("nan"), float("nan"), 0
    error = float(np.abs(predicted[known] - target[known]).mean())
    return spearman(predicted[known], target[known]), error, int(known.sum())


if __name__ == "__main__":
    main()
