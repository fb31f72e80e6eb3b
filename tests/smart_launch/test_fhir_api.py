"""The sandbox's R4 API over HTTP: what a FHIR client may rely on, and what it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smart_launch.sandbox.outcome import FhirProblem
from smart_launch.sandbox.validation import validate
from tests.fhir.r4 import r4_issues
from tests.smart_launch.conftest import Rest
from tests.smart_launch.test_store import bundle, goal, plan, post

AtOnce = Callable[[list[Callable[[], Any]]], list[Any]]


def test_a_resource_is_created_read_changed_and_kept_in_its_versions(rest: Rest) -> None:
    created = rest("POST", "/Goal", goal())
    assert created.status_code == 201
    resource = created.json()
    place = f"/Goal/{resource['id']}"
    assert created.headers["Location"].endswith(f"{place}/_history/1")
    assert created.headers["ETag"] == 'W/"1"'
    changed = rest("PUT", place, {**resource, "description": {"text": "run"}}, If_Match='W/"1"')
    assert (changed.status_code, changed.headers["ETag"]) == (200, 'W/"2"')
    assert rest("GET", place).json()["description"]["text"] == "run"
    assert rest("GET", f"{place}/_history/1").json()["description"]["text"] == "walk"
    history = rest("GET", f"{place}/_history").json()
    assert [entry["request"]["method"] for entry in history["entry"]] == ["PUT", "POST"]
    assert r4_issues([resource, history]) == []


def test_a_change_of_what_somebody_else_changed_is_a_conflict(rest: Rest) -> None:
    resource = rest("POST", "/Goal", goal()).json()
    place = f"/Goal/{resource['id']}"
    assert rest("PUT", place, resource, If_Match='W/"1"').status_code == 200
    stale = rest("PUT", place, resource, If_Match='W/"1"')
    assert stale.status_code == 412
    assert stale.json()["resourceType"] == "OperationOutcome"
    assert rest("PUT", place, resource, If_Match="one").status_code == 400


def test_of_many_changes_at_once_to_one_version_one_wins(rest: Rest, at_once: AtOnce) -> None:
    resource = rest("POST", "/Goal", goal()).json()
    place = f"/Goal/{resource['id']}"
    answers = at_once([lambda: rest("PUT", place, resource, If_Match='W/"1"')] * 5)
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]


def test_a_conditional_create_sent_many_times_at_once_makes_one(
    rest: Rest, at_once: AtOnce
) -> None:
    def send() -> Any:
        return rest("POST", "/Goal", goal(value="once"), If_None_Exist="identifier=urn:test|once")

    answers = at_once([send] * 6)
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert rest("GET", "/Goal?identifier=urn:test|once").json()["total"] == 1


def test_a_deleted_resource_is_gone_and_its_history_stays(rest: Rest) -> None:
    place = f"/Goal/{rest('POST', '/Goal', goal()).json()['id']}"
    assert rest("DELETE", place).status_code == 204
    assert rest("GET", place).status_code == 410
    assert rest("GET", f"{place}/_history/1").status_code == 200


def test_pages_lead_through_every_match_once(rest: Rest) -> None:
    for number in range(7):
        rest("POST", "/Goal", goal(value=f"g{number}"))
    seen: list[str] = []
    url: str | None = "/Goal?patient=ada-okafor&_count=3"
    while url is not None:
        page = rest("GET", url).json()
        assert page["total"] == 7
        seen += [entry["resource"]["identifier"][0]["value"] for entry in page["entry"]]
        following = [link["url"] for link in page["link"] if link["relation"] == "next"]
        url = following[0].removeprefix(rest.base) if following else None
    assert sorted(seen) == [f"g{number}" for number in range(7)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Patient?identifier=https://sandbox.example/mrn|SYN-0001", ["ada-okafor"]),
        ("Patient?identifier=SYN-0001", ["ada-okafor"]),
        ("Patient?identifier=urn:other|SYN-0001", []),
        ("Patient?family=okaf", ["ada-okafor"]),
        ("Patient?birthdate=1952-03-14", ["ada-okafor"]),
        ("Patient?_id=ada-okafor,rosa-delgado&gender=female&family=okafor", ["ada-okafor"]),
        ("Coverage?beneficiary=Patient/ada-okafor", ["ada-okafor-coverage"]),
        ("Encounter?patient=ada-okafor&status=in-progress", ["ada-okafor-encounter"]),
        ("PractitionerRole?practitioner=Practitioner/terry-alvarez", ["terry-alvarez-role"]),
    ],
)
def test_the_parameters_that_we_use_find_what_they_should(
    rest: Rest, query: str, found: list[str]
) -> None:
    entries = rest("GET", f"/{query}").json().get("entry", [])
    assert [entry["resource"]["id"] for entry in entries] == found


@pytest.mark.parametrize(
    "query",
    [
        "Goal?colour=red",
        "Goal?_sort=colour",
        "Goal?_count=-1",
        "Goal?_count=many",
        "Goal?start-date=someday",
        "Goal?start-date=zz2026",
    ],
)
def test_a_search_that_is_not_understood_is_refused_and_not_widened(rest: Rest, query: str) -> None:
    answer = rest("GET", f"/{query}")
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_a_search_of_an_unknown_type_is_404(rest: Rest) -> None:
    assert rest("GET", "/Moonwalk").status_code == 404


def test_a_transaction_sent_again_changes_nothing(rest: Rest) -> None:
    def entry(resource: dict[str, Any], url: str) -> dict[str, Any]:
        sent = post(resource, url)
        value = resource["identifier"][0]["value"]
        sent["request"]["ifNoneExist"] = f"identifier=urn:test|{value}"
        return sent

    sent = bundle(entry(goal(value="a"), "urn:uuid:a"), entry(goal(value="b"), "urn:uuid:b"))
    first, second = rest("POST", "", sent).json(), rest("POST", "", sent).json()
    assert [e["response"]["status"] for e in first["entry"]] == ["201 Created"] * 2
    assert [e["response"]["status"] for e in second["entry"]] == ["200 OK"] * 2
    assert [e["response"]["location"] for e in first["entry"]] == [
        e["response"]["location"] for e in second["entry"]
    ]
    assert r4_issues([first]) == []


def _with_duplicate(sent: dict[str, Any]) -> None:
    sent["entry"].append(sent["entry"][0])


def _get(sent: dict[str, Any]) -> None:
    sent["entry"].append({"request": {"method": "GET", "url": "Goal/1"}})


def _dangling(sent: dict[str, Any]) -> None:
    sent["entry"].append(post(plan("urn:uuid:nothing"), "urn:uuid:p"))


def _invalid(sent: dict[str, Any]) -> None:
    sent["entry"].append(post({**goal(value="x"), "lifecycleStatus": "activ"}, "urn:uuid:x"))


@pytest.mark.parametrize("spoil", [_with_duplicate, _get, _dangling, _invalid])
def test_a_transaction_with_one_bad_entry_leaves_nothing(
    rest: Rest, spoil: Callable[[dict[str, Any]], None]
) -> None:
    sent = bundle(post(goal(value="whole"), "urn:uuid:g"))
    spoil(sent)
    assert rest("POST", "", sent).status_code in (400, 422)
    assert rest("GET", "/Goal?identifier=urn:test|whole").json()["total"] == 0


def test_only_transactions_are_taken_at_the_base(rest: Rest) -> None:
    assert rest("POST", "", {"resourceType": "Bundle", "type": "batch"}).status_code == 400


# Validation on the way in ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"lifecycleStatus": "activ"}, "lifecycleStatus"),
        ({"lifecycleStatus": None}, "lifecycleStatus"),
        ({"subject": {}}, "subject"),
        ({"target": []}, "target"),
        ({"colour": "red"}, "colour"),
        ({"startDate": "tomorrow"}, "startDate"),
        ({"description": "plain text"}, "description"),
        ({"subject": {"reference": "Patient/with a space"}}, "reference"),
    ],
    ids=str,
)
def test_an_invalid_resource_is_refused_with_the_place(
    rest: Rest, change: dict[str, Any], place: str
) -> None:
    answer = rest("POST", "/Goal", {**goal(), **change})
    assert answer.status_code == 422
    assert place in answer.text


def test_a_reference_to_nothing_is_refused(rest: Rest) -> None:
    answer = rest("POST", "/Goal", goal("nobody-at-all"))
    assert answer.status_code == 422
    assert "does not exist" in answer.text


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["status", "subject", "identifier", "code", "extension", "text", "x"]),
        _JSON,
    ),
    st.sampled_from(["Observation", "CarePlan", "Goal", "Patient", "Provenance", "Nothing"]),
)
def test_whatever_json_comes_is_valid_or_explained(elements: dict[str, Any], name: str) -> None:
    problem = _refusal({"resourceType": name, **elements})
    if problem is not None:
        assert problem.status in (400, 422)
        assert all(text for _, text, _ in problem.issues)


def _refusal(resource: dict[str, Any]) -> FhirProblem | None:
    try:
        validate(resource)
    except FhirProblem as problem:
        return problem
    return None


def test_a_body_that_is_too_deep_is_refused(rest: Rest) -> None:
    deep = b'{"resourceType": "Goal", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert rest("POST", "/Goal", deep).status_code in (400, 422)
