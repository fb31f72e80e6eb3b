"""The FHIR API as an OpenAPI document, from the table that it routes and searches by."""

from __future__ import annotations

from typing import Any

from app import __version__
from app.api.parameters import Kind
from app.api.registry import SERVED, ServedType
from app.api.subscriptions import CRITERIA

_JSON = "application/fhir+json"
_FORM = "application/x-www-form-urlencoded"

_EXAMPLES: dict[Kind, str] = {
    "token": "http://loinc.org|72514-3",
    "reference": "Patient/123",
    "date": "ge2026-11-01",
    "uri": "https://example.org/definition",
}


def fhir_openapi() -> dict[str, Any]:
    """OpenAPI 3.1. Resources are described by FHIR itself and are plain objects here."""
    paths: dict[str, Any] = {
        "/fhir/metadata": {"get": _operation("The health systems", "listApis", open_=True)},
        "/fhir/{tenant}/metadata": {
            "get": _operation("CapabilityStatement", "capabilities", [_TENANT], open_=True)
        },
        "/fhir/{tenant}/.well-known/smart-configuration": {
            "get": _operation("SMART configuration", "smartConfiguration", [_TENANT], open_=True)
        },
    }
    for served in SERVED.values():
        paths |= _paths_of(served)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Homestretch FHIR R4 API",
            "version": __version__,
            "description": "Protected by SMART scopes of the health system's own tokens.",
        },
        "paths": paths | _operations() | _subscriptions(),
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Resource": {
                    "type": "object",
                    "required": ["resourceType"],
                    "properties": {"resourceType": {"type": "string"}},
                }
            },
        },
        "security": [{"bearer": []}],
    }


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(name: str, example: str | None = None) -> dict[str, Any]:
    parameter: dict[str, Any] = {"name": name, "in": "query", "schema": {"type": "string"}}
    return parameter if example is None else {**parameter, "example": example}


_TENANT, _ID = _in_path("tenant"), _in_path("id")
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "schema": {"enum": ["handling=strict", "handling=lenient"]},
}
_PREFER_ASYNC = {
    "name": "Prefer",
    "in": "header",
    "required": True,
    "schema": {"enum": ["respond-async"]},
}
_SINCE = {
    "name": "_since",
    "in": "query",
    "schema": {"type": "string", "format": "date-time"},
}


def _paths_of(served: ServedType) -> dict[str, Any]:
    name = served.name
    query = [
        *(_in_query(each.name, _EXAMPLES[each.kind]) for each in served.parameters),
        {
            "name": "_count",
            "in": "query",
            "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
        },
        _choice("_sort", [f"{sign}{by}" for by in served.sorts for sign in ("", "-")]),
        _choice("_summary", ["count", "false"]),
        _choice("_total", ["none", "estimate", "accurate"]),
    ]
    if served.includes:
        query.append(_choice("_include", list(served.includes)))
    if served.revincludes:
        query.append(_choice("_revinclude", list(served.revincludes)))
    body = {
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "properties": {p["name"]: p["schema"] for p in query},
                }
            }
        }
    }
    paths: dict[str, Any] = {
        f"/fhir/{{tenant}}/{name}": {
            "get": _operation(f"Search {name}", f"search{name}", [_TENANT, _PREFER, *query])
        },
        f"/fhir/{{tenant}}/{name}/_search": {
            "post": {
                **_operation(f"Search {name}", f"searchByPost{name}", [_TENANT, _PREFER]),
                "requestBody": body,
            }
        },
        f"/fhir/{{tenant}}/{name}/{{id}}": {
            "get": _operation(f"Read {name}", f"read{name}", [_TENANT, _ID])
        },
    }
    if served.versions != "none":
        paths[f"/fhir/{{tenant}}/{name}/{{id}}/_history/{{version}}"] = {
            "get": _operation(
                f"Read a version of {name}", f"vread{name}", [_TENANT, _ID, _in_path("version")]
            )
        }
    return paths


