"""Reading an EHR's SMART configuration, also a broken or hostile one."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from smart_launch.discovery import discover
from smart_launch.errors import DiscoveryFailed
from smart_launch.standalone_launch import begin_standalone_launch
from tests.smart_launch.conftest import Told

WELL_KNOWN = "/fhir/.well-known/smart-configuration"


def configuration(**changes: Any) -> dict[str, Any]:
    base = {
        "issuer": "https://ehr.example",
        "jwks_uri": "https://ehr.example/jwks",
        "authorization_endpoint": "https://ehr.example/authorize",
        "token_endpoint": "https://ehr.example/token",
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid"],
        "capabilities": ["launch-ehr"],
    }
    return {key: value for key, value in {**base, **changes}.items() if value is not None}


def statement() -> dict[str, Any]:
    uris = [
        {"url": "authorize", "valueUri": "https://old.example/authorize"},
        {"url": "token", "valueUri": "https://old.example/token"},
    ]
    url = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
    return {
        "resourceType": "CapabilityStatement",
        "rest": [{"security": {"extension": [{"url": url, "extension": uris}]}}],
    }


def test_the_smart_configuration_says_where_to_go(told: Told) -> None:
    told.answer(WELL_KNOWN, configuration())
    found = discover(f"{told.base}/fhir/")
    assert found.iss == f"{told.base}/fhir"
    assert found.authorization_endpoint == "https://ehr.example/authorize"
    assert found.token_endpoint == "https://ehr.example/token"
    assert (found.issuer, found.jwks_uri) == ("https://ehr.example", "https://ehr.example/jwks")
    assert found.capabilities == ("launch-ehr",)


def test_an_ehr_without_one_is_read_from_its_capability_statement(told: Told) -> None:
    told.answer("/fhir/metadata", statement())
    told.answer(
        "/fhir/.well-known/openid-configuration",
        {"issuer": "https://old.example", "jwks_uri": "https://old.example/jwks"},
    )
    found = discover(f"{told.base}/fhir")
    assert found.token_endpoint == "https://old.example/token"
    assert (found.issuer, found.jwks_uri) == ("https://old.example", "https://old.example/jwks")


def test_an_ehr_of_the_first_smart_version_has_its_keys_in_openid_discovery(told: Told) -> None:
    told.answer(WELL_KNOWN, configuration(issuer=None, jwks_uri=None))
    told.answer(
        "/fhir/.well-known/openid-configuration",
        {"issuer": "https://old.example", "jwks_uri": "https://old.example/jwks"},
    )
    found = discover(f"{told.base}/fhir")
    assert (found.issuer, found.jwks_uri) == ("https://old.example", "https://old.example/jwks")


def test_what_else_the_ehr_offers_is_read(told: Told) -> None:
    told.answer(
        WELL_KNOWN,
        configuration(
            revocation_endpoint="https://ehr.example/revoke",
            introspection_endpoint="https://ehr.example/introspect",
            token_endpoint_auth_methods_supported=["client_secret_post"],
            token_endpoint_auth_signing_alg_values_supported=["ES384"],
            authorization_response_iss_parameter_supported=True,
        ),
    )
    found = discover(f"{told.base}/fhir")
    assert found.revocation_endpoint == "https://ehr.example/revoke"
    assert found.introspection_endpoint == "https://ehr.example/introspect"
    assert found.auth_methods == ("client_secret_post",)
    assert found.signing_algorithms == ("ES384",)
    assert found.answers_with_iss


@pytest.mark.parametrize("name", ["jwks_uri", "revocation_endpoint", "introspection_endpoint"])
def test_every_address_in_it_must_be_a_web_address(told: Told, name: str) -> None:
    told.answer(WELL_KNOWN, configuration(**{name: "file:///etc/passwd"}))
    with pytest.raises(DiscoveryFailed, match=name):
        discover(f"{told.base}/fhir")


def test_an_older_ehr_that_says_nothing_of_pkce_is_sent_the_challenge_all_the_same(
    told: Told,
) -> None:
    told.answer("/fhir/metadata", statement())
    url, pending = begin_standalone_launch(
        discover(f"{told.base}/fhir"), client_id="c", redirect_uri="https://a.example/", scope="s"
    )
    asked = parse_qs(urlsplit(url).query)
    assert asked["code_challenge_method"] == ["S256"]
    digest = hashlib.sha256(pending.code_verifier.encode()).digest()
    assert asked["code_challenge"] == [base64.urlsafe_b64encode(digest).rstrip(b"=").decode()]


def test_an_ehr_without_openid_connect_has_no_issuer(told: Told) -> None:
    told.answer("/fhir/metadata", statement())
    assert discover(f"{told.base}/fhir").issuer is None


def test_an_outage_does_not_lead_to_the_weaker_description(told: Told) -> None:
    told.answer(WELL_KNOWN, {}, status=503)
    told.answer("/fhir/metadata", statement())
    with pytest.raises(DiscoveryFailed, match="HTTP 503"):
        discover(f"{told.base}/fhir")
    assert told.paths == [WELL_KNOWN]


@pytest.mark.parametrize("methods", [None, [], ["plain"], "S256", {"S256": True}, [["S256"]]])
def test_pkce_with_s256_must_be_offered(told: Told, methods: Any) -> None:
    told.answer(WELL_KNOWN, configuration(code_challenge_methods_supported=methods))
    with pytest.raises(DiscoveryFailed, match="S256"):
        discover(f"{told.base}/fhir")


@pytest.mark.parametrize("missing", ["authorization_endpoint", "token_endpoint"])
def test_a_missing_endpoint_is_named(told: Told, missing: str) -> None:
    told.answer(WELL_KNOWN, configuration(**{missing: None}))
    with pytest.raises(DiscoveryFailed, match=missing):
        discover(f"{told.base}/fhir")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "/authorize", "ftp://ehr.example/a", "https:", 7, ["https://x"]]
)
def test_an_endpoint_that_is_no_web_address_is_refused(told: Told, url: Any) -> None:
    told.answer(WELL_KNOWN, configuration(authorization_endpoint=url))
    with pytest.raises(DiscoveryFailed, match="authorization_endpoint"):
        discover(f"{told.base}/fhir")


def test_an_https_ehr_may_not_lead_to_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "smart_launch.discovery.get_json",
        lambda url, iss: configuration(token_endpoint="http://ehr.example/token"),
    )
    with pytest.raises(DiscoveryFailed, match="token_endpoint is not an https URL"):
        discover("https://ehr.example/fhir")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b"[" * 100_000, b"{}" + b" " * (1 << 20)],
    ids=["empty", "html", "array", "null", "nested", "a megabyte"],
)
def test_an_answer_that_is_no_configuration_is_refused(told: Told, body: bytes) -> None:
    told.answer(WELL_KNOWN, body)
    with pytest.raises(DiscoveryFailed, match="can't be read"):
        discover(f"{told.base}/fhir")


@pytest.mark.parametrize(
    "body",
    [
        {"rest": None},
        {"rest": [None, {"security": []}, {"security": {"extension": [{}, 3]}}]},
        {"rest": "x"},
        {},
    ],
)
def test_a_capability_statement_without_endpoints_says_so(told: Told, body: Any) -> None:
    told.answer("/fhir/metadata", body)
    with pytest.raises(DiscoveryFailed, match="no authorization_endpoint"):
        discover(f"{told.base}/fhir")


def test_lists_that_are_no_lists_are_taken_as_empty(told: Told) -> None:
    told.answer(WELL_KNOWN, configuration(scopes_supported="openid", capabilities={"a": 1}))
    found = discover(f"{told.base}/fhir")
    assert (found.scopes_supported, found.capabilities) == ((), ())


def test_nothing_there_says_so() -> None:
    with pytest.raises(DiscoveryFailed, match="can't be read"):
        discover("http://127.0.0.1:1/fhir")


def test_a_server_that_trickles_is_given_up(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smart_launch.http.DEADLINE_S", -1.0)
    told.answer(WELL_KNOWN, configuration())
    with pytest.raises(DiscoveryFailed, match="took longer"):
        discover(f"{told.base}/fhir")
