"""Opaque tokens: introspected where the health system's configuration offers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.store import Tenant
from tests.app.api.readers import Reader, facade_of
from tests.conftest import World
from tests.smart_launch.conftest import Told, told  # noqa: F401  # a fixture


def offering(told: Told, world: World, **claims: Any) -> None:  # noqa: F811
    """Makes `told` the authorization server of the world's health system."""
    told.answer(
        "/fhir/.well-known/smart-configuration",
        {
            "issuer": told.base,
            "authorization_endpoint": f"{told.base}/authorize",
            "token_endpoint": f"{told.base}/token",
            "introspection_endpoint": f"{told.base}/introspect",
            "code_challenge_methods_supported": ["S256"],
            "capabilities": [],
        },
    )
    told.answer("/introspect", {"active": True, "aud": facade_of(world), **claims})
    with world.context.database.begin(None) as db:
        db.get_one(Tenant, world.tenant_id).iss = f"{told.base}/fhir"


def test_an_opaque_token_opens_what_its_scopes_say(
    own_world: Callable[..., World],
    told: Told,  # noqa: F811
) -> None:
    world = own_world(worker=False)
    offering(told, world, scope="system/Patient.rs", client_id="c")
    reader = Reader(facade_of(world), "opaque")
    assert reader.get("Patient").status_code == 200
    assert reader.get("Observation").status_code == 403
    form = told.asked[-1][1]
    assert form["token"] == "opaque"
    assert form["client_id"] == "homestretch-backend"


def test_an_opaque_token_for_another_server_opens_nothing(
    own_world: Callable[..., World],
    told: Told,  # noqa: F811
) -> None:
    world = own_world(worker=False)
    offering(told, world, scope="system/*.rs", aud=f"{told.base}/fhir")
    assert Reader(facade_of(world), "opaque").get("Patient").status_code == 401


def test_a_token_that_was_revoked_is_refused_at_once(
    own_world: Callable[..., World],
    told: Told,  # noqa: F811
) -> None:
    world = own_world(worker=False)
    offering(told, world, scope="system/*.rs")
    reader = Reader(facade_of(world), "opaque")
    assert reader.get("Patient").status_code == 200
    told.answer("/introspect", {"active": False})
    assert reader.get("Patient").status_code == 401
    told.answer("/introspect", {}, 500)
    assert reader.get("Patient").status_code == 503
