"""Resources are validated on the way in, by the models of `fhir.resources` (R4B).

There are no models of R4 (4.0.1) itself. For the types that exist in both, R4B (4.3.0) changed
only evidence, medication definition and subscription resources, none of which is used here;
types that came with R4B are refused. The models check structure, primitive formats and
cardinalities; added here are the required bindings and what JSON forbids in FHIR.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import BaseModel, ValidationError

from smart_launch.sandbox.outcome import FhirProblem, Issue

_NEW_IN_R4B = frozenset(
    {
        "AdministrableProductDefinition",
        "Citation",
        "ClinicalUseDefinition",
        "EvidenceReport",
        "Ingredient",
        "ManufacturedItemDefinition",
        "MedicinalProductDefinition",
        "NutritionProduct",
        "PackagedProductDefinition",
        "RegulatedAuthorization",
        "SubscriptionStatus",
        "SubscriptionTopic",
        "SubstanceDefinition",
    }
)

# The models list these value sets up to a "+": the rest from the R4 code systems.
_ABBREVIATED = {
    ("Observation", "status"): {"corrected", "cancelled", "entered-in-error", "unknown"},
    ("Encounter", "status"): {"entered-in-error", "unknown"},
    ("Task", "status"): {
        "rejected",
        "ready",
        "cancelled",
        "in-progress",
        "on-hold",
        "failed",
        "completed",
        "entered-in-error",
    },
}

_REFERENCE = re.compile(r"\S+")


def is_resource_type(name: str) -> bool:
    """Whether R4 has a resource type of this name."""
    return _model(name) is not None


def validate(resource: Any, expected_type: str | None = None) -> dict[str, Any]:
    """`resource` itself if it is valid. Raises FhirProblem 400 or 422 with every issue."""
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        raise FhirProblem(400, "structure", "the body is not a FHIR resource")
    own_type = resource["resourceType"]
    if expected_type is not None and own_type != expected_type:
        raise FhirProblem(400, "invalid", f"expected {expected_type}, got {own_type}")
    model = _model(own_type)
    if model is None:
        raise FhirProblem(422, "not-supported", f"{own_type} is not an R4 resource type")
    try:
        parsed = model.model_validate(resource)
    except ValidationError as error:
        raise FhirProblem.of(
            422,
            [
                ("invalid", item["msg"], (".".join([own_type, *map(str, item["loc"])]),))
                for item in error.errors()
            ],
        ) from None
    issues = [*_empty_values(resource, own_type), *_unbound_codes(parsed, own_type)]
    issues += [
        ("value", f"{reference['reference']!r} is not a reference", (own_type,))
        for reference in references(resource)
        if not _REFERENCE.fullmatch(reference["reference"])
    ]
    if issues:
        raise FhirProblem.of(422, issues)
    return resource


def references(value: Any) -> Iterator[dict[str, Any]]:
    """Every Reference in a resource that has a `reference`, for reading or rewriting."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def patient_of(resource: dict[str, Any]) -> str | None:
    """The id of the patient whom the resource is about, if any.

    Narrower than R4's patient compartment: having performed or written something does not open
    another patient's record.
    """
    if resource["resourceType"] == "Patient":
        return resource.get("id")
    for element in ("subject", "patient", "beneficiary", "for"):
        found = _patient_id(resource.get(element))
        if found:
            return found
    for agent in resource.get("agent", ()) if resource["resourceType"] == "Provenance" else ():
        found = _patient_id(agent.get("who"))
        if found:
            return found
    return None


def _model(name: str) -> type[BaseModel] | None:
    if name in _NEW_IN_R4B:
        return None
    try:
        model: type[BaseModel] = get_fhir_model_class(name)
    except (KeyError, ValueError):
        return None
    return model if issubclass(model, get_fhir_model_class("Resource")) else None


def _empty_values(value: Any, path: str) -> Iterator[Issue]:
    """FHIR's JSON has no null properties, and no empty objects or arrays."""
    if value in ({}, []):
        yield "structure", "empty objects and arrays are not allowed", (path,)
    if isinstance(value, dict):
        for name, part in value.items():
            if part is None:
                yield "structure", "null is not allowed", (f"{path}.{name}",)
            yield from _empty_values(part, f"{path}.{name}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _empty_values(part, f"{path}[{index}]")


def _unbound_codes(model: BaseModel, path: str) -> Iterator[Issue]:
    """Codes outside a required value set, which the models name but do not enforce."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if value is None or name == "resource_type":
            continue
        here = f"{path}.{field.alias or name}"
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        allowed = _value_set(type(model).__name__, name, extra.get("enum_values"))
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, BaseModel):
                yield from _unbound_codes(part, here)
            elif allowed and part is not None and part not in allowed:
                yield "code-invalid", f"{part} is not one of {', '.join(sorted(allowed))}", (here,)


def _value_set(model: str, field: str, listed: Any) -> set[str]:
    codes = set(listed) if isinstance(listed, list) else set()
    if "+" in codes:
        rest = _ABBREVIATED.get((model, field))
        return (codes - {"+"}) | rest if rest else set()
    return codes


def _patient_id(reference: Any) -> str | None:
    text = reference.get("reference", "") if isinstance(reference, dict) else ""
    parts = text.rstrip("/").split("/")
    return parts[-1] if len(parts) >= 2 and parts[-2] == "Patient" else None
