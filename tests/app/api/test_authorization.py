"""Who may read what: tokens of the health system, their audience, scopes and patient."""

from __future__ import annotations

import base64
import hmac
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import select

from app.api.access import grant_of
from app.api.problem import FhirProblem
from app.issuers import Issuers
from app.store import Tenant
from smart_launch.access_token import TokenFacts
from smart_launch.key_sets import KeySets
from smart_launch.sandbox.authorization import SmartAuthorization
from smart_launch.sandbox.database import open_engine
from tests.app.api.readers import (
    ROSA,
    SAMUEL,
    Reader,
    facade_of,
    patient_reader,
    signed_in_reader,
    system_reader,
)
from tests.conftest import World

THERAPIST, STRANGER = "terry-alvarez", "jordan-biller"


@pytest.fixture(scope="session")
def issuers_key(record: World) -> RSAKey:
    """The private key of the authorization server, to make tokens that only it could."""
    return SmartAuthorization(record.sandbox, open_engine(record.sandbox.database)).key


def claims(record: World, **others: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": record.sandbox.issuer,
        "aud": facade_of(record),
        "sub": "warehouse",
        "client_id": "warehouse",
        "scope": "system/*.rs",
        "iat": now,
        "exp": now + 300,
        **others,
    }


def signed(key: Any, claims: dict[str, Any], **header: Any) -> str:
    head = {"alg": "RS256", "typ": "at+jwt", "kid": getattr(key, "kid", None), **header}
    head = {name: value for name, value in head.items() if value is not None}
    return jwt.encode(head, claims, key, algorithms=[head["alg"]])


