"""What is drawn over the video: skeleton, count, gauge of the target, bar of the phases."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from rtm.exercises import Exercise
from vision.kinematics import VISIBLE
from vision.landmarks import Landmark
from vision.score import Scored
from vision.video import Picture, Video

BONES = (
    (Landmark.LEFT_SHOULDER, Landmark.RIGHT_SHOULDER),
    (Landmark.LEFT_HIP, Landmark.RIGHT_HIP),
    *(
        (Landmark[f"{side}_{upper}"], Landmark[f"{side}_{lower}"])
        for side in ("LEFT", "RIGHT")
        for upper, lower in (
            ("SHOULDER", "ELBOW"),
            ("ELBOW", "WRIST"),
            ("SHOULDER", "HIP"),
            ("HIP", "KNEE"),
            ("KNEE", "ANKLE"),
            ("ANKLE", "HEEL"),
            ("HEEL", "FOOT_INDEX"),
        )
    ),
)

# Blue, green, red. Not seen well is told from seen by hue and by a thinner line.
_SEEN, _UNSURE, _WHITE, _BLACK = (96, 174, 39), (60, 160, 240), (255, 255, 255), (0, 0, 0)
_PANEL, _BAND, _EFFORT, _RETURN = (45, 45, 45), (90, 120, 60), (96, 174, 39), (170, 205, 140)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


class Overlay:
    """Draws on pictures of one recording; `exercise` adds the gauge of its target."""

    def __init__(self, scored: Scored, exercise: Exercise | None = None) -> None:
        self._scored = scored
        self._angle = exercise.primary_angle if exercise else None
        self._t_s = scored.t_s - scored.t_s[0]
        height, width = scored.series.height, scored.series.width
        self._unit = min(height, width) / 500
        self._line = max(2, round(3 * self._unit))
        self._bar = self._phases(width, max(8, round(14 * self._unit)))

    def on(self, bgr: Picture, index: int) -> Picture:
        """`bgr`, a picture of the series' size, with frame `index` drawn on it in place."""
        self._skeleton(bgr, index)
        self._label(bgr, index)
        if self._angle is not None:
            self._gauge(bgr, index)
        self._progress(bgr, index)
        return bgr

    def _skeleton(self, bgr: Picture, index: int) -> None:
        series = self._scored.series
        points = series.image[index] * (series.width, series.height)
        if not np.isfinite(points).all():
            return
        visible = series.visibility[index] >= VISIBLE
        for a, b in BONES:
            seen = visible[a] and visible[b]
            colour, line = (_SEEN, self._line) if seen else (_UNSURE, max(1, self._line // 2))
            cv2.line(bgr, _pixel(points[a]), _pixel(points[b]), colour, line, cv2.LINE_AA)
        nose = _SEEN if visible[Landmark.NOSE] else _UNSURE
        cv2.circle(bgr, _pixel(points[Landmark.NOSE]), 2 * self._line, nose, cv2.FILLED)

    def _label(self, bgr: Picture, index: int) -> None:
        repetitions = self._scored.result.repetitions
        t_s, angle = self._t_s[index], self._scored.angle_deg[index]
        done = sum(repetition.end_s <= t_s for repetition in repetitions)
        shown = f"{angle:.0f} deg" if np.isfinite(angle) else "not measured"
        text = f"{done} of {len(repetitions)}   {shown}"
        size = 0.8 * self._unit
        (width, height), _ = cv2.getTextSize(text, _FONT, size, self._line)
        margin = round(8 * self._unit)
        cv2.rectangle(bgr, (0, 0), (width + 2 * margin, height + 2 * margin), _PANEL, cv2.FILLED)
        place = (margin, height + margin)
        cv2.putText(bgr, text, place, _FONT, size, _WHITE, self._line, cv2.LINE_AA)

    def _gauge(self, bgr: Picture, index: int) -> None:
        """From rest at the foot to the target at the line, with a fifth of the way beyond."""
        assert self._angle is not None, "asked for only with a target"
        height, width = self._scored.series.height, self._scored.series.width
        unit = self._unit
        right, left = width - round(12 * unit), width - round(30 * unit)
        foot, head = height - round(50 * unit), round(60 * unit)

        def level(way: float) -> int:
            return round(foot - (foot - head) * min(max(way, 0.0), 1.2) / 1.2)

        cv2.rectangle(bgr, (left, head), (right, foot), _PANEL, cv2.FILLED)
        cv2.rectangle(bgr, (left, level(1.0)), (right, foot), _BAND, cv2.FILLED)
        target = level(1.0)
        cv2.line(bgr, (left - round(8 * unit), target), (right, target), _WHITE, self._line)
        text = f"{self._angle.target_deg:.0f}"
        (wide, high), _ = cv2.getTextSize(text, _FONT, 0.6 * unit, self._line)
        place = (left - round(12 * unit) - wide, target + high // 2)
        cv2.putText(bgr, text, place, _FONT, 0.6 * unit, _BLACK, self._line + 2, cv2.LINE_AA)
        cv2.putText(bgr, text, place, _FONT, 0.6 * unit, _WHITE, self._line, cv2.LINE_AA)
        angle = self._scored.angle_deg[index]
        if np.isfinite(angle):
            rest = self._angle.rest_deg
            at = level((float(angle) - rest) / (self._angle.target_deg - rest))
            cv2.rectangle(bgr, (left, at), (right, foot), _EFFORT, cv2.FILLED)
            cv2.rectangle(bgr, (left, at - self._line), (right, at), _WHITE, cv2.FILLED)

    def _phases(self, width: int, height: int) -> Picture:
        """(height, width, 3) the whole recording as a bar: dark the way to the peak, pale back."""
        bar = np.full((height, width, 3), _PANEL, dtype=np.uint8)
        for repetition in self._scored.result.repetitions:
            ends = (repetition.start_s, repetition.peak_s, repetition.end_s)
            start, peak, end = (self._column(t_s, width) for t_s in ends)
            bar[:, start:peak] = _EFFORT
            bar[:, peak:end] = _RETURN
        return bar

    def _progress(self, bgr: Picture, index: int) -> None:
        height, width = self._bar.shape[:2]
        bgr[-height:] = self._bar
        now = self._column(float(self._t_s[index]), width)
        cv2.rectangle(
            bgr,
            (now - self._line, bgr.shape[0] - round(1.5 * height)),
            (now + self._line, bgr.shape[0]),
            _WHITE,
            cv2.FILLED,
        )

    def _column(self, t_s: float, width: int) -> int:
        return round(t_s / float(self._t_s[-1]) * (width - 1))


def annotate_video(
    source: Path, scored: Scored, target: Path, exercise: Exercise | None = None
) -> None:
    """The video with the overlay, as MP4 at its median frame rate and at its own speed.

    Frames that were late in the source are shown for longer.
    """
    series = scored.series
    by_time = {round(t * 1000): index for index, t in enumerate(series.t_s)}
    # When each frame gives way to the next, in frames of the new video.
    until = np.append(np.round((series.t_s[1:] - series.t_s[0]) * series.fps).astype(int), 0)
    overlay = Overlay(scored, exercise)
    writer = cv2.VideoWriter(
        str(target), cv2.VideoWriter.fourcc(*"mp4v"), series.fps, (series.width, series.height)
    )
    written = 0
    try:
        for frame in Video(source).frames():
            index = by_time.get(round(frame.t_s * 1000))
            if index is None:
                continue
            drawn = overlay.on(cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR), index)  # type: ignore[arg-type]  # uint8 in, uint8 out
            for _ in range(max(1, int(until[index]) - written)):
                writer.write(drawn)
                written += 1
    finally:
        writer.release()


def _pixel(point: np.ndarray) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
