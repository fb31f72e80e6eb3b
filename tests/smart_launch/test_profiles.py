"""The sandbox as other kinds of EHR, and failing on purpose."""

from __future__ import annotations

import time

import pytest
import requests

from smart_launch.sandbox.config import SandboxConfig
from smart_launch.sandbox.profiles import profiles
from tests.fhir.r4 import r4_issues
from tests.smart_launch.conftest import Rest
from tests.smart_launch.test_store import bundle, goal, post

PATIENT = "Patient/samuel-brandt"


def observation(value: str = "one") -> dict[str, object]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "identifier": [{"system": "urn:test", "value": value}],
        "code": {"text": "range of motion"},
        "subject": {"reference": PATIENT},
    }


def plan() -> dict[str, object]:
    return {
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "plan",
        "subject": {"reference": PATIENT},
    }


def document() -> dict[str, object]:
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": PATIENT},
        "content": [{"attachment": {"contentType": "text/plain", "data": "aGVsbG8="}}],
    }


RESOURCES = {
    "CarePlan": plan(),
    "Goal": goal(),
    "Observation": observation(),
    "DocumentReference": document(),
}


@pytest.mark.parametrize("sandbox", sorted(profiles()), indirect=True)
def test_a_profile_does_what_its_capability_statement_says(
    sandbox: SandboxConfig, rest: Rest
) -> None:
    statement = rest("GET", "/metadata").json()
    assert r4_issues([statement]) == []
    server = statement["rest"][0]
    says = {
        entry["type"]: {interaction["code"] for interaction in entry["interaction"]}
        for entry in server["resource"]
    }
    for name, resource in RESOURCES.items():
        answer = rest("POST", f"/{name}", resource)
        assert answer.status_code == (201 if "create" in says[name] else 405)
        if answer.status_code == 201 and "update" not in says[name]:
            place = answer.headers["Location"].split("/fhir")[1].partition("/_history")[0]
            current = rest("GET", place).json()
            assert rest("PUT", place, current).status_code == 405
            assert rest("DELETE", place).status_code == 405
    interactions = {entry["code"] for entry in server.get("interaction", ())}
    answer = rest("POST", "", bundle(post(goal(value="in a bundle"), "urn:uuid:g")))
    assert answer.status_code == (200 if "transaction" in interactions else 405)


@pytest.mark.parametrize("sandbox", ["cerner-like"], indirect=True)
def test_an_unknown_condition_is_passed_over_and_the_answer_is_empty(
    sandbox: SandboxConfig, rest: Rest
) -> None:
    answers = [
        rest("POST", "/Observation", observation(), If_None_Exist="identifier=urn:test|one")
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert [answer.content for answer in answers] == [b"", b""]
    assert answers[0].headers["Location"] != answers[1].headers["Location"]


@pytest.mark.parametrize("sandbox", ["epic-like"], indirect=True)
def test_a_search_that_asks_for_too_much_is_refused(sandbox: SandboxConfig, rest: Rest) -> None:
    assert rest("GET", f"/Observation?patient={PATIENT}").status_code == 400
    assert rest("GET", f"/Observation?patient={PATIENT}&code=72514-3").status_code == 200
    assert rest("GET", f"/CarePlan?patient={PATIENT}").status_code == 200


def faults(sandbox: SandboxConfig, path: str = "", **body: object) -> requests.Response:
    return requests.post(f"{sandbox.fhir_base}/_faults{path}", json=body, timeout=5)


def test_the_next_requests_fail_as_planned_and_say_when_to_come_back(
    sandbox: SandboxConfig, rest: Rest
) -> None:
    assert faults(sandbox, status=429, count=2, retry_after_s=7).status_code == 200
    answers = [rest("GET", "/Goal") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"


def test_every_answer_comes_late_as_planned(sandbox: SandboxConfig, rest: Rest) -> None:
    faults(sandbox, latency_ms=300)
    began = time.monotonic()
    assert rest("GET", "/Goal").status_code == 200
    assert time.monotonic() - began >= 0.3


def test_writes_of_one_type_are_refused_alone_and_in_a_transaction(
    sandbox: SandboxConfig, rest: Rest
) -> None:
    faults(sandbox, refuse_writes=["CarePlan"])
    assert rest("POST", "/CarePlan", plan()).status_code == 403
    assert (
        rest("POST", "", bundle(post(goal(), "urn:uuid:g"), post(plan(), "urn:uuid:p"))).status_code
        == 403
    )
    assert rest("POST", "/Goal", goal()).status_code == 201


def test_tokens_end_at_once(sandbox: SandboxConfig, rest: Rest) -> None:
    assert rest("GET", "/Goal").status_code == 200
    assert faults(sandbox, "/expire").json()["expired"] == 1
    assert rest("GET", "/Goal").status_code == 401


def test_a_rotated_key_is_the_only_one_published(sandbox: SandboxConfig) -> None:
    def published() -> list[str]:
        keys = requests.get(f"{sandbox.base_url}/auth/jwks", timeout=5).json()["keys"]
        return [key["kid"] for key in keys]

    before = published()
    assert faults(sandbox, "/rotate").json()["kid"] not in before
    assert len(published()) == 1
    assert published() != before


@pytest.mark.parametrize(
    "plan",
    [
        {"status": 200},
        {"status": "bad"},
        {"count": -1},
        {"latency_ms": 10**9},
        {"latency_ms": -1},
        {"refuse_writes": 3},
    ],
)
def test_a_plan_that_is_none_is_refused_and_changes_nothing(
    sandbox: SandboxConfig, rest: Rest, plan: dict[str, object]
) -> None:
    assert faults(sandbox, **plan).status_code == 400
    assert rest("GET", "/Goal").status_code == 200