def _hs256(key: RSAKey, claims: dict[str, Any]) -> str:
    """Signed with the public key for a shared secret, as one who takes `alg` on trust accepts."""
    header = {"alg": "HS256", "typ": "at+jwt", "kid": key.kid}
    parts = [json.dumps(part).encode() for part in (header, claims)]
    content = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mac = hmac.digest(key.as_pem(private=False), content, "sha256")
    return (content + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def status(record: World, token: str | None, path: str = "Observation?_count=1") -> int:
    answer = Reader(facade_of(record), token).get(path)
    if answer.status_code != 200:
        assert answer.json()["resourceType"] == "OperationOutcome"
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    return answer.status_code


# Tokens ------------------------------------------------------------------------------------------


def test_a_token_of_the_issuer_for_this_api_opens_it(record: World, issuers_key: RSAKey) -> None:
    assert status(record, signed(issuers_key, claims(record))) == 200
    both = claims(record, aud=["https://else.example", facade_of(record) + "/"])
    assert status(record, signed(issuers_key, both)) == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://else.example"},
        {"iss": None},
        {"aud": "https://else.example"},
        {"aud": None},
        {"aud": []},
        {"exp": int(time.time()) - 120},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": int(time.time()) + 3600},
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(
    record: World, issuers_key: RSAKey, wrong: dict[str, Any]
) -> None:
    content = {n: v for n, v in claims(record, **wrong).items() if v is not None}
    assert status(record, signed(issuers_key, content)) == 401


def test_a_forged_token_is_refused(record: World, issuers_key: RSAKey) -> None:
    own = RSAKey.generate_key(2048)
    forged = [
        signed(own, claims(record), kid=issuers_key.kid),
        signed(own, claims(record), kid="unknown"),
        _hs256(issuers_key, claims(record)),
        signed(issuers_key, claims(record), typ="dpop+jwt"),
        "eyJhbGciOiJub25lIn0.e30.",
        signed(issuers_key, claims(record))[:-6] + "AAAAAA",
        "a.b.c",
        "nonsense",
        "",
    ]
    assert [status(record, token) for token in forged] == [401] * len(forged)


def test_without_a_bearer_token_nothing_is_read(record: World) -> None:
    assert status(record, None) == 401
    for header in ("Basic dXNlcjpwYXNz", "Bearer", "bearer ", ""):
        answer = requests.get(
            f"{facade_of(record)}/Patient", headers={"Authorization": header}, timeout=10
        )
        assert answer.status_code == 401


def test_a_token_for_the_ehrs_own_api_opens_nothing_here(record: World) -> None:
    reader = system_reader(record, resource=record.sandbox.fhir_base)
    assert status(record, reader.token) == 401


def test_a_token_for_here_opens_nothing_at_the_ehr(record: World, system: Reader) -> None:
    answer = Reader(record.sandbox.fhir_base, system.token).get("Patient")
    assert answer.status_code == 401


def test_a_cookie_of_the_portal_opens_nothing(record: World) -> None:
    cookies = {"hs_patient": "x", "hs_clinician": "x"}
    answer = requests.get(f"{facade_of(record)}/Patient", cookies=cookies, timeout=10)
    assert answer.status_code == 401


def test_an_issuer_that_cannot_be_asked_is_a_503(own_world: Callable[..., World]) -> None:
    world = own_world(worker=False)
    with world.context.database.begin(None) as db:
        db.get_one(Tenant, world.tenant_id).iss = "http://127.0.0.1:9/fhir"
    answer = Reader(facade_of(world), "opaque").get("Patient")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert Reader(facade_of(world), None).get("metadata").status_code == 200


def test_a_rotated_key_is_known_at_once(own_world: Callable[..., World]) -> None:
    world = own_world(worker=False)
    clock = {"now": 0.0}
    world.app.extensions["homestretch_issuers"] = Issuers(KeySets(monotonic_s=lambda: clock["now"]))
    before = system_reader(world).token
    assert status(world, before) == 200
    requests.post(f"{world.sandbox.fhir_base}/_faults/rotate", timeout=10).raise_for_status()
    after = system_reader(world).token
    assert status(world, after) == 401  # the keys were read a moment ago
    clock["now"] = 60.0
    assert status(world, after) == 200
    assert status(world, before) == 401


# Scopes ------------------------------------------------------------------------------------------


def test_a_patients_token_reads_that_patient_alone(record: World, system: Reader) -> None:
    own = patient_reader(record, SAMUEL)
    assert {r["subject"]["reference"] for r in own.found("Observation")} == {f"Patient/{SAMUEL}"}
    assert [r["id"] for r in own.found("Patient")] == [SAMUEL]
    for kind in ("Observation", "CarePlan", "ServiceRequest", "Goal"):
        assert own.found(f"{kind}?patient={ROSA}") == []
        other = system.found(f"{kind}?patient={ROSA}")[0]
        for path in (f"{kind}/{other['id']}", f"{kind}/{other['id']}/_history/1"):
            assert own.get(path).status_code == 404
        assert own.found(f"{kind}?_id={other['id']}") == []
    assert own.get(f"Patient/{ROSA}").status_code == 404
    assert own.get(f"Patient/{ROSA}/$everything").status_code == 404
    assert len(own.found("Provenance")) * 2 == len(system.found("Provenance"))
    assert len(own.found("Consent")) == 1


def test_includes_do_not_leave_the_patients_record(record: World) -> None:
    own = patient_reader(record, SAMUEL)
    query = "_include=CarePlan:subject&_revinclude=Observation:based-on"
    assert ROSA not in own.get(f"CarePlan?{query}").text


def test_a_page_link_of_another_shows_only_ones_own(record: World, system: Reader) -> None:
    link = system.get("Observation?_count=2").json()["link"][1]["url"]
    found = patient_reader(record, SAMUEL).found(link)
    assert {resource["subject"]["reference"] for resource in found} == {f"Patient/{SAMUEL}"}


@pytest.mark.parametrize(
    ("scope", "search", "read"),
    [
        ("patient/*.read", 200, 200),
        ("patient/Observation.read", 200, 403),
        ("patient/Observation.rs patient/Patient.rs", 200, 200),
        ("patient/Observation.s", 200, 403),
        ("patient/Patient.r", 403, 200),
        ("patient/*.write", 403, 403),
        ("patient/*.cud", 403, 403),
        ("", 403, 403),
    ],
)
def test_scopes_of_both_versions_say_what_is_allowed(
    record: World, scope: str, search: int, read: int
) -> None:
    own = patient_reader(record, SAMUEL, scope)
    assert status(record, own.token, "Observation") == search
    assert status(record, own.token, f"Patient/{SAMUEL}") == read


@pytest.mark.parametrize(
    "scope",
    [
        "system/Observation.rs?code=72514-3",
        "system/Observation.rs?category=survey&status=final",
        "system/Observation.rs?category=survey&category=activity",
        "system/Observation.rs?category=",
        "system/Observation.rs?category:not=survey",
        "system/*.rs?category=survey",
        "system/Patient.rs?category=survey",
    ],
)
def test_a_scope_constrained_by_what_is_not_honoured_is_refused_and_named(
    record: World, issuers_key: RSAKey, scope: str
) -> None:
    token = signed(issuers_key, claims(record, scope=scope))
    answer = Reader(facade_of(record), token).get("Observation")
    assert answer.status_code == 403
    assert scope in answer.json()["issue"][0]["details"]["text"]
    assert "insufficient_scope" in answer.headers["WWW-Authenticate"]


CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"


def of_category(resource: dict[str, Any], code: str) -> bool:
    return any(c["code"] == code for each in resource["category"] for c in each["coding"])


@pytest.fixture
def surveys(record: World, issuers_key: RSAKey) -> Reader:
    """A client that may read what patients reported, and nothing that was measured."""
    scope = f"system/Patient.rs system/Observation.rs?category={CATEGORIES}|survey"
    return Reader(facade_of(record), signed(issuers_key, claims(record, scope=scope)))


@pytest.mark.parametrize(
    "query", ["survey", f"{CATEGORIES}|survey", CATEGORIES.replace("/", "%2F") + "%7Csurvey"]
)
def test_a_scope_of_a_category_finds_that_category_only(
    record: World, issuers_key: RSAKey, system: Reader, query: str
) -> None:
    scope = f"system/Observation.rs?category={query}"
    reader = Reader(facade_of(record), signed(issuers_key, claims(record, scope=scope)))
    every = system.found("Observation")
    expected = {each["id"] for each in every if of_category(each, "survey")}
    assert 0 < len(expected) < len(every)
    assert {each["id"] for each in reader.found("Observation")} == expected
    assert reader.get("Observation?_summary=count").json()["total"] == len(expected)
    assert reader.found("Observation?category=activity") == []
    two = f"{scope},activity system/Observation.r?category=nothing"
    both = Reader(facade_of(record), signed(issuers_key, claims(record, scope=two)))
    assert len(both.found("Observation")) == len(every)


def test_no_way_leads_to_another_category(system: Reader, surveys: Reader) -> None:
    measured = next(o for o in system.found("Observation") if of_category(o, "activity"))
    reported = next(o for o in system.found("Observation") if of_category(o, "survey"))
    assert surveys.get(f"Observation/{reported['id']}").status_code == 200
    version = measured["meta"].get("versionId", "1")
    for path in (
        f"Observation/{measured['id']}",
        f"Observation/{measured['id']}/_history/{version}",
    ):
        assert surveys.get(path).status_code == 404
    assert surveys.found(f"Observation?_id={measured['id']}") == []
    patient = measured["subject"]["reference"].removeprefix("Patient/")
    for path in (
        f"Patient/{patient}/$everything",
        f"Patient?_id={patient}&_revinclude=Observation:subject",
        "Observation?_include=Observation:has-member",
    ):
        entries = surveys.get(path).json()["entry"]
        found = [e["resource"] for e in entries if e["resource"]["resourceType"] == "Observation"]
        assert found
        assert all(of_category(each, "survey") for each in found)


def test_what_gives_every_observation_needs_a_scope_for_all(surveys: Reader) -> None:
    headers = {"Prefer": "respond-async"}
    refused = surveys.get("$export?_type=Observation", headers=headers)
    assert refused.status_code == 403
    assert "selection only" in refused.json()["issue"][0]["details"]["text"]
    assert surveys.get("$export?_type=Patient", headers=headers).status_code == 202


def test_a_category_of_all_adds_to_everything_of_one_patient() -> None:
    scope = "patient/Observation.rs system/Observation.cruds?category=survey"
    grant = grant_of("t", TokenFacts(scope, "c", SAMUEL, None), knows_practitioner=False)
    reach = grant.reach("Observation", "r")
    assert reach.patients is None

    def observation(patient: str, category: str) -> dict[str, Any]:
        return {
            "resourceType": "Observation",
            "subject": {"reference": f"Patient/{patient}"},
            "category": [{"coding": [{"system": CATEGORIES, "code": category}]}],
        }

    assert reach.covers(observation(SAMUEL, "activity"))
    assert reach.covers(observation(ROSA, "survey"))
    assert not reach.covers(observation(ROSA, "activity"))
    with pytest.raises(FhirProblem, match="do not allow"):
        grant.reach("Observation", "c")
    assert grant.whole_reach("Observation", "r").patients == frozenset({SAMUEL})


def test_a_practitioner_known_here_reads_every_patient(record: World) -> None:
    reader = signed_in_reader(record, THERAPIST, "openid fhirUser user/*.rs", "dashboard")
    assert len(reader.found("Patient")) == 2


def test_a_practitioner_who_was_never_here_reads_nothing(record: World) -> None:
    reader = signed_in_reader(record, STRANGER, "openid fhirUser user/*.rs", "dashboard")
    assert reader.get("Patient").status_code == 403


def test_a_patient_with_user_scopes_reads_the_own_record(record: World) -> None:
    reader = signed_in_reader(record, ROSA, "openid fhirUser user/*.rs")
    assert [patient["id"] for patient in reader.found("Patient")] == [ROSA]


def test_patient_scopes_without_a_patient_give_nothing() -> None:
    for patient in (None, 7, "../x", ""):
        facts = TokenFacts("patient/*.rs", "c", patient, None)
        grant = grant_of("t", facts, knows_practitioner=False)
        with pytest.raises(FhirProblem, match="do not allow"):
            grant.reach("Observation", "r")


# Health systems ----------------------------------------------------------------------------------


def test_one_health_systems_token_opens_no_other(
    own_world: Callable[..., World], record: World
) -> None:
    world = own_world(worker=False)
    with world.context.database.begin(None) as db:
        first = db.scalars(select(Tenant)).one()
        # The same EHR under another name: the tokens differ in nothing but their audience.
        db.add(
            Tenant(
                id="second",
                name="Second",
                iss=first.iss.replace("127.0.0.1", "localhost"),
                clinician_client_id="c",
                portal_client_id="p",
                backend_client_id="b",
                time_zone="UTC",
            )
        )
    mine = system_reader(world)
    assert mine.get("Patient").status_code == 200
    assert Reader(facade_of(world, "second"), mine.token).get("Patient").status_code == 401
    theirs = system_reader(world, resource=facade_of(world, "second"))
    assert Reader(facade_of(world, "second"), theirs.token).found("Observation") == []
    assert theirs.get("Patient").status_code == 401
    assert Reader(facade_of(world, "third"), mine.token).get("Patient").status_code == 404


def test_no_patient_is_named_in_the_log(
    record: World, system: Reader, capfd: pytest.CaptureFixture[str], caplog: Any
) -> None:
    caplog.set_level(logging.CRITICAL, "werkzeug")  # the test's own server logs URLs
    system("POST", "Observation/_search", data={"patient": SAMUEL, "date": "nonsense"})
    system("POST", "Observation/_search", data={"patient": SAMUEL})
    system.get(f"Patient/{ROSA}?_format=xml")
    assert SAMUEL not in "".join(capfd.readouterr())
    assert "Brandt" not in caplog.text
