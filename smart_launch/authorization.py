"""The authorization request that both kinds of launch make (SMART 2.2, 2.1.4; RFC 7636)."""

from __future__ import annotations

import secrets

from authlib.integrations.requests_client import OAuth2Session

from smart_launch.discovery import SmartConfiguration
from smart_launch.pending import PendingLaunch


def authorization_request(
    configuration: SmartConfiguration,
    *,
    client_id: str,
    redirect_uri: str,
    scope: str,
    launch: str | None,
) -> tuple[str, PendingLaunch]:
    """The URL to send the browser to, and what to keep until it comes back.

    `state`, `nonce` and the PKCE verifier have 256 bits of randomness each.
    """
    verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(32)
    session = OAuth2Session(
        client_id, redirect_uri=redirect_uri, scope=scope, code_challenge_method="S256"
    )
    parameters = {"aud": configuration.iss, "nonce": nonce}
    if launch is not None:
        parameters["launch"] = launch
    url, state = session.create_authorization_url(
        configuration.authorization_endpoint,
        state=secrets.token_urlsafe(32),
        code_verifier=verifier,
        **parameters,
    )
    return url, PendingLaunch(
        iss=configuration.iss,
        client_id=client_id,
        redirect_uri=redirect_uri,
        scope=scope,
        state=state,
        nonce=nonce,
        code_verifier=verifier,
        token_endpoint=configuration.token_endpoint,
        issuer=configuration.issuer,
        jwks_uri=configuration.jwks_uri,
        answers_with_iss=configuration.answers_with_iss,
    )
