"""The report of one recording: one page to put into a note. Nobody's picture is on it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from rtm.exercises import Exercise
from rtm.session import ExerciseResult
from vision.draw import CURVE, GOOD, PARTIAL, angle_curve
from vision.kinematics import VISIBLE
from vision.landmarks import Array, Landmark, LandmarkSeries
from vision.overlay import BONES
from vision.score import Scored

_INK, _SOFT, _PALE, _RETURN = "#1c2833", "#5d6d7e", "#e5e8e8", "#8fb9c9"
_SIDES = {"left": "left side", "right": "right side", "bilateral": "both sides"}
_LINE_CHARACTERS = 104


def draw_report(
    scored: Scored, exercise: Exercise, path: Path, *, partial_s: Sequence[float] = ()
) -> None:
    """Key figures, score, curve, tempo, stills, faults and warnings on a letter page, as PNG.

    What was not measured is said to be so. `partial_s` as in `vision.draw.plot_angle`.
    """
    margins = ConstrainedLayoutEngine(rect=(0.03, 0.02, 0.94, 0.96), h_pad=0.08)
    figure = Figure(figsize=(8.5, 11), dpi=120, layout=margins)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(5, 6, height_ratios=(0.6, 2.1, 2.9, 2.4, 2.2))
    _heading(figure.add_subplot(grid[0, :]), scored.result, exercise)
    _key_figures(figure.add_subplot(grid[1, :3]), scored.result)
    _score_parts(figure.add_subplot(grid[1, 3:]), scored.result)
    angle_curve(axes := figure.add_subplot(grid[2, :]), scored, exercise, partial_s=partial_s)
    axes.set_title("Angle over time", loc="left", fontsize=11, color=_INK)
    _tempo(figure.add_subplot(grid[3, :3]), scored.result, exercise)
    _stills(figure.add_subplot(grid[3, 3:]), scored.series, _moments(scored, exercise))
    _remarks(figure.add_subplot(grid[4, :]), scored.result)
    figure.savefig(path)


def _heading(axes: Any, result: ExerciseResult, exercise: Exercise) -> None:
    axes.axis("off")
    axes.text(0, 0.95, exercise.name["en"], fontsize=18, weight="bold", color=_INK, va="top")
    line = f"Home exercise by video, {_SIDES[result.side]}, {result.duration_s:.0f} s"
    axes.text(0, 0.0, line, fontsize=10, color=_SOFT, va="bottom")


def _key_figures(axes: Any, result: ExerciseResult) -> None:
    axes.axis("off")
    axes.set_title("Key figures", loc="left", fontsize=11, color=_INK)
    angle, quality = result.primary_angle, result.quality
    best = [repetition.rom_deg for repetition in result.repetitions]
    rows = [
        ("Repetitions", str(len(result.repetitions))),
        ("Partial attempts", _partial(result)),
        ("Joint angle", angle.name.replace("_", " ") if angle else "not measured"),
        ("Range of motion", f"{angle.rom_deg:.0f}°" if angle else "not measured"),
        ("Least to most", f"{angle.min_deg:.0f}° to {angle.max_deg:.0f}°" if angle else "–"),
        ("Mean per repetition", f"{np.mean(best):.0f}°" if best else "not measured"),
        ("Frames measured", f"{result.frames_measured} of {result.frames}"),
        ("Frame rate", f"{quality.fps:.0f} per second" if quality.fps else "not known"),
    ]
    for number, (name, value) in enumerate(rows):
        y = 0.95 - number / len(rows)
        axes.text(0.0, y, name, fontsize=9.5, color=_SOFT, va="top")
        axes.text(0.55, y, value, fontsize=9.5, color=_INK, va="top")


def _partial(result: ExerciseResult) -> str:
    """From the share of attempts that were complete; without any, the warnings tell."""
    completeness = result.score.completeness
    if not completeness:
        return "see remarks" if result.quality.warnings else "0"
    complete = len(result.repetitions)
    return str(round(complete * (100.0 / completeness - 1.0)))


def _score_parts(axes: Any, result: ExerciseResult) -> None:
    axes.set_title("Score (0–100)", loc="left", fontsize=11, color=_INK)
    parts = asdict(result.score)
    for place, (name, value) in enumerate(parts.items()):
        axes.barh(place, 100, color=_PALE, height=0.6)
        if value is not None:
            axes.barh(place, value, color=CURVE if name == "total" else GOOD, height=0.6)
        text = "not measured" if value is None else f"{value:.0f}"
        axes.text(104, place, text, va="center", fontsize=9, color=_SOFT if value is None else _INK)
    axes.set_yticks(range(len(parts)), list(parts), fontsize=9)
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.invert_yaxis()
    axes.set_xlim(0, 138)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _tempo(axes: Any, result: ExerciseResult, exercise: Exercise) -> None:
    axes.set_title("Tempo per repetition", loc="left", fontsize=11, color=_INK)
    if not result.repetitions:
        axes.axis("off")
        axes.text(0, 0.8, "not measured", fontsize=10, color=_SOFT)
        return
    numbers = np.arange(1, len(result.repetitions) + 1)
    concentric = np.array([each.peak_s - each.start_s for each in result.repetitions])
    eccentric = np.array([each.end_s - each.peak_s for each in result.repetitions])
    axes.bar(numbers - 0.2, concentric, 0.38, color=CURVE, label="concentric")
    axes.bar(numbers + 0.2, eccentric, 0.38, color=_RETURN, label="eccentric")
    asked = []
    tempo = exercise.tempo
    for name, bounds, colour in (
        ("concentric", tempo.concentric_s if tempo else None, CURVE),
        ("eccentric", tempo.eccentric_s if tempo else None, _RETURN),
    ):
        for bound in bounds or ():
            axes.axhline(bound, color=colour, linewidth=0.8, linestyle="--", zorder=0)
        asked += [f"{name} {bounds[0]:g}–{bounds[1]:g} s"] if bounds else []
    axes.set(xlabel="repetition", ylabel="s")
    axes.set_xticks(numbers if numbers.size <= 15 else numbers[:: numbers.size // 10])
    axes.set_xlim(0.4, max(3.6, numbers[-1] + 0.6))
    axes.set_ylim(0, 1.45 * max(concentric.max(), eccentric.max()))
    axes.legend(fontsize=8, ncols=2, frameon=False, loc="upper left")
    if asked:
        where = {"xycoords": "axes fraction", "xytext": (6, -22), "textcoords": "offset points"}
        text = f"dashed, asked for: {', '.join(asked)}"
        axes.annotate(text, (0, 1), va="top", fontsize=7.5, color=_SOFT, **where)
    axes.spines[["top", "right"]].set_visible(False)


def _moments(scored: Scored, exercise: Exercise) -> list[tuple[str, int | None]]:
    """Start, best peak and end: of the repetitions, or without any of what was measured."""
    repetitions, target = scored.result.repetitions, exercise.primary_angle
    t_s = scored.t_s - scored.t_s[0]
    if not repetitions or target is None:
        found = np.flatnonzero(scored.series.found)
        ends = (int(found[0]), int(found[-1])) if found.size else (None, None)
        return [("start", ends[0]), ("peak", None), ("end", ends[1])]
    rising = target.target_deg > target.rest_deg
    best = (max if rising else min)(repetitions, key=lambda each: each.peak_deg)
    number = repetitions.index(best) + 1
    return [
        ("start", int(np.abs(t_s - repetitions[0].start_s).argmin())),
        (f"best peak ({number})", int(np.abs(t_s - best.peak_s).argmin())),
        ("end", int(np.abs(t_s - repetitions[-1].end_s).argmin())),
    ]


def _stills(axes: Any, series: LandmarkSeries, moments: Sequence[tuple[str, int | None]]) -> None:
    """Skeletons side by side, not the person's picture; dotted where it was not seen well."""
    axes.axis("off")
    size = np.array([series.width, series.height], dtype=np.float64)
    marks = [Landmark.NOSE, *{mark for bone in BONES for mark in bone}]
    chosen = [index for _, index in moments if index is not None]
    shown = series.image[np.ix_(chosen, marks)].clip(0, 1) * size
    known = shown[np.isfinite(shown).all(axis=2)]
    # Of a person nobody found there is nothing to scale by.
    low, high = (known.min(axis=0), known.max(axis=0)) if known.size else (size * 0, size)
    step = 1.15 * float(high[0] - low[0])
    for place, (title, index) in enumerate(moments):
        left = np.array([place * step - low[0], -low[1]])
        middle = place * step + (high[0] - low[0]) / 2
        axes.annotate(
            title,
            (middle, 0),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=_SOFT,
        )
        if index is None:
            text = "not measured"
            axes.text(middle, (high - low)[1] / 2, text, ha="center", fontsize=9, color=_SOFT)
        else:
            _skeleton(axes, series.image[index] * size, left, series, index)
    axes.set_xlim(0, step * len(moments))
    axes.set_ylim(float(high[1] - low[1]), -0.12 * float(high[1] - low[1]))
    axes.set_aspect("equal")


