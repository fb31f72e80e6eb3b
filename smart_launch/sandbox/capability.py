"""What this server says of itself: CapabilityStatement and SMART configuration."""

from __future__ import annotations

from typing import Any

from smart_launch.sandbox.config import SandboxConfig
from smart_launch.sandbox.search import RESOURCE_TYPES, search_parameters

_V1_SCOPES = ("patient/*.read", "user/*.read", "system/*.read", "system/*.write")
_V2_SCOPES = ("patient/*.rs", "user/*.rs", "system/*.cruds")
_BULK_DATA = "http://hl7.org/fhir/uv/bulkdata"
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


def capability_statement(config: SandboxConfig) -> dict[str, Any]:
    """An R4 CapabilityStatement with the SMART security extension."""
    kind = config.kind
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-24",
        "kind": "instance",
        "software": {"name": "Homestretch sandbox EHR (development only)"},
        "implementation": {"description": "Synthetic patients", "url": config.fhir_base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "service": [
                        {
                            "coding": [
                                {
                                    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                                    "code": "SMART-on-FHIR",
                                }
                            ]
                        }
                    ],
                    "extension": [
                        {
                            "url": _OAUTH_URIS,
                            "extension": [
                                {
                                    "url": "authorize",
                                    "valueUri": f"{config.base_url}/auth/authorize",
                                },
                                {"url": "token", "valueUri": f"{config.base_url}/auth/token"},
                            ],
                        }
                    ],
                },
                "resource": [
                    {
                        "type": name,
                        "interaction": [{"code": code} for code in kind.interactions(name)],
                        "versioning": "versioned-update",
                        "readHistory": True,
                        "conditionalCreate": kind.conditional_create,
                        "conditionalUpdate": kind.conditional_create,
                        "updateCreate": kind.updates is None,
                        "searchParam": [
                            {"name": parameter, "type": type_}
                            for parameter, type_ in search_parameters(name).items()
                        ],
                        **_operations(name, kind.exports),
                    }
                    for name in RESOURCE_TYPES
                ],
                **({"interaction": [{"code": "transaction"}]} if kind.transaction else {}),
            }
        ],
    }


def _operations(name: str, exports: frozenset[str]) -> dict[str, Any]:
    if name not in exports:
        return {}
    definition = f"{_BULK_DATA}/OperationDefinition/{name.lower()}-export"
    return {"operation": [{"name": "export", "definition": definition}]}


def smart_configuration(config: SandboxConfig) -> dict[str, Any]:
    """SMART 2.2, 2.1.3.2."""
    return {
        "issuer": config.issuer,
        "jwks_uri": f"{config.base_url}/auth/jwks",
        "authorization_endpoint": f"{config.base_url}/auth/authorize",
        "token_endpoint": f"{config.base_url}/auth/token",
        "revocation_endpoint": f"{config.base_url}/auth/revoke",
        "introspection_endpoint": f"{config.base_url}/auth/introspect",
        "authorization_response_iss_parameter_supported": True,
        "token_endpoint_auth_methods_supported": [
            "none",
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
        ],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": [
            "openid",
            "fhirUser",
            "launch",
            "launch/patient",
            "offline_access",
            *(_V1_SCOPES if config.v1_scopes_only else _V2_SCOPES),
        ],
        "capabilities": [
            "launch-ehr",
            "launch-standalone",
            "client-public",
            "client-confidential-symmetric",
            "client-confidential-asymmetric",
            "sso-openid-connect",
            "context-ehr-patient",
            "context-ehr-encounter",
            "context-standalone-patient",
            "permission-patient",
            "permission-user",
            "permission-offline",
            "permission-v1",
            *(() if config.v1_scopes_only else ("permission-v2",)),
            "context-banner",
            "context-style",
        ],
    }
