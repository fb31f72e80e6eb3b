"""Library and protocols as definitions, and $apply: the CarePlan that signing would send."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import pytest

from fhir.activity_definition import activity_definition, activity_url, exercise_of
from fhir.careplan import prescription_bundle, read_program
from fhir.parties import Parties
from fhir.plan_definition import UnreadablePlan, apply_plan, plan_definition, read_plan_definition
from rtm.exercises import load_library
from rtm.protocols import Protocol, UnknownProtocol, draft_program, load_protocols
from tests.fhir.r4 import r4_issues
from tests.fhir.samples import NAMES, as_stored

PARTIES = Parties("Patient/p1", "Practitioner/x1", "Encounter/e1")
ACTIVITIES = [activity_definition(exercise) for exercise in load_library()]
PHASES = [(protocol, phase) for protocol in load_protocols() for phase in protocol.phases]


def applied(protocol: Protocol, phase_id: str | None, **change: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "phase_id": phase_id,
        "program_id": "p",
        "start": date(2026, 10, 1),
        "side": "left",
        "parties": PARTIES,
    }
    return apply_plan(plan_definition(protocol), ACTIVITIES, **(options | change))


def test_every_exercise_and_protocol_is_valid_r4() -> None:
    assert len(ACTIVITIES) >= 57
    assert r4_issues([*ACTIVITIES, *(plan_definition(p) for p in load_protocols())]) == []


@pytest.mark.parametrize("protocol", list(load_protocols()), ids=lambda protocol: protocol.id)
def test_a_protocol_comes_back_whole_from_its_plan_definition(protocol: Protocol) -> None:
    assert read_plan_definition(plan_definition(protocol)) == protocol


def test_every_phase_of_every_protocol_applies_to_the_program_that_signing_would_send() -> None:
    plans = []
    for protocol, phase in PHASES:
        program = draft_program(protocol, phase, id="p", start=date(2026, 10, 1), side="left")
        plan = applied(protocol, phase.id)
        plans.append(plan)
        contained = plan["contained"]
        assert (
            read_program(
                plan,
                [r for r in contained if r["resourceType"] == "ServiceRequest"],
                [r for r in contained if r["resourceType"] == "Goal"],
            )
            == program
        )
        signed = as_stored(prescription_bundle(program, PARTIES, NAMES))[0]
        for element in ("title", "period", "addresses", "category", "extension", "text", "author"):
            assert plan[element] == signed[element]
        assert (plan["status"], signed["status"]) == ("draft", "active")
    assert len(plans) == len(PHASES)
    assert r4_issues(plans) == []


def test_without_a_phase_the_first_is_applied() -> None:
    protocol = load_protocols()["total_knee_replacement"]
    assert applied(protocol, None) == applied(protocol, protocol.phases[0].id)


def test_an_unknown_phase_or_a_missing_activity_is_refused_by_name() -> None:
    protocol = load_protocols()["neck_pain"]
    with pytest.raises(UnknownProtocol, match="no phase 'x'"):
        applied(protocol, "x")
    with pytest.raises(UnreadablePlan, match="no ActivityDefinition is given for"):
        apply_plan(
            plan_definition(protocol),
            [],
            phase_id=None,
            program_id="p",
            start=date(2026, 10, 1),
            side="left",
            parties=PARTIES,
        )


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan.pop("useContext"),
        lambda plan: plan["action"][0].pop("timingDuration"),
        lambda plan: plan["action"][0]["action"][0].update(definitionCanonical="https://x.example"),
        lambda plan: plan["goal"].clear(),
    ],
)
def test_a_plan_of_others_is_not_read_as_a_protocol(change: Any) -> None:
    plan = copy.deepcopy(plan_definition(load_protocols()["neck_pain"]))
    change(plan)
    with pytest.raises(UnreadablePlan):
        read_plan_definition(plan)


def test_an_exercise_is_found_by_its_canonical_url_with_or_without_version() -> None:
    for exercise in load_library():
        assert exercise_of(activity_url(exercise.id)) == exercise.id
        assert exercise_of(f"{activity_url(exercise.id)}|2") == exercise.id
    with pytest.raises(ValueError, match="no exercise of this library"):
        exercise_of("https://example.org/ActivityDefinition/squat")
