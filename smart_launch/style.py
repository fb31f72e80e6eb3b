"""The EHR's colours, from the style sheet that a launch names (SMART 2.2, `smart_style_url`).

The document is a stranger's: of what SMART defines, only the colours are taken, and only where
they are plain colours. Nothing else in it reaches a page.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from smart_launch.http import NoAnswer, get_json

COLOURS = (
    "color_background",
    "color_text",
    "color_highlight",
    "color_error",
    "color_success",
)

# A person waits for the page meanwhile.
_DEADLINE_S = 3.0

_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


class NoStyle(Exception):
    """The style can't be read; a launch goes on without it."""


def read_style(smart_style_url: str, iss: str) -> dict[str, str]:
    """The colours of `COLOURS` that are given, each as `#rrggbb`.

    Raises NoStyle where the address may not be asked or gives no JSON object.
    """
    if urlsplit(smart_style_url).scheme not in {"https", urlsplit(iss).scheme}:
        raise NoStyle("its address is not an https URL")
    try:
        document = get_json(smart_style_url, iss=iss, deadline_s=_DEADLINE_S)
    except NoAnswer as error:
        raise NoStyle(str(error)) from None
    return {
        name: _six_digits(value)
        for name in COLOURS
        if isinstance(value := document.get(name), str) and _HEX.fullmatch(value)
    }


def _six_digits(colour: str) -> str:
    digits = colour[1:].lower()
    return "#" + ("".join(digit * 2 for digit in digits) if len(digits) == 3 else digits)
