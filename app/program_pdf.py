"""A program on paper: large type, each exercise with its figure, and a code that leads here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import segno

from app.pdf_page import FAMILY, MARGIN_MM, LetterPage
from rtm.exercises.drawing import Drawing, Still, start_and_end

_MARGIN_MM, _SIZE_PT, _LINE_MM = 15.0, 14, 6.4
_TITLE_PT, _HEADING_PT, _CAPTION_PT = 24, 17, 11
_FIGURE_MM, _GAP_MM, _QR_MM = 44.0, 4.0, 34.0

# As on the page: see demonstration.css.
_COLOURS = {"far": "#8fb9cd", "middle": "#0b3b52", "near": "#0b5c7a", "prop": "#6d7b86"}
_BONE_MM, _PROP_MM = 1.3, 0.45


@dataclass(frozen=True)
class PaperExercise:
    """One exercise in the patient's words. `mind` are lines under a heading each."""

    name: str
    dose: str
    steps: Sequence[str]
    note: str
    mind: Sequence[tuple[str, Sequence[str]]]
    drawing: Drawing


@dataclass(frozen=True)
class PaperProgram:
    """What the paper says; `captions` stand under the first and the last picture.

    `warnings` are the words of safety, `portal_url` what the code holds.
    """

    language: str
    title: str
    subtitle: str
    lines: Sequence[str]
    exercises: Sequence[PaperExercise]
    captions: tuple[str, str]
    warnings: Sequence[tuple[str, Sequence[str]]]
    portal_url: str
    portal_words: str
    foot: str
    foot_page: str
    made_at: datetime


def program_pdf(paper: PaperProgram) -> bytes:
    """US letter with selectable text and vector figures. The same paper gives the same bytes."""
    page = _Page(
        title=paper.title,
        language=paper.language,
        made_at=paper.made_at,
        foot=paper.foot,
        foot_page=paper.foot_page,
        size_pt=_SIZE_PT,
        line_mm=_LINE_MM,
        margin_mm=_MARGIN_MM,
    )
    page.add_page()
    page.head(paper)
    for number, exercise in enumerate(paper.exercises, 1):
        page.exercise(number, exercise, paper.captions)
    page.room_for(sum(page.height_of_list(*each) for each in paper.warnings))
    for heading, lines in paper.warnings:
        page.list_of(heading, lines)
    return bytes(page.output())


