"""A page for people to read in the EHR: what was prescribed, or what was done and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import matplotlib
from fpdf import FPDF

# Letters of most scripts; it comes with matplotlib, under a free licence.
_FONTS = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf"}
_FAMILY = "DejaVu"

_MARGIN_MM, _LINE_MM = 18.0, 6.0
_TITLE_PT, _HEADING_PT, _SIZE_PT, _FOOT_PT = 16, 12, 10, 8
_LABEL_MM = 55.0


@dataclass(frozen=True)
class Section:
    """A heading, then facts as pairs of label and value, then a table with its head first."""

    heading: str
    facts: Sequence[tuple[str, str]] = ()
    table: Sequence[Sequence[str]] = ()


@dataclass(frozen=True)
class Summary:
    """What one document says. `made_at` is when it was recorded."""

    title: str
    patient: str
    made_at: datetime
    sections: Sequence[Section]


def summary_pdf(summary: Summary) -> bytes:
    """The summary on US letter, with selectable text. The same summary gives the same bytes."""
    page = _Page(orientation="portrait", unit="mm", format="letter")
    page.foot = f"Homestretch, {summary.made_at:%Y-%m-%d %H:%M %Z}"
    page.set_creation_date(summary.made_at)
    page.set_title(summary.title)
    page.set_lang("en-US")
    page.set_margin(_MARGIN_MM)
    page.set_auto_page_break(True, _MARGIN_MM)
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for style, name in _FONTS.items():
        page.add_font(_FAMILY, style, folder / name)
    page.set_font(_FAMILY, size=_SIZE_PT)
    page.add_page()
    page.line_of(summary.title, _TITLE_PT, "B")
    page.line_of(summary.patient, _SIZE_PT)
    for section in summary.sections:
        page.ln(_LINE_MM / 2)
        page.line_of(section.heading, _HEADING_PT, "B")
        for label, value in section.facts:
            page.fact(label, value)
        if section.table:
            page.grid(section.table)
    return bytes(page.output())


class _Page(FPDF):
    foot = ""

    def footer(self) -> None:
        self.set_y(-_MARGIN_MM)
        self.set_font(_FAMILY, size=_FOOT_PT)
        self.cell(0, _LINE_MM, self.foot)
        self.set_x(_MARGIN_MM)
        self.cell(0, _LINE_MM, f"page {self.page_no()} of {{nb}}", align="R")

    def line_of(self, text: str, size_pt: int, style: str = "") -> None:
        self.set_font(_FAMILY, style, size_pt)
        height = _LINE_MM + (size_pt - _SIZE_PT) / 3
        self.multi_cell(0, height, text, align="L", new_x="LMARGIN", new_y="NEXT")
        self.set_font(_FAMILY, size=_SIZE_PT)

    def fact(self, label: str, value: str) -> None:
        self.set_font(_FAMILY, "B", _SIZE_PT)
        self.cell(_LABEL_MM, _LINE_MM, label)
        self.set_font(_FAMILY, size=_SIZE_PT)
        self.multi_cell(0, _LINE_MM, value, align="L", new_x="LMARGIN", new_y="NEXT")

    def grid(self, rows: Sequence[Sequence[str]]) -> None:
        with self.table(line_height=_LINE_MM, text_align="LEFT") as table:
            for row in rows:
                cells = table.row()
                for text in row:
                    cells.cell(text)
