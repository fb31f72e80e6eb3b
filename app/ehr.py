"""The workers' connection to each tenant's EHR."""

from __future__ import annotations

from threading import Lock

from app.context import Context
from app.store import Tenant
from fhir.access_token import AccessToken, SharedToken
from fhir.client import FhirClient
from smart_launch.backend_service import backend_token
from smart_launch.discovery import discover

BACKEND_SCOPES = " ".join(
    f"system/{name}.cruds"
    for name in ("CarePlan", "ServiceRequest", "Goal", "Observation", "Provenance", "Device")
)

_tokens: dict[tuple[int, str, str], SharedToken] = {}
_making = Lock()


def backend_client(context: Context, tenant: Tenant) -> FhirClient:
    """A client that signs in as the service itself.

    Its token is kept while it lasts, and shared by all threads of this process.
    """
    iss, client_id = tenant.iss, tenant.backend_client_id

    def fetch() -> AccessToken:
        granted = backend_token(
            discover(iss).token_endpoint,
            client_id=client_id,
            key=context.keys.backend_key,
            scope=BACKEND_SCOPES,
            now=context.now(),
        )
        return AccessToken(granted.access_token, granted.expires_at)

    with _making:
        # By context too: its key and clock are in the token's making.
        token = _tokens.setdefault((id(context), iss, client_id), SharedToken(fetch, context.now))
    return FhirClient(iss, token)
