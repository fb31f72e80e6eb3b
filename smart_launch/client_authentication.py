"""How the app proves to a token endpoint which client it is (SMART 2.2, 2.2; RFC 6749, 2.3).

A public client names itself and relies on PKCE. A confidential one adds a shared secret
(`client_secret_basic`, `client_secret_post`) or signs an assertion with its own key
(`private_key_jwt`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

# The specification allows five minutes at most.
_ASSERTION_LIFETIME = timedelta(minutes=4)


@dataclass(frozen=True)
class TokenRequest:
    """What authentication adds to a token request: form fields and HTTP options."""

    form: dict[str, str] = field(repr=False)
    options: dict[str, Any]


@dataclass(frozen=True)
class PublicClient:
    """No secret; PKCE alone ties the code to us."""

    def token_request(self, client_id: str, token_endpoint: str, now: datetime) -> TokenRequest:
        return TokenRequest({"client_id": client_id}, {})


@dataclass(frozen=True)
class SecretClient:
    """`client_secret_basic`: HTTP Basic, both parts form-encoded first (RFC 6749, 2.3.1).

    A space goes as `%20`: servers that decode forms and those that only undo percent signs both
    read it, whereas `+` is read by the former alone.
    """

    secret: str = field(repr=False)

    def token_request(self, client_id: str, token_endpoint: str, now: datetime) -> TokenRequest:
        return TokenRequest({}, {"auth": (quote(client_id, safe=""), quote(self.secret, safe=""))})


@dataclass(frozen=True)
class SecretPostClient:
    """`client_secret_post`: the secret as a field of the form, for servers that take no Basic."""

    secret: str = field(repr=False)

    def token_request(self, client_id: str, token_endpoint: str, now: datetime) -> TokenRequest:
        return TokenRequest({"client_id": client_id, "client_secret": self.secret}, {})


@dataclass(frozen=True)
class KeyClient:
    """`private_key_jwt` with a key whose public half, under the same `kid`, the EHR knows."""

    key: RSAKey | ECKey = field(repr=False)
    algorithm: Literal["RS384", "ES384"] = "RS384"

    def token_request(self, client_id: str, token_endpoint: str, now: datetime) -> TokenRequest:
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": token_endpoint,
            "iat": int(now.timestamp()),
            "exp": int((now + _ASSERTION_LIFETIME).timestamp()),
            "jti": str(uuid4()),
        }
        header = {"alg": self.algorithm, "typ": "JWT", "kid": self.key.kid}
        assertion = jwt.encode(header, claims, self.key, algorithms=[self.algorithm])
        return TokenRequest(
            {
                "client_id": client_id,
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": assertion,
            },
            {},
        )


ClientAuthentication = PublicClient | SecretClient | SecretPostClient | KeyClient
