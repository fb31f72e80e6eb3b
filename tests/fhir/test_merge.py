"""A program that goes out again changes what is ours and keeps what others wrote."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir.careplan import prescription_bundle, read_program
from fhir.merge import merged, merged_bundle
from fhir.parties import Parties
from rtm.program import Program
from rtm.protocols import draft_program, load_protocols
from tests.fhir.r4 import r4_issues
from tests.fhir.samples import NAMES, as_stored, programs

PARTIES = Parties("Patient/p1", "Practitioner/x1")


def program() -> Program:
    protocol = load_protocols()["neck_pain"]
    return draft_program(protocol, protocol.phases[0], id="p", start=date(2026, 10, 1), side="left")


def bundle(of: Program, previous: Program | None = None) -> dict[str, Any]:
    return prescription_bundle(of, PARTIES, NAMES, previous=previous)


def held(sent: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What a server holds of a bundle, by fullUrl."""
    urls = [entry["fullUrl"] for entry in sent["entry"]]
    resources = as_stored(sent)
    for resource in resources:
        resource["meta"] = {**resource.get("meta", {}), "versionId": "3", "lastUpdated": "x"}
    return dict(zip(urls, resources, strict=True))


def test_what_others_added_to_a_plan_survives_the_next_version() -> None:
    first = program()
    second = replace(first, version=2, title="Neck, second stage", exercises=first.exercises[1:])
    sent = bundle(first)
    there = held(sent)
    plan_url = sent["entry"][0]["fullUrl"]
    plan = there[plan_url]
    plan["note"] = [{"text": "Discussed with the family."}]
    plan["extension"].append({"url": "https://ehr.example/pathway", "valueCode": "B"})
    plan["identifier"].append({"system": "urn:ehr", "value": "77"})
    plan["category"].append({"coding": [{"system": "urn:ehr", "code": "rehab"}]})
    plan["careTeam"] = [{"reference": "CareTeam/9"}]
    plan["activity"].append({"detail": {"status": "scheduled", "description": "Visit"}})
    plan["activity"][1]["progress"] = [{"text": "does it well"}]
    plan["meta"]["tag"] = [{"system": "urn:ehr", "code": "reviewed"}]

    again = merged_bundle(bundle(second, first), sent, there)
    entry = again["entry"][0]
    found = entry["resource"]
    assert found["note"] == plan["note"]
    assert found["careTeam"] == plan["careTeam"]
    assert plan["extension"][-1] in found["extension"]
    assert {"system": "urn:ehr", "value": "77"} in found["identifier"]
    assert len(found["category"]) == 2
    assert found["meta"]["tag"] == plan["meta"]["tag"]
    assert found["title"] == "Neck, second stage"
    assert plan["activity"][-1] in found["activity"]
    kept = next(a for a in found["activity"] if "progress" in a)
    assert kept["reference"] == plan["activity"][1]["reference"]
    dropped = plan["activity"][0]["reference"]
    assert all(a.get("reference") != dropped for a in found["activity"]), "we took it out"
    assert entry["request"] == {
        "method": "PUT",
        "url": f"CarePlan/{plan['id']}",
        "ifMatch": 'W/"3"',
    }
    assert r4_issues([again]) == []


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(programs(), programs())
def test_the_program_read_from_the_merge_is_the_one_that_was_signed(
    first: Program, other: Program
) -> None:
    second = replace(other, id=first.id, version=first.version + 1)
    sent = bundle(first)
    again = merged_bundle(bundle(second, first), sent, held(sent))
    resources = [entry["resource"] for entry in again["entry"]]
    places = {
        entry["fullUrl"]: f"{entry['resource']['resourceType']}/n{number}"
        for number, entry in enumerate(again["entry"])
        if "id" not in entry["resource"]
    }
    for number, resource in enumerate(resources):
        resource.setdefault("id", f"n{number}")
    for activity in resources[0]["activity"]:
        reference = activity["reference"]
        reference["reference"] = places.get(reference["reference"], reference["reference"])
    for goal in resources[0].get("goal", ()):
        goal["reference"] = places.get(goal["reference"], goal["reference"])
    assert (
        read_program(
            resources[0],
            [r for r in resources if r["resourceType"] == "ServiceRequest"],
            [r for r in resources if r["resourceType"] == "Goal"],
        )
        == second
    )


def test_sending_the_same_again_changes_nothing_of_what_is_there() -> None:
    sent = bundle(program())
    there = held(sent)
    again = merged_bundle(sent, sent, copy.deepcopy(there))
    for entry in again["entry"]:
        before = dict(there[entry["fullUrl"]])
        before["meta"] = {"profile": before["meta"]["profile"]}
        assert entry["resource"] == before


def test_what_is_not_there_yet_is_created_as_before() -> None:
    sent = bundle(program())
    assert merged_bundle(sent, None, {}) == sent


def test_our_values_win_and_what_we_no_longer_say_goes_unless_others_changed_it() -> None:
    previous = {"resourceType": "Goal", "description": {"text": "a"}, "statusReason": {"text": "r"}}
    current = {**previous, "id": "1", "description": {"text": "theirs", "id": "x"}}
    ours = {"resourceType": "Goal", "description": {"text": "b"}}
    assert merged(previous, current, ours) == {
        "resourceType": "Goal",
        "id": "1",
        "description": {"text": "b", "id": "x"},
    }
    current["statusReason"] = {"text": "theirs"}
    assert merged(previous, current, ours)["statusReason"] == {"text": "theirs"}


def test_a_list_that_we_no_longer_send_keeps_what_others_put_into_it() -> None:
    previous = {"resourceType": "Goal", "note": [{"text": "ours"}]}
    current = {"resourceType": "Goal", "note": [{"text": "ours"}, {"text": "theirs"}]}
    assert merged(previous, current, {"resourceType": "Goal"})["note"] == [{"text": "theirs"}]
    assert "note" not in merged(previous, previous, {"resourceType": "Goal"})


json_values = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.text(min_size=1, max_size=3), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=5).map(lambda k: f"x{k}"), json_values))
def test_an_element_that_we_know_nothing_of_is_never_touched(extra: dict[str, Any]) -> None:
    ours = {"resourceType": "Goal", "description": {"text": "b"}}
    current = {"resourceType": "Goal", **extra}
    found = merged(None, current, ours)
    assert {key: found[key] for key in extra} == extra


def test_a_list_of_plain_values_is_ours_as_a_whole() -> None:
    ours = {"resourceType": "ServiceRequest", "days": ["mon", "wed"]}
    current = {"resourceType": "ServiceRequest", "days": ["mon", "sat"]}
    assert merged(None, current, ours)["days"] == ["mon", "wed"]


def test_a_target_is_known_again_by_its_measure_and_a_component_by_its_code() -> None:
    measure = {"coding": [{"system": "s", "code": "pain"}]}
    before = {"resourceType": "Goal", "target": [{"measure": measure, "dueDate": "2026-11-01"}]}
    there = {
        "resourceType": "Goal",
        "target": [{"measure": {**measure, "text": "Pain"}, "dueDate": "2026-11-01"}],
    }
    ours = {"resourceType": "Goal", "target": [{"measure": measure, "dueDate": "2026-12-01"}]}
    assert merged(before, there, ours)["target"] == [
        {"measure": {**measure, "text": "Pain"}, "dueDate": "2026-12-01"}
    ]


def test_two_kinds_are_not_laid_onto_each_other() -> None:
    with pytest.raises(ValueError, match="Goal can't be laid onto a CarePlan"):
        merged(None, {"resourceType": "CarePlan"}, {"resourceType": "Goal"})
