"""The parts of a StructureDefinition, as a differential writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fhir import codes
from fhir.bundle import Resource
from fhir.guide.vocabulary import VALUE_SET

Element = dict[str, Any]


def definition_url(name: str) -> str:
    """The canonical url of a profile or extension of ours."""
    return f"{codes.BASE}/StructureDefinition/{name}"


def profile(name: str, type_: str, description: str, elements: list[Element]) -> Resource:
    """A profile of `type_` that adds `elements`."""
    words = name.replace("-", " ")
    return {
        "resourceType": "StructureDefinition",
        "id": name,
        "url": definition_url(name),
        "name": "".join(word.capitalize() for word in words.split()),
        "title": words.capitalize(),
        "status": "active",
        "experimental": False,
        "description": description,
        "fhirVersion": "4.0.1",
        "kind": "resource",
        "abstract": False,
        "type": type_,
        "baseDefinition": f"http://hl7.org/fhir/StructureDefinition/{type_}",
        "derivation": "constraint",
        "differential": {
            "element": [{"id": type_, "path": type_, "short": description}, *elements]
        },
    }


def element(
    path: str,
    *,
    least: int | None = None,
    most: str | None = None,
    types: Sequence[str] = (),
    fixed: tuple[str, Any] | None = None,
    pattern: tuple[str, Any] | None = None,
    bound: str | None = None,
) -> Element:
    """What is said of one element: cardinality, types, a value, a required value set of ours."""
    found: Element = {"id": path, "path": path}
    if least is not None:
        found["min"] = least
    if most is not None:
        found["max"] = most
    if types:
        found["type"] = [{"code": code} for code in types]
    if fixed is not None:
        found[f"fixed{fixed[0]}"] = fixed[1]
    if pattern is not None:
        found[f"pattern{pattern[0]}"] = pattern[1]
    if bound is not None:
        found["binding"] = {"strength": "required", "valueSet": f"{VALUE_SET}/{bound}"}
    return found


def quantity_value(ucum: str, least: int = 1) -> Element:
    """The value as a Quantity of one UCUM unit."""
    return element(
        "Observation.value[x]",
        least=least,
        types=["Quantity"],
        pattern=("Quantity", {"system": codes.UCUM, "code": ucum}),
    )


def coded(system: str, code: str) -> dict[str, Any]:
    """A CodeableConcept as a pattern."""
    return {"coding": [{"system": system, "code": code}]}


def components(*names: str) -> list[Element]:
    """One slice for each measure that must be there, told apart by its code."""
    elements: list[Element] = [
        {
            "id": "Observation.component",
            "path": "Observation.component",
            "slicing": {
                "discriminator": [{"type": "pattern", "path": "code"}],
                "rules": "open",
            },
            "min": len(names),
        }
    ]
    for name in names:
        slice_ = f"Observation.component:{name}"
        elements += [
            {
                "id": slice_,
                "path": "Observation.component",
                "sliceName": name,
                "min": 1,
                "max": "1",
            },
            {
                "id": f"{slice_}.code",
                "path": "Observation.component.code",
                "patternCodeableConcept": coded(codes.MEASURE, name),
            },
        ]
    return elements


def extension_slicing(type_: str, least: int = 0) -> list[Element]:
    """Extensions are told apart by their url; at least as many as their slices ask for."""
    path = f"{type_}.extension"
    return [
        {
            "id": path,
            "path": path,
            "slicing": {"discriminator": [{"type": "value", "path": "url"}], "rules": "open"},
            "min": least,
        }
    ]


def extension_slice(type_: str, name: str, least: int, most: str) -> Element:
    """One of our extensions on a resource."""
    path = f"{type_}.extension"
    return {
        "id": f"{path}:{name}",
        "path": path,
        "sliceName": name,
        "min": least,
        "max": most,
        "type": [{"code": "Extension", "profile": [definition_url(name)]}],
    }


def own_extension(type_: str, name: str, least: int, most: str) -> list[Element]:
    """One of our extensions, as the only one that is sliced."""
    return [*extension_slicing(type_, least), extension_slice(type_, name, least, most)]
