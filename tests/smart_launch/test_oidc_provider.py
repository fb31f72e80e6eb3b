"""The whole client against an authorization server that nobody here wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests
from joserfc.jwk import RSAKey
from sqlalchemy import select

from app.demo.browser import Browser, DemoFailed
from app.person_token import open_token, person_client, seal_token
from app.store import SignInRow, Tenant
from app.tenant_check import check_tenant
from smart_launch.backend_service import backend_token
from smart_launch.client_authentication import (
    ClientAuthentication,
    KeyClient,
    PublicClient,
    SecretClient,
    SecretPostClient,
)
from smart_launch.discovery import discover
from smart_launch.ehr_launch import begin_ehr_launch
from smart_launch.errors import TokenRefused
from smart_launch.exchange import LaunchContext, complete_launch, refresh
from smart_launch.introspection import introspect
from smart_launch.pending import PendingLaunch
from smart_launch.revocation import revoke
from tests.app.launching import set_tenant, sign_in_row
from tests.conftest import World, free_port
from tests.smart_launch.conftest import BACKEND_EC_KEY, BACKEND_KEY
from tests.smart_launch.oidc_ehr import SECRET, OidcEhr, backend_registration, code_client, oidc_ehr

CALLBACK = "http://127.0.0.1:9/launch/callback/other"
SCOPE = "openid fhirUser launch user/Patient.r"
KEYS = {"keys": [BACKEND_KEY.as_dict(private=False), BACKEND_EC_KEY.as_dict(private=False)]}
STRANGER = RSAKey.generate_key(2048, {"kid": "backend-rsa"})


@pytest.fixture(scope="module")
def ehr() -> Iterator[OidcEhr]:
    clients = [
        code_client("public", "none", CALLBACK),
        code_client("basic", "client_secret_basic", CALLBACK),
        code_client("post", "client_secret_post", CALLBACK),
        code_client("key", "private_key_jwt", CALLBACK, jwks=KEYS),
        backend_registration("workers", jwks=KEYS),
    ]
    with oidc_ehr(free_port(), clients) as running:
        yield running


@dataclass(frozen=True)
class Registered:
    """A client as it is registered there."""

    client_id: str
    client: ClientAuthentication


EVERY_KIND = pytest.mark.parametrize(
    "registered",
    [
        Registered("public", PublicClient()),
        Registered("basic", SecretClient(SECRET)),
        Registered("post", SecretPostClient(SECRET)),
        Registered("key", KeyClient(BACKEND_KEY)),
        Registered("key", KeyClient(BACKEND_EC_KEY, "ES384")),
    ],
    ids=["none", "client_secret_basic", "client_secret_post", "RS384", "ES384"],
)


def now() -> datetime:
    return datetime.now(UTC)


def answer_of(ehr: OidcEhr, client_id: str) -> tuple[PendingLaunch, dict[str, str]]:
    """A launch up to the server's answer."""
    url, pending = begin_ehr_launch(
        discover(ehr.iss), launch="5", client_id=client_id, redirect_uri=CALLBACK, scope=SCOPE
    )
    browser = requests.Session()
    while not url.startswith(CALLBACK):
        step = browser.get(url, allow_redirects=False, timeout=10)
        assert step.is_redirect, step.text
        url = urljoin(url, step.headers["Location"])
    return pending, dict(parse_qsl(urlsplit(url).query))


def launched(ehr: OidcEhr, registered: Registered) -> LaunchContext:
    pending, answer = answer_of(ehr, registered.client_id)
    return complete_launch(pending, answer, now(), client=registered.client)


@EVERY_KIND
def test_every_kind_of_client_launches_refreshes_and_signs_out(
    ehr: OidcEhr, registered: Registered
) -> None:
    context = launched(ehr, registered)
    assert (context.patient, context.fhir_user) == ("5", "Practitioner/77")
    assert (context.intent, context.need_patient_banner) == ("prescribe", False)
    renewed = refresh(context, now(), client=registered.client)
    assert renewed.access_token != context.access_token
    assert renewed.refresh_token != context.refresh_token
    configuration = discover(ehr.iss)
    options = {"client_id": registered.client_id, "client": registered.client, "now": now()}
    assert introspect(configuration, renewed.access_token, **options).active  # type: ignore[arg-type]
    revoke(configuration, str(renewed.refresh_token), "refresh_token", **options)  # type: ignore[arg-type]
    with pytest.raises(TokenRefused):
        refresh(renewed, now(), client=registered.client)


def test_a_refresh_token_that_comes_twice_ends_the_sign_in(ehr: OidcEhr) -> None:
    registered = Registered("public", PublicClient())
    first = launched(ehr, registered)
    second = refresh(first, now())
    with pytest.raises(TokenRefused):
        refresh(first, now())
    with pytest.raises(TokenRefused):
        refresh(second, now())


