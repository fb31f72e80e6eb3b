"""The sandbox's R4 store: versions, conditions, transactions, compartments, OperationOutcomes."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from smart_launch.exchange import complete_launch
from smart_launch.sandbox.access import Grant, parse_scopes
from smart_launch.sandbox.config import SandboxConfig
from smart_launch.sandbox.database import open_engine
from smart_launch.sandbox.outcome import FhirProblem
from smart_launch.sandbox.search import Criteria
from smart_launch.sandbox.seed import seed
from smart_launch.sandbox.store import FhirStore
from tests.fhir.r4 import r4_issues
from tests.smart_launch.test_launch import authorize, begin, now

SYSTEM = Grant(parse_scopes("system/*.cruds"), None, None)
ADA = Grant(parse_scopes("patient/*.cruds"), "ada-okafor", "Patient/ada-okafor")


@pytest.fixture
def store(tmp_path: Any) -> FhirStore:
    store = FhirStore(open_engine(tmp_path / "ehr.db"))
    seed(store)
    return store


def goal(patient: str = "ada-okafor", value: str = "g1", text: str = "walk") -> dict[str, Any]:
    return {
        "resourceType": "Goal",
        "identifier": [{"system": "urn:test", "value": value}],
        "lifecycleStatus": "active",
        "description": {"text": text},
        "subject": {"reference": f"Patient/{patient}"},
    }


def problem(call: Any) -> FhirProblem:
    with pytest.raises(FhirProblem) as raised:
        call()
    return raised.value


def test_every_version_stays_readable(store: FhirStore) -> None:
    first = store.create(SYSTEM, goal())
    id_ = first.resource["id"]
    store.update(SYSTEM, {**goal(text="run"), "id": id_}, id_)
    assert store.read(SYSTEM, "Goal", id_).version == 2
    assert store.read(SYSTEM, "Goal", id_, 1).resource["description"]["text"] == "walk"


def test_an_update_of_an_old_version_is_a_conflict(store: FhirStore) -> None:
    id_ = store.create(SYSTEM, goal()).resource["id"]
    store.update(SYSTEM, {**goal(), "id": id_}, id_, if_match=1)
    raised = problem(lambda: store.update(SYSTEM, {**goal(), "id": id_}, id_, if_match=1))
    assert raised.status == 412


def test_a_conditional_create_makes_one(store: FhirStore) -> None:
    first = store.create(SYSTEM, goal(), "identifier=urn:test|g1")
    second = store.create(SYSTEM, goal(), "identifier=urn:test|g1")
    assert first.created
    assert not second.created
    assert first.resource["id"] == second.resource["id"]


def test_a_condition_that_matches_several_is_refused(store: FhirStore) -> None:
    store.create(SYSTEM, goal())
    store.create(SYSTEM, goal())
    raised = problem(lambda: store.create(SYSTEM, goal(), "identifier=urn:test|g1"))
    assert raised.status == 412


def bundle(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def post(resource: dict[str, Any], url: str) -> dict[str, Any]:
    return {
        "fullUrl": url,
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"]},
    }


def plan(goal_reference: str) -> dict[str, Any]:
    return {
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "plan",
        "subject": {"reference": "Patient/ada-okafor"},
        "goal": [{"reference": goal_reference}],
    }


def test_a_transaction_resolves_its_own_references(store: FhirStore) -> None:
    answer = store.transaction(
        SYSTEM, bundle(post(plan("urn:uuid:g"), "urn:uuid:p"), post(goal(), "urn:uuid:g"))
    )
    _, plan_id = answer["entry"][0]["response"]["location"].split("/")[:2]
    stored = store.read(SYSTEM, "CarePlan", plan_id).resource
    assert store.read(SYSTEM, "Goal", stored["goal"][0]["reference"].split("/")[1])


def test_a_transaction_is_all_or_nothing(store: FhirStore) -> None:
    broken = plan("Goal/does-not-exist")
    raised = problem(
        lambda: store.transaction(
            SYSTEM, bundle(post(goal(), "urn:uuid:g"), post(broken, "urn:uuid:p"))
        )
    )
    assert raised.status == 422
    assert store.search(SYSTEM, Criteria("Goal", ()), 0, 10).total == 0


def test_a_patient_grant_writes_only_its_own_compartment(store: FhirStore) -> None:
    assert store.create(ADA, goal()).created
    assert problem(lambda: store.create(ADA, goal("rosa-delgado"))).status == 403
    theirs = bundle(post(goal("rosa-delgado"), "urn:uuid:g"))
    assert problem(lambda: store.transaction(ADA, theirs)).status == 403


def test_a_patient_grant_cannot_take_over_anothers_resource(store: FhirStore) -> None:
    id_ = store.create(SYSTEM, goal("rosa-delgado")).resource["id"]
    assert problem(lambda: store.update(ADA, {**goal(), "id": id_}, id_)).status == 403
    assert problem(lambda: store.read(ADA, "Goal", id_)).status == 403
    assert problem(lambda: store.read(ADA, "Goal", id_, 1)).status == 403


def test_a_read_scope_does_not_write(store: FhirStore) -> None:
    reader = Grant(parse_scopes("user/Goal.rs"), None, None)
    assert problem(lambda: store.create(reader, goal())).status == 403


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("patient/Observation.read", "rs"),
        ("user/*.write", "cud"),
        ("system/Goal.cruds", "cruds"),
        ("user/Goal.rs openid launch/patient", "rs"),
    ],
)
def test_scopes_of_both_versions_are_understood(scope: str, expected: str) -> None:
    assert [permissions for _, _, permissions in parse_scopes(scope)] == [expected]


@pytest.mark.parametrize("scope", ["openid", "patient/goal.rs", "patient/Goal.", "Goal.read", "x"])
def test_what_is_no_resource_scope_grants_nothing(scope: str) -> None:
    assert parse_scopes(scope) == ()


def test_searches_combine_parameters_and_page(store: FhirStore) -> None:
    for n in range(5):
        store.create(SYSTEM, goal(value=f"g{n}"))
    store.create(SYSTEM, goal("rosa-delgado", value="other"))
    criteria = Criteria("Goal", (("patient", "ada-okafor"), ("lifecycle-status", "active")))
    page = store.search(SYSTEM, criteria, 2, 2)
    assert page.total == 5
    assert len(page.resources) == 2


def test_an_unknown_search_parameter_is_an_error_and_not_ignored() -> None:
    assert problem(lambda: Criteria("Goal", (("colour", "red"),))).status == 400


# Over HTTP ---------------------------------------------------------------------------------------


def token(sandbox: SandboxConfig) -> dict[str, str]:
    url, pending = begin(sandbox)
    granted = complete_launch(pending, authorize(url), now())
    return {"Authorization": f"Bearer {granted.access_token}"}


def test_every_error_is_a_valid_operation_outcome(sandbox: SandboxConfig) -> None:
    base, known = sandbox.fhir_base, token(sandbox)
    fhir = {**known, "Content-Type": "application/fhir+json"}
    text = {**known, "Content-Type": "text/plain"}
    answers = [
        requests.get(f"{base}/Patient/1", timeout=10),
        requests.get(f"{base}/Patient/1", headers={"Authorization": "Bearer x"}, timeout=10),
        requests.get(f"{base}/Patient/nobody", headers=known, timeout=10),
        requests.post(f"{base}/Goal", data="{", headers=text, timeout=10),
        requests.post(f"{base}/Goal", data="{", headers=fhir, timeout=10),
        requests.post(f"{base}/Goal", json={"resourceType": "Goal"}, headers=fhir, timeout=10),
        requests.post(f"{base}/Goal", json={"resourceType": "Patient"}, headers=fhir, timeout=10),
        requests.post(f"{base}/Goal", json=goal(), headers=fhir, timeout=10),
        requests.delete(f"{base}/Goal/1", headers=known, timeout=10),
    ]
    assert [a.status_code for a in answers] == [401, 401, 404, 415, 400, 422, 400, 403, 404]
    assert r4_issues([a.json() for a in answers]) == []
    assert all(a.json()["resourceType"] == "OperationOutcome" for a in answers)


def test_the_capability_statement_is_valid(sandbox: SandboxConfig) -> None:
    statement = requests.get(f"{sandbox.fhir_base}/metadata", timeout=10).json()
    assert r4_issues([statement]) == []


def test_an_oversized_body_is_refused_by_its_length(sandbox: SandboxConfig) -> None:
    answer = requests.post(
        f"{sandbox.fhir_base}/Goal",
        data=b" " * (9 * 1024 * 1024),
        headers={**token(sandbox), "Content-Type": "application/fhir+json"},
        timeout=10,
    )
    assert answer.status_code == 413
