"""What a token lets its holder do here: SMART scopes, v1 and v2, as a grant. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

from app.api.parameters import Criterion, criterion
from app.api.problem import FhirProblem
from app.api.registry import SERVED
from fhir.bundle import Resource
from smart_launch.access_token import TokenFacts
from smart_launch.id_token import user_reference
from smart_launch.scopes import Access, parse_access

Operation = Literal["c", "r", "u", "d", "s"]

_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True)
class Permission:
    """Operations on a type (`*` for each). `patient` is the FHIR id of the one patient whose
    resources it covers; None covers all of the health system's. With `only`, those alone that
    meet it."""

    level: Literal["patient", "user", "system"]
    resource_type: str
    operations: frozenset[str]
    patient: str | None
    only: Criterion | None = None

    def covers(self, resource_type: str, operation: Operation) -> bool:
        return self.resource_type in ("*", resource_type) and operation in self.operations


@dataclass(frozen=True)
class Reach:
    """The patients, by FHIR id, whose resources may be touched; None is all of them.

    Where not all of a patient's are, `parts` say which: each covers the resources of one patient,
    or of all, that meet a criterion, or all of them.
    """

    patients: frozenset[str] | None
    parts: tuple[tuple[str | None, Criterion | None], ...] = ()

    def held_to(self, patients: frozenset[str] | None) -> Reach:
        """What is left when the request names `patients` itself."""
        if patients is None:
            return self
        left = patients if self.patients is None else self.patients & patients
        return Reach(left, self.parts)

    def covers(self, resource: Resource) -> bool:
        """Of a resource of one of `patients`: whether it may be touched."""
        return not self.parts or any(
            (patient is None or _is_of(resource, patient))
            and (only is None or only.meets(resource, ""))
            for patient, only in self.parts
        )


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
        reach = Reach(frozenset(patients) if len(patients) == len(found) else None)
        if all(p.only is None for p in found):
            return reach
        return Reach(reach.patients, tuple((p.patient, p.only) for p in found))

    def whole_reach(self, resource_type: str, operation: Operation) -> Reach:
        """As `reach`, for what can't be cut to a selection. Raises FhirProblem 403."""
        whole = Grant(
            self.tenant_id,
            self.client_id,
            tuple(p for p in self.permissions if p.only is None),
            self.refused,
        )
        if not whole.allows(resource_type, operation) and self.allows(resource_type, operation):
            raise FhirProblem(
                403,
                "forbidden",
                f"This needs a scope for every {resource_type}; the token's has a selection only.",
                {"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
            )
        return whole.reach(resource_type, operation)

    def allows(self, resource_type: str, operation: Operation, *, whole: bool = False) -> bool:
        """`whole`: on every resource, not on a selection only."""
        return any(
            p.covers(resource_type, operation) and not (whole and p.only is not None)
            for p in self.permissions
        )

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
    - A scope constrained by `category` covers the resources of that category. Constrained by
      anything else it grants nothing: leaving the constraint aside would grant too much.
    """
    patient = _id(facts.patient)
    permissions: list[Permission] = []
    refused: list[str] = []
    for scope in facts.scope.split() if isinstance(facts.scope, str) else ():
        access = parse_access(scope)
        only = None if access is None or access.query is None else _selection(access)
        if access is None or (access.is_part and only is None):
            if scope.startswith(("patient/", "user/", "system/")):
                refused.append(scope)
            continue
        level, resource_type = access.level, access.resource_type
        operations: frozenset[str] = frozenset(access.permissions)
        if only is not None:
            operations &= frozenset("rs")
        if level == "system":
            permissions.append(Permission(level, resource_type, operations, None, only))
        elif level == "patient" and patient:
            permissions.append(Permission(level, resource_type, operations, patient, only))
        elif level == "user" and knows_practitioner:
            permissions.append(Permission(level, resource_type, operations, None, only))
        elif level == "user" and (own := _patient_user(facts.fhir_user)):
            permissions.append(Permission(level, resource_type, operations, own, only))
        else:
            refused.append(scope)
    return Grant(tenant_id, str(facts.client_id), tuple(permissions), tuple(refused))


def _selection(access: Access) -> Criterion | None:
    """`category` alone, of a type that is searched by it here, for reading; else None."""
    served = SERVED.get(access.resource_type)
    parameter = None if served is None else served.parameter("category")
    pairs = parse_qsl(access.query or "", keep_blank_values=True)
    if parameter is None or len(pairs) != 1 or pairs[0][0] != "category":
        return None
    try:
        return criterion(parameter, None, pairs[0][1], "")
    except FhirProblem:
        return None


def _is_of(resource: Resource, patient: str) -> bool:
    if resource["resourceType"] == "Patient":
        return bool(resource["id"] == patient)
    about = resource.get("subject") or resource.get("patient") or {}
    return bool(about.get("reference") == f"Patient/{patient}")


def practitioner_of(facts: TokenFacts) -> str | None:
    """`Practitioner/7` from `fhirUser`, which may be absolute; None for anybody else."""
    user = user_reference(facts.fhir_user) or ""
    return user if user.startswith("Practitioner/") else None


def _patient_user(fhir_user: object) -> str | None:
    kind, _, id_ = (user_reference(fhir_user) or "").partition("/")
    return id_ if kind == "Patient" else None


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and _FHIR_ID.fullmatch(value) else None
