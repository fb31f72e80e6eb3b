"""How we authenticate at each tenant's EHR, by the tenant's settings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from app.context import Context
from app.signing_keys import Algorithm, SigningKeyMissing, key_to_sign
from app.store import Tenant
from smart_launch.client_authentication import (
    ClientAuthentication,
    KeyClient,
    PublicClient,
    SecretClient,
    SecretPostClient,
)
from smart_launch.errors import LaunchRefused
from smart_launch.token_vault import VaultError

ClientName = Literal["clinician", "portal", "backend"]
CLIENTS: tuple[ClientName, ...] = ("clinician", "portal", "backend")

_DEFAULT_METHOD: dict[ClientName, str] = {
    "clinician": "none",
    "portal": "none",
    "backend": "private_key_jwt",
}


class TenantMisconfigured(LaunchRefused):
    """The tenant's settings do not let us authenticate; the message holds no secret."""


@dataclass(frozen=True)
class RegisteredClient:
    """One of our registrations at a tenant's EHR."""

    client_id: str
    authentication: ClientAuthentication


def callback_path(tenant_id: str, name: ClientName) -> str:
    """Where the EHR's answer comes back; to be registered there, after our public URL."""
    return f"/{'portal' if name == 'portal' else 'launch'}/callback/{tenant_id}"


def client_method(tenant: Tenant, name: ClientName) -> str:
    """`none`, `client_secret_basic`, `client_secret_post` or `private_key_jwt`."""
    return str(tenant.client_auth.get(name, {}).get("method", _DEFAULT_METHOD[name]))


def client_algorithm(tenant: Tenant, name: ClientName) -> Algorithm:
    """What a `private_key_jwt` is signed with."""
    algorithm: Algorithm = tenant.client_auth.get(name, {}).get("algorithm", "RS384")
    return algorithm


def client_id(tenant: Tenant, name: ClientName) -> str:
    return {
        "clinician": tenant.clinician_client_id,
        "portal": tenant.portal_client_id,
        "backend": tenant.backend_client_id,
    }[name]


def registered_client(context: Context, tenant: Tenant, name: ClientName) -> RegisteredClient:
    """The client and what proves it. Raises TenantMisconfigured."""
    return RegisteredClient(client_id(tenant, name), _authentication(context, tenant, name))


def _authentication(context: Context, tenant: Tenant, name: ClientName) -> ClientAuthentication:
    method = client_method(tenant, name)
    if method == "none":
        return PublicClient()
    if method == "private_key_jwt":
        algorithm = client_algorithm(tenant, name)
        try:
            key = key_to_sign(context.keys.signing, algorithm, context.now())
        except SigningKeyMissing as error:
            raise TenantMisconfigured(f"The {name} client of {tenant.id}: {error}.") from None
        return KeyClient(key, algorithm)
    secret = _secret(context, tenant, name)
    return SecretClient(secret) if method == "client_secret_basic" else SecretPostClient(secret)


def _secret(context: Context, tenant: Tenant, name: ClientName) -> str:
    """From the environment, a file, or the database, as the settings say."""
    source: dict[str, Any] = tenant.client_auth[name].get("secret", {})
    whose = f"The secret of the {name} client of {tenant.id}"
    if "env" in source:
        secret = os.environ.get(source["env"], "")
        where = f"the environment variable {source['env']}"
    elif "file" in source:
        where = f"the file {source['file']}"
        try:
            secret = Path(source["file"]).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise TenantMisconfigured(f"{whose} can't be read from {where}: {reason}.") from None
    elif "sealed" in source:
        where = "the database"
        try:
            secret = str(context.vault.open(source["sealed"].encode())["secret"])
        except VaultError as error:
            raise TenantMisconfigured(f"{whose} can't be read from {where}: {error}.") from None
    else:
        raise TenantMisconfigured(f"{whose} is not set.")
    if not secret:
        raise TenantMisconfigured(f"{whose} is empty in {where}.")
    return secret
