"""The workers' connection to each tenant's EHR."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock
from typing import Literal

from app.context import Context
from app.granted import scope_for
from app.store import Tenant
from app.tenant_clients import TenantMisconfigured, registered_client
from fhir.access_token import AccessToken, SharedToken
from fhir.capability import Capabilities, read_capabilities
from fhir.client import FhirClient
from smart_launch.backend_service import BackendToken, backend_token
from smart_launch.client_authentication import PublicClient
from smart_launch.discovery import discover

# What the service itself signs in for: its daily work, or reading a population.
Purpose = Literal["backend", "population"]

_tokens: dict[tuple[int, str, str, Purpose], SharedToken] = {}
_making = Lock()

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


def backend_client(context: Context, tenant: Tenant, purpose: Purpose = "backend") -> FhirClient:
    """A client that signs in as the service itself.

    Its token is kept while it lasts, and shared by all threads of this process.
    """

    def fetch() -> AccessToken:
        granted = new_backend_token(context, tenant, purpose)
        return AccessToken(granted.access_token, granted.expires_at)

    # By context too: its key and clock are in the token's making.
    key = (id(context), tenant.iss, tenant.backend_client_id, purpose)
    with _making:
        token = _tokens.setdefault(key, SharedToken(fetch, context.now))
    return FhirClient(tenant.iss, token)


def new_backend_token(
    context: Context, tenant: Tenant, purpose: Purpose = "backend"
) -> BackendToken:
    """Raises LaunchRefused: the EHR can't be discovered, or the client gets no token."""
    client = registered_client(context, tenant, "backend")
    if isinstance(client.authentication, PublicClient):
        raise TenantMisconfigured(f"The backend client of {tenant.id} needs a key or a secret.")
    configuration = discover(tenant.iss)
    return backend_token(
        configuration.token_endpoint,
        iss=configuration.iss,
        client_id=client.client_id,
        client=client.authentication,
        scope=scope_for(tenant, purpose, configuration),
        now=context.now(),
    )
