"""Backend services: a token for the workers, no person signed in (SMART 2.2, 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from joserfc.jwk import ECKey, RSAKey

from smart_launch.client_authentication import KeyClient
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
    key: RSAKey | ECKey,
    scope: str,
    now: datetime,
    algorithm: Literal["RS384", "ES384"] = "RS384",
) -> BackendToken:
    """Asks the EHR at `iss` for a token with an assertion signed by `key`.

    Raises:
        TokenRefused: unreachable, or the assertion or scope was not accepted.
    """
    token = request_token(
        token_endpoint,
        {"grant_type": "client_credentials", "scope": scope},
        iss=iss,
        client_id=client_id,
        client=KeyClient(key, algorithm),
        now=now,
    )
    return BackendToken(token["access_token"], expires_at(token, now), granted_scope(token, scope))
