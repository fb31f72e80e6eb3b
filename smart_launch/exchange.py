"""Completing a launch: the code for a token, and the token's context (SMART 2.2, 2.1.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from smart_launch.client_authentication import ClientAuthentication, PublicClient
from smart_launch.errors import InvalidIdToken, LaunchRefused, TokenRefused
from smart_launch.id_token import Identity, verify_id_token
from smart_launch.key_sets import KeySets
from smart_launch.pending import PendingLaunch
from smart_launch.token_endpoint import expires_at, granted_scope, request_token

# The id type of FHIR R4. What it does not match could climb out of a URL's path.
_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")

_PUBLIC = PublicClient()


@dataclass(frozen=True)
class LaunchContext:
    """What the EHR granted. `expires_at` is when the access token ends.

    `name` is the signed-in person's, where the id_token has it.
    """

    iss: str
    client_id: str
    token_endpoint: str
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime
    scope: str
    fhir_user: str | None
    patient: str | None
    encounter: str | None
    need_patient_banner: bool
    intent: str | None
    smart_style_url: str | None = None
    name: str | None = None


def complete_launch(
    pending: PendingLaunch,
    answer: Mapping[str, str],
    now: datetime,
    *,
    client: ClientAuthentication = _PUBLIC,
    key_sets: KeySets | None = None,
) -> LaunchContext:
    """Checks the browser's `answer`, exchanges its code, and verifies who signed in.

    That a `pending` is used once and not too late is the caller's part: it holds the store.
    `key_sets` keeps the EHRs' keys from launch to launch; without it they are fetched.

    Raises:
        LaunchRefused: the EHR answered an error, or the state or issuer is not this request's.
        TokenRefused: the code was not accepted, no bearer token came, or its context is no
            FHIR id.
        InvalidIdToken: see `verify_id_token`; or the id_token is missing although asked for.
    """
    _check_answer(pending, answer)
    token = request_token(
        pending.token_endpoint,
        {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": pending.redirect_uri,
            "code_verifier": pending.code_verifier,
        },
        iss=pending.iss,
        client_id=pending.client_id,
        client=client,
        now=now,
    )
    who = _signed_in(pending, token, now, key_sets or KeySets())
    return LaunchContext(
        iss=pending.iss,
        client_id=pending.client_id,
        token_endpoint=pending.token_endpoint,
        access_token=token["access_token"],
        refresh_token=_refresh_token(token),
        expires_at=expires_at(token, now),
        scope=granted_scope(token, pending.scope),
        fhir_user=who.fhir_user if who else None,
        patient=_fhir_id(token, "patient"),
        encounter=_fhir_id(token, "encounter"),
        need_patient_banner=token.get("need_patient_banner") is not False,
        intent=_text(token, "intent"),
        smart_style_url=_text(token, "smart_style_url"),
        name=who.name if who else None,
    )


def refresh(
    context: LaunchContext, now: datetime, *, client: ClientAuthentication = _PUBLIC
) -> LaunchContext:
    """A new access token; the refresh token rotates where the EHR rotates it.

    Raises:
        TokenRefused: no refresh token, it is no longer accepted, or the answer names another
            patient than the one signed in for.
    """
    if context.refresh_token is None:
        raise TokenRefused("The sign-in has ended. Launch again from the EHR.")
    token = request_token(
        context.token_endpoint,
        {"grant_type": "refresh_token", "refresh_token": context.refresh_token},
        iss=context.iss,
        client_id=context.client_id,
        client=client,
        now=now,
    )
    if _fhir_id(token, "patient") not in (None, context.patient):
        raise TokenRefused("The EHR changed the patient of this sign-in. Launch again.")
    return replace(
        context,
        access_token=token["access_token"],
        refresh_token=_refresh_token(token) or context.refresh_token,
        expires_at=expires_at(token, now),
        scope=granted_scope(token, context.scope),
    )


def _check_answer(pending: PendingLaunch, answer: Mapping[str, str]) -> None:
    if answer.get("state") != pending.state:
        raise LaunchRefused("This answer does not belong to the launch that was begun here.")
    # RFC 9207: one EHR's code must not be carried to another EHR's token endpoint.
    named = answer.get("iss")
    if named is None and pending.answers_with_iss:
        raise LaunchRefused("This answer does not say which EHR it comes from.")
    if named is not None and named != (pending.issuer or pending.iss):
        raise LaunchRefused("This answer comes from another EHR than the launch began at.")
    if "error" in answer:
        why = answer.get("error_description") or answer["error"]
        raise LaunchRefused(f"The EHR refused the launch: {why[:200]}")
    if not answer.get("code"):
        raise LaunchRefused("The EHR sent no authorization code.")


def _signed_in(
    pending: PendingLaunch, token: Mapping[str, Any], now: datetime, key_sets: KeySets
) -> Identity | None:
    """Who signed in; None where that was not asked for."""
    if "openid" not in pending.scope.split():
        return None
    if not (pending.issuer and pending.jwks_uri and isinstance(token.get("id_token"), str)):
        raise InvalidIdToken("The EHR did not say who signed in (no id_token).")
    return verify_id_token(
        token["id_token"],
        iss=pending.iss,
        issuer=pending.issuer,
        client_id=pending.client_id,
        nonce=pending.nonce,
        jwks_uri=pending.jwks_uri,
        now=now,
        key_sets=key_sets,
    )


def _fhir_id(token: Mapping[str, Any], name: str) -> str | None:
    value = token.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _FHIR_ID.fullmatch(value):
        raise TokenRefused(f"The EHR's {name} in the launch context is not a FHIR id.")
    return value


def _refresh_token(token: Mapping[str, Any]) -> str | None:
    return _text(token, "refresh_token")


def _text(token: Mapping[str, Any], name: str) -> str | None:
    value = token.get(name)
    return value if isinstance(value, str) and value else None
