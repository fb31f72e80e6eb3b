"""An EHR whose authorization server is not ours: panva's certified oidc-provider, on Node."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "oidc_provider"

SECRET = "a-secret for synthetic people with: + & %"


@dataclass(frozen=True)
class OidcEhr:
    """Where it answers; patient `5` is there, and practitioner `77` signs in."""

    base: str

    @property
    def iss(self) -> str:
        return f"{self.base}/fhir"


def code_client(client_id: str, method: str, redirect_uri: str, **more: Any) -> dict[str, Any]:
    """A registration for the code flow, in the words of RFC 7591."""
    secret = {"client_secret": SECRET} if method.startswith("client_secret") else {}
    return {
        "client_id": client_id,
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
        **secret,
        **more,
    }


def backend_registration(client_id: str, **more: Any) -> dict[str, Any]:
    """A registration for backend services."""
    return {
        "client_id": client_id,
        "redirect_uris": [],
        "grant_types": ["client_credentials"],
        "response_types": [],
        "token_endpoint_auth_method": "private_key_jwt",
        **more,
    }


@contextmanager
def oidc_ehr(port: int, clients: Sequence[dict[str, Any]]) -> Iterator[OidcEhr]:
    """Runs it with these registrations."""
    if not (_FOLDER / "node_modules").is_dir():
        raise RuntimeError("oidc-provider is not installed: run `make test-setup`")
    process = subprocess.Popen(
        ["node", "server.mjs"],
        cwd=_FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None, "it is a pipe"
    assert process.stdout is not None, "it is a pipe"
    try:
        process.stdin.write(json.dumps({"port": port, "clients": list(clients)}))
        process.stdin.close()
        for line in process.stdout:
            if line.strip() == "ready":
                break
        else:
            assert process.stderr is not None, "it is a pipe"
            raise RuntimeError(f"oidc-provider did not start: {process.stderr.read()[-800:]}")
        yield OidcEhr(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(timeout=10)
