"""Kinds of EHR that the sandbox can be: what an application may write to it, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from smart_launch.sandbox.outcome import FhirProblem

OPEN = "open"


@dataclass(frozen=True)
class Profile:
    """`creates` and `updates` are resource types, None for all of them.

    Without `conditional_create`, If-None-Exist is passed over in silence, as servers that do not
    know it do. `search_needs` names, for a type, the parameters of which a search must have one.
    `exports` are the types of which there is a bulk export: Patient, Group.
    """

    id: str
    title: str
    creates: frozenset[str] | None
    updates: frozenset[str] | None
    transaction: bool
    conditional_create: bool
    answers_with_resource: bool
    search_needs: Mapping[str, tuple[str, ...]]
    exports: frozenset[str]

    def check_create(self, resource_type: str) -> None:
        """Raises FhirProblem 405 where an application may not create the type."""
        if self.creates is not None and resource_type not in self.creates:
            raise FhirProblem(405, "not-supported", f"{resource_type} can't be created here")

    def check_update(self, resource_type: str) -> None:
        """Raises FhirProblem 405 where an application may not update the type."""
        if self.updates is not None and resource_type not in self.updates:
            raise FhirProblem(405, "not-supported", f"{resource_type} can't be updated here")

    def check_search(self, resource_type: str, names: set[str]) -> None:
        """Raises FhirProblem 400 for a search that asks for too much."""
        needed = self.search_needs.get(resource_type, ())
        if needed and not names & set(needed):
            raise FhirProblem(400, "required", f"one of {', '.join(needed)} is needed")

    def check_export(self, resource_type: str) -> None:
        """Raises FhirProblem 404 where the type has no bulk export."""
        if resource_type not in self.exports:
            raise FhirProblem(404, "not-supported", f"{resource_type} has no $export here")

    def interactions(self, resource_type: str) -> tuple[str, ...]:
        """The interactions with the type, by their codes in a CapabilityStatement."""
        creates = self.creates is None or resource_type in self.creates
        updates = self.updates is None or resource_type in self.updates
        return (
            "read",
            "vread",
            "search-type",
            "history-instance",
            *(("create",) if creates else ()),
            *(("update", "delete") if updates else ()),
        )


@cache
def profiles() -> Mapping[str, Profile]:
    """The kinds by their id."""
    document = yaml.safe_load(files(__package__).joinpath("profiles.yaml").read_text("utf-8"))
    return {
        name: Profile(
            id=name,
            title=entry["title"],
            creates=_types(entry["creates"]),
            updates=_types(entry["updates"]),
            transaction=entry["transaction"],
            conditional_create=entry["conditional_create"],
            answers_with_resource=entry["answers_with_resource"],
            search_needs={kind: tuple(names) for kind, names in entry["search_needs"].items()},
            exports=frozenset(entry["exports"]),
        )
        for name, entry in document.items()
    }


def _types(listed: str | list[str]) -> frozenset[str] | None:
    return None if listed == "all" else frozenset(listed)
