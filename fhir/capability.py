"""What a server says it can do: its CapabilityStatement, as far as writing to it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Capabilities:
    """Resource types by what may be done with them; `transaction` takes several at once."""

    transaction: bool
    creates: frozenset[str]
    updates: frozenset[str]
    conditional_creates: frozenset[str]

    def takes(self, *resource_types: str) -> bool:
        """Whether every one of `resource_types` may be created."""
        return self.creates.issuperset(resource_types)


def read_capabilities(statement: Mapping[str, Any]) -> Capabilities:
    """What `statement` says of the server's REST interface; silence is a no."""
    servers = [rest for rest in _objects(statement.get("rest")) if rest.get("mode") == "server"]
    resources = [entry for rest in servers for entry in _objects(rest.get("resource"))]
    return Capabilities(
        transaction=any("transaction" in _codes(rest.get("interaction")) for rest in servers),
        creates=_with(resources, "create"),
        updates=_with(resources, "update"),
        conditional_creates=frozenset(
            str(entry.get("type")) for entry in resources if entry.get("conditionalCreate") is True
        ),
    )


def _with(resources: list[dict[str, Any]], interaction: str) -> frozenset[str]:
    return frozenset(
        str(entry.get("type"))
        for entry in resources
        if interaction in _codes(entry.get("interaction"))
    )


def _codes(interactions: object) -> list[object]:
    return [interaction.get("code") for interaction in _objects(interactions)]


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (part for part in value if isinstance(part, dict))
