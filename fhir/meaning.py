"""What a reader must not overlook: FHIR marks the elements that can turn a meaning around.

Unknown extensions and elements are kept and ignored. A modifier extension, implicit rules and
"entered in error" are not: a reader that does not know them must not use the resource
(R4, extensibility.html#modifierExtension, resource.html#implicitRules).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class Unreadable(ValueError):
    """A resource that must not or can't be used; the message says which and why."""


def understand(resource: Mapping[str, Any]) -> None:
    """Raises Unreadable where `resource` holds a modifier that we don't know.

    None is known so far. Contained resources are read as such, if at all, so theirs don't count.
    """
    name = resource.get("resourceType", "resource")
    if resource.get("implicitRules"):
        raise Unreadable(f"the {name} follows rules of its own (implicitRules)")
    if resource.get("status") == "entered-in-error":
        raise Unreadable(f"the {name} was entered in error")
    for url in _modifiers({k: v for k, v in resource.items() if k != "contained"}):
        raise Unreadable(f"the {name} has a modifier that is not known here ({url})")


def _modifiers(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for part in value:
            yield from _modifiers(part)
    elif isinstance(value, Mapping):
        for extension in value.get("modifierExtension", ()):
            yield str(extension.get("url"))
        for key, part in value.items():
            if key != "modifierExtension":
                yield from _modifiers(part)
