"""The registered health systems as lines and as JSON, without any secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from app.context import Context
from app.store import Tenant
from app.tenant_clients import CLIENTS, client_id, client_method


def tenant_lines(context: Context) -> Iterator[str]:
    """One line a tenant: id, iss, how each client authenticates, and what the last check said."""
    for tenant in _tenants(context):
        clients = " ".join(f"{name}:{client_method(tenant, name)}" for name in CLIENTS)
        yield f"{tenant.id:16} {tenant.iss}  {clients}  {_last_check(tenant)}"


def tenants_json(context: Context) -> list[dict[str, Any]]:
    """The settings by which each tenant works; of a secret, only where it comes from."""
    return [
        {
            "id": tenant.id,
            "name": tenant.name,
            "iss": tenant.iss,
            "time_zone": tenant.time_zone,
            "clients": {
                name: {
                    "id": client_id(tenant, name),
                    "method": client_method(tenant, name),
                    "secret": next(iter(tenant.client_auth.get(name, {}).get("secret", {})), None),
                }
                for name in CLIENTS
            },
            "scopes": tenant.scopes,
            "frame_ancestors": tenant.frame_ancestors,
            "billing_fhir_users": tenant.billing_fhir_users,
            "alert_rules": tenant.alert_rules,
            "checked_at": tenant.checked_at.isoformat() if tenant.checked_at else None,
            "findings": tenant.capabilities.get("findings", []),
        }
        for tenant in _tenants(context)
    ]


def _tenants(context: Context) -> list[Tenant]:
    with context.database.begin(None) as db:
        return list(db.scalars(select(Tenant).order_by(Tenant.id)))


def _last_check(tenant: Tenant) -> str:
    if tenant.checked_at is None:
        return "not checked yet"
    states = [finding["state"] for finding in tenant.capabilities["findings"]]
    return (
        f"checked {tenant.checked_at:%Y-%m-%d}: {states.count('fails')} fail, "
        f"{states.count('limited')} limited"
    )
