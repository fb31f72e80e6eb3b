"""The workers' connection to each tenant's EHR."""

from __future__ import annotations

from datetime import timedelta

from app.context import Context
from app.store import Tenant
from fhir.client import FhirClient
from smart_launch.backend_service import BackendToken, backend_token
from smart_launch.discovery import discover

BACKEND_SCOPES = " ".join(
    f"system/{name}.cruds"
    for name in ("CarePlan", "ServiceRequest", "Goal", "Observation", "Provenance", "Device")
)

# A token about to expire would fail in flight.
_MARGIN = timedelta(seconds=30)

_tokens: dict[tuple[str, str], BackendToken] = {}


def backend_client(context: Context, tenant: Tenant) -> FhirClient:
    """A client that signs in as the service itself; its token is kept while it lasts."""

    def token(refresh: bool) -> str:
        key = (tenant.iss, tenant.backend_client_id)
        kept = _tokens.get(key)
        if kept is None or refresh or kept.expires_at - _MARGIN <= context.now():
            kept = backend_token(
                discover(tenant.iss).token_endpoint,
                iss=tenant.iss,
                client_id=tenant.backend_client_id,
                key=context.keys.backend_key,
                scope=BACKEND_SCOPES,
                now=context.now(),
            )
            _tokens[key] = kept
        return kept.access_token

    return FhirClient(tenant.iss, token)
