"""Pages of an audit packet: fonts, headings with bookmarks, tables that break over pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import matplotlib
from fpdf import FPDF
from fpdf.fonts import FontFace, TTFFont

# Letters of most scripts; it comes with matplotlib, under a free licence.
_FONTS = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf"}
_FAMILY = "DejaVu"

_MARGIN_MM, _LINE_MM = 14.0, 3.6
_SIZE_PT, _SMALL_PT, _TITLE_PT, _HEADING_PT = 8.0, 7.0, 16.0, 11.0
_GREY, RED, GREEN = (235, 235, 235), (170, 0, 0), (0, 95, 40)

# A row must fit on a page: a cell that would fill more lines goes on in a further row.
_MOST_LINES = 24
_LETTER_MM = 1.5

Row = Sequence[str]


class Pages(FPDF):
    """US letter, landscape, with `foot` and the page's number at the foot of each page.

    Clock times are those of `zone`. `labels` gives short names for ids.
    """

    def __init__(
        self, title: str, foot: str, made_at: datetime, zone: ZoneInfo, labels: Mapping[str, str]
    ) -> None:
        super().__init__(orientation="landscape", unit="mm", format="letter")
        self._foot, self._zone, self._labels = foot, zone, labels
        # The longest first, so that no id is taken for the beginning of another.
        ids = sorted(labels, key=len, reverse=True)
        self._ids = re.compile("|".join(map(re.escape, ids)) or r"(?!)")
        self.set_margin(_MARGIN_MM)
        self.set_auto_page_break(True, _MARGIN_MM + 4)
        self.set_creation_date(made_at)
        self.set_title(title)
        self.set_lang("en-US")
        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        for style, name in _FONTS.items():
            self.add_font(_FAMILY, style, folder / name)
        self.set_font(_FAMILY, size=_SIZE_PT)

    def footer(self) -> None:
        self.set_y(-_MARGIN_MM)
        self.set_font(_FAMILY, size=_SMALL_PT)
        self.set_text_color(0)
        self.cell(0, 5, self.plain(self._foot))
        self.set_x(_MARGIN_MM)
        self.cell(0, 5, f"page {self.page_no()} of {{nb}}", align="R")

    def plain(self, text: str) -> str:
        """One line of characters that the font has."""
        font = self.fonts[_FAMILY.lower()]
        assert isinstance(font, TTFFont), "only such fonts are added"
        return "".join(
            letter if ord(letter) in font.cmap or letter == " " else f"[U+{ord(letter):04X}]"
            for letter in " ".join(text.split())
        )

    def with_labels(self, text: str) -> str:
        """`text` with the labels of the facts whose ids stand in it."""
        return self._ids.sub(lambda found: self._labels[found[0]], text)

    def label(self, fact_id: str) -> str:
        return self._labels.get(fact_id, fact_id)

    def title_line(self, text: str) -> None:
        self.set_font(_FAMILY, "B", _TITLE_PT)
        self.cell(0, 10, self.plain(text))
        self.ln(11)
        self.set_font(_FAMILY, size=_SIZE_PT)

    def alarm(self, text: str) -> None:
        """Large, bold and red."""
        self.set_font(_FAMILY, "B", _HEADING_PT)
        self.paragraph(text, RED)
        self.set_font(_FAMILY, size=_SIZE_PT)

    def heading(self, text: str, level: int = 0) -> None:
        """A bookmark too. It never stands alone at the foot of a page."""
        if self.will_page_break(30):
            self.add_page()
        self.ln(3)
        self.set_font(_FAMILY, "B", _HEADING_PT if level == 0 else _SIZE_PT)
        self.start_section(self.plain(text), level)
        self.multi_cell(0, 5.5, self.plain(text), new_x="LMARGIN", new_y="NEXT")
        self.set_font(_FAMILY, size=_SIZE_PT)
        self.ln(0.5)

    def paragraph(self, text: str, color: tuple[int, int, int] = (0, 0, 0)) -> None:
        self.set_text_color(*color)
        self.multi_cell(0, 4.2, self.plain(text), new_x="LMARGIN", new_y="NEXT")
        self.set_text_color(0)
        self.ln(0.8)

    def pairs(self, rows: Iterable[tuple[str, str]]) -> None:
        """What is asked on the left in bold, the answer on the right."""
        self.grid(("", ""), (22, 78), [list(row) for row in rows], headings=False)

    def grid(
        self, titles: Row, widths: Sequence[int], rows: Iterable[Row], headings: bool = True
    ) -> None:
        """A table as wide as the page; its headings come again on each page.

        `widths` are shares. An empty table says so.
        """
        whole = self.epw / sum(widths)
        most = [int(width * whole / _LETTER_MM) * _MOST_LINES for width in widths]
        lines = [part for row in rows for part in self._parts(row, most)]
        if not lines:
            self.paragraph("None.")
            return
        self.set_font(_FAMILY, size=_SMALL_PT)
        self.set_draw_color(190)
        with self.table(
            col_widths=tuple(widths),
            text_align="LEFT",
            v_align="TOP",
            line_height=_LINE_MM,
            padding=(0.6, 1),
            borders_layout="HORIZONTAL_LINES",
            first_row_as_headings=headings,
            headings_style=FontFace(emphasis="BOLD", fill_color=_GREY),
            num_heading_rows=1 if headings else 0,
        ) as table:
            if headings:
                table.row(titles)
            for line in lines:
                row = table.row()
                for column, text in enumerate(line):
                    bold = FontFace(emphasis="BOLD") if not headings and column == 0 else None
                    row.cell(text, style=bold)
        self.set_font(_FAMILY, size=_SIZE_PT)
        self.ln(1.5)

    def _parts(self, row: Row, most: Sequence[int]) -> Iterator[Row]:
        """`row` in as many rows as its longest cell needs."""
        texts = [self.plain(text) for text in row]
        count = max(-(-len(text) // limit) or 1 for text, limit in zip(texts, most, strict=True))
        for n in range(count):
            yield [
                text[n * limit : (n + 1) * limit] for text, limit in zip(texts, most, strict=True)
            ]

    def clock(self, at: datetime | None) -> str:
        """Date and time in the patient's zone."""
        if at is None:
            return ""
        if at.tzinfo is None:
            return f"{at:%Y-%m-%d %H:%M:%S} (no time zone)"
        return f"{at.astimezone(self._zone):%Y-%m-%d %H:%M:%S}"

    def hour(self, at: datetime | None) -> str:
        if at is None or at.tzinfo is None:
            return "" if at is None else f"{at:%H:%M:%S} (no time zone)"
        return f"{at.astimezone(self._zone):%H:%M:%S}"