@pytest.mark.parametrize(
    "client",
    [PublicClient(), SecretClient("wrong"), KeyClient(STRANGER)],
    ids=["none", "wrong secret", "stranger's key"],
)
def test_a_client_that_does_not_prove_itself_gets_no_token(
    ehr: OidcEhr, client: ClientAuthentication
) -> None:
    pending, answer = answer_of(ehr, "basic")
    with pytest.raises(TokenRefused):
        complete_launch(pending, answer, now(), client=client)


def test_the_server_holds_us_to_our_verifier(ehr: OidcEhr) -> None:
    pending, answer = answer_of(ehr, "public")
    with pytest.raises(TokenRefused):
        complete_launch(replace(pending, code_verifier="x" * 60), answer, now())


def test_the_server_names_itself_and_we_hold_it_to_that(ehr: OidcEhr) -> None:
    pending, answer = answer_of(ehr, "public")
    assert pending.answers_with_iss
    assert answer["iss"] == ehr.base


@pytest.mark.parametrize(
    "client", [KeyClient(BACKEND_KEY), KeyClient(BACKEND_EC_KEY, "ES384")], ids=["RS384", "ES384"]
)
def test_the_workers_get_a_token_with_a_key(ehr: OidcEhr, client: KeyClient) -> None:
    configuration = discover(ehr.iss)
    token = backend_token(
        configuration.token_endpoint,
        iss=ehr.iss,
        client_id="workers",
        client=client,
        scope="system/Observation.crus",
        now=now(),
    )
    assert token.scope == "system/Observation.crus"


def test_the_service_signs_a_clinician_in_there(make_world: Callable[..., World]) -> None:
    world = make_world(worker=False)
    app = world.places.app
    jwks_uri = f"{app}/.well-known/jwks.json"
    callback = f"{app}/launch/callback/prairie"
    clients = [
        code_client("clinician", "private_key_jwt", callback, jwks_uri=jwks_uri),
        code_client("portal", "client_secret_post", f"{app}/portal/callback/prairie"),
        backend_registration("workers", jwks_uri=jwks_uri),
    ]
    with oidc_ehr(free_port(), clients) as ehr:
        key = {"method": "private_key_jwt", "algorithm": "ES384"}
        sealed = world.context.vault.seal({"secret": SECRET}).decode()
        tenant = set_tenant(
            world,
            iss=ehr.iss,
            clinician_client_id="clinician",
            portal_client_id="portal",
            backend_client_id="workers",
            client_auth={
                "clinician": key,
                "portal": {"method": "client_secret_post", "secret": {"sealed": sealed}},
                "backend": key,
            },
        )
        browser = Browser()
        page = browser.get(f"{app}/launch?iss={ehr.iss}&launch=5")
        assert page.url == f"{app}/chart/prescribe"  # the EHR's intent
        assert "Mara Lindqvist" in browser.get(f"{app}/chart").text
        assert "--ground:#f4f1ea" in browser.get(f"{app}/ehr-colours/clinician.css").text
        first = _token_ends(world)
        reading = person_client(world.context, tenant, sign_in_row(world).id)
        assert reading.read("Patient/5")["id"] == "5"
        assert open_token(world.context, sign_in_row(world)).refresh_token != first.refresh_token
        patient = Browser()
        page = patient.get(f"{app}/portal/launch/prairie")
        assert "Hello, Mara" in page.text
        rows = {f.what: f.state for f in check_tenant(world.context, tenant).findings}
        assert rows["workers' token"] == "works"
        assert rows["introspection of tokens"] == "works"
        assert rows["write CarePlan"] == "limited"
        _signs_out(world, browser, tenant)


def _token_ends(world: World) -> LaunchContext:
    """The clinician's access token is kept as one that has ended."""
    with world.context.database.begin(world.tenant_id) as db:
        row = db.get_one(SignInRow, sign_in_row(world).id)
        token = replace(open_token(world.context, row), expires_at=now())
        row.token_sealed = seal_token(world.context, token)
    return token


def _signs_out(world: World, browser: Browser, tenant: Tenant) -> None:
    chart = browser.get(f"{world.places.app}/chart")
    with world.context.database.begin(tenant.id) as db:
        row = db.scalars(select(SignInRow).where(SignInRow.role == "clinician")).one()
        token = open_token(world.context, row)
    page = browser.submit(chart, {}, form=chart.text.count("<form") - 1)
    assert "has ended our access as well" in page.text
    with pytest.raises(DemoFailed, match="401"):
        browser.get(f"{world.places.app}/chart")
    answer = requests.get(
        f"{tenant.iss}/Patient/5",
        headers={"Authorization": f"Bearer {token.access_token}"},
        timeout=10,
    )
    assert answer.status_code == 401
