"""Scopes of SMART v1 and v2: what to ask for, and what was granted (SMART 2.2, 3.0).

v1 says `user/Condition.read`, v2 `user/Condition.rs` with the letters of create, read, update,
delete and search. A server may grant in one version what was asked in the other.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from smart_launch.discovery import SmartConfiguration

Level = Literal["patient", "user", "system"]
Version = Literal["v1", "v2"]
Extent = Literal["all", "part", "none"]

_RESOURCE = re.compile(
    r"(patient|user|system)/(\*|[A-Z][A-Za-z]+)\.(read|write|\*|(?=[cruds])c?r?u?d?s?)(\?.+)?"
)
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}


@dataclass(frozen=True)
class Access:
    """`permissions`, letters of `cruds`, on a resource type; `*` for every type.

    `query`, where there is one, selects the resources that it holds for (`category=survey`).
    """

    level: Level
    resource_type: str
    permissions: str
    query: str | None = None

    @property
    def is_part(self) -> bool:
        return self.query is not None


@dataclass(frozen=True)
class Wanted:
    """What an audience's launch asks for.

    `words` are always asked for, of `optional_words` the first that the EHR has.
    """

    words: tuple[str, ...]
    optional_words: tuple[str, ...]
    accesses: tuple[Access, ...]


@dataclass(frozen=True)
class Grant:
    """What a token may do."""

    words: frozenset[str]
    accesses: tuple[Access, ...]

    def extent(
        self, resource_type: str, permissions: str, levels: Collection[Level] = ("user", "patient")
    ) -> Extent:
        """Whether every one of `permissions` is there at any of `levels`.

        "part" where some hold for a selection of the resources only.
        """
        fitting = [
            access
            for access in self.accesses
            if access.level in levels and access.resource_type in ("*", resource_type)
        ]
        everywhere = {letter for a in fitting if not a.is_part for letter in a.permissions}
        anywhere = {letter for a in fitting for letter in a.permissions}
        if everywhere.issuperset(permissions):
            return "all"
        return "part" if anywhere.issuperset(permissions) else "none"


def parse_access(scope: str) -> Access | None:
    """One resource scope of either version; None for anything else."""
    match = _RESOURCE.fullmatch(scope)
    if match is None:
        return None
    level, resource_type, permissions, query = match.groups()
    selecting = None if query is None else query.removeprefix("?")
    return Access(level, resource_type, _V1.get(permissions, permissions), selecting)  # type: ignore[arg-type]  # the pattern's


def parse_grant(scope: str) -> Grant:
    """The grant that the `scope` of a token response says."""
    words, accesses = set(), []
    for part in scope.split():
        access = parse_access(part)
        if access is None:
            words.add(part)
        else:
            accesses.append(access)
    return Grant(frozenset(words), tuple(accesses))


def offered_version(configuration: SmartConfiguration) -> Version:
    """v2 where the EHR says so, by capability or by a scope of that form; else v1.

    A server of SMART 2 must list `permission-v2`, so one that does not is an older server.
    """
    if "permission-v2" in configuration.capabilities:
        return "v2"
    endings = {
        match[3]
        for scope in configuration.scopes_supported
        if (match := _RESOURCE.fullmatch(scope))
    }
    return "v2" if endings - set(_V1) else "v1"


def scope_to_ask(
    wanted: Wanted, configuration: SmartConfiguration, version: Version | None = None
) -> str:
    """The `scope` of the authorization request: of what is `wanted`, all that the EHR offers.

    A server need not list every scope that it supports. So its list decides only about levels
    (`user/`, `patient/`, `system/`) for which it lists any resource scope at all. `version`
    overrules what the EHR says.
    """
    version = version or offered_version(configuration)
    listed = set(configuration.scopes_supported)
    words = [
        "profile" if word == "fhirUser" and word not in listed and "profile" in listed else word
        for word in wanted.words
    ]
    words += [word for word in wanted.optional_words if _has_word(word, configuration)][:1]
    resource_scopes = [
        text
        for access in offered_accesses(wanted, configuration)
        for text in _written(access, version)
    ]
    return " ".join(dict.fromkeys([*words, *resource_scopes]))


def offered_accesses(wanted: Wanted, configuration: SmartConfiguration) -> tuple[Access, ...]:
    """The accesses that are `wanted` as far as the EHR offers them."""
    capabilities = configuration.capabilities
    by_patient_only = "permission-patient" in capabilities and "permission-user" not in capabilities
    offered = [access for text in configuration.scopes_supported if (access := parse_access(text))]
    kept = []
    for access in wanted.accesses:
        level: Level = "patient" if access.level == "user" and by_patient_only else access.level
        same_level = [other for other in offered if other.level == level]
        permissions = access.permissions
        if same_level:
            letters = {
                letter
                for other in same_level
                if other.resource_type in ("*", access.resource_type)
                for letter in other.permissions
            }
            permissions = "".join(letter for letter in access.permissions if letter in letters)
        if permissions:
            kept.append(replace(access, level=level, permissions=permissions))
    return tuple(kept)


def _has_word(word: str, configuration: SmartConfiguration) -> bool:
    capability = {
        "offline_access": "permission-offline",
        "online_access": "permission-online",
    }.get(word)
    return (
        not configuration.scopes_supported
        or word in configuration.scopes_supported
        or capability in configuration.capabilities
    )


def _written(access: Access, version: Version) -> list[str]:
    start = f"{access.level}/{access.resource_type}."
    if version == "v2":
        return [start + "".join(letter for letter in "cruds" if letter in access.permissions)]
    letters = set(access.permissions)
    return [start + word for word in ("read", "write") if letters & set(_V1[word])]
