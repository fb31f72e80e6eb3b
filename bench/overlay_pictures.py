"""Contact sheets of the overlay, for the documentation.

    python -m bench.overlay_pictures [FOLDER]

One is of the shipped clip, the other the skeleton of the shipped landmark series on an empty
ground. Writes overlay-abduction.png and overlay-elbow.png, into docs/images unless told.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from rtm.exercises import load_library
from vision.overlay import Overlay
from vision.score import Scored, score_file
from vision.video import Picture, Video

ROOT = Path(__file__).parent.parent
CLIP = ROOT / "app/demo/data/shoulder_abduction/clip.mp4"
SERIES = ROOT / "tests/vision/data/elbow_flexion.npz"
COLUMNS, ROWS, TILE_PX, COLOURS = 4, 2, 240, 96


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/images"
    abduction = load_library()["shoulder_abduction"]
    clip = score_file(CLIP, abduction)
    overlay = Overlay(clip, abduction)
    chosen = set(_evenly(clip))
    drawn = [
        overlay.on(cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR), index)  # type: ignore[arg-type]  # uint8 in, uint8 out
        for index, frame in enumerate(Video(CLIP).frames())
        if index in chosen
    ]
    _write(_sheet(drawn), folder / "overlay-abduction.png")
    elbow = load_library()["elbow_flexion"]
    scored = score_file(SERIES, elbow)
    overlay = Overlay(replace(scored, series=replace(scored.series, width=640, height=360)), elbow)
    drawn = [
        overlay.on(np.full((360, 640, 3), 24, dtype=np.uint8), index) for index in _evenly(scored)
    ]
    _write(_sheet(drawn), folder / "overlay-elbow.png")


def _evenly(scored: Scored) -> list[int]:
    last = scored.series.frame_count - 1
    return [round(place) for place in np.linspace(0, last, COLUMNS * ROWS)]


def _sheet(pictures: Sequence[Picture]) -> np.ndarray:
    """The pictures in rows, each `TILE_PX` wide."""
    height, width = pictures[0].shape[:2]
    size = (TILE_PX, round(TILE_PX * height / width))
    tiles = [cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in pictures]
    rows = [np.hstack(tiles[first : first + COLUMNS]) for first in range(0, len(tiles), COLUMNS)]
    return np.vstack(rows)


def _write(sheet: np.ndarray, path: Path) -> None:
    """As PNG with a palette, a fraction of the size of one in full colour."""
    picture = Image.fromarray(cv2.cvtColor(sheet, cv2.COLOR_BGR2RGB))
    picture.quantize(COLOURS).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
