"""The applications registered with the sandbox, as its administrator would have entered them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion

from smart_launch.sandbox.access import covered, v1_part

_READABLE = (
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Condition",
    "Coverage",
    "Organization",
    "CarePlan",
    "ServiceRequest",
    "Goal",
    "Observation",
    "Encounter",
)
_WRITABLE = (
    "CarePlan",
    "ServiceRequest",
    "Goal",
    "Observation",
    "QuestionnaireResponse",
    "Provenance",
    "Device",
    "DocumentReference",
    "Communication",
    "Consent",
)
_CODE_FLOW = ("authorization_code", "refresh_token")
_ENDPOINTS = ("token", "revocation", "introspection")


@dataclass(frozen=True)
class Client(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """A registered application.

    It authenticates with its `client_secret`, or with a key from its `jwks` or `jwks_uri`, or
    not at all where it has none of them.
    """

    client_id: str
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    scope: str
    jwks_uri: str | None = None
    jwks: Mapping[str, Any] | None = None
    client_secret: str | None = field(default=None, repr=False)
    secret_method: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    v1_scopes_only: bool = False

    @property
    def authentication(self) -> str:
        """Authlib's name of the method."""
        if self.jwks_uri or self.jwks:
            method: str = JWTBearerClientAssertion.CLIENT_AUTH_METHOD
            return method
        return self.secret_method if self.client_secret else "none"

    @property
    def is_for_patients(self) -> bool:
        """Whether patients, rather than practitioners, sign in to it."""
        return "launch" not in self.scope.split() and "launch/patient" in self.scope.split()

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str | None:
        return self.redirect_uris[0] if self.redirect_uris else None

    def get_allowed_scope(self, scope: str | None) -> str:
        allowed = covered(scope or "", self.scope)
        return v1_part(allowed) if self.v1_scopes_only else allowed

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        own = self.client_secret
        return own is not None and secrets.compare_digest(own.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint in _ENDPOINTS and method == self.authentication

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grant_types


def homestretch_clients(app_url: str, tenant_id: str) -> tuple[Client, ...]:
    """The application's three registrations; each may ask for its own scopes only."""
    user = " ".join(f"user/{name}.rs" for name in _READABLE)
    patient = " ".join(f"patient/{name}.rs" for name in _READABLE)
    system = " ".join(f"system/{name}.cruds" for name in (*_WRITABLE, "Patient", "Practitioner"))
    system += " system/Condition.rs system/Coverage.rs"
    return (
        Client(
            "homestretch-clinician",
            (f"{app_url}/launch/callback/{tenant_id}",),
            _CODE_FLOW,
            f"openid fhirUser launch launch/patient offline_access online_access {user}",
        ),
        Client(
            "homestretch-patient",
            (f"{app_url}/portal/callback/{tenant_id}",),
            _CODE_FLOW,
            f"openid fhirUser launch/patient offline_access {patient}",
        ),
        Client(
            "homestretch-backend",
            (),
            ("client_credentials",),
            system,
            jwks_uri=f"{app_url}/.well-known/jwks.json",
        ),
    )
