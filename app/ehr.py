"""The workers' connection to each tenant's EHR."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.context import Context
from app.store import Tenant
from fhir.capability import Capabilities, read_capabilities
from fhir.client import FhirClient
from smart_launch.backend_service import BackendToken, backend_token
from smart_launch.discovery import discover

BACKEND_SCOPES = " ".join(
    f"system/{name}.cruds"
    for name in (
        "CarePlan",
        "ServiceRequest",
        "Goal",
        "Observation",
        "Provenance",
        "Device",
        "DocumentReference",
    )
)

# A token about to expire would fail in flight.
_MARGIN = timedelta(seconds=30)

_tokens: dict[tuple[str, str], BackendToken] = {}

# House choice: an EHR changes what it takes with its releases; a quarter of an hour is soon enough.
_CAPABILITIES_FOR = timedelta(minutes=15)

_capabilities: dict[str, tuple[datetime, Capabilities]] = {}


def capabilities_of(context: Context, client: FhirClient) -> Capabilities:
    """What the EHR says it takes, read anew every quarter of an hour. Raises FhirError."""
    kept = _capabilities.get(client.base)
    if kept is None or context.now() - kept[0] > _CAPABILITIES_FOR:
        kept = context.now(), read_capabilities(client.read("metadata"))
        _capabilities[client.base] = kept
    return kept[1]


def backend_client(context: Context, tenant: Tenant) -> FhirClient:
    """A client that signs in as the service itself; its token is kept while it lasts."""

    def token(refresh: bool) -> str:
        key = (tenant.iss, tenant.backend_client_id)
        kept = _tokens.get(key)
        if kept is None or refresh or kept.expires_at - _MARGIN <= context.now():
            kept = backend_token(
                discover(tenant.iss).token_endpoint,
                client_id=tenant.backend_client_id,
                key=context.keys.backend_key,
                scope=BACKEND_SCOPES,
                now=context.now(),
            )
            _tokens[key] = kept
        return kept.access_token

    return FhirClient(tenant.iss, token)