def _skeleton(axes: Any, points: Array, left: Array, series: LandmarkSeries, index: int) -> None:
    seen = series.visibility[index] >= VISIBLE
    inside = ((series.image[index] >= 0) & (series.image[index] <= 1)).all(axis=1)
    for a, b in BONES:
        if not (inside[a] or inside[b]):
            continue
        sure = seen[a] and seen[b]
        axes.plot(
            *(points[[a, b]] + left).T,
            color=GOOD if sure else PARTIAL,
            linestyle="-" if sure else ":",
            linewidth=2.2,
            solid_capstyle="round",
        )
    if inside[Landmark.NOSE]:
        axes.plot(*(points[Landmark.NOSE] + left), "o", color=GOOD, markersize=7)


def _remarks(axes: Any, result: ExerciseResult) -> None:
    axes.axis("off")
    lines: list[tuple[str, str, str]] = []
    for fault in result.faults:
        where = ", ".join(map(str, fault.repetitions))
        word = "repetition" if len(fault.repetitions) == 1 else "repetitions"
        worst = f"worst {fault.value:.1f} {fault.unit.replace('deg', '°')}".replace(" °", "°")
        name = fault.id.replace("_", " ")
        lines.append((f"{name}: {word} {where} ({worst}). Cue: “{fault.cue}”", PARTIAL, "Faults"))
    if not lines:
        none = "none seen" if result.repetitions else "not measured"
        lines.append((none, _INK, "Faults"))
    warnings = result.quality.warnings or ("nothing to note",)
    lines += [(warning, _INK, "Recording") for warning in warnings]
    y, heading = 1.0, ""
    for text, colour, section in lines:
        if section != heading:
            axes.text(0, y, section, fontsize=11, color=_INK, va="top", transform=axes.transAxes)
            y, heading = y - 0.12, section
        wrapped = textwrap.fill(text, _LINE_CHARACTERS)
        axes.text(0.01, y, wrapped, fontsize=9, color=colour, va="top", transform=axes.transAxes)
        y -= 0.09 * (wrapped.count("\n") + 1) + 0.02
