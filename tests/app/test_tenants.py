"""Registering health systems, and asking a live EHR what will work there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from joserfc.jwk import RSAKey

from app.context import Context
from app.store import Tenant
from app.tenant_check import Finding, check_tenant
from app.tenant_clients import registered_client
from app.tenant_settings import TenantRefused, add_tenant, read_settings
from smart_launch.client_authentication import SecretClient
from tests.app.launching import set_tenant
from tests.conftest import World
from tests.packaging.processes import ROOT
from tests.smart_launch.conftest import Told, told

__all__ = ["told"]  # a fixture


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(worker=False)


SECRET = "hunter2-very-secret"


def settings(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "id": "lakeside",
        "name": "Lakeside Health",
        "iss": "https://ehr.lakeside.example/fhir/",
        "time_zone": "America/Chicago",
        "clients": {
            "clinician": {
                "id": "hs-clinician",
                "method": "client_secret_basic",
                "secret": {"stored": True},
            },
            "portal": {"id": "hs-portal", "method": "none"},
            "backend": {"id": "hs-backend", "method": "private_key_jwt", "algorithm": "ES384"},
        },
        "frame_ancestors": ["https://*.lakeside.example"],
        "billing_fhir_users": ["Practitioner/b1"],
        "practice": {"name": "Lakeside", "hl7": {"sending_facility": "LAKE"}},
    }
    return {**base, **changes}


def taken(**changes: Any) -> dict[str, Any]:
    return read_settings(yaml.safe_dump(settings(**changes)))


def tenant_of(context: Context, tenant_id: str) -> Tenant:
    with context.database.begin(None) as db:
        return db.get_one(Tenant, tenant_id)


# Settings ----------------------------------------------------------------------------------------


def test_a_settings_file_becomes_a_tenant(make_world: Callable[..., World]) -> None:
    context = make_world(worker=False).context
    add_tenant(context, taken(), lambda client: SECRET)
    tenant = tenant_of(context, "lakeside")
    assert tenant.iss == "https://ehr.lakeside.example/fhir"
    assert tenant.practice["hl7"] == {"sending_facility": "LAKE"}
    client = registered_client(context, tenant, "clinician")
    assert client.authentication == SecretClient(SECRET)


def test_a_stored_secret_is_encrypted(make_world: Callable[..., World]) -> None:
    context = make_world(worker=False).context
    add_tenant(context, taken(), lambda client: SECRET)
    assert SECRET not in json.dumps(tenant_of(context, "lakeside").client_auth)


def test_a_tenant_is_changed_only_where_that_is_meant(make_world: Callable[..., World]) -> None:
    context = make_world(worker=False).context
    add_tenant(context, taken(), lambda client: SECRET)
    with pytest.raises(TenantRefused, match="--replace"):
        add_tenant(context, taken(name="Other"), lambda client: SECRET)
    add_tenant(context, taken(name="Other"), lambda client: SECRET, replace=True)
    assert tenant_of(context, "lakeside").name == "Other"


def test_one_ehr_is_one_tenants(world: World) -> None:
    iss = f"{world.sandbox.fhir_base}/"
    with pytest.raises(TenantRefused, match="registered for the tenant prairie"):
        add_tenant(world.context, taken(iss=iss), lambda client: SECRET)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"id": "../x"}, "$.id"),
        ({"id": "With Spaces"}, "$.id"),
        ({"iss": "ftp://ehr.example"}, "$.iss"),
        ({"iss": "https://user:pw@ehr.example/fhir"}, "$.iss"),
        ({"iss": "https://ehr.example/fhir?x=1"}, "$.iss"),
        ({"iss": "http://ehr.example/fhir"}, "$.iss: plain http"),
        ({"iss": "http://169.254.169.254/fhir"}, "$.iss"),
        ({"iss": "https://169.254.169.254/fhir"}, "$.iss"),
        ({"time_zone": "Mars/Olympus"}, "$.time_zone"),
        ({"frame_ancestors": ["*"]}, "$.frame_ancestors[0]"),
        ({"frame_ancestors": ["https://a.example; script-src *"]}, "$.frame_ancestors[0]"),
        ({"frame_ancestors": ["https://a.example https://b.example"]}, "$.frame_ancestors[0]"),
        ({"billing_fhir_users": ["Patient/1"]}, "$.billing_fhir_users[0]"),
        ({"scopes": {"version": "v3"}}, "$.scopes.version"),
        (
            {"alert_rules": {"mood": {"disabled": True}}},
            "$.alert_rules: watch rules: there is no kind",
        ),
        ({"alert_rules": {"missed_days": {"at_least": 0}}}, "$.alert_rules: watch rules: "),
        ({"extra": 1}, "$"),
    ],
    ids=str,
)
def test_settings_that_can_not_be_right_are_refused_with_their_place(
    change: dict[str, Any], place: str
) -> None:
    with pytest.raises(TenantRefused) as refusal:
        taken(**change)
    assert str(refusal.value).startswith(place)


@pytest.mark.parametrize(
    "client",
    [
        {"id": "c", "method": "client_secret_basic"},
        {"id": "c", "method": "client_secret_basic", "secret": SECRET},
        {"id": "c", "method": "client_secret_basic", "secret": {"value": SECRET}},
        {"id": "c", "method": "client_secret_basic", "secret": {"env": SECRET}},
        {"id": "c", "method": "none", "secret": {"stored": True}},
        {"id": "c", "method": "none", "secret": SECRET},
        {"id": "c", "method": "client_secret_post", "client_secret": SECRET},
        {"id": "c", "method": "client_secret_jwt", "secret": {"stored": True}},
        {"id": "c", "method": "none", "algorithm": "RS384"},
        {"id": "c", "method": "private_key_jwt", "algorithm": "RS256"},
        {"method": "none"},
    ],
    ids=[
        "none given",
        "in the file",
        "under another name",
        "as a variable's name",
        "for a public client",
        "in the file of a public client",
        "beside it",
        "other method",
        "algorithm for a public client",
        "weak algorithm",
        "no id",
    ],
)
def test_a_client_that_can_not_be_right_is_refused_without_showing_a_secret(
    client: dict[str, Any],
) -> None:
    clients = {**settings()["clients"], "clinician": client}
    with pytest.raises(TenantRefused) as refusal:
        taken(clients=clients)
    assert SECRET not in str(refusal.value)


def test_the_workers_client_can_not_be_public() -> None:
    clients = {**settings()["clients"], "backend": {"id": "b", "method": "none"}}
    with pytest.raises(TenantRefused, match="backend"):
        taken(clients=clients)


@pytest.mark.parametrize("text", ["", "[]", "a: [", "id: x", "\x00"])
def test_what_is_no_settings_file_is_refused(text: str) -> None:
    with pytest.raises(TenantRefused):
        read_settings(text)


def test_the_documented_example_is_good() -> None:
    page = (ROOT / "docs/tenants.md").read_text("utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    assert read_settings(example)["id"] == "lakeside"


# Checking ----------------------------------------------------------------------------------------


def found(world: World, tenant_id: str = "prairie") -> dict[str, Finding]:
    checked = check_tenant(world.context, tenant_of(world.context, tenant_id))
    return {finding.what: finding for finding in checked.findings}


def test_an_ehr_where_all_works_is_told_so_row_by_row(world: World) -> None:
    rows = found(world)
    limited = {what for what, finding in rows.items() if finding.state != "works"}
    assert limited == {"shown in the EHR's frame"}  # the tests have no https
    assert rows["workers' token"].why == "given, with all scopes that were asked for"
    assert rows["introspection of tokens"].state == "works"
    assert rows["client backend"].why == "private_key_jwt, RS384"
    tenant = tenant_of(world.context, world.tenant_id)
    assert "create" in tenant.capabilities["resources"]["CarePlan"]
    assert tenant.checked_at is not None


def test_an_older_and_narrower_ehr_is_told_with_reasons(make_world: Callable[..., World]) -> None:
    world = make_world(ehr=lambda places: {"v1_scopes_only": True})
    rows = found(world)
    assert rows["scopes of the clinician"].why.startswith("v1;")
    assert rows["workers' token"].state == "works"


def test_a_secret_that_is_missing_and_a_method_that_is_not_offered_fail(world: World) -> None:
    auth = {"method": "client_secret_basic", "secret": {"env": "NOT_SET_ANYWHERE"}}
    set_tenant(world, client_auth={"clinician": auth})
    rows = found(world)
    assert rows["client clinician"].state == "fails"
    assert "NOT_SET_ANYWHERE" in rows["client clinician"].why


def test_a_worker_that_the_ehr_does_not_know_fails_with_its_words(world: World) -> None:
    set_tenant(world, backend_client_id="nobody")
    rows = found(world)
    assert rows["workers' token"].state == "fails"
    assert "gave no token" in rows["workers' token"].why


def test_an_ehr_that_is_down_is_one_row(world: World) -> None:
    set_tenant(world, iss="http://127.0.0.1:1/fhir")
    rows = found(world)
    assert [(row.state, row.what) for row in rows.values()] == [("fails", "SMART configuration")]


def test_a_poor_ehr_is_told_what_it_lacks(world: World, told: Told) -> None:
    base = told.base
    told.answer(
        "/.well-known/smart-configuration",
        {
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "scopes_supported": ["openid", "user/Patient.read"],
        },
    )
    told.answer(
        "/metadata",
        {
            "fhirVersion": "3.0.2",
            "rest": [
                {
                    "mode": "server",
                    "resource": [
                        {"type": "Observation", "interaction": [{"code": "create"}]},
                        {"type": "CarePlan", "interaction": [{"code": "read"}]},
                        "odd",
                    ],
                }
            ],
        },
    )
    told.answer("/token", {"error": "invalid_client"}, 401)
    set_tenant(world, iss=base, practice={}, frame_ancestors=[])
    rows = found(world)
    states = {what: finding.state for what, finding in rows.items()}
    assert states["who signed in (OpenID Connect)"] == "fails"
    assert states["client clinician"] == "fails"
    assert states["CapabilityStatement"] == "fails"
    assert states["write Observation"] == "works"
    assert states["write CarePlan"] == "limited"
    assert states["workers' token"] == "fails"
    assert states["staying signed in at the EHR"] == "limited"
    assert states["sign-out ends the EHR's tokens"] == "limited"
    assert "diagnoses are missing" in rows["scopes of the clinician"].why
    assert "practice lacks name, npi" in rows["claims"].why


# The command -------------------------------------------------------------------------------------


def command(
    world: World, *arguments: str, given: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    own = world.context.settings
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "HOMESTRETCH_DATA_DIR": str(own.data_dir),
            "HOMESTRETCH_PUBLIC_URL": world.places.app,
            **environment,
        },
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_adding_says_what_to_register_and_never_the_secret(world: World, tmp_path: Path) -> None:
    file = tmp_path / "lakeside.yaml"
    file.write_text(yaml.safe_dump(settings()), "utf-8")
    done = command(world, "tenant", "add", str(file), given=f"{SECRET}\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{world.places.app}/launch/callback/lakeside" in done.stdout
    assert f"{world.places.app}/.well-known/jwks.json" in done.stdout
    listed = command(world, "tenant", "list", "--json")
    (lakeside,) = [t for t in json.loads(listed.stdout) if t["id"] == "lakeside"]
    assert lakeside["clients"]["clinician"]["secret"] == "sealed"
    lines = command(world, "tenant", "list").stdout
    assert "not checked yet" in lines
    assert SECRET not in done.stdout + listed.stdout + lines
    again = command(world, "tenant", "add", str(file), given=f"{SECRET}\n")
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1


def test_a_check_prints_a_table_and_its_exit_code_says_whether_the_main_work_can_be_done(
    world: World,
) -> None:
    done = command(world, "tenant", "check", world.tenant_id)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "works    SMART configuration" in done.stdout
    set_tenant(world, backend_client_id="nobody")
    failing = command(world, "tenant", "check")
    assert failing.returncode == 1
    assert "fails    workers' token" in failing.stdout
    assert "2 fail" not in command(world, "tenant", "list").stdout


def test_a_file_that_is_not_there_or_not_good_is_one_line(world: World, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("id: x", "utf-8")
    for file in (bad, tmp_path / "none.yaml"):
        done = command(world, "tenant", "add", str(file))
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1


def published(world: World) -> set[str]:
    """What the running server shows."""
    answer = requests.get(f"{world.places.app}/.well-known/jwks.json", timeout=10)
    return {key["kid"] for key in answer.json()["keys"]}


def test_rotating_the_keys_reaches_a_running_server(world: World) -> None:
    before = published(world)
    done = command(world, "keys", "rotate")
    assert done.returncode == 0, done.stderr
    listed = command(world, "keys", "list").stdout.splitlines()
    assert [line.split()[2] for line in listed] == ["published", "published", "signs", "signs"]
    assert before < published(world)
    assert found(world)["workers' token"].state == "works"


def test_keys_from_the_settings_are_rotated_there(world: World, tmp_path: Path) -> None:
    jwk = json.dumps(RSAKey.generate_key(2048).as_dict(private=True))
    done = command(world, "keys", "rotate", HOMESTRETCH_BACKEND_PRIVATE_KEY=jwk)
    assert done.returncode == 2
    assert "HOMESTRETCH_BACKEND_PRIVATE_KEY" in done.stderr
    unreadable = command(world, "keys", "list", HOMESTRETCH_BACKEND_PRIVATE_KEY="not a key")
    assert unreadable.returncode == 2
    assert "not a key" not in unreadable.stderr


def test_keys_that_became_known_are_replaced_at_once_and_the_workers_go_on(world: World) -> None:
    before = published(world)
    done = command(world, "keys", "rotate", "--compromised")
    assert done.returncode == 0, done.stderr
    assert published(world).isdisjoint(before)
    assert found(world)["workers' token"].state == "works"
