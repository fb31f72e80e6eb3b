"""Repetition counts against the truth on every labelled recording that is shipped.

    python -m bench.vision_accuracy

The constants of the counter are argued where they stand and were not fitted to these recordings.
The counts were made by eye, for KERAAL from its motion capture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rtm.exercises import Side, load_library
from vision.keraal import read_blazepose
from vision.score import Scored, score_file, score_series

ROOT = Path(__file__).parent.parent
CLIP = ROOT / "app/demo/data/shoulder_abduction/clip.mp4"
DATA = ROOT / "tests/vision/data"


@dataclass(frozen=True)
class Labelled:
    """A recording with the repetitions that a person counts in it."""

    name: str
    exercise_id: str
    side: Side | None
    truth: int
    score: Callable[[str, Side | None], Scored]


def _file(path: Path) -> Callable[[str, Side | None], Scored]:
    return lambda exercise_id, side: score_file(path, load_library()[exercise_id], side)


def _keraal(exercise: str) -> Callable[[str, Side | None], Scored]:
    path = DATA / f"keraal/G3-BP-{exercise}-P1T1-Unknown-C-0.json"
    series = read_blazepose(path, width=640, height=480, fps=30.0)
    return lambda exercise_id, side: score_series(series, load_library()[exercise_id], side)


def labelled() -> list[Labelled]:
    clip, elbow = _file(CLIP), _file(DATA / "elbow_flexion.npz")
    sides: tuple[Side | None, ...] = (None, "left", "right")
    return [
        *(Labelled("jumping jacks", "shoulder_abduction", side, 2, clip) for side in sides),
        *(Labelled("elbow flexion", "elbow_flexion", side, 5, elbow) for side in sides),
        *(Labelled("KERAAL CTK", "shoulder_abduction", side, 1, _keraal("CTK")) for side in sides),
        Labelled("KERAAL ELK", "shoulder_abduction", "left", 1, _keraal("ELK")),
        Labelled("KERAAL ELK", "shoulder_abduction", "right", 1, _keraal("ELK")),
    ]


def main() -> None:
    exact = 0
    cases = labelled()
    print("recording        exercise            side    truth  counted  range of motion")
    for case in cases:
        result = case.score(case.exercise_id, case.side).result
        counted = len(result.repetitions)
        exact += counted == case.truth
        motion = ", ".join(f"{repetition.rom_deg:.0f}°" for repetition in result.repetitions)
        print(
            f"{case.name:16} {case.exercise_id:19} {case.side or 'auto':7}"
            f" {case.truth:5} {counted:8}  {motion}"
        )
    print(f"exact: {exact} of {len(cases)}")


if __name__ == "__main__":
    main()
