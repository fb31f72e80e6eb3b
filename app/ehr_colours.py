"""The EHR's colours on our pages, as far as the text stays readable with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flask import Blueprint, Response, abort

from app.sign_in import Role, signed_in

ehr_colours = Blueprint("ehr_colours", __name__)

# WCAG 2, 1.4.3: text of normal size.
_READABLE = 4.5

# Of `styles.css`: what the EHR's colours will stand beside.
_PAPER, _GROUND, _MUTED = "#ffffff", "#eef3f5", "#4a5a66"

# SMART's name, our CSS variable, and the grounds beside the page's own on which it is text.
_TEXTS = (
    ("color_text", "--ink", (_PAPER,)),
    ("color_highlight", "--brand", (_PAPER,)),
    ("color_error", "--bad", (_PAPER, "#fce6e3")),
    ("color_success", "--good", (_PAPER, "#e2f3e8")),
)


@ehr_colours.get("/ehr-colours/<role>.css")
def style(role: Role) -> Response:
    """The colours of the sign-in in `role`, as a style sheet of our own origin."""
    if role not in ("clinician", "patient", "biller"):
        abort(404)
    return Response(style_sheet(signed_in(role).ehr_style), mimetype="text/css")


def style_sheet(style: Mapping[str, str]) -> str:
    """CSS that sets our variables from `style` (see `smart_launch.style`), or nothing."""
    settings = "".join(f"{name}:{colour};" for name, colour in _readable(style))
    return f":root{{{settings}}}\n" if settings else ""


def _readable(style: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    ground = style.get("color_background", _GROUND)
    if contrast(_MUTED, ground) < _READABLE:
        ground = _GROUND
    if ground != _GROUND:
        yield "--ground", ground
    for name, variable, grounds in _TEXTS:
        colour = style.get(name)
        if colour and all(contrast(colour, under) >= _READABLE for under in (ground, *grounds)):
            yield variable, colour


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two `#rrggbb` colours, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
