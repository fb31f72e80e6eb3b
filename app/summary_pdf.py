"""A page for people to read in the EHR: what was prescribed, or what was done and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.pdf_page import FAMILY, LetterPage

_LINE_MM = 6.0
_TITLE_PT, _HEADING_PT, _SIZE_PT = 16, 12, 10
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
    page = _Page(
        title=summary.title,
        language="en-US",
        made_at=summary.made_at,
        foot=f"Homestretch, {summary.made_at:%Y-%m-%d %H:%M %Z}",
        size_pt=_SIZE_PT,
        line_mm=_LINE_MM,
    )
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


class _Page(LetterPage):
    def fact(self, label: str, value: str) -> None:
        self.set_font(FAMILY, "B", _SIZE_PT)
        self.cell(_LABEL_MM, _LINE_MM, label)
        self.set_font(FAMILY, size=_SIZE_PT)
        self.multi_cell(0, _LINE_MM, value, align="L", new_x="LMARGIN", new_y="NEXT")

    def grid(self, rows: Sequence[Sequence[str]]) -> None:
        with self.table(line_height=_LINE_MM, text_align="LEFT") as table:
            for row in rows:
                cells = table.row()
                for text in row:
                    cells.cell(text)
