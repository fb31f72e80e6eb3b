"""Asking a token endpoint, and reading its answer with suspicion (RFC 6749, 5)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from smart_launch.client_authentication import ClientAuthentication
from smart_launch.errors import TokenRefused
from smart_launch.http import NoAnswer, post_form

# Where the EHR does not say: SMART recommends short tokens.
_UNSAID_LIFETIME_S = 300.0
_LONGEST_LIFETIME_S = 24 * 3600.0


def request_token(
    token_endpoint: str,
    form: Mapping[str, str],
    *,
    iss: str,
    client_id: str,
    client: ClientAuthentication,
    now: datetime,
) -> dict[str, Any]:
    """The token response of the EHR at `iss`, with a bearer `access_token` that is a string.

    Raises:
        TokenRefused: unreachable, an error answer, or no bearer token in it.
    """
    authenticated = client.token_request(client_id, token_endpoint, now)
    try:
        status, document = post_form(
            token_endpoint, {**form, **authenticated.form}, iss=iss, **authenticated.options
        )
    except NoAnswer as error:
        raise TokenRefused(f"The EHR's token endpoint failed: {error}.") from None
    token = document.get("access_token")
    if status != 200 or not isinstance(token, str) or not token:
        why = document.get("error_description") or document.get("error") or f"HTTP {status}"
        raise TokenRefused(f"The EHR gave no token: {str(why)[:200]}")
    if str(document.get("token_type", "bearer")).lower() != "bearer":
        raise TokenRefused("The EHR gave a token of a kind other than bearer.")
    return document


def expires_at(token: Mapping[str, Any], now: datetime) -> datetime:
    """When the access token ends: at most a day from `now`, whatever the EHR says."""
    try:
        lifetime_s = float(token.get("expires_in", _UNSAID_LIFETIME_S))
    except (TypeError, ValueError):
        lifetime_s = _UNSAID_LIFETIME_S
    if math.isnan(lifetime_s):
        lifetime_s = _UNSAID_LIFETIME_S
    return now + timedelta(seconds=min(max(0.0, lifetime_s), _LONGEST_LIFETIME_S))


def granted_scope(token: Mapping[str, Any], asked: str) -> str:
    """What was granted; an EHR that leaves `scope` out granted what was asked (RFC 6749, 5.1)."""
    scope = token.get("scope")
    return scope if isinstance(scope, str) else asked
