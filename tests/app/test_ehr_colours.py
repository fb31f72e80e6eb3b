"""The EHR's colours on our pages: only where text stays readable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ehr_colours import contrast, style_sheet

COLOUR = st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}")


def test_contrast_is_wcags_ratio() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#0b5c7a", "#0b5c7a") == 1.0


def test_readable_colours_become_our_variables() -> None:
    css = style_sheet({"color_background": "#f4f1ea", "color_text": "#1f2a30"})
    assert css == ":root{--ground:#f4f1ea;--ink:#1f2a30;}\n"


def test_a_dark_ground_under_our_dark_text_is_left_out() -> None:
    assert style_sheet({"color_background": "#101010"}) == ""


def test_light_text_for_a_dark_theme_is_left_out() -> None:
    assert style_sheet({"color_background": "#101010", "color_text": "#eeeeee"}) == ""


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: COLOUR
            for name in (
                "color_background",
                "color_text",
                "color_highlight",
                "color_error",
                "color_success",
            )
        },
    )
)
def test_whatever_the_ehr_sends_text_can_be_read(style: dict[str, str]) -> None:
    css = style_sheet(style)
    used = dict(
        part.split(":")
        for part in css.removeprefix(":root{").removesuffix("}\n").split(";")
        if part
    )
    ground = used.get("--ground", "#eef3f5")
    for text in (used.get("--ink", "#17242d"), "#4a5a66"):
        assert contrast(text, ground) >= 4.5
    for text in (used.get("--ink", "#17242d"), used.get("--brand", "#0b5c7a")):
        assert contrast(text, "#ffffff") >= 4.5
