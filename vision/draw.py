"""Pictures for people: the angle over time, and the skeleton over the video."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vision.landmarks import Landmark
from vision.score import Scored
from vision.video import Picture, Video

_BONES = [
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
]
_SEEN_BGR, _UNSURE_BGR, _TEXT_BGR = (96, 174, 39), (60, 160, 240), (255, 255, 255)


def plot_angle(scored: Scored, path: Path) -> None:
    """The primary angle with each repetition shaded and its peak marked, as PNG."""
    result = scored.result
    figure = Figure(figsize=(9, 3.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    t_s = scored.t_s - scored.t_s[0]
    axes.plot(t_s, scored.angle_deg, color="#0b5c7a", linewidth=1.8)
    for number, repetition in enumerate(result.repetitions, start=1):
        axes.axvspan(repetition.start_s, repetition.end_s, color="#27ae60", alpha=0.14)
        axes.plot(repetition.peak_s, repetition.peak_deg, "o", color="#b03a2e", markersize=5)
        axes.annotate(
            f"{number}: {repetition.peak_deg:.0f}°",
            (repetition.peak_s, repetition.peak_deg),
            textcoords="offset points",
            xytext=(0, 8),
            ha="center",
            fontsize=9,
        )
    name = result.primary_angle.name.replace("_", " ") if result.primary_angle else "not measured"
    axes.set(xlabel="time (s)", ylabel=f"{name} (°)")
    axes.set_title(f"{result.exercise_id.replace('_', ' ')}: {len(result.repetitions)} repetitions")
    axes.margins(y=0.18)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def annotate_video(source: Path, scored: Scored, target: Path) -> None:
    """The video with skeleton, angle and running count, as MP4 at its median frame rate."""
    series = scored.series
    by_time = {round(t * 1000): index for index, t in enumerate(series.t_s)}
    writer = cv2.VideoWriter(
        str(target), cv2.VideoWriter.fourcc(*"mp4v"), series.fps, (series.width, series.height)
    )
    try:
        for frame in Video(source).frames():
            index = by_time.get(round(frame.t_s * 1000))
            if index is not None:
                writer.write(_annotated(frame.rgb, scored, index))
    finally:
        writer.release()


def _annotated(rgb: Picture, scored: Scored, index: int) -> Picture:
    picture = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    series = scored.series
    points = series.image[index] * (series.width, series.height)
    visible = series.visibility[index] >= 0.5
    thickness = max(2, series.height // 240)
    if np.isfinite(points).all():
        for a, b in _BONES:
            colour = _SEEN_BGR if visible[a] and visible[b] else _UNSURE_BGR
            cv2.line(picture, _pixel(points[a]), _pixel(points[b]), colour, thickness, cv2.LINE_AA)
    t_s = series.t_s[index] - series.t_s[0]
    done = sum(repetition.end_s <= t_s for repetition in scored.result.repetitions)
    angle = scored.angle_deg[index]
    label = f"{done}   " + (f"{angle:.0f} deg" if np.isfinite(angle) else "not measured")
    scale = series.height / 500
    place = (int(12 * scale), int(34 * scale))
    cv2.putText(picture, label, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), thickness + 3)
    cv2.putText(picture, label, place, cv2.FONT_HERSHEY_SIMPLEX, scale, _TEXT_BGR, thickness)
    return np.asarray(picture, dtype=np.uint8)


def _pixel(point: np.ndarray) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
