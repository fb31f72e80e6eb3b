"""The resources' ids and references here, and what of a transaction becomes of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.api.registry import SERVED
from fhir.bundle import Resource
from fhir.device import SoftwareDevice
from fhir.reference import redirected

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_KINDS = ("session", "range", "outcome", "program", "episode", "message")
_OWN_ID = re.compile(rf"(({'|'.join(_KINDS)})-{_UUID})(\.[0-9a-f]{{12}})?")


def key_of(id_: str) -> str:
    """The key of the row that the resource with this id comes from."""
    match = _OWN_ID.fullmatch(id_)
    return match[1] if match else id_


def keys_in(identifier: str) -> list[str]:
    """The keys of the rows that a resource with this identifier (`system|value`) may come from."""
    match = re.match(_UUID, identifier.rpartition("|")[2])
    return [f"{kind}-{match[0]}" for kind in _KINDS] if match else []


def software(version: str | None) -> SoftwareDevice:
    """The software that measured, in the version that did."""
    return SoftwareDevice("Homestretch", version or "unknown", "Homestretch")


def device_id(device: SoftwareDevice) -> str:
    return re.sub(r"[^A-Za-z0-9\-.]", "-", f"{device.name}-{device.version}")[:64]


def as_ours(
    bundle: Resource, key: str, others: Mapping[str, str], meta: dict[str, str], iss: str
) -> list[Resource]:
    """A transaction's resources with ids of ours, referring to one another by them.

    The first entry gets `key` for its id, the others add to it from their `urn:uuid:`. Types in
    `others` have an id of their own there, and are left out here.
    """
    references: dict[str, str] = {}
    for number, entry in enumerate(bundle["entry"]):
        kind = entry["resource"]["resourceType"]
        digest = entry["fullUrl"].rpartition(":")[2].replace("-", "")[:12]
        own = others.get(kind, key if number == 0 else f"{key}.{digest}")
        references[entry["fullUrl"]] = f"{kind}/{own}"

    def lead(target: str) -> str:
        """To what we serve, or else to the EHR."""
        local = references.get(target, target)
        elsewhere = "://" not in local and local.partition("/")[0] not in SERVED
        return f"{iss}/{local}" if elsewhere else local

    resources = []
    for entry in bundle["entry"]:
        kind = entry["resource"]["resourceType"]
        if kind not in others:
            id_ = references[entry["fullUrl"]].partition("/")[2]
            resource = redirected(entry["resource"], lead)
            resources.append(identified(resource, id_, meta))
    return resources


def identified(resource: Resource, id_: str, meta: Mapping[str, str]) -> Resource:
    return {**resource, "id": id_, "meta": {**resource.get("meta", {}), **meta}}
