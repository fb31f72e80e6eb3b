"""What a reader must not overlook, and how it says that it can't read something.

FHIR marks the elements that can turn a meaning around. Unknown extensions and elements are kept
and ignored. A modifier extension, implicit rules and "entered in error" are not: a reader that
does not know them must not use the resource (R4, extensibility.html#modifierExtension,
resource.html#implicitRules).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

_T = TypeVar("_T")


class Unreadable(ValueError):
    """A resource that must not or can't be used; the message says which and why."""


@contextmanager
def reading(resource: Mapping[str, Any], refusal: type[Unreadable] = Unreadable) -> Iterator[None]:
    """Within it `resource` is read; what is missing there, or of another form, is a `refusal`.

    Raises:
        Unreadable: a modifier that is not known, or entered in error (see `understand`).
        refusal: an element that the reader needs.
    """
    understand(resource)
    name = resource.get("resourceType", "resource")
    try:
        yield
    except Unreadable:
        raise
    except KeyError as error:
        raise refusal(f"the {name} lacks {error}") from None
    except IndexError:
        raise refusal(f"the {name} lacks an element that we need") from None
    except (AttributeError, TypeError, ValueError) as error:
        # Whoever sent it may have put anything anywhere; nothing of it is repeated here.
        raise refusal(
            f"the {name} has an element of another form than expected ({type(error).__name__})"
        ) from None


def needed(items: Iterable[_T], name: str) -> _T:
    """The first of `items`. Raises KeyError with `name` where there is none."""
    for item in items:
        return item
    raise KeyError(name)


def own_identifier(resource: Mapping[str, Any], system: str) -> str:
    """Raises KeyError where the resource has no identifier of `system`."""
    values = (i["value"] for i in resource["identifier"] if i.get("system") == system)
    return cast(str, needed(values, "our identifier"))


def understand(resource: Mapping[str, Any]) -> None:
    """Raises Unreadable where `resource` holds a modifier that we don't know.

    None is known so far. Contained resources are read as such, if at all, so theirs don't count.
    """
    name = resource.get("resourceType", "resource")
    if resource.get("implicitRules"):
        raise Unreadable(f"the {name} follows rules of its own (implicitRules)")
    if resource.get("status") == "entered-in-error":
        raise Unreadable(f"the {name} was entered in error")
    for _ in _modifiers({k: v for k, v in resource.items() if k != "contained"}):
        raise Unreadable(f"the {name} has a modifier that is not known here (modifierExtension)")


def _modifiers(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for part in value:
            yield from _modifiers(part)
    elif isinstance(value, Mapping):
        if value.get("modifierExtension"):
            yield value["modifierExtension"]
        for part in value.values():
            yield from _modifiers(part)
