"""Films for the fake camera of Chromium, made of a real person's jumping jacks.

Chromium shows a film at 30 pictures a second, over and over. Movements are slowed, so that a shared
machine can follow them. Pictures are 640 × 480, as the coach asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.demo import walk

FPS = 30
WIDTH, HEIGHT = 640, 480

Picture = NDArray[np.uint8]
# A picture and for how many of the camera's pictures it stands.
Shot = tuple[Picture, int]

# The clip's first jump: the arms hang in picture 0 and are highest in picture 26.
_UP = range(27)
_REPETITION = (*_UP, *reversed(_UP[:-1]))

# The corner tells where in the film one is, for who looks at the page's video.
_CORNER_PX = 40


def write_film(path: Path, shots: Iterable[Shot]) -> Path:
    with path.open("wb") as film:
        for picture, times in shots:
            good, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
            assert good
            film.write(jpeg.tobytes() * times)
    return path


def write_raw_film(path: Path, shots: Iterable[Shot], fps: int) -> Path:
    """YUV4MPEG2, whose head sets how many pictures a second the fake camera gives."""
    with path.open("wb") as film:
        film.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{fps}:1 Ip A1:1 C420jpeg\n".encode())
        for picture, times in shots:
            raw = b"FRAME\n" + cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).tobytes()
            film.write(raw * times)
    return path


def marked(shots: Iterable[Shot], grey: int) -> Iterator[Shot]:
    """The same with a corner of that grey, 0–255."""
    for picture, times in shots:
        copy = picture.copy()
        copy[:_CORNER_PX, :_CORNER_PX] = grey
        yield copy, times


def jumping_jacks() -> Iterator[Shot]:
    """Back and forth through the clip, six times as slow."""
    for number in (*range(75), *reversed(range(75))):
        yield _in_room(_clip()[number]), 6


def repetitions(count: int, slowed: int = 3) -> Iterator[Shot]:
    """`count` jumps, each from rest to rest."""
    for number in _REPETITION * count:
        yield _in_room(_clip()[number]), slowed


def standing(seconds: float) -> Iterator[Shot]:
    yield _in_room(_clip()[0]), round(FPS * seconds)


def empty_room(seconds: float) -> Iterator[Shot]:
    yield _room(), round(FPS * seconds)


def walking_out(seconds: float) -> Iterator[Shot]:
    """Sideways until nothing of the person is in the picture."""
    count = round(FPS * seconds / 3)
    for step in range(count):
        yield _in_room(_clip()[0], shift_px=round((step + 1) / count * WIDTH)), 3


def walking_in(seconds: float) -> Iterator[Shot]:
    yield from reversed([*walking_out(seconds)])


def two_people(count: int, slowed: int = 3) -> Iterator[Shot]:
    """`count` jumps of one person, and of another beside them, who is half a jump ahead."""
    half = len(_REPETITION) // 2
    for place, number in enumerate(_REPETITION * count):
        other = (_REPETITION * (count + 1))[place + half]
        picture = _room()
        for left, clip in ((0, number), (WIDTH // 2, other)):
            # The person is in the middle two thirds of the clip.
            body = _clip()[clip][:, 120:600]
            small = cv2.resize(body, (WIDTH // 2, HEIGHT))
            picture[:, left : left + WIDTH // 2] = small
        yield picture, slowed


@cache
def _clip() -> tuple[Picture, ...]:
    source = cv2.VideoCapture(str(walk.CLIP))
    pictures: list[Any] = []
    while (read := source.read())[0]:
        pictures.append(read[1])
    return tuple(pictures)


def _room() -> Picture:
    """A wall in the evening light: grey, brighter towards the top."""
    shades = np.linspace(170, 90, HEIGHT, dtype=np.uint8)[:, None, None]
    return np.tile(shades, (1, WIDTH, 3))


def _in_room(picture: Picture, shift_px: int = 0) -> Picture:
    """The clip's picture in the middle of the room, or `shift_px` to the right."""
    room = _room()
    small = cv2.resize(picture, (HEIGHT, HEIGHT))
    left = (WIDTH - HEIGHT) // 2 + shift_px
    visible = max(0, min(HEIGHT, WIDTH - left))
    room[:, left : left + visible] = small[:, :visible]
    return room
