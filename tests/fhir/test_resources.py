"""What leaves is valid R4 by an independent validator, and comes back whole."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from fhir.careplan import UnreadableProgram, prescription_bundle, read_program
from fhir.device import SoftwareDevice
from fhir.guide.vocabulary import measures
from fhir.observation import read_measures, session_bundle
from fhir.parties import Parties
from fhir.patient import MissingElement, read_diagnoses, read_patient
from rtm.feedback import load_scales
from rtm.program import PrescribedExercise, Program
from rtm.protocols import draft_program, load_protocols
from rtm.safety import load_safety
from rtm.session import Session
from smart_launch.sandbox.seed import synthetic_resources
from tests.fhir.r4 import r4_issues
from tests.fhir.samples import (
    NAMES,
    answered_session,
    as_stored,
    measured_session,
    programs,
    reported_session,
)

PARTIES = Parties("Patient/p1", "Practitioner/x1", "Encounter/e1")
DEVICE = SoftwareDevice("Homestretch", "0.1.0", "Homestretch", udi=None)


def _session(session: Session, careplan: str | None = "CarePlan/c1") -> dict[str, Any]:
    return session_bundle(
        session,
        patient="Patient/p1",
        careplan=careplan,
        program_id="prog",
        exercise_name="Exercise",
        device=DEVICE,
        recorded=datetime(2026, 10, 6, tzinfo=UTC),
    )


def _read_back(resources: list[dict[str, Any]]) -> Program:
    return read_program(
        resources[0],
        [r for r in resources if r["resourceType"] == "ServiceRequest"],
        [r for r in resources if r["resourceType"] == "Goal"],
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_a_program_comes_back_from_fhir_as_it_was(program: Program) -> None:
    assert _read_back(as_stored(prescription_bundle(program, PARTIES, NAMES))) == program


def test_every_protocol_prescribes_valid_r4() -> None:
    bundles = [
        prescription_bundle(
            draft_program(protocol, phase, id="p", start=datetime(2026, 10, 1).date(), side="left"),
            PARTIES,
            NAMES,
        )
        for protocol in load_protocols()
        for phase in protocol.phases
    ]
    assert len(bundles) >= 7
    assert r4_issues(bundles) == []


def test_random_programs_are_valid_r4() -> None:
    bundles: list[dict[str, Any]] = []

    @settings(max_examples=40, deadline=None, database=None)
    @given(programs())
    def collect(program: Program) -> None:
        bundles.append(prescription_bundle(program, PARTIES, NAMES))

    collect()
    assert len(bundles) >= 40
    assert r4_issues(bundles) == []


def test_sessions_of_every_kind_are_valid_r4() -> None:
    bundles = [
        _session(measured_session()),
        _session(measured_session(), careplan=None),
        _session(reported_session()),
        _session(answered_session()),
    ]
    assert r4_issues(bundles) == []


def test_the_sandboxs_own_people_are_valid_r4() -> None:
    assert r4_issues(synthetic_resources()) == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda plan: plan.pop("subject"), "subject"),
        (lambda plan: plan.update(color="blue"), "color"),
        (lambda plan: plan.update(title=7), "title"),
        (lambda plan: plan["activity"][0].update(plannedActivityReference={}), "planned"),
        (lambda plan: plan.update(status="activ"), "status"),
    ],
)
def test_the_validator_sees_what_is_wrong(change: Any, path: str) -> None:
    protocol = load_protocols()["neck_pain"]
    program = draft_program(
        protocol, protocol.phases[0], id="p", start=datetime(2026, 10, 1).date(), side="left"
    )
    plan = copy.deepcopy(prescription_bundle(program, PARTIES, NAMES)["entry"][0]["resource"])
    assert r4_issues([plan]) == []
    change(plan)
    assert path in " ".join(r4_issues([plan]))


def test_what_was_not_measured_is_absent_with_a_reason_and_never_zero() -> None:
    parent = _session(reported_session())["entry"][0]["resource"]
    measures = read_measures(parent)
    assert measures["repetitions"] == 20
    assert measures["score_total"] is None
    absent = [c for c in parent["component"] if "dataAbsentReason" in c]
    assert len(absent) == 6


def test_a_session_is_linked_to_its_careplan_device_and_members() -> None:
    entries = _session(measured_session())["entry"]
    parent = entries[0]["resource"]
    assert parent["basedOn"][0]["reference"] == "CarePlan/c1"
    assert len(parent["hasMember"]) == 3
    kinds = [entry["resource"]["resourceType"] for entry in entries]
    assert kinds == ["Observation"] * 4 + ["Device", "Provenance"]
    rom = next(
        e["resource"]
        for e in entries
        if "Range of motion" in e["resource"].get("code", {}).get("text", "")
    )
    assert rom["valueQuantity"] == {
        "value": 136.2,
        "unit": "deg",
        "system": "http://unitsofmeasure.org",
        "code": "deg",
    }


def test_pain_before_and_after_carry_the_loinc_code() -> None:
    resources = [e["resource"] for e in _session(measured_session())["entry"]]
    pain = [
        r["valueQuantity"]["value"]
        for r in resources
        if any(c["code"] == "72514-3" for c in r.get("code", {}).get("coding", ()))
    ]
    assert pain == [4, 3]


def test_what_the_patient_said_stands_in_the_session_and_what_was_skipped_does_not() -> None:
    parent = _session(answered_session())["entry"][0]["resource"]
    assert read_measures(parent)["perceived_exertion"] == 7
    said = {
        component["valueCodeableConcept"]["coding"][0]["code"]
        for component in parent["component"]
        if "valueCodeableConcept" in component
    }
    assert said == {"difficulty_too_hard", "stopped_reason_dizzy"}
    (note,) = parent["note"]
    assert note["text"] == "It <b>hurts</b>."
    assert note["authorReference"] == parent["subject"]
    quiet = _session(reported_session())["entry"][0]["resource"]
    assert "note" not in quiet
    assert "perceived_exertion" not in read_measures(quiet)


def test_every_answer_of_a_patient_has_a_code_in_our_guide() -> None:
    known = measures()
    for choice in load_scales().difficulties:
        assert f"difficulty_{choice.id}" in known
    for reason in load_safety().stop_reasons:
        assert f"stopped_reason_{reason.id}" in known


def test_building_a_bundle_again_gives_the_same_bytes() -> None:
    first, second = _session(measured_session()), _session(measured_session())
    assert json.dumps(first) == json.dumps(second)


def test_an_exercise_taken_out_of_the_program_is_revoked() -> None:
    protocol = load_protocols()["neck_pain"]
    before = draft_program(
        protocol, protocol.phases[0], id="p", start=datetime(2026, 10, 1).date(), side="left"
    )
    after = Program(**{**before.__dict__, "version": 2, "exercises": before.exercises[1:]})
    bundle = prescription_bundle(after, PARTIES, NAMES, previous=before)
    revoked = [e["resource"] for e in bundle["entry"] if e["resource"].get("status") == "revoked"]
    assert [r["code"]["coding"][0]["code"] for r in revoked] == [before.exercises[0].exercise_id]
    assert _read_back(as_stored(bundle)) == after


def test_one_exercise_for_each_side_is_two_orders() -> None:
    protocol = load_protocols()["knee_strengthening"]
    right = draft_program(
        protocol, protocol.phases[0], id="p", start=datetime(2026, 10, 1).date(), side="right"
    )
    line = next(line for line in right.exercises if line.side == "right")
    left = PrescribedExercise(line.exercise_id, "left", line.dose)
    both = Program(**{**right.__dict__, "version": 2, "exercises": (*right.exercises, left)})
    bundle = prescription_bundle(both, PARTIES, NAMES, previous=right)
    orders = [e["resource"] for e in bundle["entry"]]
    ids = [o["identifier"][0]["value"] for o in orders if o["resourceType"] == "ServiceRequest"]
    assert len(ids) == len(set(ids)) == len(both.exercises)
    assert _read_back(as_stored(bundle)) == both
    only_left = Program(**{**both.__dict__, "version": 3, "exercises": (left,)})
    bundle = prescription_bundle(only_left, PARTIES, NAMES, previous=both)
    revoked = [e["resource"] for e in bundle["entry"] if e["resource"].get("status") == "revoked"]
    assert len(revoked) == len(right.exercises)


def test_a_careplan_of_somebody_else_is_not_read_as_ours() -> None:
    with pytest.raises(UnreadableProgram):
        read_program({"resourceType": "CarePlan", "status": "active"}, [], [])


def test_a_patient_is_read_with_age_and_time_zone() -> None:
    resource = next(r for r in synthetic_resources() if r["id"] == "ada-okafor")
    patient = read_patient(resource)
    assert (patient.name, patient.mrn, patient.time_zone) == (
        "Ada Okafor",
        "SYN-0001",
        "America/Chicago",
    )
    assert patient.age_on(datetime(2026, 3, 13).date()) == 73
    assert patient.age_on(datetime(2026, 3, 14).date()) == 74


@pytest.mark.parametrize("element", ["id", "name", "birthDate"])
def test_a_patient_without_what_identifies_is_refused(element: str) -> None:
    resource = next(r for r in synthetic_resources() if r["id"] == "ada-okafor")
    with pytest.raises(MissingElement, match=element):
        read_patient({key: value for key, value in resource.items() if key != element})


def test_only_active_conditions_become_diagnoses() -> None:
    conditions = [r for r in synthetic_resources() if r["resourceType"] == "Condition"][:2]
    resolved = copy.deepcopy(conditions[0])
    resolved["clinicalStatus"]["coding"][0]["code"] = "resolved"
    assert read_diagnoses([resolved, *conditions]) == ("M17.11", "Z96.651")
