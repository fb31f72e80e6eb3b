"""Transaction Bundles whose redelivery has one effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from fhir import wire
from fhir.narrative import check_narratives
from fhir.reference import relative_reference
from fhir.resources.R4B import get_fhir_model_class

Resource = wire.Resource


def checked(resource: Resource) -> Resource:
    """`resource`, after the model of its type has accepted it.

    The models are R4B's, the nearest there are to R4; for the resources that we send they differ
    only in elements that we do not use (docs/decisions/0003-r4b-models.md).

    Raises:
        pydantic.ValidationError, UnsafeNarrative: a bug in a builder.
    """
    check_narratives(resource)
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    return resource


def urn(*parts: str) -> str:
    """A `urn:uuid:` that is the same for the same parts, so that a bundle can be built again."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, '/'.join(parts))}"


def create_once(resource: Resource, full_url: str) -> Resource:
    """An entry that creates `resource` unless its first identifier exists."""
    return {
        "fullUrl": full_url,
        "resource": checked(resource),
        "request": {
            "method": "POST",
            "url": resource["resourceType"],
            "ifNoneExist": by_identifier(resource),
        },
    }


def put_by_identifier(resource: Resource, full_url: str) -> Resource:
    """An entry that creates or replaces the resource with this first identifier."""
    return {
        "fullUrl": full_url,
        "resource": checked(resource),
        "request": {
            "method": "PUT",
            "url": f"{resource['resourceType']}?{by_identifier(resource)}",
        },
    }


def put_by_id(resource: Resource, full_url: str) -> Resource:
    """An entry for a type without identifiers; we choose the id."""
    return {
        "fullUrl": full_url,
        "resource": checked(resource),
        "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"},
    }


def transaction(entries: Sequence[Mapping[str, Any]]) -> Resource:
    """A transaction Bundle of `entries`, whose resources have been checked as they were made."""
    bundle = {"resourceType": "Bundle", "type": "transaction"}
    shells = [{key: entry[key] for key in entry if key != "resource"} for entry in entries]
    checked({**bundle, "entry": shells})
    return {**bundle, "entry": list(entries)}


def locations(response: Mapping[str, Any]) -> tuple[str, ...]:
    """The relative references (`CarePlan/12`) in a transaction's response, in order.

    An entry without a location gives an empty string.
    """
    return tuple(
        relative_reference(entry.get("response", {}).get("location", ""))
        for entry in response.get("entry", ())
    )


def by_identifier(resource: Resource) -> str:
    """The search that finds `resource` by its first identifier: `identifier=system|value`."""
    first = resource["identifier"]
    first = first[0] if isinstance(first, list) else first
    return f"identifier={quote(first['system'], safe='')}|{quote(first['value'], safe='')}"
