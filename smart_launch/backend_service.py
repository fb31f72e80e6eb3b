"""Backend services: a token for the workers, no person signed in (SMART 2.2, 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from smart_launch.client_authentication import KeyClient, SecretClient, SecretPostClient
from smart_launch.token_endpoint import expires_at, granted_scope, request_token


@dataclass(frozen=True)
class BackendToken:
    """A bearer token for `system/` scopes."""

    access_token: str = field(repr=False)
    expires_at: datetime
    scope: str


def backend_token(
    token_endpoint: str,
    *,
    iss: str,
    client_id: str,
    client: KeyClient | SecretClient | SecretPostClient,
    scope: str,
    now: datetime,
) -> BackendToken:
    """Asks the EHR at `iss` for a token as the service itself.

    SMART asks for a key; some EHRs give their system accounts a secret instead.

    Raises:
        TokenRefused: unreachable, or the client or scope was not accepted.
    """
    token = request_token(
        token_endpoint,
        {"grant_type": "client_credentials", "scope": scope},
        iss=iss,
        client_id=client_id,
        client=client,
        now=now,
    )
    return BackendToken(token["access_token"], expires_at(token, now), granted_scope(token, scope))
