"""Of an EHR's style sheet nothing but plain colours is taken."""

from __future__ import annotations

from typing import Any

import pytest

from smart_launch.http import MOST_BYTES
from smart_launch.style import NoStyle, read_style
from tests.smart_launch.conftest import Told


def test_the_colours_are_taken(told: Told) -> None:
    told.answer("/style", {"color_background": "#EDEAE3", "color_text": "#333"})
    assert read_style(f"{told.base}/style", told.base) == {
        "color_background": "#edeae3",
        "color_text": "#333333",
    }


@pytest.mark.parametrize(
    "value",
    [
        "red;} body{display:none",
        "url(https://evil.example/x)",
        "#12345",
        "#fff\n}",
        "expression(alert(1))",
        7,
        None,
        ["#fff"],
    ],
)
def test_what_is_no_plain_colour_is_left_out(told: Told, value: Any) -> None:
    told.answer("/style", {"color_background": value, "made_up": "#fff"})
    assert read_style(f"{told.base}/style", told.base) == {}


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}" + b" " * MOST_BYTES])
def test_a_document_that_is_no_style_is_none(told: Told, body: bytes) -> None:
    told.answer("/style", body)
    with pytest.raises(NoStyle):
        read_style(f"{told.base}/style", told.base)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript:alert(1)", "/style", ""])
def test_an_address_of_another_kind_is_not_asked(told: Told, url: str) -> None:
    with pytest.raises(NoStyle, match="https"):
        read_style(url, told.base)


def test_plain_http_is_not_asked_for_an_ehr_of_https(told: Told) -> None:
    with pytest.raises(NoStyle, match="https"):
        read_style(f"{told.base}/style", "https://ehr.example/fhir")
