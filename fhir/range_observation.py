"""A range-of-motion test as one Observation, with what measured it and where it came from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fhir import codes
from fhir.bundle import Resource, create_once, put_by_id, put_by_identifier, transaction, urn
from fhir.careplan import program_reference
from fhir.codes import concept, identifier, quantity
from fhir.device import SoftwareDevice, device_resource
from fhir.provenance import provenance_resource
from rtm.range_of_motion import Change, RangeMovement, RangeResult

RANGE_TEST_ID = f"{codes.BASE}/identifier/range-test"


def range_bundle(
    test_id: str,
    result: RangeResult,
    movement: RangeMovement,
    *,
    measured_at: datetime,
    change: Change | None,
    patient: str,
    careplan: str | None,
    program_id: str | None,
    device: SoftwareDevice,
    recorded: datetime,
) -> Resource:
    """The transaction for one test that was measured; the Observation is its first entry.

    The Observation is created only if its identifier is new, so sending it twice has one effect.
    `change` is against the test before; None for the first. `program_id` is None for a patient
    without a program, `careplan` where the EHR has no plan yet.

    Raises:
        ValueError: nothing was measured.
    """
    if result.best_deg is None:
        raise ValueError("a test without a value is no Observation")
    device_urn = urn(codes.DEVICE_ID, device.version)
    observation_urn = urn(RANGE_TEST_ID, test_id)
    observation: Resource = {
        "resourceType": "Observation",
        "meta": codes.profile("range-test"),
        "identifier": [identifier(RANGE_TEST_ID, test_id)],
        "status": "final",
        "category": [concept(codes.OBSERVATION_CATEGORY, "activity", "Activity")],
        "code": {
            "coding": [_measure(f"range_of_motion_{movement.id}", _title(movement))],
            "text": f"{_title(movement)}, best of {len(result.attempts_deg)}",
        },
        "subject": {"reference": patient},
        "device": {"reference": device_urn},
        "effectiveDateTime": measured_at.isoformat(),
        "valueQuantity": _degrees(result.best_deg),
        "referenceRange": [
            {"text": f"Normal {movement.normal.text} ({movement.normal.source})"},
        ],
        "component": _components(result, movement, change),
    }
    if program_id is not None:
        observation["basedOn"] = [program_reference(program_id, careplan)]
    if result.side is not None:
        observation["bodySite"] = concept(codes.SNOMED, *codes.LATERALITY[result.side])
    if result.warnings:
        observation["note"] = [{"text": warning} for warning in result.warnings]
    return transaction(
        [
            create_once(observation, observation_urn),
            put_by_identifier(device_resource(device), device_urn),
            put_by_id(
                provenance_resource(test_id, [observation_urn], patient, device_urn, recorded),
                urn(RANGE_TEST_ID, test_id, "provenance"),
            ),
        ]
    )


def _components(
    result: RangeResult, movement: RangeMovement, change: Change | None
) -> list[dict[str, Any]]:
    components = [
        _component(f"attempt_{number}", f"Attempt {number}", value)
        for number, value in enumerate(result.attempts_deg, start=1)
    ]
    if result.standard_deviation_deg is not None:
        components.append(
            _component(
                "standard_deviation",
                "Standard deviation of the attempts",
                result.standard_deviation_deg,
            )
        )
    components.append(
        _component(
            "minimal_detectable_change",
            f"Minimal detectable change ({movement.mdc.method}; {movement.mdc.source})",
            movement.mdc.value_deg,
        )
    )
    if change is not None:
        certainty = "certain" if change.certain else "within measurement error"
        components.append(
            _component(
                "gain", f"Further than at the test before ({certainty}); less < 0", change.gain_deg
            )
        )
    return components


def _title(movement: RangeMovement) -> str:
    return f"Range of motion, {movement.id.replace('_', ' ')}"


def _component(code: str, display: str, value_deg: float) -> dict[str, Any]:
    return {"code": {"coding": [_measure(code, display)]}, "valueQuantity": _degrees(value_deg)}


def _measure(code: str, display: str) -> dict[str, str]:
    return {"system": codes.MEASURE, "code": code, "display": display}


def _degrees(value: float) -> dict[str, Any]:
    return quantity(round(value, 1), "deg", "deg")
