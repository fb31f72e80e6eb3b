"""Asking the EHR what a token is good for (RFC 7662; SMART 2.2, 6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from smart_launch.client_authentication import ClientAuthentication
from smart_launch.discovery import SmartConfiguration
from smart_launch.errors import IntrospectionFailed
from smart_launch.http import NoAnswer, post_form


@dataclass(frozen=True)
class Introspection:
    """What the EHR says of a token; the rest is None unless `active`."""

    active: bool
    scope: str | None = None
    client_id: str | None = None
    expires_at: datetime | None = None
    patient: str | None = None
    fhir_user: str | None = None
    issuer: str | None = None
    audience: tuple[str, ...] = ()


def introspect(
    configuration: SmartConfiguration,
    token: str,
    *,
    client_id: str,
    client: ClientAuthentication,
    now: datetime,
) -> Introspection:
    """Raises IntrospectionFailed where it is not offered, or the answer is none."""
    endpoint = configuration.introspection_endpoint
    if endpoint is None:
        raise IntrospectionFailed("The EHR offers no introspection of tokens.")
    authenticated = client.token_request(client_id, configuration.token_endpoint, now)
    try:
        status, answer = post_form(
            endpoint,
            {"token": token, **authenticated.form},
            iss=configuration.iss,
            **authenticated.options,
        )
    except NoAnswer as error:
        raise IntrospectionFailed(f"The EHR's introspection endpoint failed: {error}.") from None
    if status != 200 or not isinstance(answer.get("active"), bool):
        raise IntrospectionFailed(f"The EHR does not tell about the token: HTTP {status}.")
    if not answer["active"]:
        return Introspection(active=False)
    return Introspection(
        active=True,
        scope=_text(answer, "scope"),
        client_id=_text(answer, "client_id"),
        expires_at=_instant(answer.get("exp")),
        patient=_text(answer, "patient"),
        fhir_user=_text(answer, "fhirUser"),
        issuer=_text(answer, "iss"),
        audience=_texts(answer.get("aud")),
    )


def _text(answer: dict[str, Any], name: str) -> str | None:
    value = answer.get(name)
    return value if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(each for each in values if isinstance(each, str))


def _instant(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
