"""Health systems as IT registers them: a checked YAML file becomes a tenant.

A secret is never in the file: it names an environment variable or a file, or is asked for and
kept encrypted in the database.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from jsonschema import Draft202012Validator
from sqlalchemy import select

from app.context import Context
from app.store import Tenant
from app.tenant_clients import CLIENTS
from rtm.watch import InvalidWatchRules, rules_with
from smart_launch.addresses import AddressRefused, Zone, zones_of_host

AskSecret = Callable[[str], str]


class TenantRefused(ValueError):
    """The settings can't be taken; the message says where and why, without any secret."""


def read_settings(text: str) -> dict[str, Any]:
    """The settings in YAML `text`, as `tenant_settings.schema.json` asks. Raises TenantRefused."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TenantRefused(f"not YAML: {' '.join(str(error).split())}") from None
    schema = json.loads(files(__package__).joinpath("tenant_settings.schema.json").read_text())
    for fault in Draft202012Validator(schema).iter_errors(document):
        raise TenantRefused(f"{fault.json_path}: {_without_values(fault)}")
    settings: dict[str, Any] = document
    try:
        ZoneInfo(settings["time_zone"])
    except (ZoneInfoNotFoundError, ValueError):
        raise TenantRefused(f"$.time_zone: there is no {settings['time_zone']}") from None
    _check_iss(settings["iss"])
    try:
        rules_with(settings.get("alert_rules", {}))
    except InvalidWatchRules as error:
        raise TenantRefused(f"$.alert_rules: {error}") from None
    return settings


def add_tenant(
    context: Context, settings: dict[str, Any], ask_secret: AskSecret, *, replace: bool = False
) -> Tenant:
    """Stores the tenant of checked `settings`; `ask_secret(client)` gives what is to be stored.

    Raises TenantRefused: it is there and not to be replaced, or its `iss` is another tenant's.
    """
    iss = settings["iss"].rstrip("/")
    with context.database.begin(None) as db:
        tenant = db.get(Tenant, settings["id"])
        if tenant is not None and not replace:
            raise TenantRefused(f"there is a tenant {settings['id']}; --replace changes it")
        other = db.scalar(select(Tenant.id).where(Tenant.iss == iss, Tenant.id != settings["id"]))
        if other is not None:
            raise TenantRefused(f"$.iss: it is registered for the tenant {other}")
        if tenant is None:
            tenant = Tenant(id=settings["id"])
            db.add(tenant)
        clients = settings["clients"]
        tenant.name, tenant.iss, tenant.time_zone = settings["name"], iss, settings["time_zone"]
        tenant.clinician_client_id = clients["clinician"]["id"]
        tenant.portal_client_id = clients["portal"]["id"]
        tenant.backend_client_id = clients["backend"]["id"]
        tenant.client_auth = {
            name: _client_auth(context, name, clients[name], ask_secret) for name in CLIENTS
        }
        tenant.scopes = settings.get("scopes", {})
        tenant.frame_ancestors = settings.get("frame_ancestors", [])
        tenant.population = settings.get("population", {})
        tenant.billing_fhir_users = settings.get("billing_fhir_users", [])
        tenant.practice = settings.get("practice", {})
        tenant.alert_rules = settings.get("alert_rules", {})
        tenant.capabilities, tenant.checked_at = {}, None
    return tenant


def _client_auth(
    context: Context, name: str, client: dict[str, Any], ask_secret: AskSecret
) -> dict[str, Any]:
    auth = {key: value for key, value in client.items() if key != "id"}
    if "stored" in auth.get("secret", {}):
        secret = ask_secret(name)
        if not secret:
            raise TenantRefused(f"the secret of the {name} client is empty")
        auth["secret"] = {"sealed": context.vault.seal({"secret": secret}).decode()}
    return auth


def _check_iss(iss: str) -> None:
    parts = urlsplit(iss)
    try:
        zones = zones_of_host(parts.hostname or "")
    except AddressRefused as error:
        raise TenantRefused(f"$.iss: {error}") from None
    except (OSError, ValueError):
        zones = set()  # not known here and now: `tenant check` will tell
    if parts.scheme == "http" and zones != {Zone.LOOPBACK}:
        raise TenantRefused("$.iss: plain http is for this machine's own servers; use https")


def _without_values(fault: Any) -> str:
    """The fault in words; a value that was put where a secret is named must not be shown."""
    if "secret" in fault.absolute_path:
        return "a secret is named by env or file, or asked for with `stored: true`"
    if fault.validator == "not":
        return "the method does not go with this client, or with a secret"
    return str(fault.message)
