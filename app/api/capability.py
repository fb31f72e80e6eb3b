"""What the FHIR API says of itself, from the table that it routes and searches by."""

from __future__ import annotations

from typing import Any

from app import __version__
from app.api.registry import SERVED, ServedType
from smart_launch.discovery import SmartConfiguration

_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_BULK = "http://hl7.org/fhir/uv/bulkdata"
_OPERATIONS = "http://hl7.org/fhir/OperationDefinition"

# The day on which this description last changed its meaning.
_DATE = "2026-12-01"


def capability_statement(
    base: str, health_system: str, authorization: SmartConfiguration | None
) -> dict[str, Any]:
    """An R4 CapabilityStatement; `authorization` is None while its server can't be asked."""
    security: dict[str, Any] = {
        "cors": False,
        "service": [
            {
                "coding": [
                    {"system": _SECURITY, "code": "SMART-on-FHIR", "display": "SMART-on-FHIR"}
                ],
                "text": "OAuth2 bearer tokens of the health system, with SMART scopes",
            }
        ],
    }
    if authorization is not None:
        security["extension"] = [
            {
                "url": _OAUTH_URIS,
                "extension": [
                    {"url": "authorize", "valueUri": authorization.authorization_endpoint},
                    {"url": "token", "valueUri": authorization.token_endpoint},
                ],
            }
        ]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _DATE,
        "kind": "instance",
        "instantiates": [f"{_BULK}/CapabilityStatement/bulk-data"],
        "software": {"name": "Homestretch", "version": __version__},
        "implementation": {
            "description": f"Remote therapeutic monitoring of {health_system}",
            "url": base,
        },
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": security,
                "resource": [*(_served(each) for each in SERVED.values()), _subscription()],
                "operation": [
                    {"name": "export", "definition": f"{_BULK}/OperationDefinition/export"}
                ],
            }
        ],
    }


def smart_configuration(authorization: SmartConfiguration) -> dict[str, Any]:
    """SMART 2.2, 2.1.3: the health system's own authorization server serves this API."""
    document: dict[str, Any] = {
        "authorization_endpoint": authorization.authorization_endpoint,
        "token_endpoint": authorization.token_endpoint,
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": [
            f"{level}/{name}.rs" for level in ("patient", "user", "system") for name in SERVED
        ]
        + ["system/Subscription.crd"],
        "capabilities": [
            *(name for name in authorization.capabilities if not name.startswith("permission-v")),
            "permission-v1",
            "permission-v2",
        ],
    }
    for name in ("issuer", "jwks_uri", "introspection_endpoint"):
        if value := getattr(authorization, name):
            document[name] = value
    return document


def _served(served: ServedType) -> dict[str, Any]:
    vread = () if served.versions == "none" else ("vread",)
    interactions = ("read", *vread, "search-type")
    resource: dict[str, Any] = {
        "type": served.name,
        "interaction": [{"code": code} for code in interactions],
        "versioning": "no-version" if served.versions == "none" else "versioned",
        "readHistory": served.versions == "every",
        "searchParam": [
            {"name": each.name, "type": each.kind, "definition": each.definition}
            for each in served.parameters
        ],
    }
    if served.includes:
        resource["searchInclude"] = list(served.includes)
    if served.revincludes:
        resource["searchRevInclude"] = list(served.revincludes)
    if served.name == "Patient":
        resource["operation"] = [
            {"name": "everything", "definition": f"{_OPERATIONS}/Patient-everything"},
            {"name": "export", "definition": f"{_BULK}/OperationDefinition/patient-export"},
        ]
    return resource


def _subscription() -> dict[str, Any]:
    return {
        "type": "Subscription",
        "interaction": [{"code": code} for code in ("create", "read", "delete", "search-type")],
        "versioning": "no-version",
        "documentation": "Channel rest-hook; criteria on Observation.",
    }