class _Page(LetterPage):
    def head(self, paper: PaperProgram) -> None:
        """The title, and in the corner the code that a phone's camera opens the portal by."""
        top = self.get_y()
        left = self.w - self.margin_mm - _QR_MM
        code = BytesIO()
        segno.make(paper.portal_url, error="m", micro=False).save(code, kind="png", scale=8)
        code.seek(0)
        self.image(code, left, top, _QR_MM, _QR_MM, alt_text=paper.portal_words)
        self.set_xy(left - _GAP_MM, top + _QR_MM)
        self.set_font(FAMILY, size=_CAPTION_PT)
        self.multi_cell(_QR_MM + _GAP_MM, 4.6, paper.portal_words, align="R")
        below = self.get_y()
        self.set_y(top)
        self.set_right_margin(self.margin_mm + _QR_MM + _GAP_MM)
        self.line_of(paper.title, _TITLE_PT, "B")
        self.line_of(paper.subtitle, _HEADING_PT)
        for line in paper.lines:
            self.line_of(line, _SIZE_PT)
        self.set_right_margin(self.margin_mm)
        self.set_y(max(below, self.get_y()) + _GAP_MM)

    def exercise(self, number: int, exercise: PaperExercise, captions: tuple[str, str]) -> None:
        """Never broken over two pages: the figure stays with its words."""
        steps = [f"{n}. {step}" for n, step in enumerate(exercise.steps, 1)]
        beside = self.epw - 2 * _FIGURE_MM - 2 * _GAP_MM
        words_mm = sum(self._height(step, beside) for step in steps)
        _, _, width, height = exercise.drawing.box
        figure_mm = _FIGURE_MM * height / max(width, height) + _LINE_MM
        rest = [(heading, lines) for heading, lines in exercise.mind if lines]
        self.set_font(FAMILY, "B", _SIZE_PT)
        head_mm = 2 * _LINE_MM + self._height(exercise.dose, self.epw) + _GAP_MM
        self.set_font(FAMILY, size=_SIZE_PT)
        self.room_for(
            head_mm
            + max(words_mm, figure_mm)
            + (self._height(exercise.note, self.epw) if exercise.note else 0)
            + sum(self.height_of_list(*each) for each in rest)
        )
        self.set_draw_color("#c8d3da")
        self.line(self.margin_mm, self.get_y(), self.w - self.margin_mm, self.get_y())
        self.ln(_GAP_MM / 2)
        self.line_of(f"{number}. {exercise.name}", _HEADING_PT, "B")
        self.set_font(FAMILY, "B", _SIZE_PT)
        self._paragraph(exercise.dose)
        self.set_font(FAMILY, size=_SIZE_PT)
        if exercise.note:
            self._paragraph(exercise.note)
        self.ln(_GAP_MM / 2)
        top = self.get_y()
        for place, (still, caption) in enumerate(
            zip(start_and_end(exercise.drawing), captions, strict=True)
        ):
            x = self.margin_mm + place * (_FIGURE_MM + _GAP_MM)
            self._figure(exercise.drawing, still, x, top)
            self.set_xy(x, top + figure_mm - _LINE_MM)
            self.set_font(FAMILY, size=_CAPTION_PT)
            self.cell(_FIGURE_MM, _LINE_MM, caption, align="C")
        self.set_font(FAMILY, size=_SIZE_PT)
        self.set_y(top)
        for step in steps:
            self.set_x(self.w - self.margin_mm - beside)
            self.multi_cell(beside, _LINE_MM, step, align="L", new_x="LMARGIN", new_y="NEXT")
        self.set_y(top + max(words_mm, figure_mm))
        for heading, lines in rest:
            self.list_of(heading, lines)

    def list_of(self, heading: str, lines: Sequence[str]) -> None:
        self.set_font(FAMILY, "B", _SIZE_PT)
        self._paragraph(heading)
        self.set_font(FAMILY, size=_SIZE_PT)
        for line in lines:
            self._paragraph(_bullet(line))
        self.ln(_GAP_MM / 2)

    def height_of_list(self, heading: str, lines: Sequence[str]) -> float:
        self.set_font(FAMILY, "B", _SIZE_PT)
        height = self._height(heading, self.epw)
        self.set_font(FAMILY, size=_SIZE_PT)
        return height + sum(self._height(_bullet(x), self.epw) for x in lines) + _GAP_MM / 2

    def room_for(self, height_mm: float) -> None:
        """A new page where `height_mm` do not fit on this one."""
        if self.get_y() + height_mm > self.h - MARGIN_MM:
            self.add_page()

    def _paragraph(self, text: str) -> None:
        self.multi_cell(0, _LINE_MM, text, align="L", new_x="LMARGIN", new_y="NEXT")

    def _height(self, text: str, width_mm: float) -> float:
        height = self.multi_cell(width_mm, _LINE_MM, text, align="L", dry_run=True, output="HEIGHT")
        assert isinstance(height, float)
        return height

    def _figure(self, drawing: Drawing, still: Still, left: float, top: float) -> None:
        """The pose, as large as it fits into a square, at its upper edge."""
        box_x, box_y, width, height = drawing.box
        scale = _FIGURE_MM / max(width, height)
        x0 = left + (_FIGURE_MM - scale * width) / 2 - scale * box_x
        y0 = top - scale * box_y

        def at(x: float, y: float) -> tuple[float, float]:
            return x0 + scale * x, y0 + scale * y

        joints = [at(*still.frame[n : n + 2]) for n in range(0, len(still.frame), 2)]
        with self.rect_clip(left, top, _FIGURE_MM, scale * height):
            for prop in drawing.props:
                self._strokes([[at(*point) for point in prop]], _COLOURS["prop"], _PROP_MM)
            for layer in ("far", "middle", "near"):
                bones = [
                    [joints[b.start], joints[b.end]] for b in drawing.bones if b.layer == layer
                ]
                self._strokes(bones, _COLOURS[layer], _BONE_MM)
            x, y = joints[drawing.head]
            with self.new_path() as head:
                head.style.stroke_color = None
                head.style.fill_color = _COLOURS["middle"]
                head.circle(x, y, drawing.head_radius * scale)

    def _strokes(
        self, lines: Sequence[Sequence[tuple[float, float]]], colour: str, width_mm: float
    ) -> None:
        if not lines:
            return
        with self.new_path() as path:
            path.style.auto_close = False
            path.style.fill_color = None
            path.style.stroke_color = colour
            path.style.stroke_width = width_mm
            path.style.stroke_cap_style = "round"
            path.style.stroke_join_style = "round"
            for first, *others in lines:
                path.move_to(*first)
                for point in others:
                    path.line_to(*point)


def _bullet(text: str) -> str:
    return f"•  {text}"