def _operations() -> dict[str, Any]:
    formats = _choice("_outputFormat", ["application/fhir+ndjson", "ndjson"])
    export = [_TENANT, _PREFER_ASYNC, _in_query("_type", "Observation"), _SINCE, formats]
    started = {"202": {"description": "Accepted; Content-Location tells where its status is."}}
    status = [_TENANT, _in_path("export")]
    return {
        "/fhir/{tenant}/Patient/{id}/$everything": {
            "get": _operation(
                "All that is held of a patient",
                "everything",
                [_TENANT, _ID, _SINCE, _in_query("_type"), _in_query("_count")],
            )
        },
        "/fhir/{tenant}/$export": {
            "get": _operation("Bulk export", "export", export, success=started)
        },
        "/fhir/{tenant}/Patient/$export": {
            "get": _operation("Bulk export of patients", "exportPatients", export, success=started)
        },
        "/fhir/{tenant}/$export/{export}": {
            "get": _operation(
                "State of an export",
                "exportStatus",
                status,
                success=started
                | {
                    "200": {
                        "description": "The manifest of the files.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
            ),
            "delete": _operation("Cancel an export", "cancelExport", status, success=started),
        },
        "/fhir/{tenant}/$export/{export}/{file}": {
            "get": _operation(
                "A file of an export",
                "exportFile",
                [*status, _in_path("file")],
                success={
                    "200": {
                        "description": "One resource a line.",
                        "content": {"application/fhir+ndjson": {"schema": {"type": "string"}}},
                    }
                },
            )
        },
    }


def _subscriptions() -> dict[str, Any]:
    created = {"201": _answer("Created, active.")}
    gone = {"204": {"description": "Gone."}}
    return {
        "/fhir/{tenant}/Subscription": {
            "get": _operation("The client's subscriptions", "searchSubscription", [_TENANT]),
            "post": {
                **_operation("Subscribe", "subscribe", [_TENANT], success=created),
                "requestBody": {"required": True, "content": {_JSON: {"schema": _SUBSCRIPTION}}},
            },
        },
        "/fhir/{tenant}/Subscription/{id}": {
            "get": _operation("Read a subscription", "readSubscription", [_TENANT, _ID]),
            "delete": _operation(
                "Unsubscribe",
                "unsubscribe",
                [_TENANT, _ID],
                success=gone,
            ),
        },
    }


_SUBSCRIPTION = {
    "type": "object",
    "required": ["resourceType", "status", "reason", "criteria", "channel"],
    "properties": {
        "resourceType": {"const": "Subscription"},
        "status": {"enum": ["requested"]},
        "reason": {"type": "string"},
        "end": {"type": "string", "format": "date-time"},
        "criteria": {
            "type": "string",
            "description": f"Observation, or Observation? with any of {', '.join(CRITERIA)}.",
        },
        "channel": {
            "type": "object",
            "required": ["type", "endpoint"],
            "properties": {
                "type": {"enum": ["rest-hook"]},
                "endpoint": {"type": "string", "format": "uri"},
                "payload": {"enum": [_JSON]},
                "header": {"type": "array", "items": {"type": "string"}},
            },
        },
    },
}


def _choice(name: str, values: list[str]) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"enum": values}}


def _answer(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Resource"}
    return {
        "description": description,
        "content": {_JSON: {"schema": schema}, "application/json": {"schema": {"type": "object"}}},
    }


def _operation(
    summary: str,
    operation_id: str,
    parameters: list[dict[str, Any]] | None = None,
    *,
    open_: bool = False,
    success: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Errors of every status are OperationOutcomes."""
    operation: dict[str, Any] = {
        "operationId": operation_id,
        "summary": summary,
        "responses": {
            **(success or {"200": _answer("The resource or Bundle.")}),
            "4XX": _answer("An OperationOutcome."),
            "503": _answer("The authorization server can't be asked."),
        },
    }
    if parameters:
        operation["parameters"] = parameters
    if open_:
        operation["security"] = []
    return operation
