"""Telling the EHR that a token is no longer needed (RFC 7009)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from smart_launch.client_authentication import ClientAuthentication
from smart_launch.discovery import SmartConfiguration
from smart_launch.errors import RevocationFailed
from smart_launch.http import NoAnswer, post_for_status

TokenKind = Literal["refresh_token", "access_token"]


def revoke(
    configuration: SmartConfiguration,
    token: str,
    kind: TokenKind,
    *,
    client_id: str,
    client: ClientAuthentication,
    now: datetime,
) -> None:
    """Ends `token` at the EHR; one that it does not know counts as ended.

    Raises:
        RevocationFailed: the EHR offers no revocation, did not answer, or refused.
    """
    endpoint = configuration.revocation_endpoint
    if endpoint is None:
        raise RevocationFailed("The EHR offers no revocation of tokens.")
    authenticated = client.token_request(client_id, configuration.token_endpoint, now)
    form = {"token": token, "token_type_hint": kind, **authenticated.form}
    try:
        status = post_for_status(endpoint, form, iss=configuration.iss, **authenticated.options)
    except NoAnswer as error:
        raise RevocationFailed(f"The EHR's revocation endpoint failed: {error}.") from None
    if status != 200:
        raise RevocationFailed(f"The EHR did not revoke the token: HTTP {status}.")
