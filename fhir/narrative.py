"""Narratives: made from plain text, and made safe where others wrote them.

FHIR allows a small part of XHTML and nothing active (R4, narrative.html, rules txt-1 and txt-2).
Nothing here reads XML, so there are no entities to expand and no documents to fetch.
"""

from __future__ import annotations

from html import escape
from html.parser import HTMLParser
from typing import Any

_ELEMENTS = frozenset(
    {
        *("a", "abbr", "b", "blockquote", "br", "cite", "code", "dd", "dfn", "div", "dl", "dt"),
        *("em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "li", "ol", "p", "pre", "q"),
        *("samp", "small", "span", "strong", "sub", "sup", "tt", "u", "ul", "var"),
        *("caption", "table", "tbody", "td", "tfoot", "th", "thead", "tr"),
    }
)
_VOID = frozenset({"br", "hr"})
# What is within these is no text for a reader, so it goes with them.
_DROPPED_WHOLE = frozenset({"script", "style", "iframe", "object", "svg", "math", "template"})
_ATTRIBUTES = frozenset({"title", "lang", "colspan", "rowspan", "scope"})
_XMLNS = 'xmlns="http://www.w3.org/1999/xhtml"'
# Far deeper than any report; an HTML parser of a reader may recurse.
_MOST_DEPTH = 64


class UnsafeNarrative(ValueError):
    """A narrative holds what FHIR forbids there; the message says in which resource."""


def generated(*blocks: str) -> dict[str, str]:
    """A generated narrative of blocks made by `paragraph` and `bullets`."""
    return {"status": "generated", "div": f"<div {_XMLNS}>{''.join(blocks)}</div>"}


def paragraph(text: str) -> str:
    return f"<p>{_text(text)}</p>"


def bullets(items: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in items)}</ul>"


def safe_div(div: str) -> str:
    """`div` with nothing left but text and the formatting that FHIR allows.

    Links lose their targets, pictures and everything active go. What is left is well-formed
    XHTML in one div, whatever came in.
    """
    reader = _Rebuilder()
    reader.feed(div)
    reader.close()
    return reader.rebuilt()


def check_narratives(resource: dict[str, Any]) -> None:
    """Raises UnsafeNarrative where a narrative of ours, also in `contained`, isn't safe."""
    for part in (resource, *resource.get("contained", ())):
        div = part.get("text", {}).get("div")
        if div is not None and safe_div(div) != div:
            raise UnsafeNarrative(f"the narrative of this {part['resourceType']} is not plain")


def _text(text: str) -> str:
    return escape(text, quote=False)


class _Rebuilder(HTMLParser):
    """Writes the allowed part of what it reads; never copies markup."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._written: list[str] = []
        self._open: list[str] = []
        self._dropping = 0
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED_WHOLE:
            self._dropping += 1
        if self._dropping or tag not in _ELEMENTS or len(self._open) >= _MOST_DEPTH:
            return
        if tag == "div" and not self._inside and not "".join(self._written).strip():
            self._inside = True
            return
        attributes = "".join(
            f' {name}="{escape(value or "")}"' for name, value in attrs if name in _ATTRIBUTES
        )
        if tag in _VOID:
            self._written.append(f"<{tag}{attributes}/>")
        else:
            self._written.append(f"<{tag}{attributes}>")
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _DROPPED_WHOLE:
            self.handle_starttag(tag, attrs)
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _DROPPED_WHOLE:
            self._dropping = max(0, self._dropping - 1)
        if self._dropping or tag not in self._open:
            return
        while self._open:
            closed = self._open.pop()
            self._written.append(f"</{closed}>")
            if closed == tag:
                return

    def handle_data(self, data: str) -> None:
        if not self._dropping:
            self._written.append(_text(data))

    def rebuilt(self) -> str:
        self._written.extend(f"</{tag}>" for tag in reversed(self._open))
        return f"<div {_XMLNS}>{''.join(self._written)}</div>"
