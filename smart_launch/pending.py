"""An authorization request under way, kept on the server until its answer comes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class PendingLaunch:
    """All that is needed to check and complete the answer. Never leaves the server.

    `answers_with_iss`: the EHR promises to name itself in its answer (RFC 9207).
    """

    iss: str
    client_id: str
    redirect_uri: str
    scope: str
    state: str
    nonce: str
    code_verifier: str = field(repr=False)
    token_endpoint: str
    issuer: str | None
    jwks_uri: str | None
    answers_with_iss: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        return cls(**document)
