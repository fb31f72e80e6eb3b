"""Asking a tenant's live EHR what will work there and what will not, each with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal

from app.context import Context
from app.ehr import backend_client, new_backend_token
from app.granted import ESSENTIAL, Audience, notes, scope_for, wanted
from app.store import Tenant
from app.tenant_clients import (
    CLIENTS,
    ClientName,
    TenantMisconfigured,
    client_algorithm,
    client_method,
    registered_client,
)
from fhir.client import FhirError
from smart_launch.backend_service import BackendToken
from smart_launch.discovery import SmartConfiguration, discover, read_capability_statement
from smart_launch.errors import IntrospectionFailed, LaunchRefused
from smart_launch.http import NoAnswer
from smart_launch.introspection import introspect
from smart_launch.key_sets import KeySets
from smart_launch.scopes import Level, offered_version, parse_grant

State = Literal["works", "limited", "fails"]

_PERSONAL: tuple[Level, ...] = ("user", "patient")
_SYSTEM: tuple[Level, ...] = ("system",)
_PRACTICE = (
    "name",
    "npi",
    "tax_id",
    "taxonomy",
    "address",
    "contact_name",
    "contact_phone",
    "submitter_id",
    "device_regulatory_basis",
)


@dataclass(frozen=True)
class Finding:
    """`what` works, works in part, or fails, and `why`."""

    state: State
    what: str
    why: str


@dataclass(frozen=True)
class Checked:
    """All findings, and per resource type what the EHR says may be done."""

    findings: tuple[Finding, ...]
    resources: dict[str, list[str]]

    @property
    def works(self) -> bool:
        """Nothing fails that the main work needs."""
        return all(finding.state != "fails" for finding in self.findings)


def check_tenant(context: Context, tenant: Tenant) -> Checked:
    """Probes the EHR over the network and keeps what was found with the tenant."""
    checked = _checked(context, tenant)
    with context.database.begin(None) as db:
        row = db.get_one(Tenant, tenant.id)
        row.capabilities = {
            "resources": checked.resources,
            "findings": [asdict(finding) for finding in checked.findings],
        }
        row.checked_at = context.now()
    return checked


def _checked(context: Context, tenant: Tenant) -> Checked:
    try:
        configuration = discover(tenant.iss)
    except LaunchRefused as error:
        return Checked((Finding("fails", "SMART configuration", str(error)),), {})
    statement_findings, resources = _statement(tenant)
    findings = [
        *_smart(configuration),
        *(_client(context, tenant, configuration, name) for name in CLIENTS),
        *_scopes(tenant, configuration),
        *_endings(configuration),
        *statement_findings,
        *_backend(context, tenant, configuration),
        *_ours(context, tenant),
    ]
    return Checked(tuple(findings), resources)


def _smart(configuration: SmartConfiguration) -> Iterator[Finding]:
    if configuration.source == "smart-configuration":
        yield Finding("works", "SMART configuration", "read; PKCE with S256 is offered")
    else:
        why = "there is none; the CapabilityStatement says less and nothing of PKCE"
        yield Finding("limited", "SMART configuration", why)
    for capability, what in (
        ("launch-ehr", "launch from the chart"),
        ("launch-standalone", "patients and billing staff sign in"),
    ):
        if capability in configuration.capabilities:
            yield Finding("works", what, f"{capability} is listed")
        else:
            yield Finding("limited", what, f"{capability} is not listed; it may fail")
    yield _identity(configuration)
    if configuration.answers_with_iss:
        yield Finding("works", "answers name the EHR", "RFC 9207")
    else:
        why = "not by RFC 9207; its own callback address tells it apart"
        yield Finding("works", "answers name the EHR", why)


def _identity(configuration: SmartConfiguration) -> Finding:
    what = "who signed in (OpenID Connect)"
    if configuration.issuer is None or configuration.jwks_uri is None:
        return Finding("fails", what, "the EHR names no issuer or no keys")
    try:
        keys = KeySets().keys(configuration.jwks_uri, configuration.iss)
    except (NoAnswer, ValueError) as error:
        return Finding("fails", what, f"the keys can't be read: {error}")
    return Finding("works", what, f"{len(keys)} usable key{'s' if len(keys) > 1 else ''}")


def _client(
    context: Context, tenant: Tenant, configuration: SmartConfiguration, name: ClientName
) -> Finding:
    what, method = f"client {name}", client_method(tenant, name)
    try:
        registered_client(context, tenant, name)
    except TenantMisconfigured as error:
        return Finding("fails", what, str(error))
    offered = set(configuration.auth_methods)
    if "client-public" in configuration.capabilities:
        offered.add("none")
    if configuration.auth_methods and method not in offered:
        return Finding("fails", what, f"{method} is not offered, but {', '.join(sorted(offered))}")
    if method != "private_key_jwt":
        return Finding("works", what, method)
    algorithm = client_algorithm(tenant, name)
    if configuration.signing_algorithms and algorithm not in configuration.signing_algorithms:
        others = ", ".join(configuration.signing_algorithms)
        return Finding("fails", what, f"{algorithm} is not offered, but {others}")
    return Finding("works", what, f"{method}, {algorithm}")


def _scopes(tenant: Tenant, configuration: SmartConfiguration) -> Iterator[Finding]:
    version = tenant.scopes.get("version") or offered_version(configuration)
    audiences: tuple[Audience, ...] = ("clinician", "patient", "biller")
    for audience in audiences:
        grant = parse_grant(scope_for(tenant, audience, configuration))
        lacking = [
            access.resource_type
            for access in wanted(audience).accesses
            if grant.extent(access.resource_type, access.permissions, _PERSONAL) == "none"
        ]
        what = f"scopes of the {audience}"
        if set(lacking) & set(ESSENTIAL):
            yield Finding("fails", what, f"{version}; the EHR does not offer {', '.join(lacking)}")
        elif lacking:
            yield Finding("limited", what, f"{version}; {' '.join(notes(audience, lacking))}")
        else:
            yield Finding("works", what, f"{version}; all that is asked for is offered")
        if audience == "clinician":
            lasting = {"offline_access", "online_access"} & grant.words
            why = "a refresh token is asked for" if lasting else "no refresh token is offered"
            yield Finding("works" if lasting else "limited", "staying signed in at the EHR", why)


def _endings(configuration: SmartConfiguration) -> Iterator[Finding]:
    if configuration.revocation_endpoint:
        yield Finding("works", "sign-out ends the EHR's tokens", "revocation is offered")
    else:
        yield Finding("limited", "sign-out ends the EHR's tokens", "they end by themselves only")


def _statement(tenant: Tenant) -> tuple[list[Finding], dict[str, list[str]]]:
    what = "CapabilityStatement"
    try:
        statement = read_capability_statement(tenant.iss)
    except NoAnswer as error:
        return [Finding("fails", what, str(error))], {}
    version = str(statement.get("fhirVersion", "none"))
    state: State = "works" if version.startswith("4.0") else "fails"
    findings = [Finding(state, what, f"FHIR {version}")]
    rest = _server_rest(statement)
    resources = {
        str(resource.get("type")): _codes(resource.get("interaction"))
        for resource in _objects(rest.get("resource"))
    }
    for access in wanted("backend").accesses:
        name = access.resource_type
        if "create" in resources.get(name, ()):
            findings.append(Finding("works", f"write {name}", "create is listed"))
        else:
            why = "; ".join(["create is not listed", *notes("backend", [name])])
            findings.append(Finding("limited", f"write {name}", why))
    if "transaction" in _codes(rest.get("interaction")):
        findings.append(Finding("works", "write in one transaction", "transaction is listed"))
    else:
        why = "transaction is not listed, and programs are sent in one"
        findings.append(Finding("limited", "write in one transaction", why))
    return findings, resources


def _backend(
    context: Context, tenant: Tenant, configuration: SmartConfiguration
) -> Iterator[Finding]:
    what = "workers' token"
    try:
        token = new_backend_token(context, tenant)
    except LaunchRefused as error:
        yield Finding("fails", what, str(error))
        return
    grant = parse_grant(token.scope)
    lacking = [
        access.resource_type
        for access in wanted("backend").accesses
        if grant.extent(access.resource_type, access.permissions, _SYSTEM) != "all"
    ]
    if lacking:
        yield Finding("limited", what, f"given, but not for all of {', '.join(lacking)}")
    else:
        yield Finding("works", what, "given, with all scopes that were asked for")
    try:
        list(islice(backend_client(context, tenant).search("CarePlan", {"_count": "1"}), 1))
    except FhirError as error:
        yield Finding("fails", "read CarePlan with it", str(error))
    else:
        yield Finding("works", "read CarePlan with it", "a search answered")
    yield _introspection(context, tenant, configuration, token)


def _introspection(
    context: Context, tenant: Tenant, configuration: SmartConfiguration, token: BackendToken
) -> Finding:
    what = "introspection of tokens"
    client = registered_client(context, tenant, "backend")
    try:
        told = introspect(
            configuration,
            token.access_token,
            client_id=client.client_id,
            client=client.authentication,
            now=context.now(),
        )
    except IntrospectionFailed as error:
        return Finding("limited", what, str(error))
    if told.active:
        return Finding("works", what, "the EHR knows the token that it gave")
    return Finding("limited", what, "the EHR calls the token that it just gave not active")


def _ours(context: Context, tenant: Tenant) -> Iterator[Finding]:
    what = "shown in the EHR's frame"
    if not tenant.frame_ancestors:
        yield Finding("limited", what, "no frame_ancestors are set; it opens in a window only")
    elif not context.settings.is_https:
        why = "HOMESTRETCH_PUBLIC_URL is not https, so other sites' frames keep no cookie"
        yield Finding("limited", what, why)
    else:
        yield Finding("works", what, ", ".join(tenant.frame_ancestors))
    lacking = [name for name in _PRACTICE if not tenant.practice.get(name)]
    if lacking:
        yield Finding("limited", "claims", f"practice lacks {', '.join(lacking)}")
    else:
        yield Finding("works", "claims", "the practice's data are there")


def _server_rest(statement: dict[str, Any]) -> dict[str, Any]:
    for rest in _objects(statement.get("rest")):
        if rest.get("mode", "server") == "server":
            return rest
    return {}


def _codes(interactions: object) -> list[str]:
    return [str(item.get("code")) for item in _objects(interactions)]


def _objects(value: object) -> list[dict[str, Any]]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []
