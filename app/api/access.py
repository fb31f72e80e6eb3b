"""What a token lets its holder do here: SMART scopes, v1 and v2, as a grant. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from app.api.problem import FhirProblem
from smart_launch.access_token import TokenFacts
from smart_launch.id_token import user_reference
from smart_launch.scopes import parse_access

Operation = Literal["c", "r", "u", "d", "s"]

_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True)
class Permission:
    """Operations on a type (`*` for each). `patient` is the FHIR id of the one patient whose
    resources it covers; None covers all of the health system's."""

    level: Literal["patient", "user", "system"]
    resource_type: str
    operations: frozenset[str]
    patient: str | None

    def covers(self, resource_type: str, operation: Operation) -> bool:
        return self.resource_type in ("*", resource_type) and operation in self.operations


@dataclass(frozen=True)
class Reach:
    """The patients, by FHIR id, whose resources may be touched; None is all of them."""

    patients: frozenset[str] | None

    def held_to(self, patients: frozenset[str] | None) -> Reach:
        """What is left when the request names `patients` itself."""
        if patients is None:
            return self
        return Reach(patients if self.patients is None else self.patients & patients)


@dataclass(frozen=True)
class Grant:
    """Who asks, and what it may do at one health system; whatever is not in it is refused.

    `refused` are scopes of the token that grant nothing here, to be named in an error.
    """

    tenant_id: str
    client_id: str
    permissions: tuple[Permission, ...]
    refused: tuple[str, ...] = ()

    def reach(self, resource_type: str, operation: Operation) -> Reach:
        """Raises FhirProblem 403 where no permission covers it."""
        found = [p for p in self.permissions if p.covers(resource_type, operation)]
        if not found:
            because = f" Not usable here: {' '.join(self.refused)}." if self.refused else ""
            raise FhirProblem(
                403,
                "forbidden",
                f"The token's scopes do not allow this on {resource_type}.{because}",
                {"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
            )
        patients = [p.patient for p in found if p.patient is not None]
        return Reach(frozenset(patients) if len(patients) == len(found) else None)

    def allows(self, resource_type: str, operation: Operation) -> bool:
        return any(p.covers(resource_type, operation) for p in self.permissions)

    def for_system(self) -> Grant:
        """Only what `system/` scopes give. Raises FhirProblem 403 where they give nothing."""
        permissions = tuple(p for p in self.permissions if p.level == "system")
        if not permissions:
            raise FhirProblem(403, "forbidden", "This needs a token with system/ scopes.")
        return Grant(self.tenant_id, self.client_id, permissions, self.refused)


def grant_of(tenant_id: str, facts: TokenFacts, *, knows_practitioner: bool) -> Grant:
    """The grant of a valid token.

    - `patient/` covers the patient in context, and nothing without one.
    - `user/` covers all patients for a practitioner known here, the own record for a patient.
    - A scope constrained by search parameters grants nothing: leaving the constraint aside
      would grant too much.
    """
    patient = _id(facts.patient)
    permissions: list[Permission] = []
    refused: list[str] = []
    for scope in facts.scope.split() if isinstance(facts.scope, str) else ():
        access = parse_access(scope)
        if access is None or access.is_part:
            if scope.startswith(("patient/", "user/", "system/")):
                refused.append(scope)
            continue
        level, resource_type = access.level, access.resource_type
        operations: frozenset[str] = frozenset(access.permissions)
        if level == "system":
            permissions.append(Permission(level, resource_type, operations, None))
        elif level == "patient" and patient:
            permissions.append(Permission(level, resource_type, operations, patient))
        elif level == "user" and knows_practitioner:
            permissions.append(Permission(level, resource_type, operations, None))
        elif level == "user" and (own := _patient_user(facts.fhir_user)):
            permissions.append(Permission(level, resource_type, operations, own))
        else:
            refused.append(scope)
    return Grant(tenant_id, str(facts.client_id), tuple(permissions), tuple(refused))


def practitioner_of(facts: TokenFacts) -> str | None:
    """`Practitioner/7` from `fhirUser`, which may be absolute; None for anybody else."""
    user = user_reference(facts.fhir_user) or ""
    return user if user.startswith("Practitioner/") else None


def _patient_user(fhir_user: object) -> str | None:
    kind, _, id_ = (user_reference(fhir_user) or "").partition("/")
    return id_ if kind == "Patient" else None


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and _FHIR_ID.fullmatch(value) else None
