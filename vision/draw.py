"""Pictures for people: the angle over time. The overlay and the report are drawn beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rtm.exercises import Exercise
from vision.overlay import annotate_video
from vision.score import Scored

__all__ = ["angle_curve", "annotate_video", "plot_angle"]

CURVE, GOOD, PEAK, PARTIAL = "#0b5c7a", "#27ae60", "#b03a2e", "#b9770e"


def plot_angle(
    scored: Scored,
    path: Path,
    exercise: Exercise | None = None,
    *,
    partial_s: Sequence[float] = (),
) -> None:
    """The primary angle with each repetition shaded and its peak marked, as PNG.

    `exercise` adds its band from rest to target. `partial_s` are the times in s from the start of
    the recording at which an attempt stayed too small; each is marked.
    """
    result = scored.result
    figure = Figure(figsize=(9, 3.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    angle_curve(axes, scored, exercise, partial_s=partial_s)
    name = exercise.name["en"] if exercise else result.exercise_id.replace("_", " ")
    count = len(result.repetitions)
    axes.set_title(f"{name}: {count} repetition{'' if count == 1 else 's'}")
    figure.savefig(path)


# More numbers than this stand on one another.
_MOST_LABELS = 14


def angle_curve(
    axes: Any, scored: Scored, exercise: Exercise | None, *, partial_s: Sequence[float] = ()
) -> None:
    """Draws as `plot_angle` tells, on matplotlib's `axes`."""
    result, angle_deg = scored.result, scored.angle_deg
    t_s = scored.t_s - scored.t_s[0]
    target = exercise.primary_angle if exercise else None
    if target is not None:
        axes.axhspan(target.rest_deg, target.target_deg, color="#f2e9c9", alpha=0.6, zorder=0)
        for level, word in ((target.target_deg, "target"), (target.rest_deg, "rest")):
            axes.axhline(level, color="#8a7a3a", linewidth=0.9, linestyle="--", zorder=1)
            axes.annotate(
                f"{word} {level:.0f}°",
                (1.0, level),
                xycoords=("axes fraction", "data"),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color="#6b5e2a",
            )
    axes.plot(t_s, angle_deg, color=CURVE, linewidth=1.8, zorder=3)
    # Below the peak where the exercise lowers its angle, so that no number stands on the curve.
    falling = target is not None and target.target_deg < target.rest_deg
    offset, anchor = ((0, -8), "top") if falling else ((0, 8), "bottom")
    few = len(result.repetitions) <= _MOST_LABELS
    for number, repetition in enumerate(result.repetitions, start=1):
        axes.axvspan(repetition.start_s, repetition.end_s, color=GOOD, alpha=0.14, zorder=1)
        axes.plot(repetition.peak_s, repetition.peak_deg, "o", color=PEAK, markersize=5, zorder=4)
        axes.annotate(
            f"{number}: {repetition.peak_deg:.0f}°" if few else str(number),
            (repetition.peak_s, repetition.peak_deg),
            textcoords="offset points",
            xytext=offset,
            ha="center",
            va=anchor,
            fontsize=9 if few else 7,
        )
    for moment_s in partial_s:
        axes.axvline(moment_s, color=PARTIAL, linewidth=1.2, linestyle=":", zorder=2)
        axes.annotate(
            "partial",
            (moment_s, 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(3, 0),
            textcoords="offset points",
            fontsize=8,
            color=PARTIAL,
        )
    name = result.primary_angle.name.replace("_", " ") if result.primary_angle else "not measured"
    axes.set(xlabel="time (s)", ylabel=f"{name} (°)")
    axes.set_xlim(0, float(t_s[-1]))
    axes.margins(y=0.18)
    axes.spines[["top", "right"]].set_visible(False)
