"""Draws the portal's icon as PNG files, for devices that want those, from its source, an SVG.

    python -m app.app_icons --from app/web/icons/icon.svg --out app/web/public/icons

Only what the icon is made of is understood: `rect`, `circle` and `polyline` in a square.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from xml.etree import ElementTree

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch

_SVG = "{http://www.w3.org/2000/svg}"
_DPI = 100
# Devices cut a maskable icon to any shape around its middle; four fifths of it are safe
# (https://www.w3.org/TR/appmanifest/#icon-masks).
_SAFE = 0.8


class UnknownShape(ValueError):
    """The SVG has an element that this can't draw."""


def draw_icon(svg: Path, png: Path, size_px: int, *, maskable: bool = False) -> None:
    """The icon `size_px` wide. A maskable one has its ground to the edges and the rest smaller.

    Raises UnknownShape.
    """
    root = ElementTree.parse(svg).getroot()
    side = float(root.attrib["viewBox"].split()[2])
    figure = Figure(figsize=(size_px / _DPI, size_px / _DPI), dpi=_DPI, frameon=False)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    scale = _SAFE if maskable else 1.0
    margin = side * (1 / scale - 1) / 2
    axes.set_xlim(-margin, side + margin)
    axes.set_ylim(side + margin, -margin)
    points_per_unit = size_px / (side + 2 * margin) * 72 / _DPI
    for element in root:
        _draw(axes, element, points_per_unit, bleed=margin if maskable else None)
    png.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(png, dpi=_DPI, transparent=True)


def _draw(
    axes: Axes, element: ElementTree.Element, points_per_unit: float, bleed: float | None
) -> None:
    kind, values = element.tag.removeprefix(_SVG), element.attrib
    number = {name: float(values[name]) for name in values if name in _NUMBERS}
    if kind == "rect":
        spread, radius = (bleed, 0.0) if bleed is not None else (0.0, number["rx"])
        axes.add_patch(
            FancyBboxPatch(
                (number["x"] - spread + radius, number["y"] - spread + radius),
                number["width"] + 2 * (spread - radius),
                number["height"] + 2 * (spread - radius),
                boxstyle=f"round,pad={radius},rounding_size={radius}" if radius else "square,pad=0",
                facecolor=values["fill"],
                linewidth=0,
            )
        )
    elif kind == "circle":
        middle = (number["cx"], number["cy"])
        axes.add_patch(Circle(middle, number["r"], facecolor=values["fill"], linewidth=0))
    elif kind == "polyline":
        points = [tuple(map(float, pair.split(","))) for pair in values["points"].split()]
        axes.plot(
            *zip(*points, strict=True),
            color=values["stroke"],
            linewidth=number["stroke-width"] * points_per_unit,
            solid_capstyle="round",
            solid_joinstyle="round",
        )
    else:
        raise UnknownShape(f"the icon has a {kind}")


_NUMBERS = ("x", "y", "width", "height", "rx", "cx", "cy", "r", "stroke-width")


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws the portal's icons.")
    parser.add_argument("--from", dest="source", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    for size_px in (180, 192, 512):
        draw_icon(arguments.source, arguments.out / f"icon-{size_px}.png", size_px)
    draw_icon(arguments.source, arguments.out / "maskable-512.png", 512, maskable=True)
    shutil.copy(arguments.source, arguments.out / "icon.svg")


if __name__ == "__main__":
    main()
