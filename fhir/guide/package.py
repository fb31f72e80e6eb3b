"""The guide as a FHIR package: every file by its path, ready to be written or compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fhir import codes
from fhir.bundle import Resource
from fhir.guide.examples import definitions, examples
from fhir.guide.extensions import extensions
from fhir.guide.profiles import profiles
from fhir.guide.vocabulary import code_systems, value_sets

PACKAGE_ID = "health.homestretch.rtm"
VERSION = "0.1.0"
TITLE = "Homestretch: remote therapeutic monitoring at home"
_R4 = ("hl7.fhir.r4.core", "4.0.1")


def package_files() -> dict[str, str]:
    """Path within the package to content; the same each time, down to the byte."""
    conformance = [*code_systems(), *value_sets(), *extensions(), *profiles(), *definitions()]
    shown = examples()
    published = [_implementation_guide(conformance, shown), *conformance]
    files = {
        "package.json": _text(_manifest()),
        ".index.json": _text(_index(published)),
        "example/.index.json": _text(_index(shown)),
    }
    for folder, resources in (("", published), ("example/", shown)):
        for resource in resources:
            path = f"{folder}{resource['resourceType']}-{resource['id']}.json"
            if path in files:
                raise ValueError(f"{path} would be written twice")
            files[path] = _text(resource)
    return files


def _manifest() -> dict[str, Any]:
    return {
        "name": PACKAGE_ID,
        "version": VERSION,
        "type": "IG",
        "canonical": codes.BASE,
        "title": TITLE,
        "description": "Profiles, extensions, codes and examples of what Homestretch sends.",
        "author": "Homestretch",
        "fhirVersions": ["4.0.1"],
        "dependencies": dict([_R4]),
        "directories": {"lib": ".", "example": "example"},
    }


def _index(resources: list[Resource]) -> dict[str, Any]:
    """What is in a folder of the package, as the package specification has it."""
    return {
        "index-version": 1,
        "files": [
            {
                "filename": f"{resource['resourceType']}-{resource['id']}.json",
                **{
                    name: resource[name]
                    for name in ("resourceType", "id", "url", "version", "kind", "type")
                    if isinstance(resource.get(name), str)
                },
            }
            for resource in resources
        ],
    }


def _implementation_guide(conformance: list[Resource], shown: list[Resource]) -> Resource:
    return {
        "resourceType": "ImplementationGuide",
        "id": PACKAGE_ID,
        "url": f"{codes.BASE}/ImplementationGuide/{PACKAGE_ID}",
        "version": VERSION,
        "name": "HomestretchRtm",
        "title": TITLE,
        "status": "active",
        "experimental": False,
        "packageId": PACKAGE_ID,
        "fhirVersion": ["4.0.1"],
        "definition": {
            "resource": [
                *({"reference": _reference(r), "exampleBoolean": False} for r in conformance),
                *({"reference": _reference(r), **_example_of(r)} for r in shown),
            ]
        },
    }


def _example_of(resource: Resource) -> dict[str, Any]:
    claimed = resource.get("meta", {}).get("profile", [])
    return {"exampleCanonical": claimed[0]} if claimed else {"exampleBoolean": True}


def _reference(resource: Resource) -> dict[str, str]:
    reference = {"reference": f"{resource['resourceType']}/{resource['id']}"}
    title = resource.get("title")
    return reference | ({"display": title} if isinstance(title, str) else {})


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
