"""A page on US letter with embedded fonts and a foot, for every PDF that the service makes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import matplotlib
from fpdf import FPDF

# Letters of most scripts; it comes with matplotlib, under a free licence.
_FONTS = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf"}
FAMILY = "DejaVu"

MARGIN_MM = 18.0
_FOOT_PT, _FOOT_MM = 8, 6.0


class LetterPage(FPDF):
    """The same calls give the same bytes: nothing in it comes from a clock but `made_at`.

    `size_pt` is the text's size, `line_mm` its line height. `foot` stands left at the foot of each
    page; `foot_page` is the words of the page number, with `{page}` and `{pages}`.
    """

    def __init__(
        self,
        *,
        title: str,
        language: str,
        made_at: datetime,
        foot: str,
        foot_page: str = "page {page} of {pages}",
        size_pt: int = 10,
        line_mm: float = 6.0,
        margin_mm: float = MARGIN_MM,
    ) -> None:
        super().__init__(orientation="portrait", unit="mm", format="letter")
        self.foot, self.foot_page = foot, foot_page
        self.size_pt, self.line_mm, self.margin_mm = size_pt, line_mm, margin_mm
        self.set_creation_date(made_at)
        self.set_title(title)
        self.set_lang(language)
        self.set_margin(margin_mm)
        self.set_auto_page_break(True, MARGIN_MM)
        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        for style, name in _FONTS.items():
            self.add_font(FAMILY, style, folder / name)
        self.set_font(FAMILY, size=size_pt)

    def footer(self) -> None:
        self.set_y(-MARGIN_MM)
        self.set_font(FAMILY, size=_FOOT_PT)
        self.cell(0, _FOOT_MM, self.foot)
        self.set_x(self.margin_mm)
        words = self.foot_page.format(page=self.page_no(), pages="{nb}")
        self.cell(0, _FOOT_MM, words, align="R")

    def line_of(self, text: str, size_pt: int, style: str = "") -> None:
        """A paragraph of its own size, over the whole width."""
        self.set_font(FAMILY, style, size_pt)
        height = self.line_mm + (size_pt - self.size_pt) / 3
        self.multi_cell(0, height, text, align="L", new_x="LMARGIN", new_y="NEXT")
        self.set_font(FAMILY, size=self.size_pt)
