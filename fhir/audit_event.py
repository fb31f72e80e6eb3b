"""Who did what with whose data, as AuditEvent."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from fhir import codes
from fhir.bundle import Resource

Interaction = Literal["read", "search", "create", "update", "delete", "operation"]
_ACTIONS: dict[Interaction, str] = {
    "read": "R",
    "search": "E",
    "create": "C",
    "update": "U",
    "delete": "D",
    "operation": "E",
}


@dataclass(frozen=True)
class Access:
    """One access. `who` and `what` are references; `patient` is None for what is of nobody.

    `address` is the network address of the request, `query` a search as it was asked.
    """

    id: str
    at: datetime
    interaction: Interaction
    who: str
    who_name: str
    succeeded: bool
    what: str | None = None
    patient: str | None = None
    address: str | None = None
    query: str | None = None


def audit_event(access: Access, source: str) -> Resource:
    """The access as recorded by `source`, the name of this deployment."""
    agent: dict[str, Any] = {
        "type": _concept("humanuser", "human user"),
        "who": {"reference": access.who, "display": access.who_name},
        "requestor": True,
    }
    if access.address:
        agent["network"] = {"address": access.address, "type": "2"}
    entities: list[dict[str, Any]] = []
    if access.patient:
        entities.append({"what": {"reference": access.patient}, "role": _role("1", "Patient")})
    if access.what and access.what != access.patient:
        entities.append({"what": {"reference": access.what}, "role": _role("4", "Domain Resource")})
    if access.query:
        # Base64 of the query, as R4 asks; a search has no resource to name.
        entities.append({"query": _base64(access.query), "role": _role("24", "Query")})
    resource: Resource = {
        "resourceType": "AuditEvent",
        "id": access.id,
        "meta": codes.profile("data-access"),
        "type": {
            "system": codes.AUDIT_EVENT_TYPE,
            "code": "rest",
            "display": "RESTful Operation",
        },
        "subtype": [
            {
                "system": codes.RESTFUL_INTERACTION,
                "code": access.interaction,
                "display": access.interaction,
            }
        ],
        "action": _ACTIONS[access.interaction],
        "recorded": access.at.isoformat(),
        "outcome": "0" if access.succeeded else "8",
        "agent": [agent],
        "source": {"observer": {"display": source}},
    }
    if entities:
        resource["entity"] = entities
    return resource


def _concept(code: str, display: str) -> dict[str, Any]:
    return codes.concept(codes.SECURITY_ROLE, code, display)


def _role(code: str, display: str) -> dict[str, str]:
    return {"system": codes.OBJECT_ROLE, "code": code, "display": display}


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")
