"""Texts in several languages, by FHIR's own `translation` extension."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"


def translated(element: str, text: Mapping[str, str]) -> dict[str, Any]:
    """`element` in English, and beside it (`_element`) the text in the other languages."""
    others = [
        {
            "url": _TRANSLATION,
            "extension": [
                {"url": "lang", "valueCode": language},
                {"url": "content", "valueString": content},
            ],
        }
        for language, content in text.items()
        if language != "en"
    ]
    return {element: text["en"], **({f"_{element}": {"extension": others}} if others else {})}


def texts(parent: Mapping[str, Any], element: str) -> dict[str, str]:
    """The inverse of `translated`, keyed by language. Raises KeyError without the element."""
    found = {"en": parent[element]}
    for extension in parent.get(f"_{element}", {}).get("extension", ()):
        if extension["url"] == _TRANSLATION:
            parts = {part["url"]: part for part in extension["extension"]}
            found[parts["lang"]["valueCode"]] = parts["content"]["valueString"]
    return found
