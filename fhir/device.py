"""The software that measures, as Device."""

from __future__ import annotations

from dataclasses import dataclass

from fhir import codes
from fhir.bundle import Resource
from fhir.codes import identifier


@dataclass(frozen=True)
class SoftwareDevice:
    """One version of the software. `udi` is the carrier's human-readable form, if it has one."""

    name: str
    version: str
    manufacturer: str
    udi: str | None = None


def device_resource(device: SoftwareDevice) -> Resource:
    """One Device a version, so that an Observation says what measured it."""
    resource: Resource = {
        "resourceType": "Device",
        "meta": codes.profile("monitoring-software"),
        "identifier": [identifier(codes.DEVICE_ID, f"{device.name}.{device.version}")],
        "status": "active",
        "manufacturer": device.manufacturer,
        "deviceName": [{"name": device.name, "type": "manufacturer-name"}],
        "type": {"text": "Software for remote therapeutic monitoring"},
        "version": [{"value": device.version}],
    }
    if device.udi:
        resource["udiCarrier"] = [{"carrierHRF": device.udi}]
    return resource
