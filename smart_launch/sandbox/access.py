"""Scopes (SMART v1 and v2) and the patient context that they hold to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from smart_launch.sandbox.outcome import FhirProblem

Permission = Literal["c", "r", "u", "d", "s"]

_SCOPE = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]+)\.(read|write|\*|c?r?u?d?s?)")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}

# Types that mostly belong to no patient; those that don't may be read with any level of scope.
SHARED_TYPES = frozenset({"Practitioner", "PractitionerRole", "Organization", "Device", "Location"})


@dataclass(frozen=True)
class Grant:
    """What a token may do: its scopes, and the patient to whom `patient/` scopes are held."""

    scopes: tuple[tuple[str, str, str], ...]
    patient: str | None
    fhir_user: str | None

    def check(self, resource_type: str, permission: Permission, patient: str | None) -> None:
        """Raises FhirProblem 403 unless a scope allows it for a resource of `patient`.

        `patient` None means a resource outside every patient's compartment.
        """
        for level, scoped_type, permissions in self.scopes:
            if scoped_type not in ("*", resource_type) or permission not in permissions:
                continue
            if level in ("user", "system"):
                return
            if patient is None:
                if resource_type in SHARED_TYPES and permission in "rs":
                    return
            elif patient == self.patient:
                return
        raise FhirProblem(
            403, "forbidden", f"the token's scopes do not allow this on {resource_type}"
        )

    def require_system(self, resource_type: str) -> None:
        """Raises FhirProblem 403 unless all resources of the type may be read, by no person."""
        for level, scoped_type, permissions in self.scopes:
            if level == "system" and scoped_type in ("*", resource_type) and "r" in permissions:
                return
        raise FhirProblem(
            403, "forbidden", f"the token's scopes do not allow exporting {resource_type}"
        )

    def search_patient(self, resource_type: str) -> str | None:
        """The patient that a search is held to (none has the id ""); None for every patient.

        Of the shared types, those that belong to no patient are found as well.

        Raises FhirProblem 403 where no scope allows searching the type.
        """
        levels = {
            level
            for level, scoped_type, permissions in self.scopes
            if scoped_type in ("*", resource_type) and "s" in permissions
        }
        if not levels:
            raise FhirProblem(
                403, "forbidden", f"the token's scopes do not allow searching {resource_type}"
            )
        if levels & {"user", "system"}:
            return None
        return self.patient or ""


def parse_scopes(scope: str) -> tuple[tuple[str, str, str], ...]:
    """The resource scopes in `scope` as (level, type, permissions of `cruds`)."""
    parsed = []
    for part in scope.split():
        match = _SCOPE.fullmatch(part)
        if match and match[3]:
            parsed.append((match[1], match[2], _V1.get(match[3], match[3])))
    return tuple(parsed)


def v1_part(scope: str) -> str:
    """`scope` without the resource scopes that an older server does not understand."""
    return " ".join(
        part for part in scope.split() if not parse_scopes(part) or part.rpartition(".")[2] in _V1
    )


def covered(scope: str, registered: str) -> str:
    """The parts of `scope` that the `registered` scopes allow, in their order.

    A resource scope is allowed where registered ones of its level give every permission that
    it asks for, in whichever version of the notation.
    """
    words = set(registered.split())
    allowed = parse_scopes(registered)
    kept = []
    for part in scope.split():
        asked = parse_scopes(part)
        if asked:
            level, resource_type, permissions = asked[0]
            given = {
                letter
                for other_level, other_type, letters in allowed
                if other_level == level and other_type in ("*", resource_type)
                for letter in letters
            }
            if given.issuperset(permissions):
                kept.append(part)
        elif part in words:
            kept.append(part)
    return " ".join(kept)
