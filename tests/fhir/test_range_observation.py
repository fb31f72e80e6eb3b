"""A range-of-motion test leaves as valid R4, once, with its normal range and its MDC."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from fhir.device import SoftwareDevice
from fhir.range_observation import range_bundle
from rtm.range_of_motion import (
    Change,
    RangeResult,
    change_between,
    load_movements,
    not_measured,
    range_result,
)
from tests.fhir.r4 import r4_issues

MOVEMENTS = load_movements()
KNEE = MOVEMENTS["knee_flexion"]
MEASURED = range_result(KNEE, "left", [104.21, 112.0, 109.4], ["The hips were out of view."])


def bundle(
    result: RangeResult = MEASURED,
    change: Change | None = None,
    careplan: str | None = "CarePlan/c1",
    program_id: str | None = "prog",
) -> dict[str, Any]:
    return range_bundle(
        "7a1d3f60-0000-4000-8000-000000000003",
        result,
        MOVEMENTS[result.movement_id],
        measured_at=datetime(2026, 5, 3, 15, 0, tzinfo=UTC),
        change=change,
        patient="Patient/p1",
        careplan=careplan,
        program_id=program_id,
        device=SoftwareDevice("Homestretch", "0.1.0", "Homestretch"),
        recorded=datetime(2026, 5, 3, 15, 1, tzinfo=UTC),
    )


def observation(found: dict[str, Any]) -> dict[str, Any]:
    resource: dict[str, Any] = found["entry"][0]["resource"]
    return resource


def component(found: dict[str, Any], code: str) -> float:
    value: float = next(
        each["valueQuantity"]["value"]
        for each in observation(found)["component"]
        if each["code"]["coding"][0]["code"] == code
    )
    return value


def test_tests_of_every_joint_are_valid_r4() -> None:
    bundles = []
    for movement in MOVEMENTS:
        side = "right" if movement.bilateral else None
        result = range_result(movement, side, [41.5, 40.0])  # type: ignore[arg-type]
        bundles.append(bundle(result, change_between(movement, 30.0, 41.5)))
    bundles += [bundle(careplan=None), bundle(careplan=None, program_id=None)]
    assert r4_issues(bundles) == []


def test_the_value_is_the_best_with_every_attempt_beside_it() -> None:
    found = bundle()
    assert observation(found)["valueQuantity"]["value"] == 112.0
    assert [component(found, f"attempt_{n}") for n in (1, 2, 3)] == [104.2, 112.0, 109.4]
    assert component(found, "standard_deviation") == pytest.approx(4.0, abs=0.1)
    assert observation(found)["bodySite"]["text"] == "Left"
    assert observation(found)["note"] == [{"text": "The hips were out of view."}]


def test_the_normal_range_and_the_mdc_travel_with_the_value() -> None:
    found = bundle(change=change_between(KNEE, 104.0, 112.0))
    assert "Normal 135°" in observation(found)["referenceRange"][0]["text"]
    assert component(found, "minimal_detectable_change") == 9.5
    assert component(found, "gain") == 8.0
    assert "within measurement error" in json.dumps(found, ensure_ascii=False)


def test_a_first_test_carries_no_gain_and_a_joint_without_sides_no_body_site() -> None:
    trunk = range_result(MOVEMENTS["trunk_flexion"], None, [70.0])
    text = json.dumps(bundle(trunk))
    assert '"gain"' not in text
    assert '"bodySite"' not in text
    assert '"standard_deviation"' not in text


def test_a_patient_without_a_program_has_a_test_based_on_nothing() -> None:
    assert "basedOn" not in observation(bundle(program_id=None))
    assert observation(bundle())["basedOn"][0]["reference"] == "CarePlan/c1"


def test_building_it_again_gives_the_same_bytes_and_creates_once() -> None:
    assert json.dumps(bundle()) == json.dumps(bundle())
    assert "identifier=" in bundle()["entry"][0]["request"]["ifNoneExist"]


def test_what_was_not_measured_is_no_observation() -> None:
    with pytest.raises(ValueError, match="without a value"):
        bundle(not_measured(KNEE, "left", "It was dark."))
