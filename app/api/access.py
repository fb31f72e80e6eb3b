"""What a token lets its holder do here: SMART scopes, v1 and v2, as a grant. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from app.api.problem import FhirProblem
from smart_launch.access_token import TokenFacts

Operation = Literal["c", "r", "u", "d", "s"]

FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")

_SCOPE = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]+)\.(read|write|\*|c?r?u?d?s?)")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}


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
        match = _SCOPE.fullmatch(scope)
        if match is None or not match[3]:
            if scope.startswith(("patient/", "user/", "system/")):
                refused.append(scope)
            continue
        operations = frozenset(_V1.get(match[3], match[3]))
        if match[1] == "system":
            permissions.append(Permission("system", match[2], operations, None))
        elif match[1] == "patient" and patient:
            permissions.append(Permission("patient", match[2], operations, patient))
        elif match[1] == "user" and knows_practitioner:
            permissions.append(Permission("user", match[2], operations, None))
        elif match[1] == "user" and (own := _patient_user(facts.fhir_user)):
            permissions.append(Permission("user", match[2], operations, own))
        else:
            refused.append(scope)
    return Grant(tenant_id, str(facts.client_id), tuple(permissions), tuple(refused))


def practitioner_of(facts: TokenFacts) -> str | None:
    """`Practitioner/7` from `fhirUser`, which may be absolute; None for anybody else."""
    kind, id_ = _user(facts.fhir_user)
    return f"Practitioner/{id_}" if kind == "Practitioner" else None


def _patient_user(fhir_user: object) -> str | None:
    kind, id_ = _user(fhir_user)
    return id_ if kind == "Patient" else None


def _user(fhir_user: object) -> tuple[str, str | None]:
    parts = fhir_user.rstrip("/").split("/") if isinstance(fhir_user, str) else []
    return (parts[-2], _id(parts[-1])) if len(parts) >= 2 else ("", None)


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and FHIR_ID.fullmatch(value) else None
