"""Reading IntelliRehabDS (Miron et al., Data 6(5):46, 2021; CC BY 4.0), its raw skeletons.

A file is one repetition, `SUBJECT_DATE_GESTURE_REPETITION_LABEL_POSITION.txt` with gesture 0–8,
label 1 correct, 2 incorrect, 3 done too poorly to tell, and a position such as `stand`. After a
line with the word `Version` each line is a frame of one body: frame number, body, time stamp, then
25 times `(joint,state,x,y,z,u,v)` with the Kinect v2 joint's name, `Tracked`, `Inferred` or
`NotTracked`, metres in camera space and pixels in the depth picture. Where several bodies were
seen the one of most lines is meant. A line cut off is a frame not recorded. The unit of the time
stamps is not documented; it is told from Kinect's own frame rate. The set's simplified files of 75
numbers have neither times nor states and are refused.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vision.errors import UnreadableSeries
from vision.landmarks import Array, LandmarkSeries
from vision.skeletons.kinect import (
    INFERRED,
    JOINTS,
    NOT_TRACKED,
    TRACKED,
    seconds,
    series_of_kinect,
)
from vision.skeletons.text import lines_of

_STATES = {"NotTracked": NOT_TRACKED, "Inferred": INFERRED, "Tracked": TRACKED}
_LABELS: dict[str, Literal["correct", "incorrect", "poor"]] = {
    "1": "correct",
    "2": "incorrect",
    "3": "poor",
}


@dataclass(frozen=True)
class Gesture:
    """What a file's name says."""

    subject: str
    gesture: int
    repetition: int
    label: Literal["correct", "incorrect", "poor"]
    position: str


_NAME = re.compile(r"(\w+?)_\w+?_([0-8])_(\d+)_([123])_([A-Za-z-]+)\.txt")
_LINE = re.compile(r"(-?\d+),(-?\d+),(-?[\d.]+),(\(.*\))")
_JOINT = re.compile(r"\((\w+),(\w+),([^,()]+),([^,()]+),([^,()]+),[^,()]+,[^,()]+\)")


def gesture_of(path: Path) -> Gesture | None:
    """By the published naming; None for any other file."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    subject, gesture, repetition, label, position = match.groups()
    return Gesture(subject, int(gesture), int(repetition), _LABELS[label], position)


def read_gesture(path: Path) -> LandmarkSeries:
    """One repetition.

    Raises:
        UnreadableSeries: not a raw file of this form, or fewer than two whole frames.
    """
    frames = [match for line in lines_of(path) if (match := _LINE.fullmatch(line.strip()))]
    whole = [(match, _JOINT.findall(match[4])) for match in frames]
    whole = [(match, joints) for match, joints in whole if len(joints) == len(JOINTS)]
    if not whole:
        raise UnreadableSeries(f"{path.name} holds no frame of {len(JOINTS)} joints with states.")
    body, _ = Counter(match[2] for match, _ in whole).most_common(1)[0]
    own = [(float(match[3]), joints) for match, joints in whole if match[2] == body]
    positions = np.full((len(own), len(JOINTS), 3), np.nan)
    states = np.zeros((len(own), len(JOINTS)))
    for frame, (_, joints) in enumerate(own):
        for name, state, *coordinates in joints:
            if name not in JOINTS or state not in _STATES:
                raise UnreadableSeries(f"{path.name} names a joint {name} with the state {state}.")
            positions[frame, JOINTS.index(name)] = _numbers(path, coordinates)
            states[frame, JOINTS.index(name)] = _STATES[state]
    return series_of_kinect(seconds(np.array([t for t, _ in own])), positions, states)


def _numbers(path: Path, texts: list[str]) -> Array:
    try:
        return np.array([float(text) for text in texts])
    except ValueError:
        raise UnreadableSeries(f"{path.name} holds a coordinate that is not a number.") from None
