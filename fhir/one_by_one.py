"""Sending a transaction to a server that knows none: each resource by itself, found before made.

Only for resources that stand alone: if it breaks off, some are there and the rest comes with the
next attempt. What the server does not take is left out, and a reference to it becomes its name.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from fhir.bundle import Resource, by_identifier
from fhir.capability import Capabilities
from fhir.client import FhirClient, FhirError
from fhir.reference import references


def send_one_by_one(
    client: FhirClient, bundle: Mapping[str, Any], capabilities: Capabilities
) -> tuple[str, ...]:
    """Creates the entries of `bundle` that the server takes and does not hold yet.

    The references of all, in the order of the entries; "" for one left out. Sent again, those that
    are there are found by their first identifier.

    Raises:
        FhirError: any failure of the server; entries that refer to each other in a circle.
    """
    entries = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    kept = {
        url: copy.deepcopy(resource)
        for url, resource in entries.items()
        if capabilities.takes(resource["resourceType"]) and "identifier" in resource
    }
    places: dict[str, str] = {}
    names = {url: _name(resource) for url, resource in entries.items() if url not in kept}
    for url in _innermost_first(kept):
        resource = kept[url]
        for reference in references(resource):
            _resolve(reference, places, names)
        places[url] = found_or_made(client, resource, capabilities)
    return tuple(places.get(url, "") for url in entries)


def found_or_made(client: FhirClient, resource: Resource, capabilities: Capabilities) -> str:
    """Where the resource with this first identifier is: found, or created now. Raises FhirError."""
    own_type = str(resource["resourceType"])
    criteria = by_identifier(resource)
    if own_type in capabilities.conditional_creates:
        return client.create(resource, criteria)
    for match in client.search(own_type, dict(parse_qsl(criteria))):
        return f"{own_type}/{match['id']}"
    return client.create(resource)


def _innermost_first(resources: Mapping[str, Resource]) -> Iterator[str]:
    """Each resource after those that it refers to."""
    waiting = dict(resources)
    while waiting:
        ready = [
            url
            for url, resource in waiting.items()
            if not any(ref["reference"] in waiting for ref in references(resource))
        ]
        if not ready:
            raise FhirError("resources that refer to each other need a transaction")
        for url in ready:
            del waiting[url]
            yield url


def _resolve(
    reference: dict[str, Any], places: Mapping[str, str], names: Mapping[str, str]
) -> None:
    target = reference["reference"]
    if target in places:
        reference["reference"] = places[target]
    elif target in names:
        del reference["reference"]
        reference.setdefault("display", names[target])


def _name(resource: Mapping[str, Any]) -> str:
    """What a person would call it; its type, where it has no name."""
    device_names = resource.get("deviceName") or [{}]
    name = device_names[0].get("name") or resource.get("title") or resource["resourceType"]
    versions = resource.get("version")
    if isinstance(versions, list) and versions:
        name = f"{name} {versions[0]['value']}"
    return str(name)
